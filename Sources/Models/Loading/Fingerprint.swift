import Checkpoint
import Crypto
import Dispatch
import Foundation
import Synchronization
import TokenizerCore

/// A tensor as the fingerprint sees it: the same weights in another container have the same one.
struct FingerprintedTensor: Sendable {
    let file: CheckpointFile
    let name: String
    /// Name under which it is hashed.
    let canonicalName: String

    var count: Int { (try? file.info(name))?.count ?? 0 }

    /// SHA-256 over name, shape and values as little-endian float32.
    func digest() throws -> [UInt8] {
        let shape = try file.info(name).shape.map(String.init).joined(separator: ",")
        var hash = SHA256()
        hash.update(data: Data("\(canonicalName)\0\(shape)\0".utf8))
        try file.appendFloat32Bytes(of: name) { hash.update(bufferPointer: $0) }
        return Array(hash.finalize())
    }
}

enum Fingerprint {
    /// Of a tokenizer.
    static func of(_ tensors: [FingerprintedTensor], _ contract: TokenContract) throws -> String {
        try of(tensors, settings: settings(contract))
    }

    /// SHA-256 over settings and the digests of all tensors in the order of their names. Tensors are hashed side by
    /// side: they are most of a start's work.
    static func of(_ tensors: [FingerprintedTensor], settings: [String]) throws -> String {
        let sorted = tensors.sorted { $0.canonicalName < $1.canonicalName }
        let results = Mutex<[Result<[UInt8], any Error>?]>(Array(repeating: nil, count: sorted.count))
        DispatchQueue.concurrentPerform(iterations: sorted.count) { index in
            let result = Result { try sorted[index].digest() }
            results.withLock { $0[index] = result }
        }
        var hash = SHA256()
        hash.update(data: Data(settings.joined(separator: "\n").utf8))
        for result in results.withLock({ $0 }) {
            if let result { hash.update(data: Data(try result.get())) }
        }
        return hash.finalize().map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// What a VAE encoder's fingerprint is made of beside its tensors.
    static func settings(encoder preprocessing: Preprocessing) -> [String] {
        ["tessera 1", "dc-ae encoder", "\(preprocessing.filter.rawValue) \(preprocessing.size)", "fp32", ""]
    }

    /// What a tokenizer's fingerprint is made of beside its tensors.
    static func settings(_ contract: TokenContract) -> [String] {
        [
            "tessera 1", contract.architecture, "tokens \(contract.tokensPerImage)", "codes \(contract.codebookSize)",
            "mask \(contract.specialIDs.mask) classes \(contract.specialIDs.classOffset)",
            "\(contract.preprocessing.filter.rawValue) \(contract.preprocessing.size)",
            contract.assignments.map(\.rawValue).joined(separator: " "), contract.precision.rawValue, "",
        ]
    }
}
