import JSON
import TokenFormats
import TokenService

func checkJSON(_ bytes: [UInt8]) throws(FuzzFailure) {
    let shifted = ([0x5B] + bytes).dropFirst()
    let extended = try? JSONValue.parse(bytes, extensions: [.byteOrderMark, .nonFiniteNumbers])
    let value: JSONValue
    do throws(JSONError) {
        value = try JSONValue.parse(bytes)
    } catch {
        try require((0...bytes.count).contains(error.offset), "an error at byte \(error.offset) of \(bytes.count)")
        let again = refusal(shifted)
        try require(again == error, "a slice is refused otherwise: \(again?.description ?? "not at all")")
        return
    }
    try require(refusal(shifted) == nil, "a slice is refused")
    try require(extended == value, "with extensions it is read otherwise")
    let text = value.write()
    guard let again = try? JSONValue.parse(text) else { throw FuzzFailure(description: "what was written is refused") }
    // Equality of strings disregards how their characters are composed; their bytes don't.
    try require(again == value && again.write() == text, "what was written is read otherwise")
}

private func refusal(_ bytes: ArraySlice<UInt8>) -> JSONError? {
    do throws(JSONError) { _ = try JSONValue.parse(bytes) } catch { return error }
    return nil
}

func checkNpy(_ bytes: [UInt8]) throws(FuzzFailure) {
    let limit = 1 << 12
    guard let array = try? Npy.integers(bytes, limit: limit) else { return }
    let count = array.shape.reduce(1, *)
    try require(array.values.count == count, "\(array.values.count) values for shape \(array.shape)")
    try require(count <= limit, "\(count) values, over the limit")
    let values = array.values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
    let file = Npy.file(type: "<i8", shape: array.shape, values: values)
    try require((file.count - values.count).isMultiple(of: 64), "data that does not begin at a multiple of 64")
    try require((try? Npy.integers(file, limit: limit)) == array, "what was written is read otherwise")
}

func checkBase64(_ bytes: [UInt8]) throws(FuzzFailure) {
    let text = Base64.encode(bytes)
    try require((try? Base64.decode(text.utf8)) == bytes, "what was encoded is decoded otherwise")
    _ = try? Base64.image(String(decoding: bytes, as: UTF8.self))
    let decoded: [UInt8]
    do throws(Base64.Failure) {
        decoded = try Base64.decode(bytes)
    } catch {
        return try require((0...bytes.count).contains(error.offset), "an error at character \(error.offset)")
    }
    try require(Base64.encode(decoded).utf8.count == bytes.count, "\(decoded.count) bytes of \(bytes.count) digits")
}

func checkInference(_ bytes: [UInt8]) throws(FuzzFailure) {
    let json = bytes.prefix { $0 != 0 }
    let body = Array(json) + bytes[json.endIndex...].dropFirst()
    let hasBinary = json.count < bytes.count
    guard let request = try? InferenceRequest(body, jsonLength: hasBinary ? json.count : nil) else { return }
    for input in request.inputs {
        if let integers = try? input.integers() {
            try require(integers.count == input.count, "\(integers.count) integers for \(input.count) elements")
        }
        if let pictures = try? input.images() {
            try require(pictures.count == input.count, "\(pictures.count) pictures for \(input.count) elements")
        }
    }
}
