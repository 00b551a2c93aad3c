import COneDNN

/// A layer's weights in the bytes that it computes with: what a file of packed weights holds, and what a layer can be
/// made on without a copy.
public struct PackedLayer {
    /// All that decides what the bytes mean. A layer takes only bytes whose layout is the one that it would make
    /// itself.
    public let layout: String
    /// The weights, and the bias where there is one; each aligned to 64 bytes.
    public let parts: [UnsafeRawBufferPointer]
    /// What the bytes live as long as: the layer that made them, or the file that is mapped. They are never written to.
    public let owner: AnyObject

    public init(layout: String, parts: [UnsafeRawBufferPointer], owner: AnyObject) {
        self.layout = layout
        self.parts = parts
        self.owner = owner
    }
}

/// A layer whose weights can be packed.
public protocol PackableLayer: AnyObject {
    var packed: PackedLayer { get }
}

extension PackedLayer {
    /// Of weights that oneDNN packed; empty, which fits nothing, where it is none that can be told.
    static func layout(_ kind: String, _ packed: td_packed) -> String {
        let told = String(cString: packed.layout)
        return told.isEmpty ? "" : "\(kind), \(told)"
    }

    /// The weights and a bias of `outputs` numbers, which may be `nil`.
    init(
        layout: String, weights: UnsafeRawPointer?, bytes: Int, bias: UnsafePointer<Float>?, outputs: Int,
        owner: AnyObject
    ) {
        let added = bias.map { UnsafeRawBufferPointer(UnsafeBufferPointer(start: $0, count: outputs)) }
        self.init(
            layout: layout, parts: [UnsafeRawBufferPointer(start: weights, count: bytes)] + (added.map { [$0] } ?? []),
            owner: owner)
    }

    /// Some layers that make up one, one after another.
    init(_ layers: [PackedLayer], owner: AnyObject) {
        self.init(
            layout: layers.map(\.layout).joined(separator: "\n"), parts: layers.flatMap(\.parts), owner: owner)
    }

    /// The layers that make up this one, each of as many parts.
    func divided(into count: Int) throws(LibraryError) -> [PackedLayer] {
        let layouts = layout.split(separator: "\n", omittingEmptySubsequences: false)
        guard layouts.count == count, !parts.isEmpty, parts.count.isMultiple(of: count) else {
            throw LibraryError(description: "\(parts.count) parts of \(layouts.count) layers, expected \(count) layers")
        }
        let each = parts.count / count
        return layouts.enumerated().map { index, layout in
            PackedLayer(
                layout: String(layout), parts: Array(parts[index * each..<(index + 1) * each]), owner: owner)
        }
    }

    /// Whether oneDNN chooses the layout by the number of threads too.
    public var dependsOnThreads: Bool { layout.hasPrefix("convolution ") }

    /// Throws unless this is the layout that the layer made on it would make.
    func require(_ wanted: String) throws(LibraryError) {
        guard layout == wanted, !wanted.isEmpty else {
            throw LibraryError(description: "packed as '\(layout)', expected '\(wanted)'", isOtherLayout: true)
        }
    }

    /// The weights, which must be there.
    var weights: UnsafeRawBufferPointer {
        get throws(LibraryError) {
            guard let first = parts.first, !first.isEmpty, parts.count <= 2 else {
                throw LibraryError(description: "\(parts.count) parts, expected weights and perhaps a bias")
            }
            return first
        }
    }

    /// The bias, which may be missing.
    func bias(_ outputs: Int) throws(LibraryError) -> UnsafePointer<Float>? {
        parts.count < 2 ? nil : UnsafePointer(try floats(1, outputs).data)
    }

    /// Part `index`, which must have `count` numbers.
    func floats(_ index: Int, _ count: Int) throws(LibraryError) -> FloatBuffer {
        let part = index < parts.count ? parts[index] : UnsafeRawBufferPointer(start: nil, count: 0)
        guard let buffer = FloatBuffer(part, count: count, owner: owner) else {
            throw LibraryError(description: "part \(index) has \(part.count) bytes, expected \(count) float32 numbers")
        }
        return buffer
    }
}
