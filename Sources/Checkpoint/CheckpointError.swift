/// Why a model file can't be used. One line that begins with the file's path.
public enum CheckpointError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file can't be opened, inspected or mapped; `reason` is the system's own word.
    case unreadable(path: String, reason: String)
    /// A directory, a device, a pipe.
    case notAFile(path: String)
    case empty(path: String)
    /// Neither safetensors nor a torch archive.
    case unknownFormat(path: String, found: String)
    /// A torch file from before the zip format.
    case oldTorchFormat(path: String)
    case safetensors(path: String, SafetensorsDefect)
    case archive(path: String, ArchiveDefect)
    /// - Parameter offset: in bytes from the start of the archive's `data.pkl`.
    case pickle(path: String, offset: Int, PickleDefect)
    /// The archive was written on a big-endian machine.
    case bigEndian(path: String)
    /// Two paths through nested dictionaries give one name.
    case duplicateTensor(path: String, tensor: String)
    /// Nested dictionaries are too many, too deep or too long to list.
    case tooManyNames(path: String, limit: String)
    /// A torch tensor that doesn't fit its storage, or a storage that doesn't fit its record.
    case storage(path: String, tensor: String, StorageDefect)
    /// A tensor that a class or function outside the allowed list would have to build.
    case forbiddenGlobal(path: String, tensor: String, global: String)
    case missingTensor(path: String, tensor: String, expected: [Int]?)
    case wrongShape(path: String, tensor: String, found: [Int], expected: [Int])
    /// The elements aren't floating-point numbers that this reader converts.
    case wrongType(path: String, tensor: String, found: ElementType)
    /// A number that no weight may be: the first in row-major order.
    case notFinite(path: String, tensor: String, place: [Int], found: String)
    /// Tensors that the model doesn't have.
    case spareTensors(path: String, tensors: [String])
    /// More than one defect of a model's tensors, at least one.
    case several([CheckpointError])
    /// A JSON or YAML file that can't be read as a configuration.
    case config(path: String, reason: String)
    case packed(path: String, PackedDefect)

    /// One line of at most 2,000 characters, whatever names the file holds.
    public var description: String {
        text.singleLine
    }

    private var text: String {
        switch self {
        case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
        case .notAFile(let path): "\(path): is not a regular file"
        case .empty(let path): "\(path): is empty"
        case .unknownFormat(let path, let found):
            "\(path): expected a safetensors file or a torch archive, found \(found)"
        case .oldTorchFormat(let path):
            "\(path): saved in torch's old format, from before PyTorch 1.6; load it in PyTorch and save it again"
        case .safetensors(let path, let defect): "\(path): broken safetensors file: \(defect)"
        case .archive(let path, let defect): "\(path): broken torch archive: \(defect)"
        case .pickle(let path, let offset, let defect):
            "\(path): broken torch archive: data.pkl at byte \(offset): \(defect)"
        case .bigEndian(let path): "\(path): written on a big-endian machine; expected little-endian numbers"
        case .duplicateTensor(let path, let tensor): "\(path): tensor '\(tensor)' is there twice"
        case .tooManyNames(let path, let limit): "\(path): nested dictionaries with more than \(limit)"
        case .storage(let path, let tensor, let defect): "\(path): tensor '\(tensor)': \(defect)"
        case .forbiddenGlobal(let path, let tensor, let global):
            "\(path): tensor '\(tensor)' needs the global '\(global)', which a checkpoint may not use"
        case .missingTensor(let path, let tensor, let expected):
            "\(path): tensor '\(tensor)' is missing" + (expected.map { "; expected shape \($0)" } ?? "")
        case .wrongShape(let path, let tensor, let found, let expected):
            "\(path): tensor '\(tensor)' has shape \(found); expected \(expected)"
        case .wrongType(let path, let tensor, let found):
            "\(path): tensor '\(tensor)' holds \(found); expected float32, float16, bfloat16 or float64"
        case .notFinite(let path, let tensor, let place, let found):
            "\(path): tensor '\(tensor)' holds \(found) at \(place); expected finite numbers"
        case .spareTensors(let path, let tensors): Self.describe(spare: tensors, path: path)
        case .several(let defects): Self.describe(several: defects)
        case .config(let path, let reason): "\(path): \(reason)"
        case .packed(let path, let defect): "\(path): \(defect)"
        }
    }

    private static func describe(several defects: [CheckpointError]) -> String {
        let first = defects.first.map { $0.description } ?? "no defect"
        return defects.count > 1 ? "\(first) (and \(defects.count - 1) more; 'tessera inspect' lists them)" : first
    }

    private static func describe(spare tensors: [String], path: String) -> String {
        let named = tensors.prefix(5).map { "'\($0)'" }.joined(separator: ", ")
        let more = tensors.count > 5 ? " and \(tensors.count - 5) more" : ""
        return "\(path): spare tensor\(tensors.count == 1 ? "" : "s") that the model does not have: \(named)\(more)"
    }
}

