import FilePaths
import ImageInput
import TokenFormats
import TokenizerCore

extension Files {
    /// The image of a file, oriented, resized and cropped for the model.
    static func picture(
        _ file: Path, _ parameters: EncodeParameters, for contract: TokenContract
    ) throws -> PreparedImage {
        let limits = ServiceLimits().image
        let bytes = try read(file, limit: limits.fileBytes)
        do throws(ImageError) {
            return try PreparedImage(
                bytes, options: parameters.picture, preprocessing: contract.preprocessing, limits: limits)
        } catch {
            throw FormatError(error)
        }
    }

    /// The image files that `paths` name: for a folder those that `PictureFolder` lists, else the path itself.
    ///
    /// - Parameter skipped: as for `PictureFolder.pictures`.
    static func pictures(
        _ paths: [Path], skipped: (_ path: Path, _ reason: String) -> Void
    ) throws -> [Path] {
        try paths.flatMap { try $0.isFolder ? PictureFolder.pictures(in: $0, skipped: skipped) : [$0] }
    }
}
