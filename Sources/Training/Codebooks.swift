import CKernels
import Tensor

/// Codebooks that learn (arXiv 2507.10547, section 3.2): one for every token position, or one for all.
package final class LearnedCodebooks {
    package let books: Int
    package let count: Int
    package let dimensions: Int
    /// (books, dimensions, count): codes side by side, as the search reads them. Gradients lie alike.
    let codes: FloatBuffer
    let gradients: FloatBuffer
    /// How often each code, (books, count), was the nearest since the last reset.
    var uses: [Int32]

    package init(books: Int, count: Int, dimensions: Int) {
        self.books = books
        self.count = count
        self.dimensions = dimensions
        codes = FloatBuffer(count: books * count * dimensions)
        gradients = FloatBuffer(count: books * count * dimensions)
        codes.buffer.update(repeating: 0)
        uses = [Int32](repeating: 0, count: books * count)
    }

    private func position(_ book: Int, _ code: Int, _ dimension: Int) -> Int {
        (book * dimensions + dimension) * count + code
    }

    func set(_ book: Int, _ code: Int, _ vector: UnsafePointer<Float>) {
        for dimension in 0..<dimensions { codes.data[position(book, code, dimension)] = vector[dimension] }
    }

    /// `flat` (the codes, or anything laid out like them) as (books, count, dimensions).
    package func values(of flat: UnsafePointer<Float>? = nil) -> [Float] {
        let flat = flat ?? UnsafePointer(codes.data)
        return [Float](unsafeUninitializedCapacity: codes.count) { out, filled in
            var at = 0
            for book in 0..<books {
                for code in 0..<count {
                    for dimension in 0..<dimensions {
                        out[at] = flat[position(book, code, dimension)]
                        at += 1
                    }
                }
            }
            filled = at
        }
    }

    /// The other way.
    func load(_ values: [Float], into flat: UnsafeMutablePointer<Float>) {
        precondition(values.count == codes.count)
        var at = 0
        for book in 0..<books {
            for code in 0..<count {
                for dimension in 0..<dimensions {
                    flat[position(book, code, dimension)] = values[at]
                    at += 1
                }
            }
        }
    }

    /// Nearest codes of `rows` vectors, row r in book r mod `books`; their vectors go to `quantized`.
    func assign(
        _ x: UnsafePointer<Float>, rows: Int, quantized: UnsafeMutablePointer<Float>
    ) -> [Int32] {
        var ids = [Int32](repeating: 0, count: rows)
        var best = [Float](repeating: 0, count: rows)
        var second = best
        tk_nearest(x, rows, dimensions, codes.data, books, count, &ids, &best, &second)
        ids.withUnsafeBufferPointer { ids in
            for row in 0..<rows {
                let from = codes.data + row % books * dimensions * count + Int(ids[row])
                for dimension in 0..<dimensions {
                    quantized[row * dimensions + dimension] = from[dimension * count]
                }
            }
        }
        return ids
    }

    /// The gradients of `scale / 2` times the squared error between `x` and its codes; also counts the codes' uses.
    /// Returns the sum of squares.
    func learn(
        _ x: UnsafePointer<Float>, quantized: UnsafePointer<Float>, ids: [Int32], scale: Float
    ) -> Double {
        gradients.buffer.update(repeating: 0)
        var total = 0.0
        uses.withUnsafeMutableBufferPointer { uses in
            for (row, id) in ids.enumerated() {
                let book = row % books
                uses[book * count + Int(id)] += 1
                let to = gradients.data + book * dimensions * count + Int(id)
                var sum: Float = 0
                for dimension in 0..<dimensions {
                    let difference = quantized[row * dimensions + dimension] - x[row * dimensions + dimension]
                    sum += difference * difference
                    to[dimension * count] += scale * difference
                }
                total += Double(sum)
            }
        }
        return total
    }

    /// Share of the codes used since the last reset.
    package var usage: Double { Double(uses.count { $0 > 0 }) / Double(uses.count) }

    /// Moves codes that were never used, at most `share` of each book, to the most used ones plus `noise` times normal
    /// noise, and counts anew. Of equally used codes, earlier ones count as more used. Where fewer were used than move,
    /// those serve again, from the most used on; a book of which none was used stays as it is.
    ///
    /// - Returns: how many moved.
    func reset(share: Double, noise: Float, seed: UInt64, epoch: Int) -> Int {
        var moved = 0
        let most = max(Int(share * Double(count)), 1)
        for book in 0..<books where share > 0 {
            let used = uses[book * count..<(book + 1) * count]
            let unused = used.count { $0 == 0 }
            let number = min(most, unused)
            guard number > 0, unused < count else { continue }
            let order = (0..<count).sorted { left, right in
                let (a, b) = (used[book * count + left], used[book * count + right])
                return a == b ? left < right : a > b
            }
            var random = Random(seed: seed, .reset, epoch, book)
            for index in 0..<number {
                let (to, from) = (order[count - number + index], order[index % (count - unused)])
                for dimension in 0..<dimensions {
                    codes.data[position(book, to, dimension)] =
                        codes.data[position(book, from, dimension)] + noise * Float(random.normal())
                }
            }
            moved += number
        }
        for index in uses.indices { uses[index] = 0 }
        return moved
    }
}
