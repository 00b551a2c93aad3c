"""Writes sftok-tiny-sampling.safetensors: settings of the decoder's loop that the tiny golden leaves out.

    python make_sampling.py      (needs torch, numpy, safetensors)

Per case the ids after every step and every 16th row of the last step's logits, on recipe weights of seed 0.
"""
import os
import sys

import torch
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../../reference"))
import goldens  # noqa: E402
import sftok  # noqa: E402

TINY = dict(enc_width=128, enc_layers=2, dec_width=128, dec_layers=2, codes=512, hidden=32)
CASES = {
    "annealed": dict(steps=3, temperature=0.7, annealing=True, seed=3),
    "one_step": dict(steps=1, temperature=1.0, seed=3),
    "many_steps": dict(steps=20, temperature=2.0, seed=2 ** 32 + 9),
}

if __name__ == "__main__":
    torch.set_grad_enabled(False)
    P = goldens.tensors(sftok.shapes(**TINY), 0)
    tokens = load_file(os.path.join(HERE, "sftok-tiny.safetensors"))["tokens"]
    out = {}
    for name, settings in CASES.items():
        trace = []
        logits = sftok.generate(tokens, P, trace=trace, **settings)
        out[f"{name}.codes"] = torch.stack(trace)
        out[f"{name}.logits"] = logits[::16].contiguous()
    save_file(out, os.path.join(HERE, "sftok-tiny-sampling.safetensors"))
