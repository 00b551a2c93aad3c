"""PNG by libpng, as the product has it, beside libspng and libdeflate; JPEG and resampling for scale; and what share of
a request each is.

    python Benchmarks/picture_codecs.py [--rounds 60] [--encode 80] [--decode 500] [--cores 2] [--compiler clang]
                                       [--json FILE]

Needs pillow, and of Debian's packages libpng-dev, libjpeg-dev, zlib1g-dev, libspng-dev, libdeflate-dev. Builds
picture_codecs.c with the product's own sources and flags. Pictures: docs/chelsea.jpg (256x256), astronaut.jpg of the
tests (512x512), and a mosaic of their photographs (2048x2048), from which is resampled to 256x256. The rivals:

    ours        png.c: libpng, level 3, runs only, Paeth in every row
    libspng     the same settings, over the same zlib
    libdeflate  level 1; Paeth filter, its inverse in SSE2, and container by hand

Encoders' files are read by all decoders and by Pillow, and compared with the picture. Times are of the thread's
processor time, the rivals taking turns: median, minimum and quartiles in ms. --encode and --decode are the engine's ms
for one image, on --cores cores. A request alone takes that plus its codecs' time; under load, where codecs take the
cores from the engine, it takes that times the cores, plus its codecs' time. A rival is worth a change if it takes a
tenth off either.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from collections import defaultdict

from PIL import Image

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
PHOTOGRAPHS = os.path.join(ROOT, "Tests/TrainingTests/Fixtures/photographs")
RIVALS = ["ours", "libspng", "libdeflate"]
WORTHWHILE = 0.1


def photograph(name, side=512):
    image = Image.open(os.path.join(PHOTOGRAPHS, name + ".jpg")).convert("RGB")
    short = min(image.size)
    left, top = ((edge - short) // 2 for edge in image.size)
    return image.crop((left, top, left + short, top + short)).resize((side, side), Image.BICUBIC)


def pictures():
    tiles = [photograph(name) for name in ("astronaut", "coffee", "rocket")]
    mosaic = Image.new("RGB", (2048, 2048))
    for i in range(16):
        mosaic.paste(tiles[i % 3].rotate(90 * (i // 3 % 4)), (i % 4 * 512, i // 4 * 512))
    return {256: Image.open(os.path.join(ROOT, "docs/chelsea.jpg")).convert("RGB"), 512: tiles[0], 2048: mosaic}


def build(compiler, folder):
    sources = [os.path.join(ROOT, "Sources/CCodecs", name + ".c") for name in ("png", "png_plain", "jpeg", "resample")]
    binary = os.path.join(folder, "codecs")
    subprocess.run([compiler, "-O3", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-ffp-contract=off",
                    "-I", os.path.join(ROOT, "Sources/CCodecs/include"), "-o", binary,
                    os.path.join(ROOT, "Benchmarks/picture_codecs.c"), *sources,
                    "-lpng", "-ljpeg", "-lspng", "-ldeflate", "-lz", "-lm"], check=True)
    return binary


def measure(binary, image, rounds, folder):
    """{(operation, rival): [ms]}, {file: bytes}"""
    side = image.width
    at = {kind: os.path.join(folder, f"{side}.{kind}") for kind in ("rgb", "png", "jpg")}
    with open(at["rgb"], "wb") as raw:
        raw.write(image.tobytes())
    image.save(at["png"])
    image.save(at["jpg"], quality=90)
    lines = subprocess.run([binary, str(side), str(side), at["rgb"], at["png"], at["jpg"], str(rounds),
                            str(256 if side > 256 else 0), folder],
                           check=True, stdout=subprocess.PIPE, text=True).stdout
    times = defaultdict(list)
    for operation, rival, nanoseconds in map(str.split, lines.splitlines()):
        times[operation, rival].append(int(nanoseconds) / 1e6)
    sizes = {"Pillow's PNG": os.path.getsize(at["png"]), "JPEG, quality 90": os.path.getsize(at["jpg"])}
    for rival in RIVALS:
        path = os.path.join(folder, rival + ".png")
        sizes[rival] = os.path.getsize(path)
        if Image.open(path).convert("RGB").tobytes() != image.tobytes():
            raise SystemExit(f"Pillow reads another picture from {rival}'s file")
    return times, sizes


def row(side, operation, rival, times, ours):
    low, middle, high = statistics.quantiles(times, n=4)
    return {"side": side, "operation": operation, "rival": rival, "median": middle, "minimum": min(times),
            "quartiles": [low, high], "ratio": statistics.median(o / t for o, t in zip(ours, times))}


def shares(rows, a):
    """What codecs take of a request, and what the fastest rival would take off it."""
    found = {(r["side"], r["operation"], r["rival"]): r["median"] for r in rows}
    for side in (256, 512, 2048):
        resampling = found.get((side, "resample", "ours"), 0)
        verdict(f"encode of a {side}x{side} JPEG", [found[side, "jpeg", "ours"]], resampling, a.encode, a.cores)
        times = [found[side, "decode-theirs", rival] for rival in RIVALS]
        verdict(f"encode of a {side}x{side} PNG", times, resampling, a.encode, a.cores)
    for side in (256, 512):
        times = [found[side, "encode", rival] for rival in RIVALS]
        verdict(f"decode to a {side}x{side} PNG", times, 0, a.decode, a.cores)
    # Codecs' time goes with the pixels, the engine's doesn't.
    saved = (times := [found[2048, "decode-theirs", rival] for rival in RIVALS])[0] - min(times)
    gain = (saved - WORTHWHILE * (times[0] + resampling)) / (2048 * 2048 / 1e6)
    for name, engine in (("alone", a.encode), ("under load", a.encode * a.cores)):
        if gain > 0:
            print(f"{name}, a rival is worthwhile for encodes of PNGs from {WORTHWHILE * engine / gain:.1f} "
                  "megapixels on")


def verdict(name, times, rest, engine, cores):
    """times: ms of the codec in question, the product's first; rest: of what comes with it"""
    fastest = min(times)
    told = []
    for way, whole in (("alone", engine), ("under load", engine * cores)):
        whole += times[0] + rest
        told.append(f"{way} codecs are {(times[0] + rest) / whole:.1%}")
        if len(times) > 1:
            saved = (times[0] - fastest) / whole
            told[-1] += f", {RIVALS[times.index(fastest)]} takes off {saved:.1%}"
            told[-1] += " (worthwhile)" * (saved >= WORTHWHILE)
    print(f"{name}: " + "; ".join(told))


