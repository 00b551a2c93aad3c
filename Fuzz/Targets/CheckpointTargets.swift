import Checkpoint
import CheckpointBuilders
import Glibc

/// Gives `body` a path at which the bytes are, without a name in any folder.
private func withFile(
    _ bytes: [UInt8], _ body: (String) throws(FuzzFailure) -> Void
) throws(FuzzFailure) {
    guard let file = tmpfile() else { throw FuzzFailure(description: "no temporary file can be made") }
    defer { fclose(file) }
    guard fwrite(bytes, 1, bytes.count, file) == bytes.count, fflush(file) == 0 else {
        throw FuzzFailure(description: "the temporary file can't be written")
    }
    try body("/proc/self/fd/\(fileno(file))")
}

func checkCheckpoint(_ bytes: [UInt8]) throws(FuzzFailure) {
    try withFile(bytes) { path throws(FuzzFailure) in
        let checkpoint: CheckpointFile
        do throws(CheckpointError) {
            checkpoint = try CheckpointFile(path: path)
        } catch {
            return try check(error, path)
        }
        for name in checkpoint.names { try check(checkpoint, name, most: bytes.count) }
    }
}

private func check(_ error: CheckpointError, _ path: String) throws(FuzzFailure) {
    let text = error.description
    try require(text.hasPrefix(path + ": "), "an error that does not begin with the file's path: \(text)")
    try require(text.unicodeScalars.count <= 2000, "an error of \(text.unicodeScalars.count) characters")
    try require(!text.contains(where: \.isNewline), "an error of several lines")
}

/// The tensor's elements, read in each of the ways there are.
private func check(_ checkpoint: CheckpointFile, _ name: String, most: Int) throws(FuzzFailure) {
    let info: TensorInfo
    let floats: [Float]
    do throws(CheckpointError) {
        info = try checkpoint.info(name)
        floats = try checkpoint.floats(name)
    } catch {
        return try check(error, checkpoint.path)
    }
    try require(floats.count == info.count && info.count <= most, "\(floats.count) elements for shape \(info.shape)")
    var bytes: [UInt8] = []
    var lent: [UInt8]?
    do throws(CheckpointError) {
        try checkpoint.appendFloat32Bytes(of: name) { bytes += Array($0) }
        lent = try checkpoint.lent(name).map(Array.init)
    } catch {
        throw FuzzFailure(description: "a tensor that was read is refused: \(error)")
    }
    try require(bytes == floatBytes(floats), "the same tensor has other elements")
    if info.type == .float32, let lent { try require(lent == bytes, "the same tensor lies otherwise in the file") }
}

/// The input as a file, and as the header and data of one whose length is right.
func checkSafetensors(_ bytes: [UInt8]) throws(FuzzFailure) {
    try checkCheckpoint(bytes)
    let header = bytes[..<(bytes.lastIndex(of: UInt8(ascii: "}")).map { $0 + 1 } ?? bytes.count)]
    try checkCheckpoint(littleEndian(UInt64(header.count)) + bytes)
}

/// The input as the pickle of an archive that is well-formed otherwise.
func checkPickle(_ bytes: [UInt8]) throws(FuzzFailure) {
    let records = [1, 2].map { ZipBuilder.Member("a/data/\($0 - 1)", floatBytes([1, 2, 3, 4])) }
    try checkCheckpoint(ZipBuilder([ZipBuilder.Member("a/data.pkl", bytes)] + records).build())
}

func checkConfig(_ bytes: [UInt8]) throws(FuzzFailure) {
    try withFile(bytes) { path throws(FuzzFailure) in
        let config: ConfigNode
        do throws(CheckpointError) {
            config = try ConfigNode.load(path: path)
        } catch {
            return try check(error, path)
        }
        // What a tree of aliases expands to is bounded by the number of its values.
        let size = config.value.write().count
        try require(size <= 100_000 * (bytes.count + 8), "\(size) bytes where the text has \(bytes.count)")
    }
}
