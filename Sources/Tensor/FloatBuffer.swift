import CKernels
import Glibc

/// Owner of `count` floats, aligned to 64 bytes, not initialised; or of such a part of packed weights, which must not
/// be written to. Moves with ownership; freed at the end of its life.
public struct FloatBuffer: ~Copyable {
    public let count: Int
    public let data: UnsafeMutablePointer<Float>
    /// What the memory lives as long as.
    private let owner: AnyObject

    public init(count: Int) {
        self.count = count
        data = FloatBuffer.allocate(count)
        owner = Allocation(data)
    }

    /// A part of packed weights as it lies; `nil` where that isn't `count` aligned floats.
    init?(_ part: UnsafeRawBufferPointer, count: Int, owner: AnyObject) {
        guard part.count == count * MemoryLayout<Float>.stride, let start = part.baseAddress,
            Int(bitPattern: start).isMultiple(of: 64)
        else { return nil }
        self.count = count
        data = UnsafeMutableRawPointer(mutating: start).bindMemory(to: Float.self, capacity: count)
        self.owner = owner
    }

    /// The numbers that a `packed` buffer held, where they lie.
    public init(count: Int, packed: PackedLayer) throws(LibraryError) {
        try packed.require(Self.layout(count))
        self = try packed.floats(0, count)
    }

    public var packed: PackedLayer {
        PackedLayer(layout: Self.layout(count), parts: [UnsafeRawBufferPointer(buffer)], owner: owner)
    }

    private static func layout(_ count: Int) -> String { "floats \(count)" }

    public init(_ values: [Float]) {
        self.init(count: values.count)
        values.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { data.update(from: base, count: source.count) }
        }
    }

    // Written out so that it is at the end of the buffer's life, not after the last use of `owner`.
    deinit { withExtendedLifetime(owner) {} }

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

/// Frees what was allocated.
private final class Allocation {
    private let data: UnsafeMutablePointer<Float>

    init(_ data: UnsafeMutablePointer<Float>) { self.data = data }

    deinit { free(data) }
}
