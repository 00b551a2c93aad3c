import Checkpoint

/// Names and shapes of a file's tensors, without their numbers: all that is needed to tell whether the set is whole.
struct TensorTable {
    let path: String
    /// Of the tensors that can be used.
    private(set) var shapes: [String: [Int]] = [:]
    /// Why a tensor that is there can't be used.
    private(set) var unusable: [String: CheckpointError] = [:]
    /// Where a class or a function that is never called would have to make something, its name by the entry's.
    let globals: [String: String]
    /// All names, sorted, so that those under a prefix are neighbours.
    private let names: [String]

    init(path: String, shapes: [String: [Int]], globals: [String: String] = [:]) {
        self.path = path
        self.shapes = shapes
        self.globals = globals
        names = shapes.keys.sorted()
    }

    init(_ file: CheckpointFile) {
        path = file.path
        globals = file.globals
        names = file.names.sorted()
        for name in names {
            do throws(CheckpointError) {
                shapes[name] = try file.info(name).shape
            } catch {
                unusable[name] = error
            }
        }
    }

    func has(_ name: String) -> Bool { shapes[name] != nil || unusable[name] != nil }

    /// Names that begin with the prefix, sorted.
    func names(under prefix: String) -> ArraySlice<String> {
        let rest = names[firstIndex(notBelow: prefix)...]
        return rest.prefix { $0.hasPrefix(prefix) }
    }

    private func firstIndex(notBelow prefix: String) -> Int {
        var range = 0..<names.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range = names[middle] < prefix ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return range.lowerBound
    }

    /// The numbers that follow `path.` in names, which must run from `first` without a gap, so that no block can be
    /// lost unnoticed. An index after the last one with fewer tensors than a block's is no block: those are spare.
    ///
    /// - Parameter least: tensors that make an index a block.
    func blockIndices(_ path: String, from first: Int = 0, least: Int = 1) throws(ModelError) -> [Int] {
        var counts: [Int: Int] = [:]
        for name in names(under: path + ".") {
            let component = name.dropFirst(path.count + 1).prefix { $0 != "." }
            if let index = Int(component), "\(index)" == component, index >= 0 { counts[index, default: 0] += 1 }
        }
        var found = counts.keys.sorted()
        while let last = found.last, found.count > 1, counts[last, default: 0] < least || isStray(found, counts) {
            found.removeLast()
        }
        guard found == Array(first..<first + found.count) else {
            throw .structure("\(self.path): '\(path)' must be numbered from \(first) without a gap, found \(found)")
        }
        return found
    }

    /// Whether a single tensor has the last index, apart from the others: it was given another name.
    private func isStray(_ found: [Int], _ counts: [Int: Int]) -> Bool {
        let last = found[found.count - 1]
        return counts[last] == 1 && last != found[found.count - 2] + 1
    }

    /// The global that would have to make what is at that name, or at one of the dictionaries around it, and its place.
    func global(above name: String) -> (place: String, global: String)? {
        guard !globals.isEmpty else { return nil }
        var prefix = Substring(name)
        while true {
            if let global = globals[String(prefix)] { return (String(prefix), global) }
            guard let dot = prefix.lastIndex(of: ".") else { return globals[""].map { ("", $0) } }
            prefix = prefix[..<dot]
        }
    }
}
