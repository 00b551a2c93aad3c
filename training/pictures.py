"""Crops of photographs, the held-out squares, and PSNR."""
import glob
import os
import random

import numpy as np
import torch
from PIL import Image

Image.MAX_IMAGE_PIXELS = None


def pyramid(folder, smallest=200, step=1.6):
    """Every photograph at scales down to a shorter edge of about 320 pixels: uint8 (H, W, 3) arrays, and their odds."""
    levels = []
    for path in sorted(glob.glob(os.path.join(folder, "*"))):
        image = Image.open(path).convert("RGB")
        while min(image.size) >= smallest:
            levels.append(np.asarray(image))
            if min(image.size) < 520:
                break
            image = image.resize((int(image.width / step), int(image.height / step)), Image.LANCZOS)
    odds = np.array([a.shape[0] * a.shape[1] for a in levels]) ** 0.5
    return levels, odds / odds.sum()


def crops(levels, odds, count, size):
    """(count, 3, size, size) in [-1, 1], half of them mirrored."""
    out = np.empty((count, size, size, 3), np.uint8)
    for i in range(count):
        a = levels[np.random.choice(len(levels), p=odds)]
        y, x = random.randint(0, a.shape[0] - size), random.randint(0, a.shape[1] - size)
        crop = a[y:y + size, x:x + size]
        out[i] = crop[:, ::-1] if random.random() < 0.5 else crop
    return torch.from_numpy(out).permute(0, 3, 1, 2).float() / 127.5 - 1


def heldout(folder):
    """(N, 3, 256, 256) in [-1, 1]."""
    paths = sorted(glob.glob(os.path.join(folder, "*")))
    out = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
    return torch.from_numpy(out).permute(0, 3, 1, 2).float() / 127.5 - 1


def psnr(x, y):
    """Per image in dB, for images in [-1, 1], after rounding to 8 bits."""
    def samples(v):
        return torch.round((v.clamp(-1, 1) + 1) * 127.5)
    return 10 * torch.log10(255 ** 2 / (samples(x) - samples(y)).pow(2).mean((1, 2, 3)))
