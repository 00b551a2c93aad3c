"""Writes pictures/forgiven/ (JPEGs with faults that leave every pixel as it is, and such that don't) and forgiven.json.

Run with Pillow 13 and numpy: python make_forgiven.py

Padded files must give the pixels of the file without padding, which is asserted of Pillow here.
"""
import io
import os
import struct

from PIL import Image

import make_pictures as base
from make_pictures import bad, field, jpeg, scans

CMYK = Image.fromarray(field(43, 61, 4, 4), "CMYK")
# Restart markers in each kind of scan.
KINDS = {
    "baseline": jpeg(restart_marker_blocks=3),
    "each-block": jpeg(restart_marker_blocks=1, subsampling=0),
    "rows": jpeg(restart_marker_rows=1),
    "progressive": jpeg(progressive=True, restart_marker_blocks=9),
    "cmyk": jpeg(CMYK, restart_marker_blocks=6),
    "grey": jpeg(base.RGB.convert("L"), restart_marker_blocks=5),
}
PADDING = {
    "ff00": b"\xff\0", "4-ff00": b"\xff\0" * 4, "100-ff00": b"\xff\0" * 100, "zero": b"\0", "9-zeros": bytes(9),
    "300-zeros": bytes(300), "fill": b"\xff" * 7, "mixed": b"\0\xff\0\0\xff\xff\0", "stray": b"\x12\x34\x56",
    "64-stray": bytes(range(1, 65)), "no-marker": b"\x01\xff\x13\x02\x03", "tem": b"\xff\x01",
}


def pixels(data):
    return Image.open(io.BytesIO(data)).convert("RGB").tobytes()


def good(name, data, like=None):
    assert like is None or pixels(data) == pixels(like), name
    base.good(f"forgiven/{name}.jpg", data)


def restarts(data):
    """Offsets of all restart markers in coded data."""
    return [i for i in range(scans(data)[0], len(data) - 1) if data[i] == 0xFF and 0xD0 <= data[i + 1] <= 0xD7]


def insert(data, places, what):
    out, last = b"", 0
    for at in places:
        out, last = out + data[last:at] + what, at
    return out + data[last:]


def padded():
    for kind, data in KINDS.items():
        places = restarts(data)
        assert len(places) > 1, kind
        for name, padding in PADDING.items():
            if kind == "baseline" or name in ("4-ff00", "9-zeros", "stray"):
                some = places[::3] if len(padding) > 50 else places
                good(f"restart-{kind}-{name}", insert(data, some, padding), data)
    # The decoder has read ahead to each of these markers; what it read so is reported at once, at the end.
    flat = jpeg(Image.new("L", (128, 96), 77), restart_marker_blocks=1)
    assert len(restarts(flat)) == 191
    flat = flat[:-2] + bytes(range(1, 21)) + flat[-2:]
    good("restart-flat-2-stray", insert(flat, restarts(flat), b"\x12\x34"), flat)
    for name, data in (("baseline", jpeg()), ("progressive", jpeg(progressive=True))):
        for length, padding in (("zeros", bytes(300)), ("ff00", b"\xff\0" * 80), ("stray", bytes(range(1, 60)))):
            good(f"end-{name}-{length}", insert(data, [len(data) - 2], padding), data)
    prog = jpeg(progressive=True)
    starts = [prog.rindex(b"\xff\xc4", 0, at) for at in scans(prog)[1:6]]
    good("end-restart-baseline", insert(KINDS["baseline"], [len(KINDS["baseline"]) - 2], b"\xff\xd0"), KINDS["baseline"])
    good("scans-restart", insert(prog, starts, b"\xff\xd3"), prog)
    good("scans-zeros", insert(prog, starts, bytes(200)), prog)
    good("scans-stray", insert(prog, starts, bytes(range(1, 60))), prog)


def lost():
    data = KINDS["baseline"]
    places = restarts(data)
    without = [data[:at] + data[at + 2:] for at in places]
    for name, broken in {
        "first": without[0], "last": without[-1],
        "all": b"".join(data[a:b] for a, b in zip([0] + [p + 2 for p in places], places + [len(data)])),
        "swapped": data[:places[0] + 1] + b"\xd1" + data[places[0] + 2:places[1] + 1] + b"\xd0" + data[places[1] + 2:],
        "wrong-number": data[:places[1] + 1] + b"\xd5" + data[places[1] + 2:],
        "doubled": insert(data, [places[1]], data[places[1]:places[1] + 2]),
        "piece": data[:places[0]] + data[places[1]:],
        "padded-then-wrong": data[:places[1]] + bytes(9) + b"\xff\xd5" + data[places[1] + 2:],
        "other-marker": insert(data, [places[1]], b"\xff\xe0"),
        "much-stray": insert(data, [places[1]], bytes(range(1, 201))),
        "cut-piece": data[:places[1] - 9] + data[places[1]:],
    }.items():
        bad(f"forgiven/restart-lost-{name}.jpg", broken, "undecodable")
    stray = insert(data, [places[1]], bytes(range(1, 201)))
    bad("forgiven/restart-lost-much-stray-no-eoi.jpg", stray[:-2], "undecodable")
    each = KINDS["each-block"]
    at = restarts(each)
    bad("forgiven/restart-lost-eight.jpg", each[:at[2]] + each[at[10]:], "undecodable")
    data = jpeg()
    at = len(data) - 2
    for count in (200, 600):
        good(f"end-{count}-stray", data[:at] + bytes(1 + i % 200 for i in range(count)) + data[at:], data)


