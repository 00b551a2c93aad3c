/// A reader of outside data, fed with arbitrary bytes and held to what must be true of it whatever they are.
///
/// `scripts/fuzz` drives them with libFuzzer, the tests with the corpus. A trap is a fault as much as a thrown failure.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// A stream of requests: one outcome however it arrives, nothing behind a refusal.
    case http
    /// A schedule of what may happen to a connection: bytes, answers, writes, time.
    case connection
    /// A chunked body, against a reading of it at once.
    case chunked
    /// A Content-Type on the first line, a form behind it.
    case multipart
    /// JSON up to the first NUL, binary tensors behind it.
    case inference
    case json, npy, base64, safetensors, torch, pickle, config, png, jpeg

    /// - Throws: `FuzzFailure` where something is not as it must be.
    package func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        switch self {
        case .http: try checkStream(bytes)
        case .connection: try checkConnection(bytes)
        case .chunked: try checkChunked(bytes)
        case .multipart: try checkMultipart(bytes)
        case .inference: try checkInference(bytes)
        case .json: try checkJSON(bytes)
        case .npy: try checkNpy(bytes)
        case .base64: try checkBase64(bytes)
        case .safetensors: try checkSafetensors(bytes)
        case .torch: try checkCheckpoint(bytes)
        case .pickle: try checkPickle(bytes)
        case .config: try checkConfig(bytes)
        case .png: try checkPNG(bytes)
        case .jpeg: try checkPicture(bytes)
        }
    }

    /// The longest input that is tried, in bytes: short enough for many a second, long enough for the limits in force.
    package var mostBytes: Int {
        switch self {
        case .http, .connection, .chunked, .multipart, .inference, .json, .npy, .base64, .config: 1 << 10
        case .safetensors, .torch, .pickle, .png, .jpeg: 2 << 10
        }
    }
}

/// What was not as it must be.
package struct FuzzFailure: Error, CustomStringConvertible {
    package let description: String
}

/// - Throws: that what `claim` says is not so.
func require(_ holds: Bool, _ claim: @autoclosure () -> String) throws(FuzzFailure) {
    guard holds else { throw FuzzFailure(description: claim()) }
}

/// Choices that depend on the input alone, so that a failure repeats: SplitMix64 (Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators", 2014) from the FNV-1a hash of the input.
struct Choices: RandomNumberGenerator {
    private var state: UInt64

    init(_ bytes: [UInt8]) {
        state = bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// The ways in which bytes are made to arrive: whole, byte by byte, in two pieces, in many.
func arrivals(of bytes: [UInt8]) -> [[ArraySlice<UInt8>]] {
    var choices = Choices(bytes)
    let cut = Int.random(in: 0...bytes.count, using: &choices)
    var many: [ArraySlice<UInt8>] = []
    var start = 0
    while start < bytes.count {
        let end = min(bytes.count, start + Int.random(in: 1...64, using: &choices))
        many.append(bytes[start..<end])
        start = end
    }
    return [[bytes[...]], bytes.indices.map { bytes[$0...$0] }, [bytes[..<cut], bytes[cut...]], many]
}
