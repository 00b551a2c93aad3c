import Checkpoint
import Foundation
import Recipe
import Tensor
import Testing

@testable import Training

/// What PyTorch computes: `gradients.safetensors`, by Fixtures/make_gradients.py.
struct GradientFixture {
    private let file: CheckpointFile

    init() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")
        file = try CheckpointFile(path: folder.appendingPathComponent("gradients.safetensors").path)
    }

    func callAsFunction(_ name: String) throws -> [Float] { try file.floats(name) }

    /// Fails where |ours - theirs| is `limit` times |theirs| or more, or isn't a number.
    func expect(
        _ ours: [Float], is name: String, within limit: Double, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let error = relativeError(ours, try self(name))
        #expect(error < limit, "\(name) at \(Compute.level): \(error)", sourceLocation: sourceLocation)
    }
}

/// |ours - theirs| / |theirs|, Euclidean; infinite where their numbers of numbers differ.
func relativeError(_ ours: [Float], _ theirs: [Float]) -> Double {
    guard ours.count == theirs.count else { return .infinity }
    let difference = zip(ours, theirs).map { Double($0) - Double($1) }
    return norm(difference) / max(norm(theirs.map(Double.init)), .leastNormalMagnitude)
}

func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }

/// The recipe's numbers, in [-spread, spread).
func given(_ name: String, _ count: Int, spread: Float = 1) -> [Float] {
    uniform(name, count: count).map { $0 * spread }
}

/// Runs the body at every level the processor has.
func atEveryLevel(_ body: () throws -> Void) rethrows {
    defer { Compute.force(Compute.bestLevel) }
    for level in Compute.Level.allCases where level.rawValue <= Compute.bestLevel.rawValue {
        Compute.force(level)
        try body()
    }
}

/// Runs the body with so many threads.
func withThreads<Result>(_ count: Int, _ body: () throws -> Result) rethrows -> Result {
    let before = Compute.threads
    defer { Compute.setThreads(before) }
    Compute.setThreads(count)
    return try body()
}

extension Rectifier {
    /// With the recipe's weights.
    static func recipe(_ shape: RectifierShape) -> Rectifier {
        let rectifier = Rectifier(shape, seed: 0)
        rectifier.load { name, shape in tensor(name, shape: shape) }
        return rectifier
    }

    /// One image of (channels, height, width) in the same order, and room for its passes.
    func workspace(_ codes: [Float], target: [Float]) -> RectifierWorkspace {
        let space = RectifierWorkspace(shape)
        for channel in 0..<shape.channels {
            for pixel in 0..<shape.pixels {
                let (to, from) = (pixel * shape.channels + channel, channel * shape.pixels + pixel)
                (space.codes[to], space.target[to]) = (codes[from], target[from])
            }
        }
        return space
    }

    /// (channels, height, width) of the last forward pass.
    func result(_ space: RectifierWorkspace) -> [Float] {
        (0..<shape.numbers).map { space.result[$0 % shape.pixels * shape.channels + $0 / shape.pixels] }
    }

    /// Mean squared error after a forward pass.
    func loss(_ space: RectifierWorkspace) -> Double {
        forward(space)
        return (0..<shape.numbers).reduce(0.0) {
            let difference = Double(space.result[$1]) - Double(space.target[$1])
            return $0 + difference * difference
        } / Double(shape.numbers)
    }

    /// Its gradient by the parameters, in their order.
    func gradient(_ space: RectifierWorkspace) -> [Float] {
        forward(space)
        for index in 0..<shape.numbers {
            space.resultGradient[index] = 2 / Float(shape.numbers) * (space.result[index] - space.target[index])
        }
        var gradients = [Float](repeating: 0, count: table.count)
        gradients.withUnsafeMutableBufferPointer { gradients in
            if let base = gradients.baseAddress { backward(space, base) }
        }
        return gradients
    }
}
