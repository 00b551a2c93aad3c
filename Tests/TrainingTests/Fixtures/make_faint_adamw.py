"""Writes adamw-faint.json: PyTorch's AdamW on gradients as small as its epsilon, where epsilon decides the step.

    python make_faint_adamw.py      (needs torch)

Six parameters that start at 0, steps of `gradients` times `factors`; `free` without clipping, `clipped` to a norm of
`limit`, beside which the 1e-6 in the clipping's divisor counts.
"""
import json
import os

import torch

GRADIENTS = [1e-4, -1e-6, 1e-7, -1e-8, 1e-9, 0.0]
FACTORS = [1.0, 0.5, 2.0, 1.0]
LIMIT = 1e-5


def run(limit, eps=1e-8, extra=1e-6):
    p = torch.nn.Parameter(torch.zeros(len(GRADIENTS)))
    optimizer = torch.optim.AdamW([p], lr=0.01, weight_decay=0.1, eps=eps)
    rows = []
    for factor in FACTORS:
        p.grad = torch.tensor(GRADIENTS) * factor
        if limit is not None:
            if extra == 1e-6:
                torch.nn.utils.clip_grad_norm_([p], limit)
            else:
                p.grad *= min(1.0, limit / (float(p.grad.norm()) + extra))
        optimizer.step()
        rows.append(p.detach().tolist())
    return rows


if __name__ == "__main__":
    result = dict(gradients=GRADIENTS, factors=FACTORS, limit=LIMIT, free=run(None), clipped=run(LIMIT))
    # Another epsilon, and clipping without its own, show.
    for name, other in [("free", run(None, eps=1e-7)), ("free", run(None, eps=0.9e-8)), ("clipped", run(LIMIT, extra=0.0))]:
        difference = (torch.tensor(result[name]) - torch.tensor(other)).abs().max()
        assert difference > 1e-5, (name, difference)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "adamw-faint.json"), "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
