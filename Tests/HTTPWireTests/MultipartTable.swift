import HTTPWire

/// A body of multipart/form-data and what must come of it.
struct MultipartCase: Sendable, CustomStringConvertible {
    enum Outcome: Sendable, Equatable {
        /// Each part as `name (filename) [content type]: content`.
        case parts([String])
        /// The status of the refusal, and part of its message.
        case refusal(Int, String)
    }

    let name: String
    let contentType: String
    let bytes: [UInt8]
    let outcome: Outcome

    var description: String { name }
}

/// Cases by what they are about. The boundary is `b` unless one is about boundaries.
enum MultipartTable {
    static let all =
        boundaries + delimiters + contents + dispositions + headers + limits
        + clients

    static func takes(_ name: String, boundary: String = "b", _ text: String, _ parts: String...) -> MultipartCase {
        MultipartCase(
            name: name, contentType: "multipart/form-data; boundary=" + boundary, bytes: latin1(text),
            outcome: .parts(parts))
    }

    static func refuses(
        _ name: String, boundary: String = "b", _ text: String, _ says: String, status: Int = 400
    ) -> MultipartCase {
        MultipartCase(
            name: name, contentType: "multipart/form-data; boundary=" + boundary, bytes: latin1(text),
            outcome: .refusal(status, says))
    }

    /// Without the last `count` bytes.
    static func cut(_ text: String, _ count: Int) -> String { String(text.unicodeScalars.dropLast(count)) }

    /// One part called `n`, with `content` and everything around it as it should be.
    static func form(_ content: String, boundary: String = "b") -> String {
        "--\(boundary)\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n\(content)\r\n--\(boundary)--\r\n"
    }

    /// One empty part with `fields`, each with its line end.
    static func fields(_ fields: String) -> String { "--b\r\n\(fields)\r\n\r\n--b--\r\n" }

    static func disposition(_ name: String, _ value: String, _ part: String) -> MultipartCase {
        takes(name, fields("Content-Disposition: \(value)\r\n"), part)
    }

    static func badDisposition(_ name: String, _ value: String, _ says: String) -> MultipartCase {
        refuses(name, fields("Content-Disposition: \(value)\r\n"), says)
    }
}

private let seventy = String(repeating: "0123456789", count: 7)

extension MultipartTable {
    static let boundaries: [MultipartCase] = [
        takes("a token", boundary: "a.B-9_", form("x", boundary: "a.B-9_"), "n: x"),
        takes("a quoted boundary", boundary: "\"b\"", form("x"), "n: x"),
        takes(
            "all that RFC 2046 allows", boundary: "\"aZ09'()+_,-./:=? z\"",
            form("x", boundary: "aZ09'()+_,-./:=? z"), "n: x"),
        takes("seventy characters", boundary: seventy, form("x", boundary: seventy), "n: x"),
        takes("hyphens alone", boundary: "--", form("x", boundary: "--"), "n: x"),
        takes("a parameter behind it", boundary: "b; charset=utf-8", form("x"), "n: x"),
        takes("white space and empty parameters around it", boundary: "b ; ; charset=\"x;y\" ;", form("x"), "n: x"),
        takes("case counts", boundary: "B", form("--b", boundary: "B"), "n: --b"),
        refuses("empty", boundary: "", form("x"), "has 0 bytes"),
        refuses("empty and quoted", boundary: "\"\"", form("x"), "has 0 bytes"),
        refuses("seventy-one characters", boundary: seventy + "1", form("x"), "has 71 bytes, expected 1 to 70"),
        refuses("a space at its end", boundary: "\"b \"", form("x"), "\"b \""),
        refuses("a character that none may hold", boundary: "b*", form("x"), "holds what none may"),
        refuses("a quoted one that none may hold", boundary: "\"b\\x\"", form("x"), "holds what none may"),
        refuses("no token", boundary: "a/b", form("x"), "\"/b\" stands behind boundary="),
        refuses("a quote without an end", boundary: "\"b", form("x"), "without an end"),
        refuses("given twice", boundary: "b; Boundary=b", form("x"), "boundary= more than once"),
        refuses("a space before it", boundary: " b", form("x"), "\"b\" stands behind boundary="),
        MultipartCase(
            name: "no boundary", contentType: "multipart/form-data; charset=utf-8", bytes: latin1(form("x")),
            outcome: .refusal(400, "has no boundary=")),
        MultipartCase(
            name: "a parameter without a value", contentType: "multipart/form-data; boundary", bytes: [],
            outcome: .refusal(400, "NAME=VALUE")),
    ]

