import Testing

@testable import HTTPWire

/// The whole table of a connection's transitions: what each event does in each phase.
struct ConnectionPhaseTests {
    typealias Phase = ConnectionPhase
    typealias Event = ConnectionPhase.Event

    private static let phases: [Phase] = [
        .idle, .head, .deciding, .body, .discarding, .waiting, .refusing, .streaming, .writing, .lingering, .closed,
    ]

    private static let events: [Event] = [
        .requestBegun, .headComplete, .bodyWanted, .bodyDiscarded, .requestComplete, .requestRefused, .responseGiven,
        .streamBegun, .streamEnded, .responseWritten(keepsAlive: true), .responseWritten(keepsAlive: false), .ended,
    ]

    /// By phase: the events that have a meaning there but for `.ended`, and the phase after each.
    private static func transitions(of phase: Phase) -> [(Event, Phase)] {
        switch phase {
        case .idle: [(.requestBegun, .head), (.headComplete, .deciding), (.requestRefused, .refusing)]
        case .head: [(.headComplete, .deciding), (.requestRefused, .refusing)]
        case .deciding: [(.bodyWanted, .body), (.bodyDiscarded, .discarding), (.responseGiven, .writing)]
        case .body: [(.requestComplete, .waiting), (.requestRefused, .refusing)]
        case .discarding: [(.requestRefused, .refusing), (.responseGiven, .writing)]
        case .waiting: [(.responseGiven, .writing), (.streamBegun, .streaming)]
        case .refusing: [(.responseGiven, .writing)]
        case .streaming: [(.streamEnded, .writing)]
        case .writing: [(.responseWritten(keepsAlive: true), .idle), (.responseWritten(keepsAlive: false), .lingering)]
        case .lingering, .closed: []
        }
    }

    @Test(arguments: phases) func everyEventDoesWhatTheTableSays(phase: Phase) {
        for event in Self.events {
            let expected: Phase? =
                switch (phase, event) {
                case (.closed, _): nil
                case (_, .ended): .closed
                default: Self.transitions(of: phase).first { $0.0 == event }?.1
                }
            #expect(phase.after(event) == expected, "\(phase), \(event)")
        }
    }

    @Test(arguments: phases) func bytesAreReadWhereTheyAreWanted(phase: Phase) {
        #expect(phase.wantsInput == [.idle, .head, .body, .discarding, .lingering].contains(phase))
        #expect(phase.isBusy == ![.idle, .head, .lingering, .closed].contains(phase))
    }

    /// From a first byte to the next request, and to the end.
    @Test(
        arguments: [
            [
                .requestBegun, .headComplete, .bodyWanted, .requestComplete, .responseGiven,
                .responseWritten(keepsAlive: true),
            ],
            [.headComplete, .bodyDiscarded, .responseGiven, .responseWritten(keepsAlive: true)],
            [.headComplete, .responseGiven, .responseWritten(keepsAlive: false), .ended],
            [.requestBegun, .requestRefused, .responseGiven, .responseWritten(keepsAlive: false), .ended],
            [
                .headComplete, .bodyWanted, .requestComplete, .streamBegun, .streamEnded,
                .responseWritten(keepsAlive: true),
            ],
        ] as [[Event]])
    func requestsReachTheirEnd(events: [Event]) throws {
        var phase = Phase.idle
        for event in events { phase = try #require(phase.after(event), "\(phase), \(event)") }
        #expect(phase == .idle || phase == .closed)
    }
}
