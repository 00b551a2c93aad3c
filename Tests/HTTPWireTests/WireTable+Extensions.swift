// Chunk extensions whose values are quoted (RFC 9112 7.1.1; quoted-string and quoted-pair in RFC 9110 5.6.4).
extension WireTable {
    private static func name(_ text: String) -> String {
        text.unicodeScalars.map { $0.value < 0x21 || $0.value > 0x7E ? "<\(hex(Int($0.value)))>" : "\($0)" }.joined()
    }

    private static func ignored(_ text: String) -> WireCase {
        chunked("the extension \(name(text))", "5;\(text)\r\nhello\r\n0\r\n\r\n", gives: "hello")
    }

    private static func refused(_ text: String, _ code: String = "bad_chunk_extension") -> WireCase {
        badChunked("the extension \(name(text))", "5;\(text)\r\nhello\r\n0\r\n\r\n", code)
    }

    static let quotedExtensions: [WireCase] =
        [
            // Semicolons and spaces within the quotes.
            #"a="b;c""#, #"a="b; c""#, #"a=";""#, #"a="; ""#, #"a="; b=c""#, #"a=";;""#, #"a=";="# + "\"", #"a=" ""#,
            #"a="b c;""#, #"a="b;c";d="e; f";g"#, #"a="5;0""#, "a=\"\t;\t\"", #"a="""#, #"a="""# + ";b",
            // Quoted pairs: neither quote nor backslash ends the value.
            #"a="\"""#, #"a="\"; b""#, #"a="x\"; y\"z""#, #"a="\\""#, #"a="\\";b=c"#, #"a="\\\"; b""#,
            #"a="\;";b="; ""#,
            #"a="\ ; \b""#, "a=\"\\\t; \"",
            // obs-text, plain and behind a backslash.
            "a=\"\u{80};\u{FF} \"", "a=\"\\\u{FF}; =\"",
            // A backslash outside of quotes escapes nothing.
            #"a=b\;c="; d""#,
        ].map(ignored)
        + [
            chunked("a quoted value behind the last chunk", "5\r\nhello\r\n0;a=\"; b\"\r\n\r\n", gives: "hello"),
            chunked(
                "a quoted value at each chunk",
                "2;a=\"; b\"\r\nhe\r\n3;c=\"\\\"; d\"\r\nllo\r\n0;e=\"; f\"\r\nT: 1\r\n\r\n",
                gives: "hello"),
            chunked(
                "quoted semicolons up to 16384 bytes",
                "5;a=\"\(String(repeating: "; ", count: 8189));\"\r\nhello\r\n0\r\n\r\n", gives: "hello"),
            badChunked(
                "quoted semicolons over 16384 bytes",
                "5;a=\"\(String(repeating: "; ", count: 8190))\"\r\nhello\r\n0\r\n\r\n",
                "chunk_extensions_too_large"),
            badChunked(
                "a quoted value that goes on in the next line", "5;a=\"b\r\nc\"\r\nhello\r\n0\r\n\r\n",
                "bad_chunk_extension"),
            badChunked(
                "a quoted value that holds a whole chunk", "5;a=\"\r\nhello\r\n0\r\n\r\n\"\r\nhello\r\n0\r\n\r\n",
                "bad_chunk_extension"),
        ]
        + [
            // Quotes that are not closed.
            #"a=""#, #"a="b"#, #"a="b;c"#, #"a="b\""#, #"a="b\"#, #"a="b";c="d"#,
            // Behind a value: an extension needs a name there, as without quotes.
            #"a="b";"#, #"a="b"; c"#, #"a="b";;c"#, #"a="b";"c""#, #""b""#,
        ].map { refused($0) }
        + [0x00, 0x01, 0x08, 0x0B, 0x1F, 0x7F].flatMap { control in
            [refused("a=\"b;\(character(control))\""), refused("a=\"\\\(character(control))\"")]
        }
        + [
            refused("a=\"b;\n\"", "bare_lf"), refused("a=\"\\\n\"", "bare_lf"), refused("a=\"b;\r\"; c"),
            refused("a=\"\\\r\"; c"),
        ]
}
