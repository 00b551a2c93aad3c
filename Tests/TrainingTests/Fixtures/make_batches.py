"""Writes batches.json: in what batches PyTorch goes through a set.

    python make_batches.py      (needs torch)

Each entry: latents, batch size, and the batches' sizes of `BatchSampler(drop_last=False)`, what `DataLoader` has by default.
"""
import json
import os

from torch.utils.data import BatchSampler

CASES = [(7, 3), (6, 3), (8, 3), (2, 3), (1, 1), (1, 64), (5, 1), (64, 64), (65, 64), (127, 64), (1950, 64)]

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    rows = [dict(latents=n, batch=b, sizes=[len(part) for part in BatchSampler(range(n), b, drop_last=False)])
            for n, b in CASES]
    with open(os.path.join(here, "batches.json"), "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
