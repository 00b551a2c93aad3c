/// What clients send, byte for byte; a picture's file is `AB\r\nC` or `yz`.
extension MultipartTable {
    static let clients: [MultipartCase] = curl + python + browsers + [dotNet]

    private static let curl = [
        takes(
            "curl 7.88: -F margin=true -F file=@a.png -F 'file=@q\"uo\\te.jpg' -F 'file=@ü b.png'",
            boundary: "------------------------680a82402cdf2f6c",
            """
            --------------------------680a82402cdf2f6c\r\nContent-Disposition: form-data; name="margin"\r\n\r\n\
            true\r\n--------------------------680a82402cdf2f6c\r\n\
            Content-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n\
            AB\r\nC\r\n--------------------------680a82402cdf2f6c\r\n\
            Content-Disposition: form-data; name="file"; filename="q%22uo\\te.jpg"\r\n\
            Content-Type: image/jpeg\r\n\r\nyz\r\n--------------------------680a82402cdf2f6c\r\n\
            Content-Disposition: form-data; name="file"; filename="\u{C3}\u{BC} b.png"\r\n\
            Content-Type: image/png\r\n\r\nAB\r\nC\r\n--------------------------680a82402cdf2f6c--\r\n
            """,
            "margin: true", "file (a.png) [image/png]: AB\r\nC", "file (q\"uo\\te.jpg) [image/jpeg]: yz",
            "file (ü b.png) [image/png]: AB\r\nC"),
        takes(
            "curl 7.88: --form-escape -F 'file=<a.png' -F 'file=@a.png;filename=x\"y\\z.png' -F 'file=@-;filename='",
            boundary: "------------------------9a77405b11da77dd",
            """
            --------------------------9a77405b11da77dd\r\nContent-Disposition: form-data; name="file"\r\n\
            Content-Type: image/png\r\n\r\nAB\r\nC\r\n--------------------------9a77405b11da77dd\r\n\
            Content-Disposition: form-data; name="file"; filename="x\\"y\\\\z.png"\r\nContent-Type: image/png\r\n\r\n\
            AB\r\nC\r\n--------------------------9a77405b11da77dd\r\n\
            Content-Disposition: form-data; name="file"; filename=""\r\n\r\n\
            yz\r\n--------------------------9a77405b11da77dd--\r\n
            """,
            "file [image/png]: AB\r\nC", "file (x\"y\\z.png) [image/png]: AB\r\nC", "file (): yz"),
    ]

    private static let python = [
        takes(
            "Python requests 2.34", boundary: "f3e3bd09dfe5aa3a70914fef25f318a4",
            """
            --f3e3bd09dfe5aa3a70914fef25f318a4\r\nContent-Disposition: form-data; name="margin"\r\n\r\n\
            true\r\n--f3e3bd09dfe5aa3a70914fef25f318a4\r\n\
            Content-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n\
            AB\r\nC\r\n--f3e3bd09dfe5aa3a70914fef25f318a4\r\n\
            Content-Disposition: form-data; name="file"; filename="\u{C3}\u{BC}%22x.png"\r\n\
            Content-Type: image/png\r\n\r\nyz\r\n--f3e3bd09dfe5aa3a70914fef25f318a4--\r\n
            """,
            "margin: true", "file (a.png): AB\r\nC", "file (ü\"x.png) [image/png]: yz"),
        takes(
            "Python httpx 0.28", boundary: "26f97902467b72d9a45df8ff77ea8b10",
            """
            --26f97902467b72d9a45df8ff77ea8b10\r\nContent-Disposition: form-data; name="margin"\r\n\r\n\
            true\r\n--26f97902467b72d9a45df8ff77ea8b10\r\n\
            Content-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n\
            AB\r\nC\r\n--26f97902467b72d9a45df8ff77ea8b10\r\n\
            Content-Disposition: form-data; name="file"; filename="q%22u.png"\r\nContent-Type: image/png\r\n\r\n\
            yz\r\n--26f97902467b72d9a45df8ff77ea8b10--\r\n
            """,
            "margin: true", "file (a.png) [image/png]: AB\r\nC", "file (q\"u.png) [image/png]: yz"),
        takes(
            "Python aiohttp 3.14", boundary: "18f2e99dd9cb45bd9004b6ff67be09be",
            """
            --18f2e99dd9cb45bd9004b6ff67be09be\r\nContent-Type: image/png\r\n\
            Content-Disposition: form-data; name="file"; filename="a%20b.png"\r\n\r\n\
            AB\r\nC\r\n--18f2e99dd9cb45bd9004b6ff67be09be\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Disposition: form-data; name="margin"\r\n\r\n\
            true\r\n--18f2e99dd9cb45bd9004b6ff67be09be\r\nContent-Type: application/octet-stream\r\n\
            Content-Disposition: form-data; name="file"; filename="%C3%BC.png"\r\n\r\n\
            yz\r\n--18f2e99dd9cb45bd9004b6ff67be09be--\r\n
            """,
            "file (a%20b.png) [image/png]: AB\r\nC", "margin [text/plain; charset=utf-8]: true",
            "file (%C3%BC.png) [application/octet-stream]: yz"),
    ]

