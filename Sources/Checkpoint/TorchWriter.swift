/// What a torch archive can hold.
public indirect enum TorchValue: Sendable {
    /// Entries in their order; keys are unique.
    case dictionary([(key: String, value: TorchValue)])
    /// Contiguous, in row-major order; as many values as the product of the shape.
    case tensor(shape: [Int], NewTensor.Values)
    case integer(Int)
    case number(Double)
    case string(String)

    /// A flat dictionary of tensors by their names, such as `torch.nn.Module.state_dict()` gives.
    public static func stateDict(_ tensors: [NewTensor]) -> TorchValue {
        .dictionary(tensors.map { ($0.name, .tensor(shape: $0.shape, $0.values)) })
    }
}

/// Writes archives as `torch.save` does (PyTorch 1.6 and later), which `torch.load(weights_only=True)` opens.
///
/// Members, all stored without compression: `archive/data.pkl`, `archive/byteorder`, `archive/data/KEY` for each
/// tensor, `archive/version`. The same value gives the same bytes. Archives of any size: beyond 4 GiB they are zip64.
public enum TorchWriter {
    /// - Precondition: in every dictionary the keys are unique, and every tensor has as many values as its shape says.
    public static func write(_ value: TorchValue, to path: String) throws(FileWriteError) {
        try write(value, to: path, zip: ZipWriter())
    }

    static func write(_ value: TorchValue, to path: String, zip: ZipWriter) throws(FileWriteError) {
        let pickle = PickleWriter(value)
        try AtomicFile.write(path) { (sink) throws(FileWriteError) in
            var zip = zip
            try zip.add("archive/data.pkl", pickle.bytes, to: &sink)
            try zip.add("archive/byteorder", Array("little".utf8), to: &sink)
            for (key, values) in pickle.storages.enumerated() {
                try values.withBytes { (bytes) throws(FileWriteError) in
                    try zip.add("archive/data/\(key)", bytes, to: &sink)
                }
            }
            try zip.add("archive/version", Array("3\n".utf8), to: &sink)
            try zip.finish(&sink)
        }
    }
}
