/// Models that were loaded together, referenced by each `Engine.Model` of them and so by each request and job. The
/// engine discards them when the last reference ends.
final class Generation: Sendable, Hashable {
    let number: Int
    private let whenUnused: @Sendable (Int) -> Void

    init(number: Int, whenUnused: @escaping @Sendable (Int) -> Void) {
        self.number = number
        self.whenUnused = whenUnused
    }

    deinit { whenUnused(number) }

    static func == (a: Generation, b: Generation) -> Bool { a === b }

    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
