import Foundation
import Tensor
import Testing

/// Layers made on packed weights beside those that packed them.
@Suite(.serialized)
struct PackedLayerTests {
    private static let levels = Compute.Level.allCases.filter { $0.rawValue <= Compute.bestLevel.rawValue }

    /// The bytes elsewhere, as a file has them: a write to them ends the process.
    private final class Copy {
        private var areas: [(UnsafeMutableRawPointer, Int)] = []
        private(set) var parts: [UnsafeRawBufferPointer] = []

        init(_ packed: PackedLayer) {
            for part in packed.parts {
                let size = max(part.count, 1)
                guard let area = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                    area != MAP_FAILED
                else { preconditionFailure() }
                if let from = part.baseAddress { area.copyMemory(from: from, byteCount: part.count) }
                mprotect(area, size, PROT_READ)
                areas.append((area, size))
                parts.append(UnsafeRawBufferPointer(start: area, count: part.count))
            }
        }

        deinit { for (area, size) in areas { munmap(area, size) } }
    }

    private func copied(_ packed: PackedLayer, layout: String? = nil) -> PackedLayer {
        let copy = Copy(packed)
        return PackedLayer(layout: layout ?? packed.layout, parts: copy.parts, owner: copy)
    }

    private func atEachLevel(_ body: (ScratchPool) throws -> Void) rethrows {
        defer { Compute.force(Compute.bestLevel) }
        for level in Self.levels {
            Compute.force(level)
            try body(ScratchPool())
        }
    }

