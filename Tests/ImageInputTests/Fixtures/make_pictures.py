"""Writes pictures/ (odd and broken pictures) and expected.json (what Pillow makes of them).

Run with Pillow 13 and numpy: python make_pictures.py

A result is "WxH:" and the 64-bit FNV-1a of the RGB bytes in hexadecimal. Where the service departs from Pillow on
purpose (16-bit grey, errors instead of grey filler), the expectation is computed or stated here.
"""
import io
import json
import os
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "pictures")
warnings.simplefilter("ignore")
expected = []


def fnv1a64(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def described(im):
    return f"{im.width}x{im.height}:{fnv1a64(im.tobytes())}"


def results(data, source=None):
    """The four results by Pillow; `source` stands in for the opened file where Pillow isn't followed."""
    def opened():
        im = source() if source else Image.open(io.BytesIO(data))
        im.load()  # Chunks after the pixels are read only now.
        return im

    def over(im, colour):
        if im.mode in ("RGBA", "LA", "PA") or "transparency" in im.info:
            im = im.convert("RGBA")
            im = Image.alpha_composite(Image.new("RGBA", im.size, colour), im)
        return im.convert("RGB")

    white, black = (255, 255, 255, 255), (0, 0, 0, 255)
    return {
        "default": described(over(ImageOps.exif_transpose(opened()), white)),
        "exif=ignore": described(over(opened(), white)),
        "alpha=drop": described(ImageOps.exif_transpose(opened()).convert("RGB")),
        "alpha=black": described(over(ImageOps.exif_transpose(opened()), black)),
    }


def good(name, data, source=None):
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(data)
    try:
        im = Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        im = source()
    expected.append({"file": name, "format": im.format.lower().replace("mpo", "jpeg"), "width": im.width,
                     "height": im.height, "results": results(data, source)})


def given(name):
    """A file of `pictures` that no script makes."""
    with open(os.path.join(OUT, name), "rb") as f:
        good(name, f.read())


def bad(name, data, error):
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(data)
    expected.append({"file": name, "error": error})


def field(height, width, channels, seed):
    """Smooth waves with grain and a hard edge, uint8 (H, W, C)."""
    g = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    out = np.zeros((height, width, channels))
    for c in range(channels):
        p = g.uniform(-1, 1, 4)
        out[..., c] = 127 + 90 * np.sin(p[0] * x / 4 + p[1] * y / 4 + c) + 60 * (p[2] * x + p[3] * y > 3)
    return np.clip(out + g.normal(0, 8, out.shape), 0, 255).astype(np.uint8)


RGB = Image.fromarray(field(43, 61, 3, 1))


def jpeg(im=RGB, **options):
    f = io.BytesIO()
    im.save(f, "JPEG", **({"quality": 85} | options))
    return f.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows, width, height, depth, kind, before=b"", after=b"", interlace=0):
    """A PNG from unfiltered packed rows (a list of bytes; with interlace the rows of all passes in turn)."""
    ihdr = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace)
    data = zlib.compress(b"".join(b"\0" + r for r in rows), 9)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + before + chunk(b"IDAT", data) + after
            + chunk(b"IEND", b""))


