/// oneDNN or a kernel of ours refused a convolution or a product: why, and the shape.
public struct LibraryError: Error, CustomStringConvertible {
    public let description: String
    /// Whether it is that packed weights lie otherwise than they would here.
    public var isOtherLayout = false
}