    @Test(arguments: [(64, 96, true), (768, 12, true), (30, 7, false), (5, 130, true)])
    func linear(inputs: Int, outputs: Int, hasBias: Bool) throws {
        let w = Noise.values(inputs * outputs, seed: 1), b = Noise.values(outputs, seed: 2)
        try atEachLevel { pool in
            let x = pool.plane(3, 1, inputs, Noise.values(3 * inputs, seed: 3))
            for arithmetic in [Compute.Arithmetic.float32, .bfloat16, .int8] where arithmetic.isNative {
                let made = try Linear(
                    inputs: inputs, outputs: outputs, weight: FloatBuffer(w), bias: hasBias ? FloatBuffer(b) : nil,
                    arithmetic: arithmetic)
                let mapped = try Linear(
                    inputs: inputs, outputs: outputs, packed: copied(made.packed), arithmetic: arithmetic)
                #expect(mapped(x, pool).values == made(x, pool).values)
                #expect(throws: LibraryError.self) {
                    try Linear(
                        inputs: inputs, outputs: outputs, packed: copied(made.packed, layout: "x"),
                        arithmetic: arithmetic)
                }
                #expect(throws: LibraryError.self) {
                    try Linear(
                        inputs: inputs, outputs: outputs + 64, packed: copied(made.packed), arithmetic: arithmetic)
                }
            }
        }
    }

    @Test(arguments: [(3, 32, 40, 3), (32, 64, 32, 3), (64, 3, 40, 3), (32, 48, 8, 1), (17, 19, 9, 3)])
    func convolution(inputs: Int, outputs: Int, size: Int, kernel: Int) throws {
        let shape = Convolution.Shape(inputs: inputs, outputs: outputs, height: size, width: size, kernel: kernel)
        let w = Noise.values(inputs * outputs * kernel * kernel, seed: 1), b = Noise.values(outputs, seed: 2)
        try atEachLevel { pool in
            let x = pool.plane(size, size, inputs, Noise.values(size * size * inputs, seed: 3))
            for arithmetic in [Compute.Arithmetic.float32, .bfloat16] where arithmetic.isNative {
                let made = try Convolution(
                    shape, weight: FloatBuffer(w), bias: FloatBuffer(b), activation: .silu, arithmetic: arithmetic)
                let mapped = try Convolution(
                    shape, packed: copied(made.packed), activation: .silu, arithmetic: arithmetic)
                #expect(mapped.implementationName == made.implementationName)
                #expect(mapped(x, pool).values == made(x, pool).values)
                #expect(throws: LibraryError.self) {
                    try Convolution(shape, packed: copied(made.packed, layout: "x"), arithmetic: arithmetic)
                }
            }
        }
    }

    /// By Winograd, and as four convolutions.
    @Test(arguments: [(32, 64, 16), (32, 48, 4), (12, 32, 16), (32, 16, 16)])
    func upsampling(inputs: Int, outputs: Int, size: Int) throws {
        let w = Noise.values(inputs * outputs * 9, seed: 1), b = Noise.values(outputs, seed: 2)
        try atEachLevel { pool in
            let x = pool.plane(size, size, inputs, Noise.values(size * size * inputs, seed: 3))
            for arithmetic in [Compute.Arithmetic.float32, .bfloat16] where arithmetic.isNative {
                let made = try UpsamplingConvolution(
                    inputs: inputs, outputs: outputs, height: size, width: size, weight: FloatBuffer(w),
                    bias: FloatBuffer(b), arithmetic: arithmetic)
                let mapped = try UpsamplingConvolution(
                    inputs: inputs, outputs: outputs, height: size, width: size, packed: copied(made.packed),
                    arithmetic: arithmetic)
                #expect(
                    mapped(x, shortcut: false, pool).values == made(x, shortcut: false, pool).values)
            }
        }
    }

    @Test(arguments: [true, false])
    func codebooks(isTree: Bool) throws {
        let (books, count, d) = (3, 1000, 4)
        let codes = Noise.values(books * count * d, seed: 1), queries = Noise.values(books * 20 * d, seed: 2)
        try atEachLevel { _ in
            let made = Codebooks(
                books: books, count: count, dimensions: d, codes: FloatBuffer(codes), isTree: isTree)
            let mapped = try Codebooks(
                books: books, count: count, dimensions: d, packed: copied(made.packed), isTree: isTree)
            let first = made.nearest(queries, count: books * 20), second = mapped.nearest(queries, count: books * 20)
            #expect(first.ids == second.ids && first.margins == second.margins)
            #expect(mapped.values == codes)
            #expect(throws: LibraryError.self) {
                try Codebooks(
                    books: books, count: count + 1, dimensions: d, packed: copied(made.packed), isTree: isTree)
            }
        }
    }

    /// A file whose numbers are damaged gives wrong codes, not a crash.
    @Test func aTreeOfNonsenseIsSearched() throws {
        let (count, d) = (1000, 3)
        let made = Codebooks(
            books: 1, count: count, dimensions: d, codes: FloatBuffer(Noise.values(count * d, seed: 1)), isTree: true)
        let part = made.packed.parts[0]
        for seed in 1...8 {
            var state = UInt64(seed)
            let bytes = (0..<part.count).map { _ -> UInt8 in
                state = state &* 6_364_136_223_846_793_005 &+ 1
                return UInt8(truncatingIfNeeded: state >> 56)
            }
            try bytes.withUnsafeBytes { bytes in
                let nonsense = PackedLayer(layout: made.packed.layout, parts: [bytes], owner: made)
                let books = try Codebooks(books: 1, count: count, dimensions: d, packed: copied(nonsense), isTree: true)
                let found = books.nearest(Noise.values(40 * d, seed: 2), count: 40)
                #expect(found.ids.count == 40 && books.values.count == count * d)
            }
        }
    }

    @Test func numbers() throws {
        let buffer = FloatBuffer([1, 2, 3])
        let mapped = try FloatBuffer(count: 3, packed: copied(buffer.packed))
        #expect(mapped.array == [1, 2, 3])
        let packed = buffer.packed
        #expect(throws: LibraryError.self) { _ = try FloatBuffer(count: 4, packed: packed).count }
    }

    /// oneDNN chooses some layouts by the number of threads that are to run them: where it does, that is told apart
    /// from damage, so that the layer can be made anew.
    @Test func aConvolutionForAnotherNumberOfThreads() throws {
        defer { Compute.setThreads(2) }
        let pool = ScratchPool()
        for (inputs, outputs, side) in [(32, 128, 8), (64, 64, 16), (1024, 32, 8)] {
            let shape = Convolution.Shape(inputs: inputs, outputs: outputs, height: side, width: side)
            let w = Noise.values(outputs * inputs * 9, seed: 1), b = Noise.values(outputs, seed: 2)
            let x = pool.plane(side, side, inputs, Noise.values(side * side * inputs, seed: 3))
            Compute.setThreads(8)
            let made = try Convolution(shape, weight: FloatBuffer(w), bias: FloatBuffer(b), method: .direct)
            for threads in [2, 16, 32] {
                Compute.setThreads(threads)
                do throws(LibraryError) {
                    let mapped = try Convolution(shape, packed: made.packed)
                    Compute.setThreads(2)
                    #expect(mapped(x, pool).values == made(x, pool).values)
                } catch {
                    #expect(error.isOtherLayout && made.packed.dependsOnThreads, "\(shape), \(threads): \(error)")
                }
            }
        }
    }
}
