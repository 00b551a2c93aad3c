// How long a body is, and what its chunks look like.
extension WireTable {
    static let lengths: [WireCase] =
        [
            post("a body", "Content-Length: 5\r\n", "hello", gives: "hello"),
            post("a body of any bytes", "Content-Length: 5\r\n", "\r\n\r\n\n", gives: "\r\n\r\n\n"),
            post("an empty body", "Content-Length: 0\r\n", "", gives: ""),
            post("no length, no body", "", "", gives: ""),
            post("leading zeros", "Content-Length: 0005\r\n", "hello", gives: "hello"),
            post("white space around the number", "Content-Length: \t5 \r\n", "hello", gives: "hello"),
            post("the same length twice", "Content-Length: 5\r\ncontent-length: 5\r\n", "hello", gives: "hello"),
            takes("a body on GET", "GET /g HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", "GET /g hi"),
            takes("a body in 1.0", "POST /p HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", "POST /p hi"),
            badPost("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n", "hello", 400, "bad_content_length"),
            badPost("5 and 05", "Content-Length: 5\r\nContent-Length: 05\r\n", "hello", 400, "bad_content_length"),
            badPost(
                "a length and an empty one", "Content-Length: 5\r\nContent-Length:\r\n", "hello", 400,
                "bad_content_length"),
        ]
        + [
            "", "-1", "+5", "5,", "5, 5", "5 5", "0x5", "5x", "x5", "5.0", "5e0", "\"5\"", "5;", "_5", "1_000", "five",
            "9223372036854775808", "18446744073709551616", "18446744073709551621",
            "99999999999999999999999999999999999999", "\u{B2}", "\u{D9}\u{A5}",
        ].map { badPost("Content-Length \($0)", "Content-Length: \($0)\r\n", "hello", 400, "bad_content_length") }
        + [
            badPost("the largest number", "Content-Length: 9223372036854775807\r\n", "", 413, "body_too_large"),
            badPost("one byte over the limit", "Content-Length: 67108865\r\n", "", 413, "body_too_large"),
            refuses(
                "a bad length in 1.0", "POST /p HTTP/1.0\r\nContent-Length: 5a\r\n\r\nhello", 400,
                "bad_content_length"),
        ]

    private static let helloChunks = "5\r\nhello\r\n0\r\n\r\n"

    static let codings: [WireCase] =
        ["chunked", "Chunked", "CHUNKED", "chunked ", "  chunked"].map {
            post("Transfer-Encoding \"\($0)\"", "Transfer-Encoding:\($0)\r\n", helloChunks, gives: "hello")
        }
        + [
            "", ",", "chunked,", ",chunked", "chunked, chunked", "chunked, gzip", "chunked, identity", "identity",
            "identity, chunked", "Identity", "\"chunked\"", "chun ked", "chunked;q=1", "chunked ;", "chunked=1",
            "gzip;q=1, chunked", "gzip,, chunked", "chunked chunked", "chunked/1", "(chunked)", "chunked\u{A0}",
            "chunked\u{FF}",
            "ch\u{FC}nked", "[chunked]", "{chunked}", "gzip chunked",
        ].map {
            badPost(
                "Transfer-Encoding \"\($0)\"", "Transfer-Encoding: \($0)\r\n", helloChunks, 400, "bad_transfer_encoding"
            )
        }
        + ["\tchunked", "chunked\t", "chunked,\tchunked", "gzip,\tchunked"].map {
            badPost("a tab: \($0)", "Transfer-Encoding: \($0)\r\n", helloChunks, 400, "bad_transfer_encoding")
        }
        + [0x00, 0x0B, 0x0C, 0x1F, 0x7F].map {
            badPost(
                "0x\(hex($0)) before chunked", "Transfer-Encoding: \(character($0))chunked\r\n", helloChunks, 400,
                "control_character")
        }
        + [
            "gzip", "xchunked", "chunkedx", "chunke", "gzip, chunked", "br, gzip, chunked", "gzip, deflate",
            "x-chunked", "cow",
        ].map {
            badPost("\($0) is not known", "Transfer-Encoding: \($0)\r\n", helloChunks, 501, "unknown_transfer_coding")
        }
        + [
            badPost(
                "coding, then length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", helloChunks, 400,
                "length_and_coding"),
            badPost(
                "length, then coding", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", helloChunks, 400,
                "length_and_coding"),
            badPost(
                "a length and an unknown coding", "Content-Length: 5\r\nTransfer-Encoding: x\r\n", "hello", 400,
                "length_and_coding"),
            badPost(
                "a length and identity", "Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "hello", 400,
                "length_and_coding"),
            badPost(
                "chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", helloChunks, 400,
                "bad_transfer_encoding"),
            badPost(
                "chunked, then identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", helloChunks,
                400, "bad_transfer_encoding"),
            badPost(
                "gzip and chunked in two fields", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
                helloChunks, 400, "bad_transfer_encoding"),
            badPost("a space before the colon", "Transfer-Encoding : chunked\r\n", helloChunks, 400, "bad_field_name"),
            badPost("a folded coding", "Transfer-Encoding:\r\n chunked\r\n", helloChunks, 400, "folded_field"),
            badPost("a coding behind a bare LF", "X: 1\nTransfer-Encoding: chunked\r\n", helloChunks, 400, "bare_lf"),
            refuses(
                "chunked in 1.0", "POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n\(helloChunks)", 400,
                "coding_in_http_1_0"),
            post(
                "another field of a like name", "Transfer_Encoding: chunked\r\nContent-Length: 2\r\n", "hi", gives: "hi"
            ),
        ]

