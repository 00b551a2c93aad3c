"""Writes fingerprint/: the same weights in five containers, and fingerprints.json with what hashlib makes of them.

    python make_fingerprints.py      (needs torch, numpy, safetensors)

A tensor's digest: SHA-256 over name, zero byte, edges with commas between them, zero byte, values as little-endian float32.
The fingerprint: SHA-256 over the settings' lines and the digests in the order of the names.
"""
import hashlib
import json
import os

import numpy as np
import torch
from safetensors.torch import save_file

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fingerprint")
SETTINGS = ["tessera 1", "test", ""]


def fingerprint(tensors):
    whole = hashlib.sha256("\n".join(SETTINGS).encode())
    for name in sorted(tensors):
        values = tensors[name].detach().to(torch.float32).numpy()
        head = f"{name}\0{','.join(map(str, values.shape))}\0".encode()
        whole.update(hashlib.sha256(head + np.ascontiguousarray(values, dtype="<f4").tobytes()).digest())
    return whole.hexdigest()


if __name__ == "__main__":
    os.makedirs(HERE, exist_ok=True)
    # Exact in every type, a negative zero and a subnormal number of float16 among them.
    plain = {"b.weight": torch.arange(-6.0, 6.0).reshape(3, 4) / 8, "a.bias": torch.tensor([-0.0, 2.0 ** -24, 1.5]),
             "scale": torch.tensor(0.25)}
    # Rounded to float32, to nearest even.
    rounded = {"x": torch.tensor([0.1, 1 + 2.0 ** -24, 1 + 3 * 2.0 ** -24, 1 / 3], dtype=torch.float64)}
    expected = {}

    def write(name, tensors):
        save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(HERE, name + ".safetensors"))
        expected[name + ".safetensors"] = fingerprint(tensors)

    write("float32", plain)
    for dtype in ("float16", "bfloat16", "float64"):
        write(dtype, {k: v.to(getattr(torch, dtype)) for k, v in plain.items()})
    write("rounded", rounded)
    # A transposed view and one that begins within its storage.
    torch.save({"b.weight": plain["b.weight"].T.contiguous().T, "scale": plain["scale"],
                "a.bias": torch.cat([torch.tensor([9.0]), plain["a.bias"]])[1:]}, os.path.join(HERE, "views.pth"))
    expected["views.pth"] = fingerprint(plain)
    assert len(set(expected.values())) == 2
    with open(os.path.join(HERE, "fingerprints.json"), "w") as file:
        json.dump(expected, file, indent=1)
        file.write("\n")
