"""Writes the checkpoint fixtures and expected.json beside this script. Needs torch 2.13, numpy and safetensors (PyPI).

    python make_fixtures.py
"""
import json
import os

import torch
from safetensors.torch import save_file

FOLDER = os.path.dirname(os.path.abspath(__file__))


def numbers(shape, step):
    count = torch.Size(shape).numel()
    return ((torch.arange(count, dtype=torch.float32) - count // 2) * step).reshape(shape)


def nested():
    base = numbers((4, 6), 0.25)
    layer = torch.nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(numbers((2, 3), 0.5))
        layer.bias.copy_(numbers((2,), 3.0))
    optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-3)
    layer(torch.ones(1, 3)).sum().backward()
    weights = {k: v.detach().clone() for k, v in layer.state_dict().items()}
    optimizer.step()
    with torch.no_grad():
        for name, value in layer.named_parameters():
            value.copy_(weights[name])
    return {
        "quantizer": {
            "embeddings": numbers((2, 3, 2), 0.125),
            "half": torch.tensor([0.0, -0.0, 1.0, 65504.0, 2.0**-24, 2.0**-14, -1.5, float("inf")], dtype=torch.float16),
            "brain": torch.tensor([0.0, 1.0, -3.0e38, 1e-40, float("-inf")], dtype=torch.bfloat16),
            "double": torch.tensor([0.1, -1e300, 1.0 + 2.0**-30], dtype=torch.float64),
            "index_offset": torch.arange(2) * 3,
            "empty": torch.zeros(0, 4),
            "scalar": torch.tensor(7.5),
        },
        "decoder": {
            "transposed": base.t(),
            "columns": base[:, 1:6:2],
            "row": base[2],
            "channels_last": numbers((1, 2, 2, 3), 1.0).contiguous(memory_format=torch.channels_last),
            "parameter": torch.nn.Parameter(numbers((2, 2), 1.0)),
            "layer": layer.state_dict(),
        },
        "optimizer": optimizer.state_dict(),
        "epoch": 99,
        "note": "naïve",
        "scheduler": {"last_lr": [0.001], "milestones": {1, 2}, "big": 1 << 80},
    }


def floats(tree, prefix=""):
    out = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            out |= floats(value, f"{prefix}{key}.")
        elif isinstance(value, torch.Tensor) and value.is_floating_point():
            flat = value.detach().to(torch.float32).reshape(-1)
            out[prefix + key] = {"shape": list(value.shape), "bits": (flat.view(torch.int32).to(torch.int64) & 0xFFFFFFFF).tolist()}
    return out


def main():
    torch.manual_seed(0)
    tree = nested()
    torch.save(tree, os.path.join(FOLDER, "nested.pth"))
    torch.save({"weight": numbers((2, 2), 1.0)}, os.path.join(FOLDER, "legacy.pth"), _use_new_zipfile_serialization=False)
    flat = {
        "a.float32": numbers((2, 3), 0.5), "a.float16": tree["quantizer"]["half"], "a.bfloat16": tree["quantizer"]["brain"],
        "a.float64": tree["quantizer"]["double"], "scalar": torch.tensor(7.5), "empty": torch.zeros(0, 4),
        "ids": torch.arange(3), "mask": torch.tensor([True, False]), "bytes": torch.arange(3, dtype=torch.uint8),
        "eight": torch.ones(2).to(torch.float8_e4m3fn),
    }
    save_file(flat, os.path.join(FOLDER, "flat.safetensors"), {"format": "pt"})
    eight = flat.pop("eight")
    assert eight.dtype == torch.float8_e4m3fn
    del tree["optimizer"]
    with open(os.path.join(FOLDER, "expected.json"), "w") as file:
        json.dump({"nested.pth": floats(tree), "flat.safetensors": floats(flat)}, file, separators=(",", ":"))


if __name__ == "__main__":
    main()
