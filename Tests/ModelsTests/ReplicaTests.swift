import Recipe
import Testing
import TokenizerCore

@testable import Models

/// A model whose images are computed side by side.
@Suite(.serialized) struct ReplicaTests {
    /// Replicas own scratch memory each: none is another, none is the model itself, whether the weights are read or
    /// mapped.
    @Test(arguments: PackedModelTests.Kind.allCases, [1, 2, 3, 4, 7])
    func noTwoReplicasAreTheSame(kind: PackedModelTests.Kind, count: Int) throws {
        let folder = try kind.folder()
        let source = ModelSource(id: "tiny", folder: folder.path)
        for isPacked in [false, true] {
            if isPacked { _ = try ModelLoader.pack(source) }
            let loaded = try ModelLoader.load(source, threads: 2, imagesAtOnce: count)
            #expect((loaded.description.packed != nil) == isPacked)
            let replicas = loaded.tokenizer.replicas
            #expect(replicas.count == (count == 1 ? 0 : count))
            let all = [loaded.tokenizer] + replicas
            #expect(Set(all.map { ObjectIdentifier($0) }).count == all.count)
            let bases = all.compactMap { ($0 as? SideBySideTokenizer)?.base }
            #expect(bases.count == (count == 1 ? 0 : all.count))
            #expect(Set(bases.map { ObjectIdentifier($0) }).count == bases.count)
            for replica in replicas {
                #expect(replica.replicas.isEmpty && replica.contract == loaded.tokenizer.contract)
            }
        }
    }
}
