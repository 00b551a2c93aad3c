import CKernels

/// Codebooks searched by exhaustive Euclidean distance in float32: `books` books of `count` codes of `dimensions` numbers.
public final class Codebooks {
    public let books: Int
    public let count: Int
    public let dimensions: Int
    /// (books, dimensions, count): codes side by side, so that 16 are measured at once.
    private let transposed: FloatBuffer

    /// - Parameter codes: (books, count, dimensions).
    public init(books: Int, count: Int, dimensions: Int, codes: borrowing FloatBuffer) {
        self.books = books
        self.count = count
        self.dimensions = dimensions
        precondition(codes.count == books * count * dimensions)
        let packed = FloatBuffer(count: codes.count)
        for book in 0..<books {
            let base = book * count * dimensions
            for dimension in 0..<dimensions {
                let out = packed.data + base + dimension * count
                let source = codes.data + base + dimension
                for code in 0..<count { out[code] = source[code * dimensions] }
            }
        }
        transposed = packed
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
        tk_nearest(queries, rows, dimensions, transposed.data, books, count, &ids, &best, &second)
        return Nearest(ids: ids, margins: zip(best, second).map { $1.squareRoot() - $0.squareRoot() })
    }

    /// Distances (rows, count) of every query to every code of the only book.
    public func distances(_ queries: Plane, _ pool: ScratchPool) -> Plane {
        precondition(books == 1 && queries.channels == dimensions)
        let out = pool.plane(queries.rows, 1, count)
        tk_distances(queries.data, queries.rows, dimensions, transposed.data, count, out.data)
        return out
    }

    /// Copies code `id` of book `book` to `out`.
    public func copy(_ id: Int, book: Int, to out: UnsafeMutablePointer<Float>) {
        precondition(id >= 0 && id < count && book >= 0 && book < books)
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
