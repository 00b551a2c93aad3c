import CheckpointBuilders
import Testing

@testable import Checkpoint

private func run(_ body: [UInt8], limits: PickleLimits = PickleLimits()) throws {
    try Pickle.program(body).withUnsafeBytes { bytes in
        var machine = PickleMachine(bytes: bytes, path: "f", limits: limits)
        _ = try machine.run()
    }
}

@Suite struct PickleTests {
    static let refusals: [([UInt8], String)] = [
        ([0x95], "opcode 0x95, which torch.load(weights_only=True) does not allow"),
        ([0x80, 3, 0x95], "opcode 0x95, which"), ([0x80, 4, 0x95], "pickle protocol 4; expected protocol 2"),
        ([0x80, 5, 0x8C], "pickle protocol 5; expected protocol 2"), ([0x69], "opcode 0x69"), ([0x93], "opcode 0x93"),
        ([0x50], "opcode 0x50"),
        ([0x58, 0xFF, 0xFF, 0xFF, 0xFF], "at byte 2: the pickle ends early"), ([0x8A, 200], "the pickle ends early"),
        ([0x63, 0x61], "the pickle ends early"), ([], "STOP needs more values"),
        ([0x28], "STOP needs more values"), ([0x4E, 0x86], "TUPLE2 needs more values"),
        ([0x4E, 0x28, 0x85], "TUPLE1 needs more values"), ([0x74], "TUPLE without a mark"),
        ([0x71, 0], "PUT needs more values"), ([0x68, 7], "nothing remembered as 7"),
        ([0x6A, 1, 2, 0, 0], "nothing remembered as 513"), ([0x4E, 0x4E, 0x61], "APPEND expected a list"),
        ([0x7D, 0x28, 0x4E, 0x75], "SETITEMS expected as many keys as values"),
        ([0x5D, 0x4E, 0x4E, 0x73], "SETITEM expected a dictionary"), ([0x4E, 0x4E, 0x62], "BUILD expected an object"),
        ([0x4E, 0x29, 0x52], "REDUCE expected a global"),
        (Pickle.global("os", "system") + [0x4E, 0x52], "REDUCE expected a tuple"),
        (Pickle.global("torch", "float32") + [0x29, 0x52], "arguments that torch.float32 does not take"),
        (Pickle.global("torch", "Size") + [0x29, 0x52], "arguments that torch.Size does not take"),
        (
            Pickle.call(Pickle.global("torch._utils", "_rebuild_tensor_v2"), []),
            "arguments that torch._utils._rebuild_tensor_v2"
        ),
        (
            Pickle.call(Pickle.global("torch._utils", "_rebuild_parameter"), [[0x4E], [0x89], [0x4E]]),
            "_rebuild_parameter"
        ),
        ([0x4E, 0x51], "a persistent id that is not a storage"),
        (Pickle.tuple([Pickle.string("module"), [0x4E], [0x4E], [0x4E], [0x4E]]) + [0x51], "a persistent id"),
        ([0x63, 0x0A, 0x61, 0x0A], "name of a global"),
        (Pickle.global(String(repeating: "m", count: 257), "n"), "name of a global"),
    ]

    @Test(arguments: refusals)
    func refuses(body: [UInt8], expected: String) throws {
        let error = try #require(try openingError(torchArchive(body).build()))
        #expect(error.hasPrefix("broken torch archive: data.pkl at byte ") && error.contains(expected), "\(error)")
    }

    @Test func capsWhatAPickleMayAskFor() throws {
        let limits = PickleLimits(opcodes: 20, stack: 8, memo: 4)
        try run([0x4E], limits: limits)
        let repeated = { (part: [UInt8], count: Int) in (0..<count).flatMap { _ in part } }
        let cases: [([UInt8], PickleDefect)] = [
            ([0x4E] + repeated([0x71, 0], 30), .opcodeLimit(20)), (repeated([0x4E], 9), .stackLimit(8)),
            (repeated([0x28], 9), .stackLimit(8)), ([0x4E] + (0..<5).flatMap { [0x71, UInt8($0)] }, .memoLimit(4)),
        ]
        for (body, expected) in cases {
            let error = #expect(throws: CheckpointError.self) { try run(body, limits: limits) }
            guard case .pickle("f", _, expected) = error else {
                Issue.record("\(String(describing: error)) instead of \(expected)")
                continue
            }
        }
    }

