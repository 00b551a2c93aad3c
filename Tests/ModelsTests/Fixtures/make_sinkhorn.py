"""Writes sinkhorn.safetensors: distances, and what SFTok's balanced assignment makes of them, in double precision.

    python make_sinkhorn.py      (needs torch, numpy, safetensors)

Per case `NAME.distances` (vectors, codes), `NAME.probabilities` (each row sums to 1) and `NAME.ids`, and where the vectors
have unit length `NAME.vectors` and `NAME.codes` as well. Every case asserts that the mistakes that it is there for would
show in it: another number of rounds, another temperature or epsilon, the other order of the two divisions, no minimum taken
off, two images balanced together.
"""
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../../reference"))
import sftok  # noqa: E402

# Of the probabilities, relative: the test's bound, and what a mistake must exceed.
BOUND, SHOWS = 1e-4, 1e-3


def sinkhorn(d, rounds=5, epsilon=1e-8, epsilon_of_vectors=1e-8, sharpness=10.0, vectors_first=False, least=None):
    d = d.double()
    q = torch.exp(-sharpness * (d - (d.min() if least is None else least))).T
    q = q / (q.sum() + epsilon)
    for _ in range(rounds):
        for axis in (0, 1) if vectors_first else (1, 0):
            e = epsilon_of_vectors if axis == 0 else epsilon
            q = q / (q.sum(axis, keepdim=True) + e) / q.shape[1 - axis]
    q = q.T
    return q / q.sum(1, keepdim=True)


def differs(p, other):
    return not torch.isfinite(other).all() or ((p - other).abs() / p.clamp(min=1e-12)).max() > SHOWS


def reference_ids(z, codes):
    """The reference's own function on these vectors."""
    width = codes.shape[1]
    P = {"quantize.embedding": codes[None], "quantize.shared_linear.weight": torch.eye(width),
         "quantize.shared_linear.bias": torch.zeros(width)}
    return sftok.assign(z, P)


def blocks(seed, rows=24, codes=37, width=8):
    """Most vectors on one side, most codes on the other: what is balanced flows slowly from one to the other."""
    g = torch.Generator().manual_seed(seed)
    axis = torch.randn(1, width, generator=g)
    side_z = torch.where(torch.arange(rows) < rows * 3 // 4, 1.0, -1.0)[:, None]
    side_e = torch.where(torch.arange(codes) < codes // 4, 1.0, -1.0)[:, None]
    z = side_z * axis + 0.6 * torch.randn(rows, width, generator=g)
    e = side_e * axis + 0.6 * torch.randn(codes, width, generator=g)
    return F.normalize(z, dim=-1), F.normalize(e, dim=-1)


def case(out, name, d, shows):
    p = sinkhorn(d)
    top = p.topk(2).values
    assert ((top[:, 0] - top[:, 1]) / top[:, 0]).min() > 10 * BOUND, "an id of a near tie"
    for mistake in shows:
        assert differs(p, sinkhorn(d, **mistake)), (name, mistake)
    out[f"{name}.distances"] = d.float().contiguous()
    out[f"{name}.probabilities"] = p.float().contiguous()
    out[f"{name}.ids"] = p.argmax(-1)
    return p


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    out = {}
    rounds = [dict(rounds=n) for n in (3, 4, 6, 7)]
    common = rounds + [dict(sharpness=9.0), dict(sharpness=11.0), dict(vectors_first=True)]

    # Ids too differ between 4, 5 and 6 rounds, with the other temperatures, and with the other order.
    z, e = blocks(209)
    d = torch.cdist(z, e)
    p = case(out, "blocks", d, common)
    ids = p.argmax(-1)
    assert torch.equal(ids, reference_ids(z, e))
    for mistake in common[1:3] + common[4:]:
        assert not torch.equal(ids, sinkhorn(d, **mistake).argmax(-1)), mistake
    out["blocks.vectors"], out["blocks.codes"] = z, e

    # A second image: together with the first it would get other ids.
    other, _ = blocks(5)
    case(out, "second", torch.cdist(other, e), common)
    out["second.vectors"] = other
    both = sinkhorn(torch.cdist(torch.cat([z, other]), e)).argmax(-1)
    assert not torch.equal(both[:24], ids) and not torch.equal(both[24:], out["second.ids"])

    # The same distances and a constant: where the least isn't taken off, every exponential is zero.
    shifted = d.float() + 96
    assert differs(sinkhorn(shifted), sinkhorn(shifted, least=0.0))
    case(out, "shifted", shifted, common + [dict(least=0.0)])

    # Codes so far away that epsilon, and a tenth more of it, decides what they get.
    g = torch.Generator().manual_seed(23)
    far = torch.cdist(torch.randn(9, 3, generator=g), 1.2 * torch.randn(31, 3, generator=g))
    case(out, "far", far, common + [dict(epsilon=e) for e in (0.0, 0.9e-8, 1.1e-8)])

    # A vector far from all codes: what it weighs beside the others hangs on the other epsilon.
    g = torch.Generator().manual_seed(12)
    z = torch.cat([torch.randn(8, 3, generator=g) / 2, 3.5 * F.normalize(torch.randn(1, 3, generator=g), dim=-1)])
    e = 0.5 * torch.randn(21, 3, generator=g)
    case(out, "lone", torch.cdist(z, e), [dict(epsilon_of_vectors=e) for e in (0.0, 0.9e-8, 1.1e-8)])

    # More codes than are balanced in one piece.
    z, e = blocks(23, rows=7, codes=530, width=4)
    case(out, "wide", torch.cdist(z, e), common)
    save_file(out, os.path.join(HERE, "sinkhorn.safetensors"))
