"""Writes pictures/metadata/ (pictures that state their orientation in unusual places) and metadata.json (what Pillow's
`exif_transpose` makes of them, see make_pictures.py).

Run with Pillow 13 and numpy: python make_metadata.py

Where Pillow raises an exception over metadata, the picture is expected as if that weren't there: upright, or turned by
what the name says.
"""
import io
import os
import struct
import zlib

from PIL import Image, ImageOps

import make_pictures as base
from make_pictures import chunk, exif, field, jpeg, packed, png

ROWS = packed(field(9, 14, 3, 6), 8)
RAW = b"Raw profile type exif"
XMP = b"XML:com.adobe.xmp"
EXIF = b"Exif\0\0"


def picture(before=b"", after=b""):
    return png(ROWS, 14, 9, 8, 2, before=before, after=after)


def turned(orientation):
    """The stored picture with an orientation that Pillow is sure to see."""
    return Image.open(io.BytesIO(picture(chunk(b"eXIf", exif(orientation)))))


def save(name, data, orientation=None):
    """`orientation` is given where Pillow fails, and only there."""
    try:
        ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        assert orientation is None, name
    except (SyntaxError, ValueError, TypeError, OSError, struct.error):
        assert orientation is not None, name
    base.good(f"metadata/{name}", data, orientation and (lambda: turned(orientation)))


def raw(profile, line=36, newline="\n", upper=False):
    """A raw profile as ImageMagick writes it: the name, the size, lines of 72 digits."""
    digits = profile.hex().upper() if upper else profile.hex()
    lines = [digits[i:i + 2 * line] for i in range(0, len(digits), 2 * line)]
    return (newline.join(["", "exif", f"{len(profile):8}"] + lines) + newline).encode()


def attribute(orientation):
    return f'<x:xmpmeta><rdf:Description tiff:Orientation="{orientation}"/></x:xmpmeta>'.encode()


def element(orientation):
    return f"<x:xmpmeta><tiff:Orientation>{orientation}</tiff:Orientation></x:xmpmeta>".encode()


def text(key, value):
    return chunk(b"tEXt", key + b"\0" + value)


def deflated(key, value, method=0):
    return chunk(b"zTXt", key + b"\0" + bytes([method]) + zlib.compress(value))


def international(key, value, flag=0, method=0, language=b"", translated=b""):
    body = zlib.compress(value) if flag else value
    return chunk(b"iTXt", key + b"\0" + bytes([flag, method]) + language + b"\0" + translated + b"\0" + body)


def compressed(key, value):
    return international(key, value, flag=1)


KINDS = {"text": text, "ztxt": deflated, "itxt": international, "itxt-deflated": compressed}


def raw_profiles():
    orientation = 1
    for kind, make in KINDS.items():
        for prefix in (b"", EXIF):
            for endian in "<>":
                orientation = orientation % 8 + 1
                value = make(RAW, raw(prefix + exif(orientation, endian)))
                name = f"raw-{kind}{'-prefix' if prefix else ''}-{'little' if endian == '<' else 'big'}"
                save(f"{name}-before.png", picture(value))
                save(f"{name}-after.png", picture(after=value))
    profile = exif(6)
    for name, value in {
        "twice-prefixed": raw(EXIF * 2 + profile),
        "upper-case": raw(profile, upper=True),
        "one-line": raw(profile, line=500),
        "bytes-across-lines": raw(profile).replace(b"492a", b"4\n92a"),
        "spaces": b"\nexif\n 99\n" + profile.hex(" ").encode() + b" \t\r\f\v",
        "carriage-returns": raw(profile, newline="\r\n"),
        "no-last-newline": raw(profile).rstrip(),
        "other-name-and-size": b"what\never\nthis\xe9" + raw(profile)[14:],
        "two-lines-only": b"exif\n" + profile.hex().encode(),
        "nothing": b"",
        "no-digits": b"\nexif\n  0\n",
    }.items():
        save(f"raw-form-{name}.png", picture(text(RAW, value)))
    for name, value in {
        "four-lines": b"\n" + raw(profile),
        "odd-count": raw(profile).rstrip()[:-1],
        "not-digits": raw(profile).replace(b"49", b"4g", 1),
        "space-in-byte": raw(profile).replace(b"492a", b"4 92a"),
        "thrice-prefixed": raw(EXIF * 3 + profile),
        "not-tiff": raw(b"JUNK" + profile),
        "zero-byte": raw(profile) + b"\0",
        "not-ascii": raw(profile) + "\u0661".encode(),
    }.items():
        save(f"raw-broken-{name}.png", picture(international(RAW, value)), 1)
    save("raw-no-key-end.png", picture(chunk(b"tEXt", RAW)))
    save("raw-other-key.png", picture(text(b"Raw profile type EXIF", raw(profile)) + text(RAW + b" ", raw(profile))))
    save("raw-app1.png", picture(text(b"Raw profile type APP1", raw(EXIF + profile))))


