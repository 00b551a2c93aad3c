import Checkpoint
import CheckpointBuilders
import Testing

private func model() throws -> CheckpointFile {
    let names = ["blocks.0.w", "blocks.1.w", "blocks.10.w", "blocks.01.w", "blocks.x.w", "head", "blocksy.7.w"]
    let entries = names.enumerated().map {
        #""\#($1)":{"dtype":"F32","shape":[1,1],"data_offsets":[\#($0 * 4),\#($0 * 4 + 4)]}"#
    }
    return try open(safetensors("{\(entries.joined(separator: ","))}", data: floatBytes([0, 1, 10, 11, 12, 5, 7])))
}

extension TensorScope {
    fileprivate func load(_ name: String, shape: [Int]) throws(CheckpointError) -> [Float] {
        try file.floats(take(name, shape: shape))
    }
}

@Suite struct TensorScopeTests {
    @Test func loadsThroughNestedScopes() throws {
        let scope = TensorScope(file: try model())
        #expect(try scope.scope("blocks").scope("10").load("w", shape: [1, 1]) == [10])
        #expect(try TensorScope(file: scope.file, prefix: "blocks.1").load("w", shape: [1, 1]) == [1])
        #expect(scope.has("head") && !scope.scope("blocks").has("head"))
        #expect(try scope.shape("head") == [1, 1])
        #expect(scope.childIndices("blocks") == [0, 1, 10] && scope.scope("blocksy").childIndices() == [7])
        var target: [Float] = [0]
        try target.withUnsafeMutableBufferPointer { try scope.file.readFloats("head", into: $0) }
        #expect(target == [5])
    }

    @Test func namesTheTensorAndBothShapes() throws {
        let file = try model()
        let scope = TensorScope(file: file).scope("blocks")
        #expect(
            throws: CheckpointError.wrongShape(path: file.path, tensor: "blocks.0.w", found: [1, 1], expected: [2, 1])
        ) { try scope.load("0.w", shape: [2, 1]) }
        #expect(throws: CheckpointError.missingTensor(path: file.path, tensor: "blocks.2.w", expected: [3])) {
            try scope.load("2.w", shape: [3])
        }
        let error = #expect(throws: CheckpointError.self) { try scope.load("2.w", shape: [3]) }
        #expect(error?.description == "\(file.path): tensor 'blocks.2.w' is missing; expected shape [3]")
        var short: [Float] = []
        #expect(throws: CheckpointError.wrongShape(path: file.path, tensor: "head", found: [1, 1], expected: [0])) {
            try short.withUnsafeMutableBufferPointer { try file.readFloats("head", into: $0) }
        }
    }

    @Test func reportsSpareTensors() throws {
        let scope = TensorScope(file: try model())
        let blocks = scope.scope("blocks")
        for index in [0, 1] { _ = try blocks.load("\(index).w", shape: [1, 1]) }
        #expect(blocks.unusedNames(ignoring: ["01.w", "x.w"]) == ["blocks.10.w"])
        #expect(scope.unusedNames() == ["blocks.01.w", "blocks.10.w", "blocks.x.w", "blocksy.7.w", "head"])
        let error = #expect(throws: CheckpointError.self) { try blocks.requireSound(ignoring: ["01.w", "x.w"]) }
        #expect(
            message(try #require(error), path: scope.file.path)
                == "spare tensor that the model does not have: 'blocks.10.w'")
        try blocks.take("10.w", shape: [1, 1])
        try blocks.requireSound(ignoring: ["01.w", "x.w"])
    }
}
