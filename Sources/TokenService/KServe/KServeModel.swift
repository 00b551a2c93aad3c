import Batching
import JSON
import TokenizerCore

/// A loaded model as the Open Inference Protocol sees it: one that encodes and one that decodes.
struct KServeModel: Sendable {
    enum Operation: String, CaseIterable {
        case encode, decode
    }

    /// An input or output.
    struct Tensor: Sendable {
        let name: String
        let datatype: String
        /// -1: as many as there are.
        let shape: [Int]
    }

    /// The only one there is.
    static let version = "1"

    let model: Engine.Model
    let operation: Operation

    var name: String { "\(model.id)-\(operation.rawValue)" }
    var input: Tensor { operation == .encode ? image : tokens }
    var output: Tensor { operation == .encode ? tokens : image }

    private var image: Tensor { Tensor(name: "image", datatype: "BYTES", shape: [-1]) }
    private var tokens: Tensor {
        Tensor(name: "tokens", datatype: "INT32", shape: [-1, model.contract.tokensPerImage])
    }
}

extension TokenService {
    /// The model that a path names.
    func kserveModel(_ name: String) throws(ServiceError) -> KServeModel {
        let models = engine.models.flatMap { model in
            KServeModel.Operation.allCases.map { KServeModel(model: model, operation: $0) }
        }
        guard let model = models.first(where: { $0.name == name }) else {
            throw .unknownModel(name, known: models.map(\.name))
        }
        return model
    }
}
