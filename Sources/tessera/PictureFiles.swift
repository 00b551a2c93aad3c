import Foundation
import ImageInput
import TokenService
import TokenizerCore

extension Files {
    /// A picture as the model takes it.
    static func picture(
        _ file: String, _ parameters: EncodeParameters, for contract: TokenContract
    ) throws -> PreparedPicture {
        try Processing.prepare(
            read(file, limit: ServiceLimits().image.fileBytes), options: parameters.picture,
            preprocessing: contract.preprocessing, limits: ServiceLimits())
    }

    /// The pictures that are meant by `paths`: of a folder those that `PictureFolder` lists; every other path is taken as
    /// it is.
    static func pictures(_ paths: [String]) throws -> [String] {
        try paths.flatMap { try isDirectory($0) ? PictureFolder.pictures(in: $0) : [$0] }
    }
}
