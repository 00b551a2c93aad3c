import Dispatch
import Foundation
import Patience
import Synchronization
import Testing

@testable import ImageInput

/// A small picture doesn't overtake a large one that waits for room, or the large one might wait for ever.
@Suite(.timeLimit(.minutes(5))) struct ByteBudgetTests {
    /// A thread that holds bytes until it is told to give them back.
    private final class Holder: Sendable {
        private let end = DispatchSemaphore(value: 0)
        private let state = Mutex((holds: false, hasLeft: false))

        init(_ budget: ByteBudget, _ bytes: Int) {
            Thread.detachNewThread { [self] in
                budget.hold(bytes) {
                    state.withLock { $0.holds = true }
                    end.wait()
                }
                state.withLock { $0.hasLeft = true }
            }
        }

        var holds: Bool { state.withLock { $0.holds } }

        func awaitRoom() throws { try #require(Patience.eventually { holds }) }

        func letGo() { end.signal() }

        /// Comes back once the bytes have been given to others.
        func leave() throws {
            letGo()
            try #require(Patience.eventually { state.withLock { $0.hasLeft } })
        }
    }

    /// Those that have room are the first that asked.
    private func expectOrder(_ asking: [Holder], _ budget: ByteBudget) throws {
        let count = asking.count - budget.waiting
        try #require(Patience.eventually { asking.count { $0.holds } == count })
        try #require(asking.prefix(count).allSatisfy { $0.holds })
    }

    /// Of a budget of 100: what is held at first, and what asks for room then, of which no two neighbours fit together.
    @Test(arguments: [
        ([60], [80, 30]), ([60], [80, 30, 90, 20]), ([50, 50], [90, 30, 75]), ([90], [100, 5, 96, 10]),
        ([40, 40], [1000, 1, 1000, 15]), ([30, 30, 30], [95, 10, 95, 10, 95]), ([99], [2, 99, 2]),
        ([50, 20], [60, 50, 60]), ([70], [100, 0, 100]),
    ])
    func roomIsGivenInOrder(held: [Int], sizes: [Int]) throws {
        let budget = ByteBudget(bytes: 100)
        let holders = held.map { Holder(budget, $0) }
        for holder in holders { try holder.awaitRoom() }
        var asking: [Holder] = []
        for bytes in sizes {
            let holder = Holder(budget, bytes)
            asking.append(holder)
            try #require(Patience.eventually { budget.waiting == asking.count || holder.holds })
            try #require(!holder.holds, "\(bytes) overtook \(sizes.prefix(asking.count - 1))")
        }
        for holder in holders {
            try holder.leave()
            try expectOrder(asking, budget)
        }
        for holder in asking {
            try holder.awaitRoom()
            try holder.leave()
            try expectOrder(asking, budget)
        }
        #expect(budget.waiting == 0)
    }

    /// Room that comes free and is too small for the first that waits is kept for it.
    @Test(arguments: [[90, 30], [51, 10, 10], [100, 1], [75, 50], [500, 49]])
    func roomThatIsTooSmallForTheFirstIsKept(sizes: [Int]) throws {
        let budget = ByteBudget(bytes: 100)
        let (first, second) = (Holder(budget, 50), Holder(budget, 50))
        try first.awaitRoom()
        try second.awaitRoom()
        var asking: [Holder] = []
        for bytes in sizes {
            asking.append(Holder(budget, bytes))
            try #require(Patience.eventually { budget.waiting == asking.count })
        }
        try first.leave()
        #expect(budget.waiting == asking.count)
        #expect(asking.allSatisfy { !$0.holds })
        for holder in asking { holder.letGo() }
        try second.leave()
        for holder in asking { try holder.awaitRoom() }
        #expect(Patience.eventually { budget.waiting == 0 })
    }

    @Test func whatFitsTogetherIsHeldTogether() throws {
        let budget = ByteBudget(bytes: 100)
        let first = Holder(budget, 100)
        try first.awaitRoom()
        var asking: [Holder] = []
        for bytes in [30, 40, 30, 1] {
            asking.append(Holder(budget, bytes))
            try #require(Patience.eventually { budget.waiting == asking.count })
        }
        try first.leave()
        #expect(budget.waiting == 1)
        try expectOrder(asking, budget)
        for holder in asking { holder.letGo() }
        try asking[3].awaitRoom()
    }
}
