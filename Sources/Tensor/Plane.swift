import Glibc

/// Activations of one image: (height, width, channels), row-major. A sequence of L vectors is (L, 1, channels).
///
/// The memory comes from a `ScratchPool` and goes back to it when the last reference ends.
public final class Plane {
    public let height: Int
    public let width: Int
    public let channels: Int
    public let data: UnsafeMutablePointer<Float>
    private let capacity: Int
    private let pool: ScratchPool

    fileprivate init(
        height: Int, width: Int, channels: Int, data: UnsafeMutablePointer<Float>, capacity: Int, pool: ScratchPool
    ) {
        self.height = height
        self.width = width
        self.channels = channels
        self.data = data
        self.capacity = capacity
        self.pool = pool
    }

    deinit { pool.give(data, capacity: capacity) }

    /// Pixels, or vectors of a sequence.
    public var rows: Int { height * width }
    public var count: Int { rows * channels }
    public var values: [Float] { Array(UnsafeBufferPointer(start: data, count: count)) }

    /// Copies x (rows, any channels) into the channels from `column` on.
    public func set(_ x: Plane, column: Int) {
        precondition(x.rows == rows && column + x.channels <= channels)
        for row in 0..<rows {
            (data + row * channels + column).update(from: x.data + row * x.channels, count: x.channels)
        }
    }

    /// A copy of some rows, (chosen.count, 1, channels).
    public func rows(_ chosen: [Int], _ pool: ScratchPool) -> Plane {
        let some = pool.plane(chosen.count, 1, channels)
        for (place, row) in chosen.enumerated() {
            precondition(row < rows)
            (some.data + place * channels).update(from: data + row * channels, count: channels)
        }
        return some
    }

    /// Values in (channels, height, width) order, PyTorch's.
    public var channelsFirst: [Float] {
        var out = [Float](repeating: 0, count: count)
        for pixel in 0..<rows {
            for channel in 0..<channels { out[channel * rows + pixel] = data[pixel * channels + channel] }
        }
        return out
    }
}

/// Recycles activation memory, so that a running engine allocates nothing. Lives on one thread.
public final class ScratchPool {
    private var free: [(capacity: Int, data: UnsafeMutablePointer<Float>)] = []
    /// Called before each plane is handed out. Every layer takes one.
    public var whenTaken: () -> Void = {}

    public init() {}

    deinit {
        for block in free { Glibc.free(block.data) }
    }

    /// A plane with arbitrary contents.
    public func plane(_ height: Int, _ width: Int, _ channels: Int) -> Plane {
        whenTaken()
        let count = max(1, height * width * channels)
        let fitting = free.indices.filter { free[$0].capacity >= count && free[$0].capacity / 2 <= count }
        if let index = fitting.min(by: { free[$0].capacity < free[$1].capacity }) {
            let block = free.swapRemove(at: index)
            return Plane(
                height: height, width: width, channels: channels, data: block.data, capacity: block.capacity,
                pool: self)
        }
        return Plane(
            height: height, width: width, channels: channels, data: FloatBuffer.allocate(count), capacity: count,
            pool: self)
    }

    /// A plane holding `values`, given in (height, width, channels) order.
    public func plane(_ height: Int, _ width: Int, _ channels: Int, _ values: [Float]) -> Plane {
        precondition(values.count == height * width * channels)
        let plane = plane(height, width, channels)
        for (index, value) in values.enumerated() { plane.data[index] = value }
        return plane
    }

    fileprivate func give(_ data: UnsafeMutablePointer<Float>, capacity: Int) {
        free.append((capacity, data))
    }
}

extension Array {
    /// Removes an element in constant time; the last one takes its place.
    fileprivate mutating func swapRemove(at index: Int) -> Element {
        swapAt(index, count - 1)
        return removeLast()
    }
}