    /// A call per tuple is cheap whatever the tuple's length: without that, each of these takes minutes.
    @Test(arguments: [("os", "system"), ("collections", "OrderedDict")])
    func callsDoNotCopyLongTuples(module: String, name: String) throws {
        // Of two tuples, since a slice of all there is would be copied for nothing.
        let tuple = Pickle.tuple([[0x4E]]) + Pickle.tuple(Array(repeating: [0x4E], count: 200_000)) + [0x71, 0]
        let function = Pickle.global(module, name) + [0x71, 1]
        // The first opcodes leave an opaque value, which the second half calls again.
        let calls = (0..<50_000).flatMap { _ in [0x68, 1, 0x68, 0, 0x52] as [UInt8] }
        let again = (0..<50_000).flatMap { _ in [0x68, 0, 0x52] as [UInt8] }
        let time = try ContinuousClock().measure { try run(tuple + function + calls + again) }
        #expect(time < .seconds(40))
    }

    static let brokenTensors: [([UInt8], String)] = [
        (Pickle.tensor("1"), "its record 'archive/data/1' is missing"),
        (Pickle.tensor(count: 5), "its record has 16 bytes; expected 5 elements of float32"),
        (Pickle.tensor(count: -4), "its record has 16 bytes; expected -4 elements of float32"),
        (Pickle.tensor(count: .max), "its record has 16 bytes"),
        (Pickle.tensor(offset: Pickle.int(1)), "offset and strides reach outside its storage of 4 elements"),
        (Pickle.tensor(strides: [Pickle.int(2), Pickle.int(2)]), "reach outside its storage"),
        (Pickle.tensor(strides: [Pickle.long(.max), Pickle.int(1)]), "reach outside its storage"),
        (Pickle.tensor(offset: Pickle.long(.max)), "reach outside its storage"),
        (Pickle.tensor(offset: Pickle.int(-1)), "numbers from 0"),
        (Pickle.tensor(strides: [Pickle.int(-2), Pickle.int(1)]), "numbers from 0"),
        (Pickle.tensor(shape: [Pickle.int(2), Pickle.int(-1)]), "numbers from 0"),
        (Pickle.tensor(shape: [Pickle.int(2), Pickle.string("2")]), "numbers from 0"),
        (Pickle.tensor(strides: [Pickle.int(1)]), "tuples of one length"),
        (Pickle.tensor(shape: [Pickle.int(5)], strides: [Pickle.int(0)]), "more elements than its storage of 4"),
        (Pickle.tensor(shape: [Pickle.long(1 << 62), Pickle.long(4)]), "more elements than its storage of 4"),
        (
            Pickle.call(Pickle.global("os", "system"), [Pickle.string("true")]),
            "needs the global 'os.system', which a checkpoint may not use"
        ),
        (
            Pickle.tensor(
                storage: Pickle.storage(
                    "0", count: Pickle.int(2), type: Pickle.global("torch", "ComplexFloatStorage"))),
            "needs the global 'torch.ComplexFloatStorage'"
        ),
        (
            Pickle.tensor(extra: [Pickle.dict([("neg", [0x88])])]),
            "needs the global 'torch._utils._rebuild_tensor_v2 with metadata'"
        ),
        (Pickle.global("numpy", "ndarray") + [0x29, 0x81, 0x4E, 0x62], "needs the global 'numpy.ndarray'"),
        (Pickle.tensor() + [0x4E, 0x62], "needs the global 'torch.Tensor.__setstate__'"),
    ]

