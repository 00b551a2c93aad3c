import HTTPWire
import Testing

private let get = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
private let ok = HTTPResponse(status: 200, body: Array("fine".utf8))

struct TimeTests {
    @Test func aFreshConnectionThatSaysNothingIsClosedSilently() {
        var bench = Bench()
        bench.wait(.seconds(9.75))
        #expect(!bench.isClosed)
        bench.wait(.seconds(0.25))
        #expect(bench.isClosed)
        #expect(bench.output.isEmpty)
    }

    @Test func anEmptyLineIsNotABegunRequest() {
        var bench = Bench()
        bench.wait(.seconds(9))
        bench.send("\r\n")
        bench.wait(.seconds(1))
        #expect(bench.isClosed)
        #expect(bench.output.isEmpty)
    }

    @Test func aKeptConnectionIsClosedSilentlyAfterFifteenSeconds() {
        var bench = Bench(answersAtOnce: true)
        bench.send(get)
        let length = bench.output.count
        bench.wait(.seconds(14.75))
        #expect(!bench.isClosed)
        bench.wait(.seconds(0.25))
        #expect(bench.isClosed)
        #expect(bench.output.count == length)
    }

    @Test func aHeaderSlowerThanTenSecondsIs408HoweverItDribbles() {
        var bench = Bench()
        bench.wait(.seconds(9))
        bench.send("GET / HTTP/1.1\r\n")
        for _ in 0..<9 {
            bench.wait(.seconds(1))
            bench.send("X: 1\r\n")
        }
        #expect(bench.statuses.isEmpty)
        bench.wait(.seconds(1))
        #expect(bench.statuses == [408])
        #expect(bench.hasFinishedWriting)
    }

    @Test func theHeaderOfAPipelinedRequestIsTimedFromTheAnswerBeforeIt() {
        var bench = Bench()
        bench.send(get + "GET /y HT")
        bench.wait(.seconds(100))
        bench.answer(ok)
        bench.wait(.seconds(9.75))
        #expect(bench.statuses == [200])
        bench.wait(.seconds(0.25))
        #expect(bench.statuses == [200, 408])
    }

    @Test(arguments: [(1023, true), (1024, false)])
    func aBodyUnderOneKibibytePerSecondIs408(_ bytesPerSecond: Int, _ isRefused: Bool) {
        var bench = Bench()
        bench.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        for _ in 0..<20 {
            bench.send([UInt8](repeating: 1, count: bytesPerSecond))
            bench.wait(.seconds(1))
        }
        #expect(bench.statuses == (isRefused ? [408] : []))
    }

    /// What arrived earlier doesn't excuse a later stall.
    @Test func aBodyThatStallsIs408() {
        var bench = Bench()
        bench.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        bench.send([UInt8](repeating: 1, count: 900_000))
        bench.wait(.seconds(19.75))
        #expect(bench.statuses.isEmpty)
        bench.wait(.seconds(0.25))
        #expect(bench.statuses == [408])
    }

    @Test func chunkFramesDoNotCountAsBody() {
        var bench = Bench()
        bench.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<10 {
            bench.send(String(repeating: "1;abcdefgh\r\nx\r\n", count: 100))
            bench.wait(.seconds(1))
        }
        #expect(bench.statuses == [408])
    }

    @Test func aBodyLongerThanAMinuteIs408() {
        var bench = Bench()
        bench.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        for _ in 0..<59 {
            bench.send([UInt8](repeating: 1, count: 4096))
            bench.wait(.seconds(1))
        }
        #expect(bench.statuses.isEmpty)
        bench.wait(.seconds(1))
        #expect(bench.statuses == [408])
    }

    @Test func aRequestMayWaitForItsAnswerForever() {
        var bench = Bench()
        bench.send(get)
        bench.wait(.seconds(600))
        #expect(!bench.isClosed)
        bench.answer(ok)
        #expect(bench.statuses == [200])
    }

    @Test func anUnreadAnswerClosesAfterThirtySeconds() {
        var bench = Bench()
        bench.takesBytes = false
        bench.send(get)
        bench.answer(ok)
        bench.wait(.seconds(29.75))
        #expect(!bench.isClosed)
        bench.wait(.seconds(0.25))
        #expect(bench.isClosed)
        #expect(!bench.hasFinishedWriting)
    }

    @Test(arguments: [(1023, true), (1024, false)])
    func anAnswerReadUnderOneKibibytePerSecondCloses(_ bytesPerSecond: Int, _ closes: Bool) {
        var bench = Bench()
        bench.takesBytes = false
        bench.send(get)
        bench.answer(HTTPResponse(status: 200, body: [UInt8](repeating: 0, count: 1_000_000)))
        for _ in 0..<60 {
            bench.wrote(bytesPerSecond)
            bench.wait(.seconds(1))
        }
        #expect(bench.isClosed == closes)
    }

    @Test func lingeringIsBoundedInTime() {
        var bench = Bench()
        bench.send("garbage\r\n")
        #expect(bench.statuses == [400])
        for _ in 0..<7 {
            bench.send("more")
            bench.wait(.seconds(0.25))
        }
        #expect(!bench.isClosed)
        bench.wait(.seconds(0.25))
        #expect(bench.isClosed)
    }

    @Test func lingeringIsBoundedInBytes() {
        var limits = HTTPLimits()
        limits.lingerBytes = 1000
        var bench = Bench(limits: limits)
        bench.send("garbage\r\n")
        bench.send([UInt8](repeating: 0, count: 1000))
        #expect(!bench.isClosed)
        bench.send([0])
        #expect(bench.isClosed)
    }

    @Test func nothingHappensToAClosedConnection() {
        var bench = Bench()
        bench.wait(.seconds(10))
        #expect(bench.state.isClosed)
        bench.send(get)
        bench.finishInput()
        bench.answer(ok)
        bench.drain()
        bench.wait(.seconds(100))
        #expect(bench.requests.isEmpty && bench.output.isEmpty)
        #expect(bench.state.peerDisconnected().isEmpty)
    }
}