def xmp_packets():
    orientation = 1
    for kind, make in KINDS.items():
        for form in (attribute, element):
            orientation = orientation % 8 + 1
            value = make(XMP, form(orientation))
            save(f"xmp-{kind}-{form.__name__}-before.png", picture(value))
            save(f"xmp-{kind}-{form.__name__}-after.png", picture(after=value))
    for name, value in {
        "zero": attribute(0), "nine": attribute(9), "first-of-two": element(3) + attribute(6),
        "two-digits": attribute(61), "letter-first": attribute("x") + attribute(8), "single-quotes": b"tiff:Orientation='6'",
        "spaces": b'tiff:Orientation = "6"', "other-prefix": b'exif:Orientation="6"', "cut": b'tiff:Orientation="',
        "doubled": b'tiff:Orientation=tiff:Orientation="5"', "empty": b"",
    }.items():
        save(f"xmp-form-{name}.png", picture(compressed(XMP, value)))
    latin = element(6) + b"\xe9\xff"
    save("xmp-not-utf8-text.png", picture(text(XMP, latin)))
    save("xmp-not-utf8-itxt.png", picture(international(XMP, latin)))
    save("xmp-not-utf8-after-valid.png", picture(international(XMP, element(8)) + international(XMP, latin)))
    save("xmp-surrogate.png", picture(international(XMP, element(8)) + compressed(XMP, element(6) + b"\xed\xa0\x80")))
    save("xmp-language.png", picture(international(XMP, element(7), language=b"de", translated="Höhe".encode())))
    save("xmp-language-not-utf8.png", picture(text(XMP, element(3)) + international(XMP, element(7), language=b"\xff")))
    save("xmp-empty-text-after-packet.png", picture(international(XMP, element(5)) + text(XMP, b"")))
    save("xmp-text-without-orientation.png", picture(international(XMP, element(5)) + text(XMP, b"<x/>")))
    save("xmp-flag-2.png", picture(international(XMP, element(6), flag=2)))
    save("xmp-method-ignored.png", picture(international(XMP, element(6), method=9)))
    save("xmp-method-unknown.png", picture(international(XMP, element(8)) + international(XMP, element(6), 1, 9)))
    save("xmp-ztxt-method-unknown.png", picture(text(XMP, element(8)) + deflated(XMP, element(6), 1)), 8)
    for name, body in {"no-end": XMP, "no-flags": XMP + b"\0\0", "no-texts": XMP + b"\0\0\0a",
                       "one-text": XMP + b"\0\0\0a\0" + element(6)}.items():
        save(f"xmp-cut-{name}.png", picture(chunk(b"iTXt", body)))


def streams():
    """Streams that are cut, damaged or followed by something."""
    value = raw(exif(6)) + b"\n" * 5000
    z = zlib.compress(value)
    damaged = z[:20] + bytes([z[20] ^ 255]) + z[21:]
    for name, stream in {"cut": zlib.compress(raw(exif(6)), 0)[:-5], "sum": z[:-1] + bytes([z[-1] ^ 1]), "trailing": z + b"abc",
                         "damaged": damaged, "empty": b"", "not-zlib": b"abcdef"}.items():
        save(f"stream-{name}-ztxt.png", picture(text(RAW, raw(exif(3))) + chunk(b"zTXt", RAW + b"\0\0" + stream)))
        save(f"stream-{name}-itxt.png",
             picture(text(RAW, raw(exif(3))) + chunk(b"iTXt", RAW + b"\0\1\0\0\0" + stream)))
    limit = 1 << 20
    head = raw(exif(6))
    full = head + b"\n" * (limit - len(head))
    assert len(full) == limit
    for name, make in (("ztxt", deflated), ("itxt", compressed)):
        save(f"limit-{name}.png", picture(text(RAW, raw(exif(3))) + make(RAW, full)))
    save("limit-ztxt-over.png", picture(after=text(RAW, raw(exif(3))) + deflated(RAW, full + b"\n")), 1)
    save("limit-itxt-over.png", picture(after=text(RAW, raw(exif(3))) + compressed(RAW, full + b"\n")), 3)


def precedence():
    a, b = text(RAW, raw(exif(6))), deflated(RAW, raw(exif(8)))
    no_tag = b"II*\0\x08\0\0\0\0\0\0\0\0\0"
    xmp, e = international(XMP, element(3)), lambda o: chunk(b"eXIf", exif(o))
    for name, chunks in {
        "last-raw": a + b, "last-raw-reversed": b + a, "last-xmp": xmp + compressed(XMP, attribute(5)),
        "exif-before-raw": e(5) + a, "exif-after-raw": a + e(5), "raw-before-xmp": xmp + a,
        "exif-without-tag-then-raw": chunk(b"eXIf", no_tag) + a,
        "exif-without-tag-then-xmp": chunk(b"eXIf", no_tag) + a + xmp, "raw-without-tag-then-xmp":
            text(RAW, raw(no_tag)) + xmp,
        "exif-empty-then-xmp": chunk(b"eXIf", b"") + a + xmp, "raw-empty-then-xmp": text(RAW, b"") + xmp,
        "exif-zero-then-xmp": e(0) + xmp, "text-exif": text(b"exif", exif(7)), "text-exif-prefix":
            text(b"exif", EXIF + exif(7)), "text-exif-after": e(5) + text(b"exif", exif(7)),
        "text-exif-before": text(b"exif", exif(7)) + e(5), "exif-prefixed": chunk(b"eXIf", EXIF + exif(4)),
        "two-exif": e(2) + e(4),
    }.items():
        save(f"order-{name}.png", picture(chunks))
        save(f"order-{name}-after.png", picture(after=chunks))
    save("order-raw-around.png", picture(a, b))
    save("order-exif-around.png", picture(e(6), e(8)))
    save("order-bad-name.png", picture(xmp, chunk(b"a~bc", b"") + a))
    save("order-digits-in-name.png", picture(xmp, chunk(b"a1_c", b"") + a))
    save("order-after-end.png", picture(xmp) + a)
    for version in (b"MM\0*", b"II*\0", b"MM*\0", b"II\0*"):
        profile = version + exif(6, ">" if version[:1] == b"M" else "<")[4:]
        save(f"tiff-{version.hex()}.png", picture(chunk(b"eXIf", profile)))
    save("tiff-broken-then-xmp.png", picture(chunk(b"eXIf", b"II+\0" + bytes(20)) + xmp), 1)