def packed(samples, depth):
    """Rows of samples (H, W) or (H, W, C) at `depth` bits, most significant bit first."""
    rows = []
    for row in samples.reshape(samples.shape[0], -1):
        if depth == 16:
            rows.append(row.astype(">u2").tobytes())
        else:
            bits = ((row[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8)
            rows.append(np.packbits(bits.ravel()).tobytes())
    return rows


def adam7(samples, depth):
    rows = []
    for y0, x0, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
                           (1, 0, 2, 1)):
        part = samples[y0::dy, x0::dx]
        if part.size:
            rows += packed(part, depth)
    return rows


def exif(orientation, endian="<", kind=3):
    e = endian
    value = struct.pack(e + "HH", orientation, 0) if kind == 3 else struct.pack(e + "I", orientation)
    head = (b"II" if e == "<" else b"MM") + struct.pack(e + "HI", 42, 8)
    make = struct.pack(e + "HHI", 0x10F, 2, 4) + b"abc\0"
    return head + struct.pack(e + "H", 2) + make + struct.pack(e + "HHI", 274, kind, 1) + value + bytes(4)


def sof(data):
    """Offset of the frame header's marker."""
    at = 2
    while data[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
    return at


def scans(data):
    """Offsets of all SOS markers."""
    return [i for i in range(len(data) - 1) if data[i] == 0xFF and data[i + 1] == 0xDA]


def jpegs():
    for name, s in (("444", 0), ("422", 1), ("420", 2)):
        good(f"jpeg-{name}.jpg", jpeg(subsampling=s))
    upright = jpeg(Image.fromarray(field(64, 64, 3, 2)), subsampling=1)
    at = sof(upright) + 11
    good("jpeg-440.jpg", upright[:at] + b"\x12" + upright[at + 1:])
    good("jpeg-rgb.jpg", jpeg(keep_rgb=True))
    good("jpeg-grey.jpg", jpeg(RGB.convert("L")))
    good("jpeg-progressive.jpg", jpeg(progressive=True))
    good("jpeg-progressive-grey.jpg", jpeg(RGB.convert("L"), progressive=True))
    good("jpeg-restarts.jpg", jpeg(restart_marker_blocks=3))
    good("jpeg-1x1.jpg", jpeg(RGB.crop((5, 5, 6, 6))))
    good("jpeg-1x300.jpg", jpeg(Image.fromarray(field(300, 1, 3, 3))))
    cmyk = jpeg(Image.fromarray(field(43, 61, 4, 4), "CMYK"))
    good("jpeg-cmyk-adobe.jpg", cmyk)
    at = cmyk.index(b"\xff\xee\x00\x0eAdobe")
    good("jpeg-ycck.jpg", cmyk[:at + 15] + b"\x02" + cmyk[at + 16:])
    good("jpeg-cmyk-plain.jpg", cmyk[:at] + cmyk[at + 16:])
    good("jpeg-cmyk-progressive.jpg", jpeg(Image.fromarray(field(43, 61, 4, 5), "CMYK"), progressive=True))
    good("called.png", jpeg(quality=60))


def orientations():
    for o in range(0, 10):
        good(f"exif-{o}.jpg", jpeg(exif=b"Exif\0\0" + exif(o, "<" if o % 2 else ">")))
    good("exif-long.jpg", jpeg(exif=b"Exif\0\0" + exif(6, ">", 4)))
    for name, garbage in (("short", b"II*\0"), ("loop", b"II*\0\xff\xff\xff\xff"), ("noise", bytes(range(64))),
                          ("count", b"MM\0*\0\0\0\x08\xff\xff" + bytes(20))):
        data = jpeg(exif=b"Exif\0\0" + garbage)
        upright = Image.open(io.BytesIO(jpeg()))
        good(f"exif-garbage-{name}.jpg", data, lambda: upright)
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    plain = jpeg()
    good("xmp-6.jpg", plain[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + plain[2:])
    rows = packed(field(9, 14, 3, 6), 8)
    good("exif-5.png", png(rows, 14, 9, 8, 2, before=chunk(b"eXIf", exif(5))))
    good("exif-8-after.png", png(rows, 14, 9, 8, 2, after=chunk(b"eXIf", exif(8, ">"))))
    text = b"XML:com.adobe.xmp\0\0\0\0\0<tiff:Orientation>3</tiff:Orientation>"
    good("xmp-3.png", png(rows, 14, 9, 8, 2, before=chunk(b"iTXt", text)))


def pngs():
    h, w = 19, 27
    g = np.random.default_rng(7)
    for depth in (1, 2, 4, 8):
        grey = g.integers(0, 1 << depth, (h, w))
        good(f"grey{depth}.png", png(packed(grey, depth), w, h, depth, 0))
        good(f"grey{depth}-key.png", png(packed(grey, depth), w, h, depth, 0, chunk(b"tRNS", b"\0\1")))
        n = 1 << depth
        plte = chunk(b"PLTE", g.integers(0, 256, 3 * n, dtype=np.uint8).tobytes())
        some = chunk(b"tRNS", g.integers(0, 256, max(1, n - 1), dtype=np.uint8).tobytes())
        good(f"palette{depth}.png", png(packed(grey, depth), w, h, depth, 3, plte))
        good(f"palette{depth}-alpha.png", png(packed(grey, depth), w, h, depth, 3, plte + some))
        good(f"palette{depth}-laced.png", png(adam7(grey, depth), w, h, depth, 3, plte + some, interlace=1))
    one = chunk(b"PLTE", bytes(range(30))) + chunk(b"tRNS", b"\xff\xff\0")
    good("palette-one-clear.png", png(packed(g.integers(0, 10, (h, w)), 8), w, h, 8, 3, one))
    good("palette-short.png", png(packed(g.integers(0, 20, (h, w)), 8), w, h, 8, 3, chunk(b"PLTE", bytes(range(30)))))
    for depth in (8, 16):
        for name, kind, channels in (("rgb", 2, 3), ("la", 4, 2), ("rgba", 6, 4)):
            s = g.integers(0, 1 << depth, (h, w, channels))
            good(f"{name}{depth}.png", png(packed(s, depth), w, h, depth, kind))
            good(f"{name}{depth}-laced.png", png(adam7(s, depth), w, h, depth, kind, interlace=1))
    key = g.integers(0, 2, (h, w, 3)) * 255
    good("rgb8-key.png", png(packed(key, 8), w, h, 8, 2, chunk(b"tRNS", b"\0\xff\0\0\0\xff")))
    good("rgb16-key.png", png(packed(key * 257, 16), w, h, 16, 2, chunk(b"tRNS", b"\xff\xff\0\0\xff\xff")))
    deep_grey(h, w, g)
    good("1x1.png", png([b"\x12\x34\x56"], 1, 1, 8, 2))
    good("1x1-laced.png", png([b"\x12\x34\x56"], 1, 1, 8, 2, interlace=1))
    wide = np.repeat(field(1, 200, 3, 8), 100, axis=1)
    good("20000x1.png", png(packed(wide, 8), 20000, 1, 8, 2))
    good("1x20000.png", png(packed(wide.reshape(20000, 1, 3), 8), 1, 20000, 8, 2))
    good("called.jpg", png(packed(field(h, w, 3, 9), 8), w, h, 8, 2))
    cms = chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"cHRM", bytes(32))
    good("gamma.png", png(packed(field(h, w, 3, 9), 8), w, h, 8, 2, cms))


def deep_grey(h, w, g):
    """16-bit grey is scaled by 1/257 and rounded, and its key is the 16-bit sample."""
    s = g.integers(0, 65536, (h, w))
    s[::3] = 0x1234
    eight = ((s + 128) // 257).astype(np.uint8)
    good("grey16.png", png(packed(s, 16), w, h, 16, 0), lambda: Image.fromarray(eight))
    good("grey16-laced.png", png(adam7(s, 16), w, h, 16, 0, interlace=1), lambda: Image.fromarray(eight))
    la = np.stack([eight, np.where(s == 0x1234, 0, 255).astype(np.uint8)], -1)
    good("grey16-key.png", png(packed(s, 16), w, h, 16, 0, chunk(b"tRNS", b"\x12\x34")),
         lambda: Image.fromarray(la, "LA"))


def transparency():
    """tRNS where it doesn't belong, or of another length than it should have; Pillow takes the last one."""
    h, w = 19, 27
    g = np.random.default_rng(11)
    index = g.integers(0, 12, (h, w))
    plte = chunk(b"PLTE", g.integers(0, 256, 36, dtype=np.uint8).tobytes())
    alphas = g.integers(0, 256, (2, 20), dtype=np.uint8)
    first, second = (chunk(b"tRNS", some.tobytes()[:12]) for some in alphas)
    for name, before, after in (
            ("longer", plte + chunk(b"tRNS", alphas[0].tobytes()), b""), ("before", first + plte, b""),
            ("after", plte, first), ("twice", plte + first + second, b""), ("apart", plte + first, second),
            ("around", first + plte + second, b""), ("empty", plte + chunk(b"tRNS", b""), b""),
            ("full", plte + chunk(b"tRNS", alphas.tobytes().ljust(256, b"\7")), b"")):
        good(f"trns-palette-{name}.png", png(packed(index, 8), w, h, 8, 3, before, after))
    good("trns-palette-laced.png", png(adam7(index, 4), w, h, 4, 3, first + plte, second, interlace=1))
    black, white = (chunk(b"tRNS", level * 3) for level in (b"\0\0", b"\0\xff"))
    sharp = np.repeat(g.integers(0, 2, (h, w, 1)) * 255, 3, axis=2)
    keys = {"rgb8": (sharp, 8, 2), "grey8": (sharp[..., 0], 8, 0), "grey1": (sharp[..., 0] // 255, 1, 0)}
    for name, (samples, depth, kind) in keys.items():
        rows = packed(samples, depth)
        good(f"trns-{name}-after.png", png(rows, w, h, depth, kind, b"", white))
        good(f"trns-{name}-twice.png", png(rows, w, h, depth, kind, black + white))
        good(f"trns-{name}-apart.png", png(rows, w, h, depth, kind, white, black))
    rgba = packed(g.integers(0, 256, (h, w, 4)), 8)
    good("trns-rgba8.png", png(rgba, w, h, 8, 6, white, black))
    good("trns-rgba8-sum.png", png(rgba, w, h, 8, 6, b"", black[:-1] + b"?"))
    rows = packed(sharp, 8)
    for name, kind, some in (("palette", 3, index), ("rgb8", 2, sharp), ("grey8", 0, sharp[..., 0])):
        start = plte if kind == 3 else b""
        bad(f"trns-{name}-sum.png", png(packed(some, 8), w, h, 8, kind, start + first[:-1] + b"?"), "undecodable")
    bad("trns-sum-after.png", png(rows, w, h, 8, 2, b"", black[:-1] + b"?"), "undecodable")
    bad("trns-rgb8-short.png", png(rows, w, h, 8, 2, chunk(b"tRNS", bytes(5))), "undecodable")
    bad("trns-rgb8-short-after.png", png(rows, w, h, 8, 2, b"", chunk(b"tRNS", bytes(5))), "undecodable")
    bad("trns-grey8-short.png", png(packed(sharp[..., 0], 8), w, h, 8, 0, chunk(b"tRNS", b"\0")), "undecodable")
    bad("trns-palette-257.png", png(packed(index, 8), w, h, 8, 3, plte + chunk(b"tRNS", bytes(257))), "undecodable")


def suggestions():
    """Palettes of pictures that have their colours in their samples; they touch no pixel."""
    h, w = 19, 27
    g = np.random.default_rng(12)
    some, odd, empty = (chunk(b"PLTE", bytes(range(count))) for count in (30, 29, 0))
    long = chunk(b"PLTE", bytes(3 * 257))
    for name, kind, channels in (("grey", 0, 1), ("rgb", 2, 3), ("la", 4, 2), ("rgba", 6, 4)):
        rows = packed(g.integers(0, 256, (h, w, channels)), 8)
        for what, before in (("plain", some), ("odd", odd), ("empty", empty), ("long", long), ("twice", some + some)):
            good(f"suggested-{name}-{what}.png", png(rows, w, h, 8, kind, before))
    rows = adam7(g.integers(0, 256, (h, w, 4)), 8)
    good("suggested-rgba-laced.png", png(rows, w, h, 8, 6, empty, interlace=1))
    index = packed(g.integers(0, 12, (h, w)), 8)
    for what, before in (("none", b""), ("odd", odd), ("empty", empty)):
        bad(f"palette-{what}.png", png(index, w, h, 8, 3, before), "undecodable")


def lenient():
    """Ends that are missing or followed by something."""
    for name, data in (("baseline", jpeg()), ("progressive", jpeg(progressive=True)),
                       ("cmyk", jpeg(Image.fromarray(field(43, 61, 4, 4), "CMYK")))):
        whole = Image.open(io.BytesIO(data))
        whole.load()
        good(f"jpeg-no-eoi-{name}.jpg", data[:-2], lambda: whole)
        good(f"jpeg-trailing-{name}.jpg", data + bytes(range(256)) * 2)
        good(f"jpeg-padded-{name}.jpg", data[:-2] + bytes(9) + data[-2:])
    p = png(packed(field(19, 27, 3, 9), 8), 27, 19, 8, 2)
    whole = Image.open(io.BytesIO(p))
    whole.load()
    good("no-iend.png", p[:-12], lambda: whole)
    good("trailing.png", p + bytes(range(256)))
    prog = jpeg(progressive=True)
    first = scans(prog)[0]
    end = prog.index(b"\xff\xc4", first)
    good("scans-70.jpg", prog[:end] + prog[first:end] * 60 + prog[end:])
    bad("scans-over.jpg", prog[:end] + prog[first:end] * 95 + prog[end:], "scans")


def broken_jpegs():
    base, prog = jpeg(quality=95), jpeg(progressive=True)
    for name, data in (("baseline", base), ("progressive", prog), ("restarts", jpeg(restart_marker_blocks=3))):
        bad(f"jpeg-cut-{name}.jpg", data[:len(data) * 2 // 3], "undecodable")
    bad("jpeg-cut-entropy.jpg", base[:-40], "undecodable")
    bad("jpeg-cut-early-eoi.jpg", base[:-40] + b"\xff\xd9", "undecodable")
    bad("jpeg-cut-between-scans.jpg", prog[:scans(prog)[-1]], "undecodable")
    bad("jpeg-cut-header.jpg", base[:200], "undecodable")
    bad("jpeg-cut-at-sos.jpg", base[:scans(base)[0]], "undecodable")
    bad("jpeg-only-soi.jpg", b"\xff\xd8\xff", "undecodable")
    at = scans(base)[0] + 300
    bad("jpeg-bad-code.jpg", base[:at] + b"\xff\x00" * 30 + base[at + 60:], "undecodable")
    r = jpeg(restart_marker_blocks=3)
    at = r.index(b"\xff\xd2")
    bad("jpeg-lost-restart.jpg", r[:at] + r[at + 2:], "undecodable")
    at = sof(base)
    bad("jpeg-zero-height.jpg", base[:at + 5] + b"\0\0" + base[at + 7:], "undecodable")
    bad("jpeg-60000.jpg", base[:at + 5] + struct.pack(">HH", 60000, 60000) + base[at + 9:], "pixels")
    bad("jpeg-12-bit.jpg", base[:at + 4] + b"\x0c" + base[at + 5:], "undecodable")
    two = base[:at + 2] + struct.pack(">HBHHB", 14, 8, 43, 61, 2) + base[at + 10:at + 16] + base[at + 19:]
    bad("jpeg-two-components.jpg", two, "undecodable")
    bad("jpeg-first-scan-only.jpg", prog[:scans(prog)[1]] + b"\xff\xd9", "undecodable")


def broken_pngs():
    p = png(packed(field(19, 27, 3, 9), 8), 27, 19, 8, 2)
    head, idat = p[:33], p.index(b"IDAT")
    length = struct.unpack(">I", p[idat - 4:idat])[0]
    bad("cut.png", p[:len(p) * 2 // 3], "undecodable")
    bad("cut-header.png", p[:20], "undecodable")
    bad("cut-signature.png", p[:6], "undecodable")
    bad("no-idat.png", head + chunk(b"IEND", b""), "undecodable")
    bad("crc-idat.png", p[:idat + 100] + bytes([p[idat + 100] ^ 1]) + p[idat + 101:], "undecodable")
    bad("crc-ihdr.png", p[:29] + bytes([p[29] ^ 1]) + p[30:], "undecodable")
    z = p[idat + 4:idat + 4 + length]
    bad("zlib.png", head + chunk(b"IDAT", z[:99] + bytes([z[99] ^ 0x55, 1, 2, 3]) + z[103:]) + chunk(b"IEND", b""),
        "undecodable")
    bad("idat-short.png", head + chunk(b"IDAT", z[:-30]) + chunk(b"IEND", b""), "undecodable")
    bad("rows-missing.png", png(packed(field(18, 27, 3, 9), 8), 27, 19, 8, 2), "undecodable")
    bad("no-palette.png", png(packed(np.zeros((3, 3), int), 8), 3, 3, 8, 3), "undecodable")
    bad("depth.png", png([bytes(9)] * 3, 3, 3, 4, 2), "undecodable")
    for name, w, h, error in (("zero", 0, 5, "undecodable"), ("huge", 60000, 60000, "pixels"),
                              ("absurd", 0x7FFFFFFF, 0x7FFFFFFF, "pixels"), ("negative", 0x80000000, 1, "undecodable")):
        bad(f"{name}.png", png([bytes(9)] * 3, w, h, 8, 2), error)


def other_formats():
    tiny = RGB.resize((4, 3))
    for kind in ("gif", "webp", "bmp", "tiff"):
        f = io.BytesIO()
        tiny.save(f, kind.upper())
        bad(f"other.{kind}", f.getvalue(), "unsupported")
    for brand in ("heic", "mif1", "avif"):
        bad(f"other-{brand}.bin", b"\0\0\0\x18ftyp" + brand.encode() + bytes(16), "unsupported")
    bad("empty.bin", b"", "unsupported")
    bad("text.bin", b"this is not a picture", "unsupported")
    bad("one-byte.bin", b"\xff", "unsupported")


def write(table):
    with open(os.path.join(HERE, table), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(e) for e in expected) + "\n]\n")


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    for part in (jpegs, orientations, pngs, transparency, suggestions, lenient, broken_jpegs, broken_pngs, other_formats):
        part()
    write("expected.json")
