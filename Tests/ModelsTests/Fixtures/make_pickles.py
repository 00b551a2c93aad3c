"""Writes pickle-*.pth, files of weights that aren't dictionaries of tensors or are of a later pickle protocol, and
pickles.json: for each what `torch.load(weights_only=True)` finds in the way.

    python make_pickles.py      (needs torch 2.13, numpy)
"""
import collections
import json
import os
import re

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))


STATE = {"quantize.embedding": torch.zeros(1, 2, 2), "quantize.shared_linear.weight": torch.zeros(2, 2), "latent_tokens": torch.zeros(2, 2)}


def files():
    module = torch.nn.Sequential(torch.nn.Linear(2, 2))
    yield "module", module, {}
    yield "module-in-dictionary", {"model": module, "epoch": 3}, {}
    yield "rectifier-module", {"quantizer": {"embeddings": torch.zeros(512, 2, 4)}, "decoder": module}, {}
    yield "defaultdict", collections.defaultdict(list, STATE), {}
    yield "defaultdict-in-dictionary", {"state_dict": collections.defaultdict(None, STATE)}, {}
    yield "arrays", {k: v.numpy() for k, v in STATE.items()}, {}
    yield "one-array", STATE | {"latent_tokens": np.zeros((2, 2), np.float32)}, {}
    for version in (3, 4, 5):
        yield f"protocol{version}", STATE, {"pickle_protocol": version}


if __name__ == "__main__":
    found = {}
    for name, value, options in files():
        path = os.path.join(HERE, f"pickle-{name}.pth")
        torch.save(value, path, **options)
        try:
            torch.load(path, weights_only=True)
            found[name] = ""
        except Exception as error:
            text = str(error)
            told = re.search(r"Unsupported global: GLOBAL (\S+) was not", text) or re.search(r"(Unsupported operand \d+)", text)
            assert told, text
            found[name] = told[1]
    json.dump(found, open(os.path.join(HERE, "pickles.json"), "w"), indent=1)
