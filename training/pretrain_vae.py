"""Pre-trains the small DC-AE (arXiv 2410.10733) that revq-mini stands on.

    python pretrain_vae.py PHOTOGRAPHS OUT [--start FOLDER] [--minutes 50] [--decoder-minutes 0]

PHOTOGRAPHS is what get_photographs.py wrote. OUT receives a diffusers folder, float16.

Two phases, each with its own cosine of the learning rate. In the first, encoder and decoder train together. In the
second, the encoder (and so every latent) stays as it is and only the decoder goes on, on noisier latents: that is what
quantization will hand it.
"""
import argparse
import math
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderDC

from pictures import crops, heldout, psnr, pyramid

SHAPE = dict(
    latent_channels=8, attention_head_dim=32, scaling_factor=1.0,
    encoder_block_types=("ResBlock",) * 3 + ("EfficientViTBlock",) * 2,
    decoder_block_types=("ResBlock",) * 3 + ("EfficientViTBlock",) * 2,
    encoder_block_out_channels=(16, 32, 64, 128, 128), decoder_block_out_channels=(16, 32, 64, 128, 128),
    encoder_layers_per_block=(0, 1, 1, 1, 1), decoder_layers_per_block=(0, 1, 2, 2, 2),
    encoder_qkv_multiscales=((), (), (), (5,), (5,)), decoder_qkv_multiscales=((), (), (), (5,), (5,)),
    upsample_block_type="pixel_shuffle", downsample_block_type="conv")
BATCH = 8


def edges(x, y):
    """Mean absolute difference of neighbouring pixels' differences, at full, half and quarter size."""
    total = 0
    for k in (1, 2, 4):
        a, b = (F.avg_pool2d(v, k) if k > 1 else v for v in (x, y))
        for dim in (-1, -2):
            total = total + (a.diff(dim=dim) - b.diff(dim=dim)).abs().mean()
    return total


def noisy(z, deviation):
    return z + deviation * z.detach().std() * torch.randn_like(z)


@torch.no_grad()
def report(model, test, noise):
    model.eval()
    both = []
    for x in test.split(1):
        z = model.encode(x).latent
        both.append([psnr(model.decode(v).sample, x).item() for v in (z, noisy(z, noise))])
    model.train()
    return np.array(both)


def phase(model, parameters, minutes, rate, noise, levels, weight, test, freeze):
    """Trains `parameters` for `minutes`, on crops of 128 pixels, then 192 in the last fifth."""
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.98), weight_decay=1e-3)
    start, shown, step = time.time(), 0.0, 0
    while (progress := (time.time() - start) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 200) * (1 + math.cos(math.pi * progress)) / 2 + 1e-5
        size = 128 if progress < 0.8 else 192
        x = crops(levels, weight, BATCH, size).to(memory_format=torch.channels_last)
        with torch.set_grad_enabled(not freeze):
            z = model.encode(x).latent
        y = model.decode(noisy(z, noise)).sample
        loss = 2 * F.mse_loss(y, x) + 0.5 * F.l1_loss(y, x) + 0.2 * edges(y, x)
        if not freeze:
            loss = loss + 1e-3 * z.pow(2).mean()                    # keeps latents near zero
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        if time.time() - shown > 240 or progress >= 1:
            shown = time.time()
            p = report(model, test, noise)
            print(f"{(time.time() - start) / 60:.1f} min, step {step}, loss {loss.item():.4f}, held-out PSNR "
                  f"{p[:, 0].mean():.2f} dB, lowest {p[:, 0].min():.2f}, with noise of {noise} {p[:, 1].mean():.2f}",
                  flush=True)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("photographs")
    a.add_argument("out")
    a.add_argument("--start", help="a diffusers folder to go on from; random weights without")
    a.add_argument("--minutes", type=float, default=50)
    a.add_argument("--decoder-minutes", type=float, default=0)
    a.add_argument("--rate", type=float, default=2e-3)
    a.add_argument("--noise", type=float, default=0.1, help="of the latents' spread, added before decoding")
    a.add_argument("--decoder-noise", type=float, default=0.15)
    a = a.parse_args()
    torch.manual_seed(0), random.seed(0), np.random.seed(0)
    levels, weight = pyramid(os.path.join(a.photographs, "train"))
    test = heldout(os.path.join(a.photographs, "heldout"))
    model = AutoencoderDC.from_pretrained(a.start, torch_dtype=torch.float32) if a.start else AutoencoderDC(**SHAPE)
    model = model.train().to(memory_format=torch.channels_last)
    if a.minutes > 0:
        phase(model, list(model.parameters()), a.minutes, a.rate, a.noise, levels, weight, test, freeze=False)
        model.to(torch.float16).save_pretrained(a.out)              # the encoder is final: latents can be made now
        model.to(torch.float32)
    if a.decoder_minutes > 0:
        phase(model, list(model.decoder.parameters()), a.decoder_minutes, a.rate / 2, a.decoder_noise, levels, weight,
              test, freeze=True)
        model.to(torch.float16).save_pretrained(a.out)


if __name__ == "__main__":
    main()
