"""Writes quality.json: what torchmetrics and scikit-image say of pairs of pictures made by integer formulas.

Run with torch 2.13, torchmetrics 1.9 and scikit-image 0.26: python make_quality.py

All is computed in float64 from samples divided by 255. "psnr" is scikit-image's, as torchmetrics takes logarithms in
float32 and agrees to 1e-5. "ssim" is torchmetrics' mean over the whole picture, "interior"
scikit-image's, which leaves out 5 samples next to the borders. Pictures.swift makes the same pictures.
"""
import json
import os

import numpy as np
import skimage
import torch
import torchmetrics
from skimage.metrics import peak_signal_noise_ratio as skimage_psnr
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure, peak_signal_noise_ratio, structural_similarity_index_measure)

torch.set_num_threads(1)


def noise(w, h, seed):
    """0..255 from a hash of the place."""
    y, x, c = np.mgrid[0:h, 0:w, 0:3].astype(np.uint64)
    v = ((x * 73856093) ^ (y * 19349663) ^ (c * 83492791) ^ (seed * 40503)) & 0xFFFFFFFF
    v = v ^ (v >> 13)
    v = (v * 1274126177) & 0xFFFFFFFF
    return ((v ^ (v >> 16)) & 255).astype(np.int64)


def waves(w, h):
    """Triangles along both axes and the diagonal, of other periods in each channel."""
    y, x, c = np.mgrid[0:h, 0:w, 0:3]

    def triangle(v, period):
        return np.abs(v % (2 * period) - period) * 255 // period
    return (triangle(x, 23 + 8 * c) + triangle(y, 37 - 5 * c) + triangle(x + 2 * y, 90)) // 3


def first(kind, w, h):
    return {"waves": lambda: waves(w, h), "noise": lambda: noise(w, h, 1),
            "constant": lambda: np.full((h, w, 3), 100)}[kind]()


def changed(a, change):
    h, w, _ = a.shape
    if change == "same":
        return a
    if change == "noisy":
        return np.clip(a + noise(w, h, 2) % 49 - 24, 0, 255)
    if change == "blurred":
        p = np.pad(a, ((1, 1), (1, 1), (0, 0)), mode="edge")
        return sum(p[i:i + h, j:j + w] for i in range(3) for j in range(3)) // 9
    if change == "coarse":
        return a // 32 * 32
    if change == "lighter":
        return a + (255 - a) // 4
    if change == "negative":
        return 255 - a
    if change == "unrelated":
        return noise(w, h, 3)


CASES = [
    (6, 6, "waves", "noisy"), (11, 11, "waves", "coarse"), (16, 16, "noise", "blurred"), (40, 24, "waves", "noisy"),
    (64, 64, "constant", "lighter"), (33, 70, "waves", "same"), (48, 48, "noise", "negative"),
    (175, 180, "waves", "noisy"), (176, 176, "waves", "noisy"), (193, 179, "waves", "blurred"),
    (256, 256, "waves", "same"), (256, 256, "waves", "coarse"), (256, 256, "noise", "blurred"),
    (256, 256, "noise", "noisy"), (256, 256, "constant", "lighter"), (256, 256, "waves", "negative"),
    (256, 256, "waves", "unrelated"),
]


def case(w, h, kind, change):
    a = first(kind, w, h)
    b = changed(a, change)
    assert a.min() >= 0 and a.max() <= 255 and b.min() >= 0 and b.max() <= 255
    a, b = a / 255, b / 255
    x, y = (torch.from_numpy(v).permute(2, 0, 1)[None] for v in (b, a))
    psnr = None
    if change != "same":
        psnr = skimage_psnr(a, b, data_range=1)
        assert abs(psnr - peak_signal_noise_ratio(x, y, data_range=1.0).item()) < 1e-5
    ssim = structural_similarity_index_measure(x, y, data_range=1.0).item()
    interior = None
    if min(w, h) >= 11:
        interior = structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=2)
    try:
        multiscale = multiscale_structural_similarity_index_measure(x, y, data_range=1.0, normalize="relu").item()
    except ValueError:
        multiscale = None
    return dict(width=w, height=h, first=kind, change=change, psnr=psnr, ssim=ssim, interior=interior,
                multiScale=multiscale)


def main():
    print("torch", torch.__version__, "torchmetrics", torchmetrics.__version__, "scikit-image", skimage.__version__)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "quality.json")
    with open(path, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(case(*c)) for c in CASES) + "\n]\n")


main()
