import Testing

@testable import Batching

/// An entry as "model@arrival", times in milliseconds.
private struct Item: PlannerEntry, Sendable {
    var name: String
    var model: String
    var arrival: ContinuousClock.Instant
    var deadline: ContinuousClock.Instant?
    var isCancelled = false
    var isUnderWay = false
}

private let origin = ContinuousClock.now

private func at(_ milliseconds: Int) -> ContinuousClock.Instant { origin.advanced(by: .milliseconds(milliseconds)) }

private func item(
    _ name: String, _ arrival: Int, deadline: Int? = nil, isCancelled: Bool = false, isUnderWay: Bool = false
) -> Item {
    Item(
        name: name, model: String(name.prefix(1)), arrival: at(arrival), deadline: deadline.map(at),
        isCancelled: isCancelled, isUnderWay: isUnderWay)
}

/// "run a1 a2", "wait 30" or "idle", then what was dropped.
private func described(_ plan: Planner<Item>.Plan) -> String {
    var words: [String]
    switch plan.step {
    case .run(let batch): words = ["run"] + batch.map(\.name)
    case .wait(let moment): words = ["wait", "\(Int((moment - origin) / .milliseconds(1)))"]
    case .idle: words = ["idle"]
    }
    if !plan.expired.isEmpty { words += ["expired"] + plan.expired.map(\.name) }
    if !plan.cancelled.isEmpty { words += ["cancelled"] + plan.cancelled.map(\.name) }
    return words.joined(separator: " ")
}

private struct Row: Sendable, CustomTestStringConvertible {
    var why: String
    var maxBatch = 3
    var delay = 0
    var items: [Item]
    /// Moments, and what is decided then; in turn.
    var decisions: [(Int, String)]

    var testDescription: String { why }
}

private let rows = [
    Row(why: "nothing", items: [], decisions: [(0, "idle")]),
    Row(why: "what waits goes at once", items: [item("a1", 0)], decisions: [(0, "run a1"), (0, "idle")]),
    Row(
        why: "batches are bounded, oldest first", items: [item("a1", 0), item("a2", 1), item("a3", 2), item("a4", 3)],
        decisions: [(5, "run a1 a2 a3"), (5, "run a4"), (5, "idle")]),
    Row(
        why: "models are never mixed", items: [item("a1", 0), item("b1", 1), item("a2", 2), item("b2", 3)],
        decisions: [(5, "run a1 a2"), (5, "run b1 b2"), (5, "idle")]),
    Row(
        why: "the delay counts from the oldest arrival", delay: 20, items: [item("a1", 10), item("a2", 25)],
        decisions: [(10, "wait 30"), (29, "wait 30"), (30, "run a1 a2")]),
    Row(
        why: "a full batch doesn't wait", maxBatch: 2, delay: 20, items: [item("a1", 10), item("a2", 11)],
        decisions: [(11, "run a1 a2")]),
    Row(
        why: "a full batch overtakes one that waits", maxBatch: 2, delay: 20,
        items: [item("a1", 10), item("b1", 11), item("b2", 12)],
        decisions: [(12, "run b1 b2"), (12, "wait 30"), (30, "run a1")]),
    Row(
        why: "waits no longer than the first model's delay", delay: 20, items: [item("b1", 5), item("a1", 10)],
        decisions: [(12, "wait 25"), (25, "run b1"), (25, "wait 30")]),
    Row(
        why: "wakes for the oldest, in whatever order they came in", delay: 20,
        items: [item("a1", 10), item("b1", 5), item("c1", 7)],
        decisions: [(12, "wait 25"), (25, "run b1"), (25, "wait 27"), (27, "run c1"), (27, "wait 30")]),
    Row(
        why: "wakes to drop what expires while it waits", delay: 50,
        items: [item("a1", 0, deadline: 20), item("a2", 5)],
        decisions: [(6, "wait 20"), (20, "wait 55 expired a1"), (55, "run a2")]),
    Row(
        why: "expired at its deadline, not before", items: [item("a1", 0, deadline: 10), item("a2", 0, deadline: 11)],
        decisions: [(10, "run a2 expired a1")]),
    Row(
        why: "what is under way doesn't expire, nor wakes for its deadline", delay: 50,
        items: [item("a1", 0, deadline: 20, isUnderWay: true)], decisions: [(6, "wait 50"), (50, "run a1")]),
    Row(
        why: "cancelled entries make no room in a batch", maxBatch: 2,
        items: [item("a1", 0, isCancelled: true), item("a2", 1), item("a3", 2)],
        decisions: [(5, "run a2 a3 cancelled a1"), (5, "idle")]),
    Row(
        why: "cancelled counts before expired", items: [item("a1", 0, deadline: 1, isCancelled: true)],
        decisions: [(5, "idle cancelled a1")]),
]

@Test(arguments: rows)
private func plans(row: Row) {
    var planner = Planner<Item>(maxBatch: row.maxBatch, maxDelay: .milliseconds(row.delay))
    for item in row.items { planner.add(item) }
    for (moment, expected) in row.decisions {
        #expect(described(planner.next(now: at(moment))) == expected)
    }
}

@Test func lateArrivalsJoinTheWaitingBatch() {
    var planner = Planner<Item>(maxBatch: 4, maxDelay: .milliseconds(20))
    planner.add(item("a1", 0))
    #expect(described(planner.next(now: at(0))) == "wait 20")
    planner.add(item("a2", 15))
    #expect(described(planner.next(now: at(15))) == "wait 20")
    #expect(described(planner.next(now: at(21))) == "run a1 a2")
}

@Test func sweepingLeavesTheRestInOrder() {
    var planner = Planner<Item>()
    for entry in [item("a1", 0), item("a2", 0, deadline: 3), item("a3", 0, isCancelled: true), item("a4", 0)] {
        planner.add(entry)
    }
    let dropped = planner.sweep(now: at(5))
    #expect(dropped.expired.map(\.name) == ["a2"])
    #expect(dropped.cancelled.map(\.name) == ["a3"])
    #expect(planner.count == 2)
    #expect(planner.removeAll().map(\.name) == ["a1", "a4"])
    #expect(planner.isEmpty)
}
