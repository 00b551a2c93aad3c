import JSON

/// Parameters that clients of the protocol set by themselves, or for servers with schedulers and codecs, and that
/// change nothing here (Triton's protocol extensions for sequences, schedule policy and binary data; MLServer's
/// `content_type`). They are checked and passed over; where one would change what the request means, its value is
/// refused.
extension OptionReader {
    /// Of a request: `timeout`, `priority`, `content_type`, `binary_data`, and those of a sequence that is none.
    mutating func takeClientRequest() throws(ServiceError) {
        // Microseconds; how long a request may wait is told by X-Request-Timeout-Ms.
        try takeUnsigned("timeout")
        try takeUnsigned("priority")
        _ = try bool("binary_data")
        try takeContentType()
        try takeSequence()
    }

    /// Of an input: `content_type` and `binary_data`, which is an output's.
    mutating func takeClientInput() throws(ServiceError) {
        _ = try bool("binary_data")
        try takeContentType()
    }

    /// The codec that MLServer would use; a tensor's datatype says all here.
    mutating func takeContentType() throws(ServiceError) {
        _ = try string("content_type")
    }

    /// A `sequence_id` of 0 or "" is no sequence, and nothing begins or ends then.
    private mutating func takeSequence() throws(ServiceError) {
        let name = "sequence_id"
        switch value(name) {
        case nil, .integer(0)?, ""?: break
        case let value?: throw wrong(name, value, expected: "0 or \"\": requests have no sequences here")
        }
        for name in ["sequence_start", "sequence_end"] where try bool(name) == true {
            throw .badOption(name, "found true, expected false: requests have no sequences here")
        }
    }

    /// An integer that 64 bits without a sign hold; beyond those with a sign, JSON's numbers are doubles here.
    private mutating func takeUnsigned(_ name: String) throws(ServiceError) {
        guard let value = value(name) else { return }
        switch value {
        case .integer(let integer) where integer >= 0: return
        case .number(let number) where number >= 0x1p63 && number <= 0x1p64: return
        default: throw wrong(name, value, expected: "an integer in 0...\(UInt64.max)")
        }
    }
}
