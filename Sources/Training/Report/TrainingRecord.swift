import JSON

/// One line of a training log: what was measured at a step or at the end of an epoch.
///
/// A measurement that was not taken is `nil` and has no key. One that isn't finite is written as `null`, so that the
/// line stays JSON; it reads back as `nil`.
package struct TrainingRecord: Sendable, Equatable {
    package enum Kind: String, Sendable {
        case step, epoch
    }

    package var kind: Kind
    /// Optimiser steps done since the run began, over all its sessions.
    package var step: Int
    /// From 0.
    package var epoch: Int
    /// The sum that is minimised.
    package var loss: Double?
    /// Mean squared error between latents and their codes.
    package var quantizerLoss: Double?
    /// Mean squared error between latents and rectified codes.
    package var rectifierLoss: Double?
    /// Learning rate of the codebooks.
    package var rate: Double?
    package var imagesPerSecond: Double?
    /// Share of all codes that were chosen at least once, 0...1.
    package var usage: Double?
    /// Unused codes that were reset.
    package var moved: Int?
    /// `quantizerLoss` of the validation set.
    package var validationQuantized: Double?
    /// `rectifierLoss` of the validation set.
    package var validationRectified: Double?

    package init(_ kind: Kind, step: Int, epoch: Int) {
        self.kind = kind
        self.step = step
        self.epoch = epoch
    }
}

/// Why a line isn't a record of a training log.
package struct TrainingRecordError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
}

extension TrainingRecord {
    private typealias Measurement = WritableKeyPath<TrainingRecord, Double?> & Sendable

    /// Names in the order in which they are written, `moved` after them.
    private static let measurements: [(name: String, path: any Measurement)] = [
        ("loss", \.loss),
        ("quantizer_loss", \.quantizerLoss),
        ("rectifier_loss", \.rectifierLoss),
        ("rate", \.rate),
        ("images_per_second", \.imagesPerSecond),
        ("usage", \.usage),
        ("validation_quantized", \.validationQuantized),
        ("validation_rectified", \.validationRectified),
    ]

    /// The record as a JSON object.
    package var json: JSONValue {
        var object = JSONObject()
        object["kind"] = JSONValue(kind.rawValue)
        object["step"] = JSONValue(step)
        object["epoch"] = JSONValue(epoch)
        for (name, path) in Self.measurements {
            if let value = self[keyPath: path] { object[name] = value.isFinite ? JSONValue(value) : .null }
        }
        if let moved { object["moved"] = JSONValue(moved) }
        return .object(object)
    }

    /// Reads one line without its line feed. Keys that a record doesn't have are ignored.
    package init(parsing line: ArraySlice<UInt8>) throws(TrainingRecordError) {
        let object: JSONObject
        do throws(JSONError) {
            let value = try JSONValue.parse(line, maxDepth: 8, maxValues: 256, extensions: .byteOrderMark)
            guard let members = value.objectValue else {
                throw JSONError(offset: 0, message: "expected an object")
            }
            object = members
        } catch {
            throw TrainingRecordError(description: error.description)
        }
        guard let kind = object["kind"]?.stringValue.flatMap(Kind.init(rawValue:)) else {
            throw Self.wrong("kind", object["kind"], "\"step\" or \"epoch\"")
        }
        self.init(
            kind, step: try Self.count("step", object["step"]), epoch: try Self.count("epoch", object["epoch"]))
        for (name, path) in Self.measurements {
            guard let value = object[name], !value.isNull else { continue }
            guard let number = value.doubleValue else { throw Self.wrong(name, value, "a number or null") }
            self[keyPath: path] = number
        }
        if let value = object["moved"], !value.isNull { moved = try Self.count("moved", value) }
    }

    private static func count(_ name: String, _ value: JSONValue?) throws(TrainingRecordError) -> Int {
        guard let count = value?.intValue, count >= 0 else { throw wrong(name, value, "a whole number from 0") }
        return count
    }

    private static func wrong(_ name: String, _ value: JSONValue?, _ expected: String) -> TrainingRecordError {
        let text = value.map(\.description) ?? "nothing"
        let found = text.count <= 40 ? text : text.prefix(40) + "…"
        return TrainingRecordError(description: "\(name): expected \(expected), found \(found)")
    }
}
