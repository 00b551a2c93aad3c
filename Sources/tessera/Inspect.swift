import ArgumentParser
import Checkpoint
import Models
import TokenizerCore

/// `tessera inspect`: what a model folder holds, or what is wrong with it.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells what a model folder holds, or what is missing or misshapen in it.",
        discussion: """
            Examples:
              tessera inspect
              tessera inspect models/sftok-b
              tessera inspect r=models/revq-512t,vae=models/dc-ae-f32c32
            """)

    @OptionGroup var model: ModelArgument

    func run() throws {
        do {
            let description = try ModelLoader.load(model.source(), threads: model.threads).description
            for (name, value) in Self.lines(description) { print(Self.padded(name) + value) }
            for warning in description.warnings { print(Self.padded("warning") + warning) }
        } catch ModelError.defects(let lines) {
            for line in lines.prefix(Self.mostLines) { standardError("error: \(ModelError.defects([line]))") }
            if lines.count > Self.mostLines { standardError("error: and \(lines.count - Self.mostLines) more") }
            throw ExitCode.failure
        } catch CheckpointError.several(let defects) {
            for defect in defects { standardError("error: \(defect)") }
            throw ExitCode.failure
        }
    }

    /// Of defects: another model's file may have thousands.
    private static let mostLines = 200

    static func lines(_ description: ModelDescription) -> [(String, String)] {
        let contract = description.contract
        let special = contract.specialIDs
        var lines: [(String, String)] = [
            ("model", description.id),
            ("architecture", contract.architecture),
            ("parameters", "\(contract.parameters)"),
            ("tokens", "\(contract.tokensPerImage) per image, \(contract.codebookSize) codes"),
        ]
        lines += description.facts
        lines += [
            ("preprocessing", "\(contract.preprocessing.filter.rawValue), \(contract.preprocessing.size) pixels"),
            ("assignment", contract.assignments.map(\.rawValue).joined(separator: ", ")),
            ("precision", contract.precision.rawValue),
            ("instructions", description.instructions),
            ("special ids", "mask \(special.mask), class c at \(special.classOffset) + c, no class \(special.noClass)"),
            ("contract", contract.fingerprint),
            ("in memory", description.packed == nil ? "weights, read and laid out" : "packed weights, mapped"),
        ]
        return lines + description.files.map { ($0.role, $0.path) }
    }

    private static func padded(_ name: String) -> String {
        name + String(repeating: " ", count: max(1, 20 - name.count))
    }
}
