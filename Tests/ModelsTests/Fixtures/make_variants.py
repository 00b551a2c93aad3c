"""Writes dcae-variants.safetensors: small DC-AE networks of every kind of block, with what the reference computes.

    python make_variants.py      (needs torch, numpy, safetensors)

Each variant is a prefix with weights (`NAME.encoder.…`, `NAME.decoder.…`), an image (size, size, 3), its latent and the
decoder's output for that latent.
"""
import os
import sys

import numpy as np
import torch
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../../reference"))
import goldens  # noqa: E402
import recipe  # noqa: E402
import revq  # noqa: E402

SIZE, LATENT = 32, 8


def shapes(channels, kinds, strided, interpolate, first_down):
    """Names and shapes; `first_down`: layers_per_block[0] is 0, so conv_in and conv_out change the resolution."""
    s, factor = {}, lambda plain, shuffled, flag: plain if flag else shuffled

    def conv(name, o, i):
        s[name + ".weight"], s[name + ".bias"] = (o, i, 3, 3), (o,)

    n = len(channels)
    begin = 1 if first_down else 0
    if first_down:
        conv("encoder.conv_in.conv", factor(channels[1], channels[1] // 4, strided), 3)
    else:
        conv("encoder.conv_in", channels[0], 3)
    for i in range(begin, n):
        s.update(goldens.block_shapes(f"encoder.down_blocks.{i}.0", channels[i], kinds[i]))
        if i < n - 1:
            conv(f"encoder.down_blocks.{i}.1.conv", factor(channels[i + 1], channels[i + 1] // 4, strided), channels[i])
    conv("encoder.conv_out", LATENT, channels[-1])
    conv("decoder.conv_in", channels[-1], LATENT)
    for i in range(begin, n):
        j = 0
        if i < n - 1:
            conv(f"decoder.up_blocks.{i}.0.conv", factor(channels[i], channels[i] * 4, interpolate), channels[i + 1])
            j = 1
        s.update(goldens.block_shapes(f"decoder.up_blocks.{i}.{j}", channels[i], kinds[i]))
    c = channels[begin]
    s["decoder.norm_out.weight"] = s["decoder.norm_out.bias"] = (c,)
    if first_down:
        conv("decoder.conv_out.conv", factor(3, 12, interpolate), c)
    else:
        conv("decoder.conv_out", 3, c)
    return s


VARIANTS = {
    "shuffle": dict(channels=(8, 16, 32, 32), kinds=("res", "res", "vit", "vit"), strided=False, interpolate=False, first_down=True),
    "mixed": dict(channels=(8, 32, 32), kinds=("res", "vit", "res"), strided=True, interpolate=False, first_down=False),
    "first": dict(channels=(8, 16, 32, 64), kinds=("res", "res", "res", "vit"), strided=True, interpolate=True, first_down=True),
}

if __name__ == "__main__":
    torch.set_grad_enabled(False)
    out = {}
    for name, v in VARIANTS.items():
        P = {k: torch.from_numpy(recipe.tensor(f"{name}.{k}", s)) for k, s in shapes(**v).items()}
        image = recipe.image(name, SIZE, SIZE)
        x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 * 2 - 1
        z = revq.dcae_encode(x, P, strided=v["strided"])
        y = revq.dcae_decode(z, P, interpolate=v["interpolate"])
        out.update({f"{name}.{k}": t for k, t in P.items()})
        out.update({f"{name}.image": torch.from_numpy(np.ascontiguousarray(image)), f"{name}.latent": z[0].contiguous(),
                    f"{name}.pixels": y[0].contiguous()})
        print(name, tuple(z.shape), tuple(y.shape))
    save_file(out, os.path.join(HERE, "dcae-variants.safetensors"))
