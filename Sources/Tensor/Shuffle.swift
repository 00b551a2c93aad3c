import CKernels

extension Plane {
    /// pixel_shuffle by 2: (h, w, 4c) -> (2h, 2w, c), plus DC-AE's repeated `shortcut` (h, w, cx).
    public func pixelShuffled(shortcut: Plane?, _ pool: ScratchPool) -> Plane {
        precondition(channels % 4 == 0)
        let y = pool.plane(2 * height, 2 * width, channels / 4)
        tk_pixel_shuffle(data, shortcut?.data, shortcut?.channels ?? 0, height, width, channels / 4, y.data)
        return y
    }

    /// pixel_unshuffle by 2: (h, w, c) -> (h/2, w/2, 4c).
    public func pixelUnshuffled(_ pool: ScratchPool) -> Plane {
        precondition(height % 2 == 0 && width % 2 == 0)
        let y = pool.plane(height / 2, width / 2, channels * 4)
        tk_pixel_unshuffle(data, height, width, channels, y.data)
        return y
    }

    /// Adds means of groups of channels of pixel_unshuffle(x): DC-AE's space-to-channel residual.
    public func addUnshuffledMeans(of x: Plane) {
        precondition(x.height == 2 * height && x.width == 2 * width && (4 * x.channels) % channels == 0)
        tk_add_unshuffled_means(x.data, x.height, x.width, x.channels, channels, data)
    }

    /// Adds means of groups of consecutive channels of x.
    public func addGroupMeans(of x: Plane) {
        precondition(x.rows == rows && x.channels % channels == 0)
        tk_add_group_means(x.data, rows, x.channels, channels, data)
    }

    /// Adds x with every channel repeated.
    public func addRepeated(_ x: Plane) {
        precondition(x.rows == rows && channels % x.channels == 0)
        tk_add_repeated(x.data, rows, x.channels, channels, data)
    }

    /// Softmax over channels, in place.
    public func softmax() { tk_softmax(data, rows, channels) }

    /// (rows, 2c) -> (rows, c): first half times silu of the second.
    public func gated(_ pool: ScratchPool) -> Plane {
        precondition(channels % 2 == 0)
        let y = pool.plane(height, width, channels / 2)
        tk_gated(data, rows, channels / 2, y.data)
        return y
    }
}

/// Depthwise convolution, stride 1, zero padding: no library has a fast one for this layout on every processor.
public final class DepthwiseConvolution {
    public let channels: Int
    public let size: Int
    private let weight: FloatBuffer
    private let bias: FloatBuffer?

    /// - Parameter weight: (channels, 1, size, size), PyTorch's order.
    public init(channels: Int, size: Int, weight: borrowing FloatBuffer, bias: consuming FloatBuffer?) {
        self.channels = channels
        self.size = size
        let taps = size * size
        precondition(weight.count == channels * taps)
        let packed = FloatBuffer(count: channels * taps)
        for channel in 0..<channels {
            for tap in 0..<taps { packed.data[tap * channels + channel] = weight.data[channel * taps + tap] }
        }
        self.weight = packed
        self.bias = bias
    }

    /// Reads the first `channels` channels of x.
    public func callAsFunction(_ x: Plane, _ pool: ScratchPool) -> Plane {
        precondition(x.channels >= channels)
        let y = pool.plane(x.height, x.width, channels)
        var biasPointer: UnsafeMutablePointer<Float>?
        switch bias {
        case .some(let bias): biasPointer = bias.data
        case .none: biasPointer = nil
        }
        tk_depthwise(x.data, x.height, x.width, channels, x.channels, size, weight.data, biasPointer, y.data)
        return y
    }
}
