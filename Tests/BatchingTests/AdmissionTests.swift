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