    static let delimiters: [MultipartCase] = [
        takes("a preamble", "This is a message\r\nof several lines.\r\n" + form("x"), "n: x"),
        takes("an empty line before", "\r\n" + form("x"), "n: x"),
        takes("a preamble like a boundary", "-\r\n--\r\n --b\r\nx--b\r\n-\r\r\n" + form("x"), "n: x"),
        takes("an epilogue", form("x") + "bye\r\n--b\r\nnot a part\r\n--b--", "n: x"),
        takes("no line end behind the last boundary", cut(form("x"), 2), "n: x"),
        takes("anything behind the last boundary", cut(form("x"), 2) + "x\u{0}", "n: x"),
        takes(
            "padding behind boundaries",
            "--b \t \r\nContent-Disposition: form-data; name=n\r\n\r\nx\r\n--b-- \t\r\n", "n: x"),
        takes("no parts", "--b--\r\n"),
        takes("no parts, and an epilogue", "\r\n--b--\r\n\r\n--b"),
        refuses("an empty body", "", "no line of the body begins with the boundary --b"),
        refuses("another boundary", form("x", boundary: "c"), "before the first part, at byte 59: no line"),
        refuses("text before the boundary on its line", "x--b\r\n -- b\r\n", "no line"),
        refuses(
            "a longer boundary", "--b\r\nContent-Disposition: form-data; name=n\r\n\r\nx\r\n--bb--\r\n",
            "\"b\" behind"),
        refuses(
            "a longer first boundary", "--bb\r\n", "before the first part, at byte 3: \"b\" behind the boundary --b"),
        refuses("one hyphen behind a boundary", "--b-\r\n", "at byte 4: \"\\x0d\" behind"),
        refuses("text behind padding", "--b x\r\n", "at byte 4: \"x\" behind"),
        refuses("hyphens behind padding", "--b --\r\n", "at byte 4: \"-\" behind"),
        refuses("a bare LF behind a boundary", "--b\n", "at byte 3: \"\\x0a\" behind"),
        refuses("a bare CR behind a boundary", "--b\rC", "at byte 4: \"C\" behind"),
        refuses(
            "a boundary in the header", "--b\r\nContent-Disposition: form-data; name=n\r\n--b--\r\n", "needs a colon"),
        refuses("no last boundary", cut(form("x"), 9) + "\r\n", "part 1, at byte 52: the body ends without"),
        refuses("a last boundary without its last hyphen", cut(form("x"), 3), "within a boundary's line"),
        refuses("a last boundary without its hyphens", cut(form("x"), 4), "within a boundary's line"),
        refuses("half a last boundary", cut(form("x"), 5), "without the final boundary --b--"),
        refuses("nothing behind a boundary", "--b", "within a boundary's line"),
        refuses(
            "nothing behind a boundary's line", "--b\r\n", "part 1, at byte 5: the body ends within a part's header"),
        refuses("a header that stops short", "--b\r\nContent-Dispo", "within a part's header"),
    ]

    static let contents: [MultipartCase] = [
        takes("no content", form(""), "n: "),
        takes(
            "not even the boundary's line end", "--b\r\nContent-Disposition: form-data; name=n\r\n\r\n--b--", "n: "),
        takes("line ends alone", form("\r\n\r\n"), "n: \r\n\r\n"),
        takes("a CR at its end", form("x\r"), "n: x\r"),
        takes("many CRs", form("\r\r\r\r"), "n: \r\r\r\r"),
        takes("bare LFs before what is like a boundary", form("x\n--b\n--b--\n"), "n: x\n--b\n--b--\n"),
        takes("a bare CR before it", form("x\r--b"), "n: x\r--b"),
        takes("half a boundary", form("\r\n--\r\n-\r\n"), "n: \r\n--\r\n-\r\n"),
        takes("a boundary within a line", form("x--b--"), "n: x--b--"),
        takes(
            "what is like half of a long boundary", boundary: "abab", form("\r\n--aba\r\n--ab", boundary: "abab"),
            "n: \r\n--aba\r\n--ab"),
        takes("a hyphen where the boundary could begin", form("-"), "n: -"),
        takes("hyphens where the boundary could begin", form("--"), "n: --"),
        takes("NULs", form("\u{0}\u{0}"), "n: \u{0}\u{0}"),
        takes("what is like a header", form("Content-Type: x\r\n\r\ny"), "n: Content-Type: x\r\n\r\ny"),
        refuses(
            "a line like the boundary", form("x\r\n--b\r\n"), "part 2, at byte 58: there is no Content-Disposition"),
    ]
}