/// What is wrong with a safetensors file.
public enum SafetensorsDefect: Sendable, Equatable, CustomStringConvertible {
    /// The first eight bytes claim a header longer than the file or the limit.
    case headerLength(found: UInt64, limit: Int)
    /// The header isn't JSON; offsets count from its first byte.
    case headerText(String)
    /// A member of the header isn't what the format says.
    case field(tensor: String, expected: String)
    /// `data_offsets` give another size than shape and dtype.
    case size(tensor: String, found: Int, expected: String)
    /// Tensors must follow each other without gaps or overlaps.
    case start(tensor: String, found: Int, expected: Int)
    /// The last tensor must end where the file ends.
    case end(found: Int, expected: Int)

    public var description: String {
        switch self {
        case .headerLength(let found, let limit): "header of \(found) bytes; expected at most \(limit)"
        case .headerText(let reason): "header: \(reason)"
        case .field(let tensor, let expected): "header entry '\(tensor)': expected \(expected)"
        case .size(let tensor, let found, let expected):
            "tensor '\(tensor)' has \(found) bytes; shape and dtype need \(expected)"
        case .start(let tensor, let found, let expected):
            "tensor '\(tensor)' begins at byte \(found) of the data; expected \(expected)"
        case .end(let found, let expected): "tensors end at byte \(found) of the data; the file has \(expected)"
        }
    }
}

/// What is wrong with a zip archive.
public enum ArchiveDefect: Sendable, Equatable, CustomStringConvertible {
    /// The end-of-central-directory record is missing: most often a download that stopped early.
    case noDirectory
    case directoryOutOfBounds
    case severalDisks
    /// A record of the directory is cut off or has no signature.
    case directoryEntry(index: Int)
    case memberLimit(found: Int, limit: Int)
    case nameNotUTF8(index: Int)
    case duplicate(member: String)
    case encrypted(member: String)
    case compressed(member: String, method: Int)
    case outOfBounds(member: String)
    case localHeader(member: String)
    case noPickle
    case severalPickles
    case pickleTooLong(found: Int, limit: Int)
    /// The folder around `data.pkl`; in bytes.
    case rootTooLong(found: Int, limit: Int)
    /// `byteorder` holds neither "little" nor "big".
    case byteOrder(found: String)

