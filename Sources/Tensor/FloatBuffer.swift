import CKernels
import Glibc

/// Owner of `count` floats, aligned to 64 bytes, not initialised. Moves with ownership; freed at the end of its life.
public struct FloatBuffer: ~Copyable {
    public let count: Int
    public let data: UnsafeMutablePointer<Float>

    public init(count: Int) {
        self.count = count
        data = FloatBuffer.allocate(count)
    }

    public init(_ values: [Float]) {
        self.init(count: values.count)
        values.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { data.update(from: base, count: source.count) }
        }
    }

    deinit { free(data) }

    /// A copy of `count` numbers from `start` on.
    public borrowing func part(_ start: Int, _ count: Int) -> FloatBuffer {
        precondition(start >= 0 && count >= 0 && start + count <= self.count)
        let part = FloatBuffer(count: count)
        part.data.update(from: data + start, count: count)
        return part
    }

    public var buffer: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: data, count: count) }
    public var array: [Float] { Array(buffer) }

    static func allocate(_ count: Int) -> UnsafeMutablePointer<Float> {
        guard let raw = tk_allocate(max(1, count) * MemoryLayout<Float>.stride) else { preconditionFailure() }
        return raw.bindMemory(to: Float.self, capacity: max(1, count))
    }
}
