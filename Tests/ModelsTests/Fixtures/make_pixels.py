"""Writes pixels.safetensors: how PyTorch makes 8-bit samples of a network's numbers, and numbers of samples.

    python make_pixels.py      (needs torch, safetensors)

`x` holds every k / 255, every half between two, their neighbours in float32, numbers beyond both ends. `unit`: of
clamp(x, 0, 1); `signed`: of clamp(x * 0.5 + 0.5, 0, 1), both rounded half to even.
"""
import os

import torch
from safetensors.torch import save_file

if __name__ == "__main__":
    steps = torch.arange(-2, 514, dtype=torch.float32) / 2 / 255
    near = torch.cat([steps, torch.nextafter(steps, torch.tensor(2.0)), torch.nextafter(steps, torch.tensor(-2.0))])
    x = torch.cat([near, near * 2 - 1, torch.tensor([-1e30, 1e30, -torch.inf, torch.inf, -0.0])])

    def samples(y):
        return (y.clamp(0, 1) * 255).round().to(torch.uint8)

    unit, signed = samples(x), samples(x * 0.5 + 0.5)
    # Another rounding, or another number of steps, shows.
    y = x.clamp(0, 1) * 255
    for other in (y.floor(), (y + 0.5).floor(), y.ceil(), (x.clamp(0, 1) * 256).round()):
        assert not torch.equal(other.clamp(max=255).to(torch.uint8), unit)
    halves = y[(y % 1) == 0.5]
    assert len(halves) > 50
    save_file({"x": x, "unit": unit.to(torch.int64), "signed": signed.to(torch.int64),
               "zero_to_one": torch.arange(256, dtype=torch.float32) / 255,
               "minus_one_to_one": torch.arange(256, dtype=torch.float32) / 255 * 2 - 1},
              os.path.join(os.path.dirname(os.path.abspath(__file__)), "pixels.safetensors"))
