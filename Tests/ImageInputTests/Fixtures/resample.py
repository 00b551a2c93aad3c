"""Writes resample.tsv: per size, FNV-1a 64 of the recipe picture "pre{h}x{w}" (seed 0) and of Pillow's resize of its
shorter edge to 256 with torchvision's centre crop, bicubic and bilinear.

Run with Pillow 13 and numpy: python resample.py
"""
import os
import sys

import numpy as np
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../reference"))
import recipe  # noqa: E402

GOLDEN = [(300, 451), (683, 1024), (180, 200), (256, 256), (257, 256), (2000, 64), (64, 2000), (1, 1)]
EXTREME = [(3, 2000), (2000, 3), (256, 257), (255, 256), (1, 2), (2, 1), (1, 700), (700, 1), (256, 1024), (1024, 256),
           (257, 257), (512, 512), (511, 513)]


def fnv1a64(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def prepared(im, f):
    w, h = im.size
    nw, nh = (256, int(256 * h / w)) if w <= h else (int(256 * w / h), 256)
    r = im if (nw, nh) == (w, h) else im.resize((nw, nh), f)
    left, top = int(round((nw - 256) / 2.0)), int(round((nh - 256) / 2.0))
    return r.crop((left, top, left + 256, top + 256)).tobytes()


if __name__ == "__main__":
    g = np.random.default_rng(0)
    sizes = np.exp(g.uniform(0, np.log(500), (200, 2))).round().astype(int).tolist()
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "resample.tsv"), "w") as out:
        out.write("height\twidth\timage\tbicubic\tbilinear\n")
        for h, w in GOLDEN + EXTREME + sizes:
            a = recipe.image(f"pre{h}x{w}", h, w, 0)
            im = Image.fromarray(a)
            sums = [fnv1a64(b) for b in (a.tobytes(), prepared(im, Image.BICUBIC), prepared(im, Image.BILINEAR))]
            out.write("\t".join([str(h), str(w)] + sums) + "\n")
