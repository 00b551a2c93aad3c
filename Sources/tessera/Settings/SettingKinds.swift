// The rows of `Setting.all` by what their values are.

extension Setting {
    static func integer(
        _ name: String, _ range: ClosedRange<Int>, _ field: any Field<Int>,
        _ summary: String
    ) -> Setting {
        Setting(
            name: name, kind: .integer(range), summary: summary,
            store: { settings, values throws(Expected) in settings[keyPath: field] = try number(values, range) },
            read: { [String($0[keyPath: field])] })
    }

    static func optionalInteger(
        _ name: String, _ range: ClosedRange<Int>, _ field: any Field<Int?>,
        _ summary: String, otherwise: String
    ) -> Setting {
        Setting(
            name: name, kind: .integer(range), summary: summary,
            store: { settings, values throws(Expected) in settings[keyPath: field] = try number(values, range) },
            read: { $0[keyPath: field].map { [String($0)] } }, otherwise: otherwise)
    }

    private static func number(_ values: [String], _ range: ClosedRange<Int>) throws(Expected) -> Int {
        let text = try one(values)
        guard let number = Int(text), range.contains(number) else {
            throw Expected(
                description: "found '\(text)', expected an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    static func bool(
        _ name: String, _ field: any Field<Bool>, _ summary: String
    ) -> Setting {
        Setting(
            name: name, kind: .bool, summary: summary,
            store: { settings, values throws(Expected) in
                let text = try one(values)
                guard let value = Bool(text) else {
                    throw Expected(description: "found '\(text)', expected true or false")
                }
                settings[keyPath: field] = value
            }, read: { ["\($0[keyPath: field])"] })
    }

    static func choice<Choice: RawRepresentable<String> & Sendable>(
        _ name: String, _ field: any Field<Choice>, _ summary: String, _ all: [Choice]
    ) -> Setting {
        let words = all.map(\.rawValue)
        return Setting(
            name: name, kind: .choice(words), summary: summary,
            store: { settings, values throws(Expected) in
                let text = try one(values)
                guard let value = Choice(rawValue: text) else {
                    throw Expected(description: "found '\(text)', expected one of \(words.joined(separator: ", "))")
                }
                settings[keyPath: field] = value
            }, read: { [$0[keyPath: field].rawValue] })
    }

    static func text(
        _ name: String, _ field: any Field<String?>, _ summary: String, otherwise: String
    ) -> Setting {
        Setting(
            name: name, kind: .text, summary: summary,
            store: { settings, values throws(Expected) in
                let text = try one(values)
                guard !text.isEmpty else { throw Expected(description: "found nothing, expected a path") }
                settings[keyPath: field] = text
            }, read: { $0[keyPath: field].map { [$0] } }, otherwise: otherwise)
    }

    /// - Parameter check: of one element; throws what is wrong with it.
    static func list(
        _ name: String, _ field: any Field<[String]>, _ summary: String,
        otherwise: String? = nil, _ check: @escaping @Sendable (String) throws(Expected) -> Void
    ) -> Setting {
        Setting(
            name: name, kind: .list, summary: summary,
            store: { settings, values throws(Expected) in
                for value in values { try check(value) }
                guard !values.isEmpty || otherwise != nil else {
                    throw Expected(description: "found an empty list, expected at least one")
                }
                settings[keyPath: field] = values
            }, read: { $0[keyPath: field].isEmpty ? nil : $0[keyPath: field] }, otherwise: otherwise)
    }

    private static func one(_ values: [String]) throws(Expected) -> String {
        guard let value = values.first, values.count == 1 else {
            throw Expected(description: "found a list, expected one value")
        }
        return value
    }
}
