"""Writes gradients.safetensors: what PyTorch computes where the Swift code learns.

    python make_gradients.py      (needs torch, numpy, safetensors, diffusers)

Inputs and weights are the recipe's (reference/recipe.py), which the tests know too; only results are stored. All is
worked out in float64 (but for what diffusers itself does in float32) and stored as float32:

- single layers (`silu`, `gated`, `rms`, `depthwise3`, `depthwise5`, `attention40`, `attention9`, `convolution`);
- rectifiers (`small`, `linear`, `heads`): result, loss, gradient of every parameter;
- codebooks (`separate`, `shared`): ids, loss, gradient;
- AdamW with clipping: parameters after each step;
- training curves (`separate`, `shared`): both losses at each step.
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import SanaMultiscaleLinearAttention
from diffusers.models.autoencoders.autoencoder_dc import Decoder
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../../reference"))
import recipe  # noqa: E402

OUT = {}


def given(name, *shape, spread=1.0):
    x = recipe.uniform(name, int(np.prod(shape))) * np.float32(spread)
    return torch.from_numpy(x.reshape(shape)).double().requires_grad_()


def pixels_first(x):
    """(1, C, H, W) as (H, W, C)."""
    return x[0].movedim(0, -1)


def channels_first(x):
    return x.movedim(-1, 0)[None]


def keep(prefix, **results):
    for name, x in results.items():
        OUT[f"{prefix}.{name}"] = x.detach().float().contiguous()


def layers():
    x, dy = given("silu.x", 37, spread=8), given("silu.dy", 37)
    keep("silu", dx=torch.autograd.grad(F.silu(x), x, dy)[0])

    x, dy = given("gated.x", 5, 38, spread=4), given("gated.dy", 5, 19)
    a, b = x.chunk(2, -1)
    keep("gated", dx=torch.autograd.grad(a * F.silu(b), x, dy)[0])

    x, dy, gain, bias = given("rms.x", 7, 37, spread=2), given("rms.dy", 7, 37), given("rms.gain", 37), given("rms.bias", 37)
    dx, dgain, dbias = torch.autograd.grad(F.rms_norm(x, (37,), gain, 1e-5) + bias, (x, gain, bias), dy)
    keep("rms", dx=dx, dgain=dgain, dbias=dbias)

    for size in (3, 5):
        name = f"depthwise{size}"
        x, dy, w = given(name + ".x", 4, 6, 21), given(name + ".dy", 4, 6, 21), given(name + ".w", size, size, 21)
        y = F.conv2d(channels_first(x), w.movedim(-1, 0)[:, None], padding=size // 2, groups=21)
        dx, dw = torch.autograd.grad(pixels_first(y), (x, w), dy)
        keep(name, dx=dx, dw=dw)

    layer = SanaMultiscaleLinearAttention(96, 96, attention_head_dim=32)
    for count, apply in ((40, layer.apply_linear_attention), (9, layer.apply_quadratic_attention)):
        name = f"attention{count}"
        qkv, dy = given(name + ".qkv", count, 3 * 96), given(name + ".dy", count, 96)
        with torch.no_grad():
            qkv[2, :32] = -qkv[2, :32].abs()                # one pixel's queries that ReLU leaves nothing of
        heads = qkv.T.reshape(1, 3, 96, count)
        q, k, v = heads.chunk(3, 2)
        out = apply(q.relu(), k.relu(), v).reshape(96, count).T
        keep(name, out=out, dqkv=torch.autograd.grad(out, qkv, dy.to(out.dtype))[0])

    x, dy = given("convolution.x", 4, 5, 6), given("convolution.dy", 4, 5, 3)
    w, b = given("convolution.w", 3, 3, 3, 6), given("convolution.b", 3)
    y = pixels_first(F.conv2d(channels_first(x), w.movedim(-1, 1), b, padding=1))
    dx, dw, db = torch.autograd.grad(y, (x, w, b), dy)
    keep("convolution", y=y, dx=dx, dw=dw, db=db)


def rectifier(channels, features, count):
    """With the recipe's weights, which are named as in a checkpoint."""
    decoder = Decoder(in_channels=channels, latent_channels=channels, attention_head_dim=32,
                      block_type=("EfficientViTBlock",), block_out_channels=(features,), layers_per_block=(count,),
                      qkv_multiscales=((5,),), norm_type="rms_norm", act_fn="silu", upsample_block_type="interpolate")
    weights = recipe.weights({n: tuple(p.shape) for n, p in decoder.named_parameters()})
    decoder.load_state_dict({n: torch.from_numpy(np.ascontiguousarray(w)) for n, w in weights.items()})
    return decoder.double()


