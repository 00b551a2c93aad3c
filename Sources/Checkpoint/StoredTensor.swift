/// Where a tensor's elements lie. Strides and offset count elements and stay within the place.
struct StoredTensor: Sendable {
    /// Torch's own limit is 64; nothing here comes near.
    static let maxRank = 32

    enum Place: Sendable {
        /// Bytes of the file.
        case bytes(Range<Int>)
        /// A member of the archive; its local header is read when the elements are.
        case member(ZipArchive.Member)
    }

    let info: TensorInfo
    let strides: [Int]
    let offset: Int
    let place: Place

    func named(_ name: String) -> StoredTensor {
        let info = TensorInfo(name: name, shape: info.shape, type: info.type)
        return StoredTensor(info: info, strides: strides, offset: offset, place: place)
    }

    /// The product of numbers from 0, 0 where one of them is; `nil` where it doesn't fit.
    static func checkedProduct(_ shape: [Int]) -> Int? {
        if shape.contains(0) { return 0 }
        var product = 1
        for dimension in shape {
            let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
            if overflow { return nil }
            product = next
        }
        return product
    }
}
