import Tensor
import Testing

@testable import Models

/// SFTok's balanced assignment against the reference, at every level: probabilities, for ids alone seldom tell four
/// rounds from five. What would show in each case, `make_sinkhorn.py` asserts.
@Suite(.serialized)
struct SinkhornTests {
    /// Of a probability, relative.
    private static let bound = 1e-4

    @Test(arguments: ["blocks", "second", "shifted", "far", "lone", "wide"])
    func probabilitiesAndIDsAreTheReferences(name: String) throws {
        let golden = try Golden("sinkhorn", in: Golden.fixtures)
        let shape = try golden.shape("\(name).distances"), distances = try golden.floats("\(name).distances")
        let expected = try golden.floats("\(name).probabilities"), ids = try golden.ints("\(name).ids")
        try #require(shape.count == 2 && expected.count == distances.count && ids.count == shape[0])
        defer { Compute.force(Compute.bestLevel) }
        for level in Compute.Level.allCases where level.rawValue <= Compute.bestLevel.rawValue {
            Compute.force(level)
            let plane = ScratchPool().plane(shape[0], 1, shape[1], distances)
            #expect(plane.sinkhorn() == ids, "\(level)")
            let error = Self.error(Self.normalized(plane), expected)
            #expect(error < Self.bound, "\(level): the largest relative error of a probability is \(error)")
        }
    }

    /// From vectors: each image is balanced by itself.
    @Test func distancesAreOfOneImage() throws {
        let golden = try Golden("sinkhorn", in: Golden.fixtures)
        let shape = try golden.shape("blocks.codes")
        let books = Codebooks(
            books: 1, count: shape[0], dimensions: shape[1], codes: FloatBuffer(try golden.floats("blocks.codes")))
        let pool = ScratchPool()
        for image in ["blocks", "second", "blocks"] {
            let vectors = try golden.floats("\(image).vectors")
            let distances = books.distances(pool.plane(vectors.count / shape[1], 1, shape[1], vectors), pool)
            let error = zip(distances.values, try golden.floats("\(image).distances")).map { abs($0 - $1) }.max()
            #expect((error ?? .infinity) < 1e-6, "\(image)")
            #expect(distances.sinkhorn() == (try golden.ints("\(image).ids")), "\(image)")
        }
    }

    /// `Plane.sinkhorn` leaves rows up to a factor each.
    private static func normalized(_ plane: Plane) -> [Double] {
        (0..<plane.rows).flatMap { row in
            let values = (0..<plane.channels).map { Double(plane.data[row * plane.channels + $0]) }
            let sum = values.reduce(0, +)
            return values.map { $0 / sum }
        }
    }

    /// Infinite where a number isn't one.
    private static func error(_ found: [Double], _ expected: [Float]) -> Double {
        zip(found, expected).reduce(0) { worst, pair in
            let error = abs(pair.0 - Double(pair.1)) / max(Double(pair.1), 1e-12)
            return error.isNaN ? .infinity : max(worst, error)
        }
    }
}
