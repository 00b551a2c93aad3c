"""The engine's operations beside PyTorch's in one run: the two take turns, operation by operation.

A part of run.py, which see. Ours is tessera-bench, which computes without HTTP; PyTorch's side is pytorch_models.py.
int8 is compared with PyTorch's bf16, the fastest that it has for these models without quantizing them.
"""
import os
import subprocess
import tempfile

from PIL import Image

from spreads import spread, told

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
BINARY = os.path.join(ROOT, ".build/release/tessera-bench")
PICTURE = os.path.join(ROOT, "docs/chelsea.jpg")

ROWS = [("sftok-b", "encode"), ("sftok-b", "decode"), ("revq-512t", "encode"), ("revq-512t", "decode")]
THEIRS = {"fp32": "fp32", "bf16": "bf16", "int8": "bf16"}


class Ours:
    """A process of tessera-bench with a pool of `threads`, on as many cores. `with` ends it."""

    def __init__(self, threads):
        if not os.access(BINARY, os.X_OK):
            raise SystemExit(f"no executable {BINARY}: swift build -c release --product tessera-bench")
        self.picture = tempfile.NamedTemporaryFile()
        self.picture.write(Image.open(PICTURE).convert("RGB").tobytes())
        self.picture.flush()
        cores = sorted(os.sched_getaffinity(0))[:threads]
        self.process = subprocess.Popen(
            [BINARY, str(threads), self.picture.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores))

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def load(self, models, name, precision):
        """Whether it is computed so here; says why not."""
        told = self.ask(f"load {name}.{precision}={os.path.join(models, name)},precision={precision}")
        if told != precision:
            print(f"{name} {precision}: left out: {told if told.startswith('error') else f'computed in {told} here'}",
                  flush=True)
        return told == precision

    def seconds(self, name, precision, operation):
        told = self.ask(f"{name}.{precision} {operation}")
        if not told or told.startswith("error"):
            raise SystemExit(f"tessera-bench, {name} {precision} {operation}: {told}")
        return float(told)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.picture.close()


def available(a):
    """Those of the precisions that at least one of the models is computed in here."""
    with Ours(a.threads) as ours:
        return [precision for precision in a.precisions
                if any([ours.load(a.models, name, precision) for name in sorted({row[0] for row in ROWS})])]


def measure(a, theirs, rows=ROWS):
    """[{model, operation, precision, against, ours, pytorch, ratio}], times in seconds."""
    found = []
    with Ours(a.threads) as ours:
        loaded = {(name, precision) for name in sorted({row[0] for row in rows}) for precision in a.precisions
                  if ours.load(a.models, name, precision)}
        for model, operation in rows:
            for against in ("fp32", "bf16"):
                mine = [p for p in a.precisions if THEIRS[p] == against and (model, p) in loaded]
                if mine:
                    found += compare(ours, theirs, model, operation, mine, against, a.rounds)
    return found


def compare(ours, theirs, model, operation, precisions, against, rounds):
    body = theirs.best(model, operation, against)
    for precision in precisions:
        ours.seconds(model, precision, operation)
    turns = [([ours.seconds(model, precision, operation) for precision in precisions], theirs.seconds(body, against))
             for _ in range(rounds)]
    rows = []
    for index, precision in enumerate(precisions):
        mine, other = [turn[0][index] for turn in turns], [turn[1] for turn in turns]
        row = {"model": model, "operation": operation, "precision": precision, "against": against, "ours": spread(mine),
               "pytorch": spread(other), "pytorch_best": body.__name__,
               "ratio": spread([their / our for our, their in zip(mine, other)])}
        rows.append(row)
        print(f"{model} {operation} {precision}: ours {told(row['ours'])} s, "
              f"PyTorch {against} {told(row['pytorch'])} s ({row['pytorch_best']}), "
              f"ratio {told(row['ratio'], digits=2)}", flush=True)
    return rows
