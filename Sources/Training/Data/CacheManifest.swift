import Checkpoint
import FilePaths
import JSON

/// What a latent cache was made from: everything that decides its numbers.
struct CacheManifest {
    static let format = 1

    let path: String
    /// By name, in the order of the file.
    let settings: JSONObject

    /// The same for caches that hold the same latents.
    var mark: String { JSONValue.object(settings).description }

    static func path(in folder: String) -> String { folder + "/manifest.json" }

    static func shardPath(_ number: Int, in folder: String) -> String {
        let digits = String(number)
        return "\(folder)/\(String(repeating: "0", count: max(0, 5 - digits.count)))\(digits).safetensors"
    }

    /// As `plan` and `source` have it.
    init(folder: String, plan: CropPlan, source: any LatentSource, shardSize: Int) {
        path = Self.path(in: folder)
        // Where the images lie doesn't matter, and reading them all would take as long as encoding them.
        var list = FNV()
        for path in plan.pictures { list.add(PictureFile.version(path)) }
        let preprocessing = source.preprocessing
        // The seed decides crops and nothing else.
        settings = JSONObject([
            ("format", JSONValue(Self.format)), ("vae", .string(source.fingerprint)),
            ("preprocessing", .string("\(preprocessing.filter.rawValue) \(preprocessing.size)")),
            ("pictures", .string(String(list.value, radix: 16))),
            ("crops", plan.crops.map { JSONValue($0) } ?? nil),
            ("seed", plan.crops == nil ? nil : .string(String(plan.seed))),
            ("squares", JSONValue(plan.count)),
            ("latent", JSONValue([source.channels, source.height, source.width])),
            ("shard", JSONValue(shardSize)),
        ])
    }

    /// As the file in a cache's folder has it.
    init(folder: String) throws(TrainingError) {
        let path = Self.path(in: folder)
        let file = Path(path)
        let (bytes, _) = try naming(file) { () throws(TrainingError) in try PictureFile.read(file, limit: 1 << 20) }
        let value: JSONValue
        do {
            value = try JSONValue.parse(bytes, extensions: .byteOrderMark)
        } catch {
            throw TrainingError("\(path): not a latent cache's manifest: \(error); use another folder")
        }
        guard let settings = value.objectValue else {
            throw TrainingError(
                "\(path): not a latent cache's manifest: expected an object, found \(value.kind); use another folder")
        }
        self.path = path
        self.settings = settings
    }

    func write() throws(FileWriteError) {
        try AtomicFile.write(JSONValue.object(settings).write() + [UInt8(ascii: "\n")], to: path)
    }

    /// Throws the first setting in which `found`, of the file, differs.
    func requireEqual(_ found: CacheManifest) throws(TrainingError) {
        let names = settings.names + found.settings.names.filter { settings[$0] == nil }
        for name in names {
            let theirs = found.settings[name] ?? nil, ours = settings[name] ?? nil
            guard theirs != ours else { continue }
            if name == "pictures" {
                throw TrainingError(
                    "\(path): this cache was made from other pictures, or from these before one of them changed; "
                        + "expected the same files in the same order: use another folder")
            }
            throw TrainingError(
                "\(path): \(name) is \(Self.words(theirs)), expected \(Self.words(ours)); this cache was made from "
                    + "something else: use another folder")
        }
    }

    private static func words(_ value: JSONValue) -> String { value.isNull ? "none" : value.description }

    /// Squares in all, squares a shard, and the latent's C, H, W, checked.
    func layout() throws(TrainingError) -> (squares: Int, shard: Int, shape: [Int]) {
        guard settings["format"]?.intValue == Self.format else {
            throw TrainingError(
                "\(path): format is \(Self.words(settings["format"] ?? nil)), expected \(Self.format); "
                    + "use another folder")
        }
        let squares = settings["squares"]?.intValue ?? 0, shard = settings["shard"]?.intValue ?? 0
        let shape = settings["latent"]?.arrayValue?.map { $0.intValue ?? 0 } ?? []
        let edges = 1...65536
        guard squares > 0, shard > 0, shape.count == 3, shape.allSatisfy(edges.contains) else {
            throw TrainingError(
                "\(path): squares \(squares), shard \(shard), latent \(shape): expected numbers from 1 and three edges "
                    + "up to \(edges.upperBound)")
        }
        return (squares, shard, shape)
    }
}

/// 64-bit FNV-1a of texts, each ended by a zero byte.
struct FNV {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ text: String) {
        for byte in text.utf8 { add(byte) }
        add(0)
    }

    private mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
}
