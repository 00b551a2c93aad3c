"""Writes paths.json: names of files as bytes, in Python's order of a folder that holds them, and their text form.

Python's UTF-8 decoder says which bytes are not UTF-8, and its database which characters are controls and marks; the rest
of the text form is what `Sources/FilePaths/Path.swift` describes. Run on a file system that takes all bytes in names.
"""

import json
import os
import re
import tempfile
import unicodedata

NAMES = [
    b"plain.png", b"Large.PNG", b"a b.png", b"-x.png", b"100%.png", b"a%20b.png", b"#.png", b"z.png",
    b"caf\xe9.png", b"\xe9", b"\xff\xfe.png", "日本".encode("shift_jis") + b".png", "中文".encode("gb18030") + b".png",
    b"\x80.png", b"a\xbf\xbfb.png",
    b"\xc0\xaf.png", b"\xe0\x80\xaf.png", b"\xf0\x80\x80\xaf.png", b"\xc1\xbf",
    b"\xed\xa0\x80.png", b"\xed\xa0\xbd\xed\xb8\x80.png", b"\xf4\x90\x80\x80.png", b"\xf8\x88\x80\x80\x80.png",
    b"\xe2\x82.png", b"\xf0\x9f\x98.png", b"\xe2\x28\xa1.png", b"cut\xe2\x82", b"\xe2\x82\xac\xe2\x82\xac\xe2",
    "é.png".encode(), "e\u0301.png".encode(), "ü.png".encode(), "u\u0308.png".encode(), "\u212b.png".encode(),
    "\u00c5.png".encode(), "가.png".encode(), "\u1100\u1161.png".encode(), "\u0301.png".encode(),
    "a=\u0301.png".encode(), "a,\u0338\u0338.png".encode(), b"\xe9\xcc\x81.png", "\u0903.png".encode(), "#\u20e3.png".encode(),
    "5\u20e3.png".encode(), "é\u0301\u0301.png".encode(), " \u0301".encode(), "A\u0338".encode(), "_\u0301".encode(),
    b"two\nlines.png", b"cr\r.png", b"tab\t.png", b"\x1b[31mred\x1b[0m.png", b"\x1b]0;title\x07.png", b"\x7f.png",
    b"\x01\x02.png", "\u0085.png".encode(), "\u009b31m.png".encode(), "a\u2028b.png".encode(), "a\u2029b.png".encode(),
    "\u202egnp.png".encode(), "\u2066x\u2069.png".encode(), "\u200f.png".encode(), "\u061c.png".encode(),
    b"a\\xe9.png", b"a\\xE9.png", b"a\\b.png", b"\\x5cx41.png", b"\\\xe9.png", b"a\\x4.png", b"\\\\x41", b"end\\",
    b"\\x00.png", b"\\x\x01", b"\\\\\\xff", b"\\u00e9.png",
    b"\xe9" * 251 + b".png", "é".encode() * 125 + b"a.png", b"n" * 255, b"\x1b" * 255,
    "👨\u200d👩\u200d👧.png".encode(), "\ufeffbom.png".encode(), "\ufffe.png".encode(), "\ufffd.png".encode(),
    "\ue000.png".encode(), "\U0010ffff.png".encode(), "日本語.png".encode(), "مرحبا.png".encode(),
]

BIDI_CONTROLS = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def text(name):
    def escaped(part):
        return "".join(f"\\x{byte:02x}" for byte in part)

    result, before = "", None
    # One character, or one byte that is not UTF-8, at a time: Python keeps such a byte as a lone surrogate.
    for match in re.finditer(r"(\\)(?=x[0-9a-fA-F]{2})|.", name.decode("utf-8", "surrogateescape"), re.DOTALL):
        c = match[0]
        part = c.encode("utf-8", "surrogateescape")
        kind = unicodedata.category(c)
        carries = before is not None and (before.isalnum() or not before.isascii())
        if match[1] or kind in ("Cs", "Cc", "Zl", "Zp") or c in BIDI_CONTROLS or kind[0] == "M" and not carries:
            result, before = result + escaped(part), None
        else:
            result, before = result + c, c
    return result


def main():
    assert len(set(NAMES)) == len(NAMES)
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            with open(os.path.join(os.fsencode(folder), name), "wb"):
                pass
        listed = sorted(os.listdir(os.fsencode(folder)))
    assert sorted(NAMES) == listed
    entries = [{"name": name.hex(), "text": text(name)} for name in listed]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "paths.json")
    with open(path, "w", encoding="ascii") as file:
        file.write("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n")


main()
