import HTTPWire
import Testing

struct MessageTests {
    @Test(arguments: [
        (784_887_151, "Tue, 15 Nov 1994 08:12:31 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
    ])
    func dates(_ seconds: Int, _ text: String) {
        #expect(HTTPDate(unixSeconds: Int64(seconds)).text == text)
    }

    @Test func fieldsAreFoundInAnyCaseAndKeepTheirOrder() {
        var headers: HTTPHeaders = ["Accept": "a", "ACCEPT": "b, ,C"]
        #expect(headers.first("accept") == "a")
        #expect(headers.all("accept") == ["a", "b, ,C"])
        #expect(headers.list("Accept") == ["a", "b", "c"])
        headers.set("accept", "z")
        #expect(headers.fields == [HTTPField("accept", "z")])
        #expect(headers.first("Host") == nil)
    }

    private func answer(_ response: HTTPResponse, to method: String = "GET") -> String {
        var bench = Bench()
        bench.send("\(method) / HTTP/1.1\r\nHost: a\r\n\r\n")
        bench.answer(response)
        return bench.text
    }

    @Test func anAnswerAsItIsWritten() {
        let response = HTTPResponse(status: 404, headers: ["X-Request-Id": "7"], body: Array("no".utf8))
        #expect(
            answer(response)
                == "HTTP/1.1 404 Not Found\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
                + "X-Request-Id: 7\r\nContent-Length: 2\r\n\r\nno"
        )
    }

    @Test func anUnknownStatusHasAnEmptyReason() {
        #expect(answer(HTTPResponse(status: 599)).hasPrefix("HTTP/1.1 599 \r\n"))
    }

    @Test(arguments: [204, 304])
    func statusesWithoutABody(_ status: Int) {
        let text = answer(HTTPResponse(status: status, body: [0x78]))
        #expect(text.hasSuffix("\r\n\r\n") && !text.contains("Content-Length"))
    }

    @Test func aHandlerCannotFrameOrSplitAnAnswer() {
        let headers: HTTPHeaders = [
            "content-length": "99", "Transfer-Encoding": "chunked", "Date": "never", "Keep-Alive": "x",
            "X-Echo": "a\r\nSet-Cookie: b\0", "Bad Name": "1", "": "2", "X:Y": "3", "X-Tail": "é",
        ]
        let text = answer(HTTPResponse(status: 200, headers: headers))
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
        #expect(
            lines == [
                "HTTP/1.1 200 OK", "Date: Tue, 15 Nov 1994 08:12:31 GMT", "X-Echo: a  Set-Cookie: b ", "X-Tail: é",
                "Content-Length: 0", "", "",
            ])
    }

    @Test func aLongBodyArrivesWhole() {
        let body = (0..<100_000).map { UInt8(truncatingIfNeeded: 0x61 + $0 % 26) }
        #expect(answer(HTTPResponse(status: 200, body: body)).hasSuffix(String(decoding: body, as: UTF8.self)))
        #expect(answer(HTTPResponse(status: 200, body: body), to: "HEAD").hasSuffix("Content-Length: 100000\r\n\r\n"))
    }

    /// A declared length takes no memory before its bytes come, and is refused before any are read.
    @Test func theParserStopsAtTheHead() {
        var parser = RequestParser()
        var input = Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".utf8)[...]
        guard case .head(let head) = parser.next(&input) else {
            Issue.record("no head")
            return
        }
        #expect(head.framing == .length(5))
        #expect(input.count == 5)
        parser.bodyLimit = 4
        guard case .failure(let error) = parser.next(&input) else {
            Issue.record("no failure")
            return
        }
        #expect(error.status == 413 && error.code == "body_too_large")
        #expect(parser.next(&input) == .failure(error))
        #expect(input.count == 5)
    }

    @Test func errorsNameWhatWasWrong() {
        var parser = RequestParser()
        var input = Array("GET / HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n".utf8)[...]
        guard case .failure(let error) = parser.next(&input) else {
            Issue.record("no failure")
            return
        }
        #expect(error.message.contains("\"Bad Name\""))
    }
}