    @Test(arguments: brokenTensors)
    func refusesATensorOnlyWhenItIsNeeded(tensor: [UInt8], expected: String) throws {
        let file = try open(torchArchive(Pickle.dict([("good", Pickle.tensor()), ("bad", tensor)])).build())
        #expect(try file.floats("good") == [1, 2, 3, 4] && file.tensors.count == 1)
        let error = #expect(throws: CheckpointError.self) { try file.floats("bad") }
        let text = message(try #require(error), path: file.path)
        #expect(text.hasPrefix("tensor 'bad'") && text.contains(expected), "\(text)")
    }

    @Test func readsStridesOffsetsAndMetadataFreeTensors() throws {
        let int = Pickle.int
        let file = try open(
            torchArchive(
                Pickle.dict([
                    ("transposed", Pickle.tensor(strides: [int(1), int(2)])),
                    ("tail", Pickle.tensor(offset: int(2), shape: [int(2)], strides: [int(1)])),
                    ("repeated", Pickle.tensor(offset: int(1), shape: [int(3)], strides: [int(0)])),
                    ("plain", Pickle.tensor(extra: [[0x4E]])), ("empty", Pickle.tensor(shape: [int(0), int(9)])),
                    (
                        "sized",
                        Pickle.call(
                            Pickle.global("torch._utils", "_rebuild_parameter"), [Pickle.tensor(), [0x88], [0x4E]])
                    ),
                    ("scalar", Pickle.tensor(offset: int(3), shape: [], strides: [])),
                ])
            ).build())
        // All lie in one storage, whose pages each reading lets go.
        for _ in 0..<2 {
            #expect(try file.floats("transposed") == [1, 3, 2, 4] && file.floats("tail") == [3, 4])
            #expect(try file.floats("repeated") == [2, 2, 2] && file.floats("plain") == [1, 2, 3, 4])
            #expect(try file.floats("empty") == [] && file.floats("scalar") == [4])
            #expect(try file.floats("sized") == [1, 2, 3, 4])
        }
    }

    @Test func namesTheGlobalAboveAMissingTensor() throws {
        let module = Pickle.call(Pickle.global("my.models", "Decoder"), [])
        let file = try open(torchArchive(Pickle.dict([("decoder", module), ("epoch", [0x4E])])).build())
        #expect(
            throws: CheckpointError.forbiddenGlobal(path: file.path, tensor: "decoder.w", global: "my.models.Decoder")
        ) {
            try file.floats("decoder.w")
        }
        #expect(throws: CheckpointError.missingTensor(path: file.path, tensor: "epoch.w", expected: nil)) {
            try file.floats("epoch.w")
        }
        let whole = try open(torchArchive(module).build())
        #expect(throws: CheckpointError.forbiddenGlobal(path: whole.path, tensor: "w", global: "my.models.Decoder")) {
            try whole.floats("w")
        }
    }

    @Test func refusesNamesThatCoincide() throws {
        let body = Pickle.dict([("a.b", Pickle.tensor()), ("a", Pickle.dict([("b", Pickle.tensor())]))])
        #expect(try openingError(torchArchive(body).build()) == "tensor 'a.b' is there twice")
        let same = Pickle.dict([("a", Pickle.tensor()), ("a", Pickle.tensor())])
        #expect(try openingError(torchArchive(same).build()) == "tensor 'a' is there twice")
    }

    @Test func boundsCyclesAndSharedDictionaries() throws {
        let cycle: [UInt8] = [0x7D, 0x71, 0] + Pickle.string("self") + [0x68, 0, 0x73]
        #expect(try openingError(torchArchive(cycle).build()) == "nested dictionaries with more than 32 levels")
        var shared: [UInt8] = [0x7D, 0x71, 0]
        for level: UInt8 in 1...25 {
            let child: [UInt8] = [0x68, level - 1]
            shared += Pickle.dict([("a", child), ("b", child)]) + [0x71, level]
        }
        let error = try openingError(torchArchive(shared).build())
        #expect(error == "nested dictionaries with more than 1048576 entries")
    }
}
