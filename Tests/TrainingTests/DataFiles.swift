import FilePaths
import Foundation
import ImageInput
import Recipe
import TokenizerCore

@testable import Training

/// A folder of images, removed with its owner.
final class DataFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        let file = "\(path)/\(name)"
        try FileManager.default.createDirectory(
            atPath: URL(fileURLWithPath: file).deletingLastPathComponent().path, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String { try write(Array(text.utf8), to: name) }

    @discardableResult
    func picture(_ name: String, width: Int, height: Int) throws -> String {
        try write(encodePNG(image(name, height: height, width: width)), to: name)
    }

    func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")))
    }

    func names(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)").sorted()
    }

    /// One of the decoder tests' odd images.
    static func odd(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("ImageInputTests/Fixtures/pictures/\(name)").path
    }
}

extension CropPlan {
    /// - Parameter pictures: paths in their text form.
    init(
        _ pictures: [String], crops: Int?, seed: UInt64, preprocessing: Preprocessing,
        limits: ImageLimits = ImageLimits()
    ) throws(TrainingError) {
        try self.init(
            pictures.map { Path($0) }, crops: crops, seed: seed, preprocessing: preprocessing, limits: limits)
    }
}

/// Latents of shape (3, 1, 2): the sums of the left and of the right half of each channel. Ends after some if told to.
final class FakeSource: LatentSource {
    struct Stopped: Error {}

    let channels: Int
    let height: Int
    let width: Int
    let fingerprint: String
    let preprocessing: Preprocessing
    private(set) var calls = 0
    private let limit: Int

    init(
        size: Int = 8, fingerprint: String = "fake", limit: Int = .max, filter: Preprocessing.Filter = .bilinear,
        shape: [Int] = [3, 1, 2]
    ) {
        self.fingerprint = fingerprint
        self.limit = limit
        (channels, height, width) = (shape[0], shape[1], shape[2])
        preprocessing = Preprocessing(filter: filter, size: size)
    }

    func latent(of image: RGBImage) throws -> [Float] {
        guard calls < limit else { throw Stopped() }
        calls += 1
        return Self.latent(of: image)
    }

    static func latent(of image: RGBImage) -> [Float] {
        var sums = [Float](repeating: 0, count: 6)
        for (at, sample) in image.pixels.enumerated() {
            let half = at / 3 % image.width < image.width / 2 ? 0 : 1
            sums[at % 3 * 2 + half] += Float(sample)
        }
        return sums
    }
}

/// The message of what `body` throws; `nil` if it doesn't.
func message(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        return "\(error)"
    }
}
