import CKernels

/// Codebooks searched by Euclidean distance in float32: `books` books of `count` codes of `dimensions` numbers.
///
/// The winner is that of an exhaustive search, however it is found.
public final class Codebooks: PackableLayer {
    /// Codes of a book from which on it is a tree: reading smaller ones whole takes no longer than the network's least
    /// convolution.
    private static let treeCount = 32_768

    public let books: Int
    public let count: Int
    public let dimensions: Int
    /// (books, dimensions, count): codes side by side, so that 16 are measured at once, and all are read for a query.
    /// Empty where there is a tree.
    private let transposed: FloatBuffer
    /// Few are read for a query; a code takes 8 bytes more.
    private let tree: OpaquePointer?
    /// Of packed codebooks that weren't made here.
    private let owner: AnyObject?

    /// - Parameters:
    ///   - codes: (books, count, dimensions).
    ///   - isTree: whether to make trees; `nil`: where the books are large.
    public init(books: Int, count: Int, dimensions: Int, codes: borrowing FloatBuffer, isTree: Bool? = nil) {
        self.books = books
        self.count = count
        self.dimensions = dimensions
        precondition(codes.count == books * count * dimensions)
        owner = nil
        let wantsTree = isTree ?? (count >= Self.treeCount)
        tree = wantsTree ? tk_tree_create(codes.data, books, count, dimensions) : nil
        transposed =
            tree == nil
            ? Self.transposed(codes, books: books, count: count, dimensions: dimensions) : FloatBuffer(count: 0)
    }

    /// On what codebooks of this size packed.
    ///
    /// - Throws: `LibraryError` where they are packed in another way.
    public init(
        books: Int, count: Int, dimensions: Int, packed: PackedLayer, isTree: Bool? = nil
    ) throws(LibraryError) {
        self.books = books
        self.count = count
        self.dimensions = dimensions
        owner = packed.owner
        let memory = try packed.weights
        let wantsTree = isTree ?? (count >= Self.treeCount)
        tree = wantsTree ? tk_tree_open(memory.baseAddress, memory.count, books, count, dimensions) : nil
        transposed = tree == nil ? try packed.floats(0, books * count * dimensions) : FloatBuffer(count: 0)
        try packed.require(self.packed.layout)
    }

    public var packed: PackedLayer {
        let sizes = "\(books) x \(count) x \(dimensions)"
        guard let tree else {
            return PackedLayer(
                layout: "codes \(sizes)", parts: [UnsafeRawBufferPointer(transposed.buffer)], owner: self)
        }
        var bytes = 0
        let memory = tk_tree_memory(tree, &bytes)
        return PackedLayer(
            layout: "tree \(sizes)", parts: [UnsafeRawBufferPointer(start: memory, count: bytes)], owner: self)
    }

    deinit { tk_tree_free(tree) }

    private static func transposed(
        _ codes: borrowing FloatBuffer, books: Int, count: Int, dimensions: Int
    ) -> FloatBuffer {
        let packed = FloatBuffer(count: codes.count)
        for book in 0..<books {
            let base = book * count * dimensions
            for dimension in 0..<dimensions {
                let out = packed.data + base + dimension * count
                let source = codes.data + base + dimension
                for code in 0..<count { out[code] = source[code * dimensions] }
            }
        }
        return packed
    }

    /// Winners of a search and how far the runners-up were behind.
    public struct Nearest {
        public var ids: [Int32]
        /// Euclidean distance of the runner-up minus that of the winner.
        public var margins: [Float]
    }

    /// Row q of `queries` (any multiple of `dimensions` numbers) is searched in book q mod `books`.
    /// Of equal distances the smallest id wins.
    public func nearest(_ queries: UnsafePointer<Float>, count rows: Int) -> Nearest {
        var ids = [Int32](repeating: 0, count: rows)
        var best = [Float](repeating: 0, count: rows)
        var second = best
        if let tree {
            tk_tree_nearest(tree, queries, rows, &ids, &best, &second)
        } else {
            tk_nearest(queries, rows, dimensions, transposed.data, books, count, &ids, &best, &second)
        }
        return Nearest(ids: ids, margins: zip(best, second).map { $1.squareRoot() - $0.squareRoot() })
    }

    /// Distances (rows, count) of every query to every code of the only book, which isn't a tree.
    public func distances(_ queries: Plane, _ pool: ScratchPool) -> Plane {
        precondition(books == 1 && queries.channels == dimensions && tree == nil)
        let out = pool.plane(queries.rows, 1, count)
        tk_distances(queries.data, queries.rows, dimensions, transposed.data, count, out.data)
        return out
    }

    /// Copies code `id` of book `book` to `out`.
    public func copy(_ id: Int, book: Int, to out: UnsafeMutablePointer<Float>) {
        precondition(id >= 0 && id < count && book >= 0 && book < books)
        if let tree { return tk_tree_copy(tree, book, id, out) }
        let base = transposed.data + book * count * dimensions + id
        for dimension in 0..<dimensions { out[dimension] = base[dimension * count] }
    }

    /// All codes, (books, count, dimensions).
    public var values: [Float] {
        var out = [Float](repeating: 0, count: books * count * dimensions)
        out.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return }
            for book in 0..<books {
                for id in 0..<count { copy(id, book: book, to: start + (book * count + id) * dimensions) }
            }
        }
        return out
    }
}

extension Plane {
    /// SFTok's balanced assignment of (rows, codes) distances, which it overwrites: Sinkhorn over the vectors of this
    /// image alone (the released code at batch 1).
    public func sinkhorn() -> [Int32] {
        var ids = [Int32](repeating: 0, count: rows)
        tk_sinkhorn(data, rows, channels, &ids)
        return ids
    }

    /// x += scale * Gumbel noise made of `uniforms`, one per number, in this plane's order.
    public func addGumbel(uniforms: [Float], scale: Float) {
        precondition(uniforms.count == count)
        tk_add_gumbel(data, uniforms, count, scale)
    }

    /// Divides each row by its length, or by 1e-12 where it is shorter (`torch.nn.functional.normalize`).
    public func normalizeRows() {
        for row in 0..<rows {
            let start = data + row * channels
            var sum: Float = 0
            for index in 0..<channels { sum += start[index] * start[index] }
            let scale = 1 / max(sum.squareRoot(), 1e-12)
            for index in 0..<channels { start[index] *= scale }
        }
    }
}
