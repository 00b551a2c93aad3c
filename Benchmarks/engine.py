"""Engine times beside PyTorch's in one run: the two take turns, operation by operation.

    python Benchmarks/engine.py MODELS [--rounds 5] [--threads 2] [--precisions fp32,bf16] [--only encode] [--json FILE]

MODELS holds sftok-b and revq-512t as reference/checkpoints.py writes them (safetensors). Needs torch, numpy,
safetensors, and the release build of tessera-bench. PyTorch runs reference/*.py in inference mode, in its better layout
of two (contiguous, channels_last), bf16 by its autocast. Prints medians, spread and the ratio PyTorch / ours; run it on an idle machine.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(ROOT, "reference"))

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

import recipe  # noqa: E402
import revq  # noqa: E402
import sftok  # noqa: E402


class Ours:
    def __init__(self, models, threads):
        """models: {name: what --model takes after it}"""
        binary = os.path.join(ROOT, ".build/release/tessera-bench")
        self.process = subprocess.Popen([binary, *(f"{name}={place}" for name, place in models.items())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ask(f"threads {threads}")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def channels_last(state):
    return {k: v.to(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in state.items()}


def timed(body, precision):
    start = time.perf_counter()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        body()
    return time.perf_counter() - start


def theirs(models):
    """{(model, operation): [callables, one per layout]}"""
    P = load_file(os.path.join(models, "sftok-b", "model.safetensors"))
    V = load_file(os.path.join(models, "revq-512t", "vae", "diffusion_pytorch_model.safetensors"))
    x = torch.from_numpy(recipe.image("bench", 256, 256)).permute(2, 0, 1)[None].float() / 255
    tokens = torch.arange(64) * 37 % 8192
    z = revq.dcae_encode(x * 2 - 1, V)
    last, lastP, lastV = torch.channels_last, channels_last(P), channels_last(V)
    return {
        ("sftok-b", "encode"): [lambda: sftok.encode(x, P)],
        ("sftok-b", "decode"): [lambda: sftok.decode(tokens, P, seed=0), lambda: sftok.decode(tokens, lastP, seed=0)],
        ("revq-512t", "latent"): [lambda: revq.dcae_encode(x * 2 - 1, V),
                                  lambda: revq.dcae_encode((x * 2 - 1).to(memory_format=last), lastV)],
        ("revq-512t", "pixels"): [lambda: revq.dcae_decode(z, V), lambda: revq.dcae_decode(z.to(memory_format=last), lastV)],
    }


def main():
    a = argparse.ArgumentParser()
    a.add_argument("models")
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--precisions", default="fp32,bf16")
    a.add_argument("--only", default="encode,decode,latent,pixels")
    a.add_argument("--json")
    a = a.parse_args()
    torch.set_num_threads(a.threads)
    with torch.inference_mode():
        rivals = theirs(a.models)
    precisions = a.precisions.split(",")
    ours = Ours({f"{n}.{p}": f"{os.path.join(a.models, n)},precision={p}" for n in ("sftok-b", "revq-512t")
                 for p in precisions}, a.threads)
    rows = []
    for (model, operation), bodies in rivals.items():
        if operation not in a.only.split(","):
            continue
        for precision in precisions:
            rows.append(compare(ours, model, operation, precision, bodies, a.rounds))
            print("{model} {operation} {precision}: ours {ours:.3f} s ({ours_range[0]:.3f} to {ours_range[1]:.3f}), PyTorch "
                  "{pytorch:.3f} s ({pytorch_range[0]:.3f} to {pytorch_range[1]:.3f}), ratio {ratio:.2f}".format(**rows[-1]),
                  flush=True)
    ours.close()
    if a.json:
        machine = {"cpu": platform.processor() or platform.machine(), "threads": a.threads, "torch": torch.__version__}
        json.dump({"machine": machine, "rows": rows}, open(a.json, "w"), indent=2)


def compare(ours, model, operation, precision, bodies, rounds):
    best = min(bodies, key=lambda body: (timed(body, precision), timed(body, precision))[1])
    if ours.ask(f"{model}.{precision} precision") != precision:
        raise SystemExit(f"this processor doesn't compute {model} in {precision}")
    question = f"{model}.{precision} {operation}"
    ours.ask(question)
    pairs = [(float(ours.ask(question)), timed(best, precision)) for _ in range(rounds)]
    mine, other = [p[0] for p in pairs], [p[1] for p in pairs]
    return {"model": model, "operation": operation, "precision": precision, "ours": statistics.median(mine),
               "ours_range": [min(mine), max(mine)], "pytorch": statistics.median(other),
               "pytorch_range": [min(other), max(other)], "ratio": statistics.median(p[1] / p[0] for p in pairs)}


if __name__ == "__main__":
    main()