def rectifiers():
    # Up to 32 pixels diffusers takes the quadratic form of attention; `heads` mixes queries, keys and values in a head.
    for name, channels, height, width, features, count in (("small", 4, 6, 5, 32, 2), ("linear", 4, 7, 6, 32, 1),
                                                           ("heads", 8, 5, 7, 64, 1)):
        decoder = rectifier(channels, features, count)
        codes = given(name + ".codes", 1, channels, height, width, spread=2)
        target = given(name + ".target", 1, channels, height, width, spread=2)
        result = decoder(codes)
        loss = F.mse_loss(result, target)
        loss.backward()
        keep(name, result=result[0], loss=loss, **{n: p.grad for n, p in decoder.named_parameters()})


class Quantizer(torch.nn.Module):
    """Token t of a flat latent, its numbers t * d ..< (t + 1) * d, goes to the nearest code of its book, or of the only one."""

    def __init__(self, name, books, codes, d):
        super().__init__()
        self.codes = torch.nn.Parameter(given(name + ".codes", books, codes, d, spread=2))

    def forward(self, x):
        """x (images, tokens, d)."""
        books = self.codes.expand(x.shape[1], -1, -1)
        ids = torch.cdist(x.transpose(0, 1), books).argmin(-1)                      # (tokens, images)
        return torch.gather(books, 1, ids[..., None].expand(-1, -1, x.shape[2])).transpose(0, 1), ids.T


def codebooks():
    for name, books in (("separate", 6), ("shared", 1)):
        quantizer = Quantizer(name, books, 19, 5)
        x = given(name + ".x", 7, 6, 5, spread=2).detach()
        q, ids = quantizer(x)
        loss = F.mse_loss(q, x)
        loss.backward()
        keep(name, loss=loss, gradient=quantizer.codes.grad)
        OUT[name + ".ids"] = ids.reshape(-1).float().contiguous()


def adamw():
    p = torch.nn.Parameter(given("adamw.p", 37))
    optimizer = torch.optim.AdamW([p], lr=0.01, weight_decay=0.1)
    rows = []
    for step in range(8):
        p.grad = given(f"adamw.g{step}", 37, spread=0.25 if step % 2 else 2).detach()
        norm = torch.nn.utils.clip_grad_norm_([p], 1.0)
        assert (norm > 1) == (step % 2 == 0)
        optimizer.param_groups[0]["lr"] = 0.01 * 0.5 ** step
        optimizer.step()
        rows.append(p.detach().clone())
    keep("adamw", parameters=torch.stack(rows))


def curves(steps=30, batch=16, images=40, channels=4, height=6, width=5, d=4, codes=16):
    numbers = channels * height * width
    tokens = numbers // d
    for name, books, clip in (("separate", tokens, 1.0), ("shared", 1, 0.05)):
        data = given("curve.latents", images, channels, height, width, spread=2).detach()
        quantizer, decoder = Quantizer("curve." + name, books, codes, d), rectifier(channels, 32, 1)
        optimizer = torch.optim.AdamW([{"params": quantizer.parameters(), "lr": 0.01, "weight_decay": 0.0},
                                       {"params": decoder.parameters(), "lr": 0.01 * 0.05, "weight_decay": 1e-4}])
        base = [group["lr"] for group in optimizer.param_groups]
        rows, norms = [], []
        for step in range(steps):
            for group, rate in zip(optimizer.param_groups, base):
                group["lr"] = rate * 0.05 ** (step / steps)
            z = data[[(step * 7 + i * 3) % images for i in range(batch)]]
            q = quantizer(z.reshape(batch, tokens, d))[0].reshape(z.shape)
            own, rectified = F.mse_loss(q, z), F.mse_loss(decoder(q.detach()), z)
            optimizer.zero_grad()
            (own + rectified).backward()
            norms.append([float(torch.nn.utils.clip_grad_norm_(m.parameters(), clip)) for m in (quantizer, decoder)])
            optimizer.step()
            rows.append(torch.stack([own, rectified]))
        keep("curve." + name, losses=torch.stack(rows))
        print(name, "losses", rows[0].tolist(), rows[-1].tolist(), "norms", norms[0], norms[-1])


if __name__ == "__main__":
    torch.set_num_threads(1)
    for part in (layers, rectifiers, codebooks, adamw, curves):
        part()
    save_file(OUT, os.path.join(HERE, "gradients.safetensors"))