    static let chunks: [WireCase] =
        [
            chunked("no chunks", "0\r\n\r\n", gives: ""),
            chunked("one chunk", helloChunks, gives: "hello"),
            chunked("two chunks", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", gives: "hello"),
            chunked(
                "sizes in both cases", "a\r\n0123456789\r\nB\r\nhello world\r\n0\r\n\r\n",
                gives: "0123456789hello world"),
            chunked("leading zeros", "0005\r\nhello\r\n000\r\n\r\n", gives: "hello"),
            chunked("sixteen digits", "0000000000000005\r\nhello\r\n0\r\n\r\n", gives: "hello"),
            chunked("line ends as data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", gives: "\r\n\r\n"),
            chunked("an extension", "5;a=b\r\nhello\r\n0\r\n\r\n", gives: "hello"),
            chunked("an extension without a value", "5;a\r\nhello\r\n0;z\r\n\r\n", gives: "hello"),
            chunked("two extensions", "5;a=b;c=\"d e\"\r\nhello\r\n0\r\n\r\n", gives: "hello"),
            chunked("a trailer", "5\r\nhello\r\n0\r\nX: 1\r\n\r\n", gives: "hello"),
            chunked(
                "trailers can't frame", "0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\nHost: b\r\n\r\n", gives: ""),
            badChunked("an empty size", "\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("an extension without a size", ";a\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("a plus", "+5\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("a minus", "-5\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("0x", "0x5\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("a space before the size", " 5\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("a space behind the size", "5 \r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("a tab behind the size", "5\t\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("a space before an extension", "5 ;a\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("a letter beyond f", "5g\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("an underscore", "1_0\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("a dot", "5.\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("a comma", "5,\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("a NUL", "5\0\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("another alphabet's digit", "\u{D9}\u{A5}\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("2^63", "8000000000000000\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("2^64 - 1", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("2^64 + 5 wraps to 5", "10000000000000005\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("seventeen digits", "00000000000000005\r\nhello\r\n0\r\n\r\n", "bad_chunk_size"),
            badChunked("2^63 - 1", "7fffffffffffffff\r\nhello\r\n0\r\n\r\n", "body_too_large", status: 413),
            badChunked("a chunk over the limit", "4000001\r\nhello\r\n0\r\n\r\n", "body_too_large", status: 413),
            badChunked("two chunks over the limit", "5\r\nhello\r\n3fffffc\r\n", "body_too_large", status: 413),
            badChunked("a bare LF behind the size", "5\nhello\r\n0\r\n\r\n", "bare_lf"),
            badChunked("a bare CR behind the size", "5\rhello\r\n0\r\n\r\n", "bare_cr"),
            badChunked("CR CR LF behind the size", "5\r\r\nhello\r\n0\r\n\r\n", "bare_cr"),
            badChunked("no CRLF behind the data", "5\r\nhello0\r\n\r\n", "bad_chunk_end"),
            badChunked("a bare LF behind the data", "5\r\nhello\n0\r\n\r\n", "bad_chunk_end"),
            badChunked("a bare CR behind the data", "5\r\nhello\r0\r\n\r\n", "bad_chunk_end"),
            badChunked("more data than the size", "4\r\nhello\r\n0\r\n\r\n", "bad_chunk_end"),
            badChunked("less data than the size", "6\r\nhello\r\n0\r\n\r\n", "bad_chunk_end"),
            badChunked("a bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n", "bare_lf"),
            badChunked("a bare CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n", "bare_cr"),
            badChunked("an extension without a name", "5;\r\nhello\r\n0\r\n\r\n", "bad_chunk_extension"),
            badChunked("an extension of a value alone", "5;=1\r\nhello\r\n0\r\n\r\n", "bad_chunk_extension"),
            badChunked("a space before an extension's name", "5; a\r\nhello\r\n0\r\n\r\n", "bad_chunk_extension"),
            badChunked("two semicolons", "5;;a\r\nhello\r\n0\r\n\r\n", "bad_chunk_extension"),
            badChunked("a control in an extension", "5;a=\u{01}\r\nhello\r\n0\r\n\r\n", "bad_chunk_extension"),
            badChunked("a bare LF behind the last chunk", "0\n\r\n", "bare_lf"),
            badChunked("a bare LF for the end", "0\r\n\n", "bare_lf"),
            badChunked("a bare CR for the end", "0\r\n\rX", "bare_cr"),
            badChunked("a trailer without a colon", "0\r\nX\r\n\r\n", "bad_field"),
            badChunked("a trailer with a space before its colon", "0\r\nX : 1\r\n\r\n", "bad_field_name"),
            badChunked("a folded trailer", "0\r\nX: 1\r\n 2\r\n\r\n", "folded_field"),
            badChunked("a bare LF behind a trailer", "0\r\nX: 1\n\r\n", "bare_lf"),
            badChunked("a NUL in a trailer", "0\r\nX: \0\r\n\r\n", "control_character"),
        ]

    private static func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

    static let limits: [WireCase] =
        [
            line(
                "8192 bytes of request line", "GET /\(repeated("a", 8192 - 14)) HTTP/1.1",
                "GET /\(repeated("a", 8192 - 14)) "),
            badLine(
                "8193 bytes of request line", "GET /\(repeated("a", 8193 - 14)) HTTP/1.1", 414,
                "request_line_too_long"),
            badLine("a method without an end", repeated("A", 9000), 414, "request_line_too_long"),
            field("16384 bytes of header", "X: \(repeated("x", 16_384 - 16))\r\n"),
            badField("16385 bytes of header", "X: \(repeated("x", 16_385 - 16))\r\n", 431, "header_too_large"),
            badField("a name without an end", "\(repeated("x", 20_000)): 1\r\n", 431, "header_too_large"),
            field("100 fields", repeated("X: 1\r\n", 99)),
            badField("101 fields", repeated("X: 1\r\n", 100), 431, "too_many_fields"),
            chunked("16384 bytes of extension", "5;\(repeated("a", 16_383))\r\nhello\r\n0\r\n\r\n", gives: "hello"),
            badChunked(
                "extensions over 16384 bytes", "5;\(repeated("a", 16_384))\r\nhello\r\n0\r\n\r\n",
                "chunk_extensions_too_large"),
            badChunked(
                "many extensions over 16384 bytes together",
                repeated("1;\(repeated("a", 99))\r\nx\r\n", 200) + "0\r\n\r\n",
                "chunk_extensions_too_large"),
            chunked("16384 bytes of trailers", "0\r\nX: \(repeated("x", 16_384 - 7))\r\n\r\n", gives: ""),
            badChunked("16385 bytes of trailers", "0\r\nX: \(repeated("x", 16_385 - 7))\r\n\r\n", "trailers_too_large"),
            chunked("100 trailers", "0\r\n\(repeated("X: 1\r\n", 100))\r\n", gives: ""),
            badChunked("101 trailers", "0\r\n\(repeated("X: 1\r\n", 101))\r\n", "trailers_too_large"),
            chunked("65536 chunks", repeated("1\r\nx\r\n", 65_536) + "0\r\n\r\n", gives: repeated("x", 65_536)),
            badChunked("65537 chunks", repeated("1\r\nx\r\n", 65_537) + "0\r\n\r\n", "too_many_chunks"),
        ]

    static let sequences: [WireCase] = [
        takes(
            "two requests", "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /1 ", "GET /2 "
        ),
        takes(
            "a body, then a request",
            "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /1 abc",
            "GET /2 "),
        takes(
            "chunks, then a request",
            "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(helloChunks)"
                + "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /1 hello", "GET /2 "),
        takes(
            "an empty line between requests",
            "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /1 x",
            "GET /2 "),
        takes(
            "nothing behind Connection: close",
            "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /1 "),
        takes("nothing behind HTTP/1.0", "GET /1 HTTP/1.0\r\n\r\nGET /2 HTTP/1.0\r\n\r\n", "GET /1 "),
        takes(
            "HTTP/1.0 kept alive", "GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
            "GET /1 ",
            "GET /2 "),
    ]
}
