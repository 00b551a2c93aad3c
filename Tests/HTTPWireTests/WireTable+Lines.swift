// Request lines, targets, field lines and Host.
extension WireTable {
    static let requestLines: [WireCase] =
        [
            line("the plainest request", "GET / HTTP/1.1", "GET / "),
            takes("HTTP/1.0 without Host", "GET /old HTTP/1.0\r\n\r\n", "GET /old "),
            line("HTTP/1.0 with Host", "GET /old HTTP/1.0", "GET /old "),
            line("HEAD", "HEAD /h HTTP/1.1", "HEAD /h "),
            line("DELETE", "DELETE /d HTTP/1.1", "DELETE /d "),
            line("an unknown method", "BREW /pot HTTP/1.1", "BREW /pot "),
            line("methods have a case", "get / HTTP/1.1", "get / "),
            line("a method of every token character", "!#$%&'*+-.^_`|~09azAZ / HTTP/1.1", "!#$%&'*+-.^_`|~09azAZ / "),
            takes("one empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / "),
            refuses("two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request_line"),
            refuses("a bare LF first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request_line"),
            refuses("a bare CR first", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bare_cr"),
            refuses("two CRs first", "\r\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bare_cr"),
            refuses("bare LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "bare_lf"),
            refuses("bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n", 400, "bare_lf"),
            refuses("bare CR behind the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400, "bare_cr"),
            refuses("CR CR LF behind the request line", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400, "bare_cr"),
            badLine("no version (HTTP/0.9)", "GET /", 400, "bad_request_line"),
            badLine("no target", "GET HTTP/1.1", 400, "bad_request_line"),
            badLine("a method alone", "GET", 400, "bad_request_line"),
            badLine("no method", " / HTTP/1.1", 400, "bad_request_line"),
            badLine("two spaces behind the method", "GET  / HTTP/1.1", 400, "bad_request_line"),
            badLine("two spaces before the version", "GET /  HTTP/1.1", 400, "bad_request_line"),
            badLine("a space behind the version", "GET / HTTP/1.1 ", 400, "bad_request_line"),
            badLine("a space in the target", "GET /a b HTTP/1.1", 400, "bad_request_line"),
            badLine("a tab for a space", "GET\t/ HTTP/1.1", 400, "bad_request_line"),
            badLine("a tab before the version", "GET /\tHTTP/1.1", 400, "bad_request_line"),
            badLine("a tab in the target", "GET /a\tb HTTP/1.1", 400, "bad_target"),
            badLine("the version in lower case", "GET / http/1.1", 400, "bad_version"),
            badLine("another protocol", "GET / RTSP/1.0", 400, "bad_version"),
            badLine("no digits", "GET / HTTP/", 400, "bad_version"),
            badLine("no slash", "GET / HTTP1.1", 400, "bad_version"),
            badLine("a version without its minor digit", "GET / HTTP/1.", 400, "bad_version"),
            badLine("a version without its major digit", "GET / HTTP/.1", 400, "bad_version"),
            badLine("two minor digits", "GET / HTTP/1.10", 400, "bad_version"),
            badLine("a leading zero", "GET / HTTP/01.1", 400, "bad_version"),
            badLine("three numbers", "GET / HTTP/1.1.1", 400, "bad_version"),
            badLine("a signed version", "GET / HTTP/+1.1", 400, "bad_version"),
            badLine("a comma for the dot", "GET / HTTP/1,1", 400, "bad_version"),
            badLine("a hexadecimal version", "GET / HTTP/1.a", 400, "bad_version"),
            badLine("a space inside the version", "GET / HTTP/ 1.1", 400, "bad_request_line"),
            badLine("HTTP/0.9", "GET / HTTP/0.9", 505, "version_not_supported"),
            badLine("HTTP/1.2", "GET / HTTP/1.2", 505, "version_not_supported"),
            badLine("HTTP/1.9", "GET / HTTP/1.9", 505, "version_not_supported"),
            badLine("HTTP/2.0", "GET / HTTP/2.0", 505, "version_not_supported"),
            badLine("HTTP/2", "GET / HTTP/2", 505, "version_not_supported"),
            badLine("HTTP/3", "GET / HTTP/3", 505, "version_not_supported"),
            badLine("HTTP/9.9", "GET / HTTP/9.9", 505, "version_not_supported"),
            refuses("the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version_not_supported"),
            refuses(
                "a TLS handshake", "\u{16}\u{03}\u{01}\u{02}\u{00}\u{01}\u{00}\u{01}\u{FC}", 400, "bad_request_line"),
            refuses("a JSON text", "{\"model\": 1}\r\n\r\n", 400, "bad_request_line"),
            refuses("an SSH banner", "SSH-2.0-OpenSSH_9.6\r\n\r\n", 400, "bad_request_line"),
            refuses("a proxy protocol line", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n\r\n", 400, "bad_request_line"),
            refuses("an answer in place of a request", "HTTP/1.1 200 OK\r\n\r\n", 400, "bad_request_line"),
        ] + badMethodBytes

    /// What isn't a token character ends a method at once.
    private static let badMethodBytes: [WireCase] =
        [0x00, 0x08, 0x0B, 0x1F, 0x22, 0x28, 0x29, 0x2C, 0x2F, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x40, 0x5B, 0x5C]
        .map { byte in
            badLine("0x\(hex(byte)) in the method", "G\(character(byte))T / HTTP/1.1", 400, "bad_request_line")
        }
        + [0x5D, 0x7B, 0x7D, 0x7F, 0x80, 0xFF].map { byte in
            badLine("0x\(hex(byte)) first", "\(character(byte))GET / HTTP/1.1", 400, "bad_request_line")
        }

    static let targets: [WireCase] =
        [
            line("percent-encoded letters", "GET /%61%62c HTTP/1.1", "GET /abc "),
            line("hexadecimal in both cases", "GET /%c3%A9 HTTP/1.1", "GET /é "),
            line("an encoded slash", "GET /a%2Fb HTTP/1.1", "GET /a%2Fb "),
            line("an encoded percent is decoded once", "GET /%2541 HTTP/1.1", "GET /%41 "),
            line("an encoded CRLF stays in the path", "GET /%0d%0aX HTTP/1.1", "GET /\r\nX "),
            line("plus is plus in a path", "GET /a+b HTTP/1.1", "GET /a+b "),
            line("every path character", "GET /-._~!$&'()*+,;=:@/ HTTP/1.1", "GET /-._~!$&'()*+,;=:@/ "),
            line("dots are left alone", "GET /a/../b/./c HTTP/1.1", "GET /a/../b/./c "),
            line("two slashes", "GET //x HTTP/1.1", "GET //x "),
            line("a query", "GET /q?a=1&b=2 HTTP/1.1", "GET /q?a=1;b=2 "),
            line("an empty query", "GET /q? HTTP/1.1", "GET /q "),
            line("a query of nothing but ampersands", "GET /q?&& HTTP/1.1", "GET /q "),
            line("a name without a value", "GET /q?margin HTTP/1.1", "GET /q?margin= "),
            line("a value without a name", "GET /q?=1 HTTP/1.1", "GET /q?=1 "),
            line("an equals sign in a value", "GET /q?a=b=c HTTP/1.1", "GET /q?a=b=c "),
            line("plus is a space in a query", "GET /q?a+b=c+d HTTP/1.1", "GET /q?a b=c d "),
            line("an encoded plus", "GET /q?a=%2B HTTP/1.1", "GET /q?a=+ "),
            line("an encoded ampersand", "GET /q?a=%26b HTTP/1.1", "GET /q?a=&b "),
            line("a question mark in a query", "GET /q?a=? HTTP/1.1", "GET /q?a=? "),
            line("brackets in a query", "GET /q?a[0]=1|2 HTTP/1.1", "GET /q?a[0]=1|2 "),
            line("absolute form", "GET http://a/x HTTP/1.1", "GET /x "),
            line("absolute form, scheme in capitals", "GET HTTP://a/x HTTP/1.1", "GET /x "),
            line("absolute form with a port", "GET http://a:80/x HTTP/1.1", "GET /x "),
            line("absolute form over https", "GET https://a/x HTTP/1.1", "GET /x "),
            line("absolute form without a path", "GET http://a HTTP/1.1", "GET / "),
            line("absolute form with a query alone", "GET http://a?b=1 HTTP/1.1", "GET /?b=1 "),
            line("absolute form, IPv6", "GET http://[::1]:8080/x HTTP/1.1", "GET /x "),
            line("OPTIONS *", "OPTIONS * HTTP/1.1", "OPTIONS * "),
            line("CONNECT", "CONNECT a:443 HTTP/1.1", "CONNECT  "),
            badLine("* with GET", "GET * HTTP/1.1", 400, "bad_target"),
            badLine("CONNECT without a port", "CONNECT a HTTP/1.1", 400, "bad_target"),
            badLine("CONNECT with an empty port", "CONNECT a: HTTP/1.1", 400, "bad_target"),
            badLine("CONNECT with a path", "CONNECT /x HTTP/1.1", 400, "bad_target"),
            badLine("authority form with GET", "GET a:80 HTTP/1.1", 400, "bad_target"),
            badLine("no leading slash", "GET x HTTP/1.1", 400, "bad_target"),
            badLine("a query alone", "GET ?a=1 HTTP/1.1", 400, "bad_target"),
            badLine("another scheme", "GET ftp://a/x HTTP/1.1", 400, "bad_target"),
            badLine("absolute form without a host", "GET http:///x HTTP/1.1", 400, "bad_target"),
            badLine("absolute form with a port alone", "GET http://:80/x HTTP/1.1", 400, "bad_target"),
            badLine("absolute form with a user", "GET http://u@a/x HTTP/1.1", 400, "bad_target"),
            badLine("absolute form with a bad port", "GET http://a:8x/x HTTP/1.1", 400, "bad_target"),
            badLine("a fragment", "GET /x#y HTTP/1.1", 400, "bad_target"),
            badLine("percent at the end", "GET /x% HTTP/1.1", 400, "bad_target"),
            badLine("percent and one digit", "GET /x%4 HTTP/1.1", 400, "bad_target"),
            badLine("percent and no digits", "GET /x%zz HTTP/1.1", 400, "bad_target"),
            badLine("percent and a sign", "GET /x%+1 HTTP/1.1", 400, "bad_target"),
            badLine("an encoded NUL", "GET /x%00 HTTP/1.1", 400, "bad_target"),
            badLine("an encoded NUL in the query", "GET /x?a=%00 HTTP/1.1", 400, "bad_target"),
            badLine("bytes that are not UTF-8", "GET /%ff HTTP/1.1", 400, "bad_target"),
            badLine("an overlong UTF-8 slash", "GET /%c0%af HTTP/1.1", 400, "bad_target"),
            badLine("half a UTF-8 sequence", "GET /%c3 HTTP/1.1", 400, "bad_target"),
            badLine("an encoded surrogate", "GET /%ed%a0%80 HTTP/1.1", 400, "bad_target"),
            badLine("a bad percent in the query", "GET /x?a=%g0 HTTP/1.1", 400, "bad_target"),
            badLine("raw UTF-8", "GET /\u{C3}\u{A9} HTTP/1.1", 400, "bad_target"),
            refuses("a NUL in the target", "GET /\0 HTTP/1.1\r\n\r\n", 400, "control_character"),
            refuses("DEL in the target", "GET /\u{7F} HTTP/1.1\r\n\r\n", 400, "control_character"),
        ]
        + ["\"", "<", ">", "\\", "^", "`", "{", "}", "[", "]", "|"].map {
            badLine("\($0) in a path", "GET /a\($0)b HTTP/1.1", 400, "bad_target")
        }

    static let fieldLines: [WireCase] =
        [
            field("no white space behind the colon", "X:1\r\n"),
            field("much white space around a value", "X: \t  1 \t \r\n"),
            field("an empty value", "X:\r\n"),
            field("a value of white space", "X:  \t \r\n"),
            field("colons in a value", "X: a:b:c\r\n"),
            field("a tab in a value", "X: a\tb\r\n"),
            field("Latin-1 in a value", "X: caf\u{E9}\r\n"),
            field("UTF-8 in a value", "X: caf\u{C3}\u{A9}\r\n"),
            field("every token character in a name", "!#$%&'*+-.^_`|~09azAZ: 1\r\n"),
            field("the same field twice", "X: 1\r\nX: 2\r\n"),
            field("names in any case", "cOnNeCtIoN: keep-alive\r\n"),
            badField("a space before the colon", "X : 1\r\n", 400, "bad_field_name"),
            badField("a tab before the colon", "X\t: 1\r\n", 400, "bad_field_name"),
            badField("a space in a name", "X Y: 1\r\n", 400, "bad_field_name"),
            badField("no name", ": 1\r\n", 400, "bad_field_name"),
            badField("no colon", "X 1\r\n", 400, "bad_field"),
            badField("a word alone", "X\r\n", 400, "bad_field"),
            badField("obs-fold with a space", "X: 1\r\n 2\r\n", 400, "folded_field"),
            badField("obs-fold with a tab", "X: 1\r\n\t2\r\n", 400, "folded_field"),
            badField("a folded Content-Length", "Content-Length:\r\n 5\r\n", 400, "folded_field"),
            badField("a line of one space", " \r\n", 400, "folded_field"),
            refuses("a space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "folded_field"),
            refuses("a tab before the first field", "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", 400, "folded_field"),
            badField("bare LF behind a field", "X: 1\nY: 2\r\n", 400, "bare_lf"),
            badField("bare CR behind a field", "X: 1\rY: 2\r\n", 400, "bare_cr"),
            badField("CR CR LF behind a field", "X: 1\r\r\n", 400, "bare_cr"),
            badField("a field hidden behind a bare LF", "X: 1\nContent-Length: 5\r\n", 400, "bare_lf"),
            refuses("a bare LF for the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "bare_lf"),
            refuses("a bare CR for the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\rX", 400, "bare_cr"),
        ]
        + (Array(0x00...0x08) + [0x0B, 0x0C] + Array(0x0E...0x1F) + [0x7F]).map { byte in
            badField("0x\(hex(byte)) in a value", "X: a\(character(byte))b\r\n", 400, "control_character")
        }
        + [0x22, 0x28, 0x29, 0x2C, 0x2F, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x40, 0x5B, 0x5C, 0x5D, 0x7B, 0x7D, 0xE9].map {
            badField("0x\(hex($0)) in a name", "X\(character($0))Y: 1\r\n", 400, "bad_field_name")
        }
        + [0x00, 0x0B, 0x7F].map { byte in
            badField("0x\(hex(byte)) in a name", "X\(character(byte))Y: 1\r\n", 400, "control_character")
        }

    static let hosts: [WireCase] =
        [
            "localhost", "a.example", "a.example:8080", "127.0.0.1", "127.0.0.1:0", "[::1]", "[::1]:443", "a:",
            "a:65535",
            "[::ffff:1.2.3.4]", "", "%61", "a_b", "A-1.~", "a!$&'()*+;=",
        ].map { takes("Host \"\($0)\"", "GET / HTTP/1.1\r\nHost: \($0)\r\n\r\n", "GET / ") }
        + [
            "a b", "a/b", "a:b", "a:65536", "a:123456", "a:+1", "a:1:2", "u@a", "[::1", "::1", "[::1]x", "[]", "[g::1]",
            "[1.2.3.4]", "a,b", "a?b", "a#b", "a%", "a%4", "a%zz", ":80", "a\\b", "http://a", "a\u{E9}", "\"a\"", "<a>",
        ].map { refuses("Host \($0)", "GET / HTTP/1.1\r\nHost: \($0)\r\n\r\n", 400, "bad_host") }
        + [
            refuses("no Host", "GET / HTTP/1.1\r\n\r\n", 400, "missing_host"),
            refuses("no Host with absolute form", "GET http://a/ HTTP/1.1\r\n\r\n", 400, "missing_host"),
            refuses("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "repeated_host"),
            refuses("two equal Hosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400, "repeated_host"),
            refuses("two Hosts in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, "repeated_host"),
            refuses("a bad Host in 1.0", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", 400, "bad_host"),
        ]
}