    private static let browsers = [
        takes(
            "Node 20's fetch", boundary: "----formdata-undici-090437938906",
            """
            ------formdata-undici-090437938906\r\nContent-Disposition: form-data; name="margin"\r\n\r\n\
            true\r\n------formdata-undici-090437938906\r\n\
            Content-Disposition: form-data; name="file"; filename="a%22b%0D%0A%22.png"\r\n\
            Content-Type: image/png\r\n\r\nAB\r\nC\r\n------formdata-undici-090437938906\r\n\
            Content-Disposition: form-data; name="file"; filename="\u{C3}\u{BC}.png"\r\n\
            Content-Type: application/octet-stream\r\n\r\nyz\r\n------formdata-undici-090437938906--\r\n
            """,
            "margin: true", "file (a\"b\r\n\".png) [image/png]: AB\r\nC",
            "file (ü.png) [application/octet-stream]: yz"),
        takes(
            "Chromium: a file and an empty file input", boundary: "----WebKitFormBoundary7MA4YWxkTrZu0gW",
            """
            ------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n\
            Content-Disposition: form-data; name="file"; filename="a (1).png"\r\nContent-Type: image/png\r\n\r\n\
            AB\r\nC\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n\
            Content-Disposition: form-data; name="file"; filename=""\r\n\
            Content-Type: application/octet-stream\r\n\r\n\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW--\r\n
            """,
            "file (a (1).png) [image/png]: AB\r\nC", "file () [application/octet-stream]: "),
        takes(
            "Firefox", boundary: "---------------------------9051914041544843365972754266",
            """
            -----------------------------9051914041544843365972754266\r\n\
            Content-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n\
            yz\r\n-----------------------------9051914041544843365972754266\r\n\
            Content-Disposition: form-data; name="alpha"\r\n\r\n\
            drop\r\n-----------------------------9051914041544843365972754266--\r\n
            """,
            "file (a.jpg) [image/jpeg]: yz", "alpha: drop"),
    ]

    private static let dotNet = takes(
        ".NET's MultipartFormDataContent", boundary: "\"7f9a1c52-8f0e-4c0a-9d59-3f3d9f2f3b11\"",
        """
        --7f9a1c52-8f0e-4c0a-9d59-3f3d9f2f3b11\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Disposition: form-data; name=margin\r\n\r\n\
        true\r\n--7f9a1c52-8f0e-4c0a-9d59-3f3d9f2f3b11\r\n\
        Content-Disposition: form-data; name=file; filename=a.png; filename*=utf-8''a.png\r\n\r\n\
        yz\r\n--7f9a1c52-8f0e-4c0a-9d59-3f3d9f2f3b11--\r\n
        """,
        "margin [text/plain; charset=utf-8]: true", "file (a.png): yz")
}
