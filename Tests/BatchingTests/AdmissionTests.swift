import Batching
import Dispatch
import Testing

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
    #expect(reservation.grow(to: 3))
    #expect(admission.images == 3)
    #expect(!reservation.grow(to: 5))
    #expect(reservation.images == 3)
    #expect(reservation.grow(to: 2))
    #expect(admission.images == 3)
    reservation.release()
    #expect(!reservation.grow(to: 4))
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
    // Nothing is known of the time before the first is done.
    let many = try #require(admission.reserve(20))
    admission.observe(.seconds(1))
    #expect(admission.isFull)
    #expect(admission.reserve(1) == nil)
    #expect(admission.reserve(0) != nil)
    // Whoever is in may grow: what it brings comes after its own.
    #expect(many.grow(to: 21))
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
    #expect(admission.images == 0)
    // However slow, a batch is let in, counted anew.
    admission.observe(.seconds(1000))
    let batch = try #require(admission.reserve(2))
    #expect(!admission.isFull)
    #expect(batch.grow(to: 3))
    #expect(admission.isFull)
}

@Test func thePaceFollowsTheLatest() {
    let admission = Admission(capacity: 1)
    #expect(admission.pace == .zero)
    admission.observe(.seconds(8))
    #expect(admission.pace == .seconds(8))
    admission.observe(.seconds(16))
    #expect(admission.pace == .seconds(9))
    admission.observe(.seconds(1))
    #expect(admission.pace == .seconds(8))
}