def animations():
    control = struct.pack(">IIIIIHHBB", 0, 14, 9, 0, 0, 1, 10, 0, 0)
    later = struct.pack(">IIIIIHHBB", 1, 14, 9, 0, 0, 1, 10, 0, 0)
    data = zlib.compress(b"".join(b"\0" + r for r in ROWS), 9)
    second = chunk(b"fcTL", later) + chunk(b"fdAT", struct.pack(">I", 2) + data)
    turn = chunk(b"eXIf", exif(6))
    for name, frames in (("0", 0), ("1", 1), ("2", 2)):
        head = chunk(b"acTL", struct.pack(">II", frames, 0))
        save(f"frames-{name}-turn-in-first.png", picture(head + chunk(b"fcTL", control), turn + second))
        save(f"frames-{name}-turn-in-second.png", picture(head + chunk(b"fcTL", control), second + turn))
    head = chunk(b"acTL", struct.pack(">II", 1, 0))
    save("frames-default-turn-in-second.png", picture(head, chunk(b"fcTL", control) + turn))
    save("frames-two-heads.png", picture(head + head + chunk(b"fcTL", control), second + turn))


def app1(body, length=None):
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2 if length is None else length) + body


def jpegs():
    plain = jpeg()
    at = plain.index(b"\xff\xdb")
    no_jfif = plain[:2] + plain[at:]
    packet = b"http://ns.adobe.com/xap/1.0/\0"
    no_tag = EXIF + b"II*\0\x08\0\0\0\0\0\0\0\0\0"
    for name, parts in {
        "xmp-element": [packet + element(6)], "xmp-last": [packet + attribute(6), packet + attribute(8)],
        "xmp-last-without": [packet + attribute(6), packet + b"<x/>"], "xmp-none": [packet],
        "exif-then-xmp": [EXIF + exif(3), packet + attribute(6)], "xmp-then-exif": [packet + attribute(6), EXIF + exif(3)],
        "exif-without-tag": [no_tag, packet + attribute(6)], "exif-empty": [EXIF, packet + attribute(6)],
        "exif-split": [EXIF + exif(6)[:15], EXIF + exif(6)[15:]], "exif-twice": [EXIF + exif(6), EXIF + exif(3)],
        "exif-prefixed": [EXIF * 2 + exif(6)], "exif-broken-then-xmp": [EXIF + b"JUNK" + bytes(9), packet + attribute(6)],
        "exif-short-then-xmp": [EXIF + b"II*\0", packet + attribute(6)],
        "exif-swapped-version": [EXIF + b"II\0*" + exif(6)[4:]],
        "exif-lower-case": [b"exif\0\0" + exif(6)], "xmp-other": [b"http://ns.adobe.com/xmp/extension/\0" + attribute(6)],
    }.items():
        save(f"app1-{name}.jpg", no_jfif[:2] + b"".join(map(app1, parts)) + no_jfif[2:])
    save("app1-after-frame.jpg", no_jfif[:base.sof(no_jfif)] + app1(EXIF + exif(6)) + no_jfif[base.sof(no_jfif):])
    scan = base.scans(no_jfif)[0]
    save("app1-before-scan.jpg", no_jfif[:scan] + app1(EXIF + exif(8)) + no_jfif[scan:])
    two = jpeg(progressive=True)
    scan = base.scans(two)[1]
    save("app1-behind-scan.jpg", two[:scan] + app1(EXIF + exif(8)) + two[scan:])
    save("app2-exif.jpg", no_jfif[:2] + b"\xff\xe2" + app1(EXIF + exif(6))[2:] + no_jfif[2:])


if __name__ == "__main__":
    os.makedirs(os.path.join(base.OUT, "metadata"), exist_ok=True)
    for part in (raw_profiles, xmp_packets, streams, precedence, animations, jpegs):
        part()
    base.given("metadata/orientation-ztxt-exif-6.png")
    base.given("metadata/orientation-itxt-xmp-compressed-6.png")
    base.write("metadata.json")
