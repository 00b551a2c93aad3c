import TokenizerCore

extension Tokenizer {
    func check(_ image: RGBImage) throws(TokenizerError) {
        let size = contract.preprocessing.size
        guard image.width == size, image.height == size else {
            throw .imageSize(found: [image.height, image.width], expected: [size, size])
        }
    }

    func check(_ tokens: [Int32]) throws(TokenizerError) { try contract.check(tokens) }
}