def main():
    a = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    a.add_argument("--rounds", type=int, default=60,
                   help="at 256x256; a quarter at 512x512, a sixteenth at 2048x2048, but 5")
    a.add_argument("--encode", type=float, default=80, help="the engine's ms for one image (SFTok-B, int8)")
    a.add_argument("--decode", type=float, default=500, help="the engine's ms for one image (ReVQ, bf16)")
    a.add_argument("--cores", type=int, default=2)
    a.add_argument("--compiler", default="clang" if shutil.which("clang") else "cc")
    a.add_argument("--json")
    a = a.parse_args()
    rows, files = [], {}
    with tempfile.TemporaryDirectory() as folder:
        binary = build(a.compiler, folder)
        for (side, image), part in zip(pictures().items(), (1, 4, 16)):
            times, files[side] = measure(binary, image, max(5, a.rounds // part), folder)
            by_rival = sorted(times.items(), key=lambda item: (item[0][0], RIVALS.index(item[0][1])))
            for (operation, rival), runs in by_rival:
                rows.append(row(side, operation, rival, runs, times[operation, "ours"]))
                print("{side} {operation} {rival}: {median:.2f} ms (minimum {minimum:.2f}, "
                      "quartiles {quartiles[0]:.2f} to {quartiles[1]:.2f}), "
                      "ours / it {ratio:.2f}".format(**rows[-1]), flush=True)
            print(f"{side} bytes: " + ", ".join(f"{name} {size:,}" for name, size in files[side].items()))
    shares(rows, a)
    if a.json:
        with open(a.json, "w") as out:
            json.dump({"rows": rows, "bytes": files}, out, indent=2)


if __name__ == "__main__":
    main()
