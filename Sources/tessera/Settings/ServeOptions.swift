import ArgumentParser
import Foundation

/// The flags of `tessera serve` as they were given: one for each of `Setting.all`, which declares them. A flag that
/// isn't given leaves its setting to the environment, the file and the default.
///
/// ArgumentParser takes a type's options from its mirror and their values from the keyed container that `init(from:)`
/// asks for. Both are made of the table here, in place of a property for each setting.
struct ServeOptions: ParsableArguments, CustomReflectable {
    /// By the setting's name; only those that are given.
    private(set) var values: [String: [String]] = [:]

    init() {}

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        for setting in Setting.all {
            let key = Key(stringValue: Self.property(setting))
            switch setting.kind {
            case .list:
                let list = try container.decode(Option<[String]>.self, forKey: key).wrappedValue
                if !list.isEmpty { values[setting.name] = list }
            case .bool:
                let flag = try container.decode(Flag<Bool?>.self, forKey: key).wrappedValue
                if let flag { values[setting.name] = ["\(flag)"] }
            case .integer, .choice, .text:
                let text = try container.decode(Option<String?>.self, forKey: key).wrappedValue
                if let text { values[setting.name] = [text] }
            }
        }
    }

    var customMirror: Mirror {
        Mirror(self, children: Setting.all.map { (label: "_\(Self.property($0))", value: Self.option($0)) })
    }

    /// Numbers are read as any text, a leading minus sign included, so that the error for one out of range names the
    /// range.
    private static func option(_ setting: Setting) -> Any {
        switch setting.kind {
        case .list: Option<[String]>(wrappedValue: [], help: setting.help)
        case .bool: Flag<Bool?>(inversion: .prefixedNo, help: setting.help)
        case .integer: Option<String?>(parsing: .unconditional, help: setting.help)
        case .choice, .text: Option<String?>(help: setting.help)
        }
    }

    /// The name that a property would have, `maxBatch` for `max-batch`: ArgumentParser makes the flag's name of it.
    private static func property(_ setting: Setting) -> String {
        let words = setting.name.split(separator: "-")
        return words.prefix(1).joined() + words.dropFirst().map(\.capitalized).joined()
    }

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
