/// Models that were loaded together, as whoever needs them holds them: each `Engine.Model`, and so each request and job.
/// The engine lets them go once nobody does.
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
