import Foundation
import Glibc
import ImageInput
import JSON
import Models
import Recipe
import Testing
import TokenizerCore

@testable import TokenFormats
@testable import TokenService

/// A picture of the recipe's noise, as a file, and as models take it.
struct KnownPicture: Sendable {
    let file: [UInt8]
    let image: RGBImage

    init(_ name: String) throws {
        file = encodePNG(Recipe.image(name, height: 256, width: 256))
        let preprocessing = Preprocessing(filter: .bicubic, size: 256)
        image = try PreparedImage(
            file, options: PictureOptions(), preprocessing: preprocessing, limits: ImageLimits()
        ).image
    }
}

/// What a model answers by itself.
struct KnownAnswers: Sendable {
    let contract: TokenContract
    /// By picture.
    let tokens: [[Int32]]
    /// The files that those tokens give.
    let pictures: [[UInt8]]

    init(_ source: ModelSource, _ pictures: [KnownPicture], decodes: Bool = true) throws {
        let model = try ModelLoader.load(source, threads: 2)
        contract = model.tokenizer.contract
        tokens = try pictures.map { try model.tokenizer.encode($0.image, options: EncodeOptions()).ids }
        self.pictures =
            decodes ? try tokens.map { encodePNG(try model.tokenizer.decode($0, options: DecodeOptions())) } : []
    }
}

extension TemporaryModel {
    /// Puts the weights of `other` in the place of this one's in one step, as a deployment does.
    func replaceWeights(by other: TemporaryModel) throws {
        let new = path + "/new"
        try FileManager.default.copyItem(atPath: other.path + "/model.safetensors", toPath: new)
        try #require(rename(new, path + "/model.safetensors") == 0)
    }
}
