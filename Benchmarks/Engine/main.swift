// The engine's operations, timed one at a time on request, so that another process can be measured in turn.
//
// usage: tessera-bench MODEL...      MODEL as for `tessera serve --model`
// Reads lines "MODEL OPERATION" on standard input, answers each with the seconds it took; "threads N" sets the threads.
// Operations: precision (which is told), encode, decode, latent (DC-AE encoder alone), pixels (DC-AE decoder alone), search.
import Dispatch
import Foundation
import Models
import Tensor
import TokenizerCore

func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    try body()
    return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
}

/// A line on standard output at once: the other side waits for it.
func answer(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }

func picture(_ size: Int) -> RGBImage {
    let pixels = (0..<size * size * 3).map {
        UInt8(truncatingIfNeeded: ($0 / 3 % size) ^ ($0 / 3 / size) &* 3 &+ $0 % 3 * 40)
    }
    return RGBImage(width: size, height: size, pixels: pixels)
}

func run(_ operation: String, _ model: any Tokenizer) throws -> Double? {
    let image = picture(model.contract.preprocessing.size)
    switch operation {
    case "encode": return try seconds { _ = try model.encode(image, options: EncodeOptions()) }
    case "decode":
        let tokens = (0..<model.contract.tokensPerImage).map { Int32($0 * 37 % model.contract.codebookSize) }
        return try seconds { _ = try model.decode(tokens, options: DecodeOptions()) }
    default: break
    }
    guard let revq = model as? ReVQModel else { return nil }
    let latent = revq.latent(of: image)
    switch operation {
    case "latent": return seconds { _ = revq.latent(of: image) }
    case "pixels": return seconds { _ = revq.pixels(of: latent) }
    case "search":
        let flat = revq.normalized(latent)
        return seconds { _ = revq.assign(flat) }
    default: return nil
    }
}

Compute.setThreads(ProcessInfo.processInfo.activeProcessorCount)
var models: [String: any Tokenizer] = [:]
for argument in CommandLine.arguments.dropFirst() {
    let loaded = try ModelLoader.load(ModelSource(parsing: argument))
    models[loaded.description.id] = loaded.tokenizer
}
while let line = readLine() {
    let words = line.split(separator: " ").map(String.init)
    if words.count == 2, words[0] == "threads", let count = Int(words[1]) {
        Compute.setThreads(count)
        answer("ok")
    } else if words.count == 2, words[1] == "precision", let model = models[words[0]] {
        answer(model.contract.precision.rawValue)
    } else if words.count == 2, let model = models[words[0]], let time = try run(words[1], model) {
        answer("\(time)")
    } else {
        answer("error: unknown '\(line)'")
    }
}