def segments():
    """A length that is too small leaves bytes of its segment over, one that is too large takes in the next."""
    plain, prog = jpeg(), jpeg(progressive=True)
    inner = bytes(range(1, 30)) + b"\xff\xd0\x05\xff\x00\xff\xd7\x07" + bytes(90)
    for name, marker, length in (("app1-short", 0xE1, 9), ("app1-0", 0xE1, 0), ("app1-1", 0xE1, 1), ("app1-2", 0xE1, 2),
                                 ("app0-short", 0xE0, 16), ("app14-short", 0xEE, 7), ("comment-short", 0xFE, 20),
                                 ("comment-0", 0xFE, 0)):
        segment = bytes([0xFF, marker]) + struct.pack(">H", length) + inner
        good(f"length-{name}", plain[:20] + segment + plain[20:], plain)
    app = b"\xff\xe5" + struct.pack(">H", 7) + bytes(3)
    good("length-long", plain[:20] + app + b"\xff\xe6\0\4\1\2" + plain[20:], plain)
    for i in range(8):
        at = plain.index(b"\xff\xc0")
        if i % 3 == 0:
            good(f"marker-d{i}-in-header", plain[:at] + bytes([0xFF, 0xD0 + i]) + plain[at:], plain)
    at = prog.rindex(b"\xff\xc4", 0, scans(prog)[2])
    segment = b"\xff\xfe" + struct.pack(">H", 20) + bytes(range(1, 220))
    good("length-between-scans", prog[:at] + segment + prog[at:], prog)
    at = plain.index(b"\xff\xdb") + 2
    bad("forgiven/length-of-table.jpg", plain[:at] + b"\0\x20" + plain[at + 2:], "undecodable")


def ends(data):
    """Where each scan ends."""
    starts = scans(data)
    tables = [data.rfind(b"\xff\xc4", a, b) for a, b in zip(starts, starts[1:])]
    return [t if t > 0 else b for t, b in zip(tables, starts[1:])] + [len(data) - 2]


def progressions():
    """Scripts of scans that end early, or in another order. Pillow writes ten: 0 DC; 1 Y 1-5; 2 Cr; 3 Cb; 4 Y 6-63;
    refinements 5 Y; 6 DC; 7 Cr; 8 Cb; 9 Y."""
    for name, im, options in (("444", base.RGB, {"subsampling": 0}), ("grey", base.RGB.convert("L"), {}),
                              ("cmyk", CMYK, {}), ("422", base.RGB, {"subsampling": 1}),
                              ("420", base.RGB, {"subsampling": 2}), ("420-low", base.RGB, {"quality": 40}),
                              ("420-narrow", Image.fromarray(field(70, 9, 3, 10)), {}),
                              ("420-wide", Image.fromarray(field(17, 200, 3, 11)), {"quality": 50}),
                              ("444-two-blocks", Image.fromarray(field(40, 16, 3, 12)), {"subsampling": 0})):
        data = jpeg(im, progressive=True, **options)
        end = ends(data)
        first = len(end) - len(end) // 2  # the first of the refinements
        for count in {"444": range(first, len(end)), "420": range(first, len(end))}.get(name, [first, len(end) - 1]):
            good(f"early-{name}-{count}", data[:end[count - 1]] + b"\xff\xd9")
    data = jpeg(progressive=True, subsampling=0)
    end = ends(data)
    head = data[:end[0]].rindex(b"\xff\xc4", 0, scans(data)[0])
    scan = [data[a:b] for a, b in zip([head] + end, end)]
    head, tail = data[:head], b"\xff\xd9"

    def order(*numbers):
        return head + b"".join(scan[i] for i in numbers) + tail

    assert order(*range(10)) == data
    good("order-ac-first", order(1, 2, 3, 0, 4, 5, 6, 7, 8, 9), data)
    good("order-dc-twice", order(0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), data)
    good("order-ac-twice", order(0, 1, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9), data)
    good("order-refined-early", order(0, 6, 1, 4, 5, 9, 2, 7, 3, 8), data)
    for i in range(6):
        bad(f"forgiven/without-scan-{i}.jpg", order(*[j for j in range(10) if j != i]), "undecodable")
    bad("forgiven/refined-twice.jpg", order(0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9), "undecodable")
    bad("forgiven/early-3.jpg", order(0, 1, 2), "undecodable")
    bad("forgiven/early-4.jpg", order(0, 1, 2, 3), "undecodable")
    bad("forgiven/early-9-no-eoi.jpg", order(*range(9))[:-2], "undecodable")


def odd_headers():
    plain, cmyk = jpeg(keep_rgb=True), jpeg(CMYK)
    at = cmyk.index(b"Adobe") + 11
    good("adobe-transform-7", cmyk[:at] + b"\x07" + cmyk[at + 1:])
    at = jpeg().index(b"JFIF") + 5
    good("jfif-version-9", jpeg()[:at] + b"\x09" + jpeg()[at + 1:], jpeg())
    at = scans(jpeg())[0] + 11
    good("spectral-selection", jpeg()[:at] + b"\x03\x07\x21" + jpeg()[at + 3:], jpeg())
    profile = b"\xff\xe2" + struct.pack(">H", 20) + b"ICC_PROFILE\0\x05\x02" + bytes(4)
    good("icc-numbers", plain[:2] + profile * 2 + plain[2:], plain)


if __name__ == "__main__":
    os.makedirs(os.path.join(base.OUT, "forgiven"), exist_ok=True)
    for part in (padded, lost, segments, progressions, odd_headers):
        part()
    for name in ("restart-plain", "restart-padded-ff00", "header-app1-short-ffd0"):
        base.given(f"forgiven/{name}.jpg")
    base.write("forgiven.json")
