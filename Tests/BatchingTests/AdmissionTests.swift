import Batching
import Dispatch
import Testing

private let encode = WorkKind(.encode, model: "m")
private let decode = WorkKind(.decode, model: "m")

@Test func admitsUpToItsCapacity() throws {
    let admission = Admission(capacity: 4)
    let first = try #require(admission.reserve(3))
    #expect(admission.images == 3)
    #expect(admission.reserve(2) == nil)
    #expect(admission.images == 3)
    let second = try #require(admission.reserve(1))
    #expect(admission.isFull)
    first.release()
    first.release()
    #expect(admission.images == 1)
    #expect(second.images == 1)
}

@Test func aForgottenReservationIsGivenBack() {
    let admission = Admission(capacity: 4)
    do {
        let reservation = admission.reserve(4)
        #expect(reservation != nil)
        #expect(admission.isFull)
    }
    #expect(admission.images == 0)
}

@Test func reservationsGrowOrStayAsTheyAre() throws {
    let admission = Admission(capacity: 4)
    let reservation = try #require(admission.reserve(1))
    #expect(reservation.grow(to: 3, of: encode))
    #expect(admission.images == 3)
    #expect(!reservation.grow(to: 5, of: encode))
    #expect(reservation.images == 3)
    #expect(reservation.grow(to: 2, of: encode))
    #expect(admission.images == 3)
    reservation.release()
    #expect(!reservation.grow(to: 4, of: encode))
    #expect(admission.images == 0)
}

@Test(arguments: [-1, 5, Int.max])
func refusesWhatNeverFits(images: Int) {
    let admission = Admission(capacity: 4)
    #expect(admission.reserve(images) == nil)
    #expect(admission.images == 0)
}

@Test func countsFromManyThreads() {
    let admission = Admission(capacity: 3)
    DispatchQueue.concurrentPerform(iterations: 2000) { _ in
        if let reservation = admission.reserve(2) { reservation.release() }
    }
    #expect(admission.images == 0)
}

@Test func boundsTheWait() throws {
    let admission = Admission(capacity: 100, longestWait: .seconds(8), least: 3)
    // Nothing is known of the time before the first is done; then it is of all.
    let many = try #require(admission.reserve(20))
    #expect(!admission.isFull && admission.work == .zero)
    admission.observe(.seconds(1), of: encode)
    #expect(admission.isFull && admission.work == .seconds(20))
    // A request that holds places may take more, whatever the wait.
    #expect(many.grow(to: 21, of: encode))
    #expect(admission.work == .seconds(21))
    #expect(admission.timeToRoom == .seconds(13))
    #expect(admission.isFull)
    #expect(admission.reserve(1) == nil)
    #expect(admission.reserve(0) != nil)
    for _ in 0..<13 { many.finishOne() }
    #expect(admission.images == 21)
    #expect(!admission.isFull)
    let one = try #require(admission.reserve(1))
    #expect(admission.reserve(1) == nil)
    many.finishOne()
    #expect(admission.reserve(1) != nil)
    one.finishOne()
    one.finishOne()
    one.release()
    many.release()
    one.finishOne()
    #expect(admission.images == 0 && admission.work == .zero)
}

@Test func aBatchIsLetInHoweverSlow() throws {
    let admission = Admission(capacity: 100, longestWait: .seconds(8), least: 3)
    admission.observe(.seconds(1000), of: decode)
    let batch = try #require(admission.reserve(2))
    #expect(!admission.isFull)
    #expect(batch.grow(to: 3, of: decode))
    #expect(admission.isFull)
    #expect(admission.work == .seconds(3000))
}

@Test func theWorkIsThatOfItsKind() throws {
    let admission = Admission(capacity: 100, longestWait: .seconds(8), least: 1)
    admission.observe(.seconds(32), of: decode)
    admission.observe(.seconds(64), of: decode)
    admission.observe(.milliseconds(100), of: encode)
    let fast = try #require(admission.reserve(1))
    #expect(admission.work == .milliseconds(100))
    #expect(fast.grow(to: 10, of: encode))
    #expect(admission.work == .seconds(1))
    fast.finishOne()
    #expect(admission.work == .milliseconds(900))
    let slow = try #require(admission.reserve(1))
    // Until it has told what it is, it is taken for the least.
    #expect(admission.work == .seconds(1))
    #expect(slow.grow(to: 1, of: decode))
    #expect(admission.work == .milliseconds(36_900))
    slow.release()
    fast.release()
    #expect(admission.work == .zero)
}