    public var description: String {
        switch self {
        case .noDirectory: "no end of a zip directory; the file may be cut off"
        case .directoryOutOfBounds: "the zip directory lies outside the file"
        case .severalDisks: "the zip archive is one of several parts"
        case .directoryEntry(let index): "entry \(index) of the zip directory is malformed"
        case .memberLimit(let found, let limit): "\(found) members; expected at most \(limit)"
        case .nameNotUTF8(let index): "entry \(index) of the zip directory has a name that is not UTF-8"
        case .duplicate(let member): "member '\(member)' is there twice"
        case .encrypted(let member): "member '\(member)' is encrypted"
        case .compressed(let member, let method):
            "member '\(member)' is compressed (method \(method)); expected stored members only"
        case .outOfBounds(let member): "member '\(member)' lies outside the file"
        case .localHeader(let member): "the local header of member '\(member)' does not match the directory"
        case .noPickle: "no member data.pkl"
        case .severalPickles: "several members data.pkl"
        case .pickleTooLong(let found, let limit): "data.pkl of \(found) bytes; expected at most \(limit)"
        case .rootTooLong(let found, let limit):
            "data.pkl lies in a folder with a name of \(found) bytes; expected at most \(limit)"
        case .byteOrder(let found): "byteorder is '\(found)'; expected 'little'"
        }
    }
}

/// What is wrong with a pickle.
public enum PickleDefect: Sendable, Equatable, CustomStringConvertible {
    case truncated
    /// An opcode outside those of `torch.load(weights_only=True)`.
    case opcode(UInt8)
    /// An opcode of a protocol that `torch.load(weights_only=True)` doesn't read.
    case version(UInt8)
    case emptyStack(opcode: String)
    case noMark(opcode: String)
    case opcodeLimit(Int)
    case stackLimit(Int)
    case memoLimit(Int)
    case memoMissing(UInt32)
    case arguments(of: String)
    case target(opcode: String, expected: String)
    case persistentID
    case globalName

    public var description: String {
        switch self {
        case .truncated: "the pickle ends early"
        case .opcode(let byte):
            "opcode 0x\(String(byte, radix: 16)), which torch.load(weights_only=True) does not allow"
        case .version(let found):
            "pickle protocol \(found); expected protocol 2, as torch.save writes it and torch.load(weights_only=True) "
                + "reads it: save it again without pickle_protocol"
        case .emptyStack(let opcode): "\(opcode) needs more values than the stack holds"
        case .noMark(let opcode): "\(opcode) without a mark"
        case .opcodeLimit(let limit): "more than \(limit) opcodes"
        case .stackLimit(let limit): "more than \(limit) values on the stack"
        case .memoLimit(let limit): "more than \(limit) remembered values"
        case .memoMissing(let index): "nothing remembered as \(index)"
        case .arguments(let function): "arguments that \(function) does not take"
        case .target(let opcode, let expected): "\(opcode) expected \(expected)"
        case .persistentID: "a persistent id that is not a storage"
        case .globalName: "the name of a global is malformed or longer than 256 bytes"
        }
    }
}

/// Why a torch tensor and its storage don't fit.
public enum StorageDefect: Sendable, Equatable, CustomStringConvertible {
    /// The archive has no such member.
    case noRecord(String)
    case recordSize(found: Int, elements: Int64, type: ElementType)
    /// Shape or strides that aren't tuples of the same length with numbers from 0.
    case layout
    /// Offset and strides reach beyond the storage.
    case outOfBounds(elements: Int64)
    /// More elements than the storage holds.
    case overlapping(elements: Int64)

    public var description: String {
        switch self {
        case .noRecord(let name): "its record '\(name)' is missing"
        case .recordSize(let found, let elements, let type):
            "its record has \(found) bytes; expected \(elements) elements of \(type)"
        case .layout: "shape and strides must be tuples of one length, with numbers from 0"
        case .outOfBounds(let elements): "offset and strides reach outside its storage of \(elements) elements"
        case .overlapping(let elements): "it has more elements than its storage of \(elements)"
        }
    }
}

extension String {
    /// The first 2,000 characters, with U+FFFD for what would begin a new line.
    package var singleLine: String {
        String(unicodeScalars.prefix(2000).map { $0.breaksLines ? "\u{FFFD}" : Character($0) })
    }
}

extension Unicode.Scalar {
    /// Controls, and the two separators that begin a new line for some readers (Unicode Standard Annex 14).
    fileprivate var breaksLines: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
