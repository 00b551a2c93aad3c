extension MultipartTable {
    static let dispositions: [MultipartCase] = [
        disposition("a name that is a token", "form-data; name=file", "file: "),
        disposition("a quoted name", "form-data; name=\"a b;c=d\"", "a b;c=d: "),
        disposition("an empty name", "form-data; name=\"\"", ": "),
        disposition("any case", "Form-Data; NAME=x; FileName=y", "x (y): "),
        disposition("no space", "form-data;name=x;filename=y", "x (y): "),
        disposition("white space", " form-data\t ; \tname=x ; filename=y ", "x (y): "),
        disposition("the file's name first", "form-data; filename=y; name=x", "x (y): "),
        disposition("an empty file name", "form-data; name=x; filename=\"\"", "x (): "),
        disposition("a semicolon at the end", "form-data; name=x;", "x: "),
        disposition("an unknown parameter", "form-data; name=x; size=3", "x: "),
        disposition("filename*, which is no file's name", "form-data; name=x; filename*=utf-8''%E2%82%AC", "x: "),
        disposition("quotes as browsers write them", "form-data; name=x; filename=\"a%22b%0D%0Ac\"", "x (a\"b\r\nc): "),
        disposition("a percent sign of its own", "form-data; name=x; filename=\"100%25%0a%2\"", "x (100%25%0a%2): "),
        disposition("quotes as old curl writes them", "form-data; name=x; filename=\"a\\\"b\\\\c\"", "x (a\"b\\c): "),
        disposition("a Windows path", "form-data; name=x; filename=\"C:\\dir\\y.png\"", "x (C:\\dir\\y.png): "),
        disposition("UTF-8", "form-data; name=x; filename=\"\u{C3}\u{BC}.png\"", "x (ü.png): "),
        disposition("Latin-1", "form-data; name=x; filename=\"\u{FC}.png\"", "x (\u{FFFD}.png): "),
        badDisposition("attachment", "attachment; name=x", "\"attachment\", expected form-data"),
        badDisposition("no name", "form-data; filename=x", "has no name="),
        badDisposition("no type", "name=x", "\"name=x\", expected form-data"),
        badDisposition("two names", "form-data; name=x; name=y", "name= more than once"),
        badDisposition("a name without a value", "form-data; name", "NAME=VALUE"),
        badDisposition("space around =", "form-data; name =x", "NAME=VALUE"),
        badDisposition("text behind a quote", "form-data; name=\"x\"y", "\"y\" stands behind name="),
        badDisposition("a name without its last quote", "form-data; name=\"x", "without an end"),
        badDisposition("an escaped quote at the end", "form-data; name=\"x\\\"", "without an end"),
        badDisposition("a comma", "form-data; name=x, y", "\", y\" stands behind name="),
        badDisposition("an empty field", "", "expected form-data"),
    ]

    private static let named = "Content-Disposition: form-data; name=x\r\n"

    static let headers: [MultipartCase] = [
        takes("a content type", fields(named + "Content-Type: image/png\r\n"), "x [image/png]: "),
        takes(
            "in any order and case", fields("content-type: Text/Plain; charset=UTF-8\r\n" + named),
            "x [Text/Plain; charset=UTF-8]: "),
        takes("fields that say nothing here", fields(named + "Content-Length: 99\r\nX-Y:\r\nX-Y: 1\r\n"), "x: "),
        takes("7bit", fields(named + "Content-Transfer-Encoding: 7bit\r\n"), "x: "),
        takes("8bit", fields(named + "Content-Transfer-Encoding: 8BIT\r\n"), "x: "),
        takes("binary", fields("Content-Transfer-Encoding: binary\r\n" + named), "x: "),
        refuses(
            "base64", fields(named + "Content-Transfer-Encoding: base64\r\n"), "\"base64\" is not read", status: 415),
        refuses(
            "quoted-printable", fields(named + "Content-Transfer-Encoding: quoted-printable\r\n"), "part 1", status: 415
        ),
        refuses("an empty coding", fields(named + "Content-Transfer-Encoding:\r\n"), "\"\" is not read", status: 415),
        refuses("no fields", fields(""), "part 1, at byte 6: there is no Content-Disposition"),
        refuses("no Content-Disposition", fields("Content-Type: image/png\r\n"), "there is no Content-Disposition"),
        refuses("two of them", fields(named + named), "Content-Disposition appears 2 times"),
        refuses(
            "two content types", fields(named + "Content-Type: a/b\r\nContent-Type: a/b\r\n"),
            "Content-Type appears 2 times"),
        refuses(
            "folded", fields("Content-Disposition: form-data;\r\n name=x\r\n"),
            "part 1, at byte 46: a field line must not begin with white space"),
        refuses(
            "folded with a tab", fields("Content-Disposition: form-data;\r\n\tname=x\r\n"),
            "must not begin with white space"),
        refuses("white space before the first field", fields(" " + named), "must not begin with white space"),
        refuses("no colon", fields("Content-Disposition\r\n"), "needs a colon"),
        refuses(
            "space before the colon", fields("Content-Disposition : form-data; name=x\r\n"), "a field name must be"),
        refuses("no field name", fields(": form-data; name=x\r\n"), "a field name must be"),
        refuses(
            "a bare LF", "--b\r\nContent-Disposition: form-data; name=x\n\r\n\r\n--b--",
            "part 1, at byte 43: a line must end in CRLF"),
        refuses(
            "a bare CR", "--b\r\nContent-Disposition: form-data; name=x\r\r\n\r\n--b--", "a CR must be followed by LF"),
        refuses("a NUL", fields("Content-Disposition: form-data; name=\"\u{0}\"\r\n"), "control character \"\\x00\""),
        refuses(
            "the second part's header", "--b\r\n\(named)\r\n1\r\n--b\r\n\(named)X\r\n\r\n2\r\n--b--",
            "part 2, at byte"),
    ]

    /// Against `MultipartTests.limits`: 5 parts, 200 bytes of header.
    static let limits: [MultipartCase] = [
        takes("as many parts as may be", parts(5), "x: ", "x: ", "x: ", "x: ", "x: "),
        refuses("a part too many", parts(6), "part 5, at byte 249: the body has more than 5 parts", status: 413),
        takes("as long a header as may be", fields(padded(to: 196)), "x: "),
        refuses(
            "a header too long by a byte", fields(padded(to: 197)),
            "part 1, at byte 203: the header of a part is over 200 bytes"),
        refuses("a line that never ends", "--b\r\n" + String(repeating: "x", count: 300), "over 200 bytes"),
        refuses("padding that never ends", "--b" + String(repeating: " ", count: 300), "over 200 bytes"),
        takes(
            "content counts as no header", "--b\r\n\(named)\r\n\(String(repeating: "y", count: 500))\r\n--b--",
            "x: " + String(repeating: "y", count: 500)),
    ]

    private static func parts(_ count: Int) -> String {
        String(repeating: "--b\r\n\(named)\r\n\r\n", count: count) + "--b--"
    }

    /// Fields of `count` bytes in all.
    private static func padded(to count: Int) -> String {
        named + "X:" + String(repeating: "y", count: count - named.utf8.count - 4) + "\r\n"
    }
}
