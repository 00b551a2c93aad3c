"""`tessera train revq` beside PyTorch: losses and speed of the same steps, in one run.

    python Benchmarks/training.py VAE PHOTOGRAPHS WORK [--crops 2000] [--steps 40] [--rounds 3] [--threads 2]
                                 [--json FILE]
    python Benchmarks/training.py VAE PHOTOGRAPHS WORK -- --shared-codebook --codes 16384

Needs the release build of tessera, and torch, diffusers, safetensors and numpy. WORK receives the latents, encoded
once. Both sides start from the same numbers and take the same batches; they take turns, a whole process each. What
follows `--` goes to `tessera train revq`. Speed is steps per second without the first three steps; the median of the
rounds, their spread and the ratio ours / PyTorch are printed, and the largest relative difference of any step's loss.
Run it on an idle machine.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys

from safetensors import safe_open

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def ours(a, out, steps, more):
    """Trains; returns the log's steps."""
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run(
        [os.path.join(ROOT, ".build/release/tessera"), "train", "revq", "--vae", a.vae, "--images", a.photographs,
         "--out", out, "--latents", os.path.join(a.work, "latents"), "--crops", str(a.crops), "--steps", str(steps),
         "--threads", str(a.threads), "--log-steps", "1", *more], check=True, stderr=subprocess.DEVNULL)
    log = os.path.join(out, "log.jsonl")
    records = [json.loads(line) for line in open(log)] if os.path.exists(log) else []
    return [r for r in records if r["kind"] == "step"]


def theirs(a, start, losses):
    """Trains; returns steps per second and the losses."""
    result = subprocess.run(
        [sys.executable, os.path.join(ROOT, "training/revq_reference.py"), start, "--latents",
         os.path.join(a.work, "latents"), "--steps", str(a.steps), "--losses", losses, "--threads", str(a.threads),
         "--time"], check=True, capture_output=True, text=True)
    return float(result.stdout.split()[-2]), json.load(open(losses))


def batches(start, steps):
    """Images of each step: the last of an epoch may have fewer."""
    with safe_open(os.path.join(start, "state", "step-0.safetensors"), "numpy") as file:
        size, count = json.loads(file.metadata()["settings"])["batch"], file.get_slice("train").get_shape()[0]
    epoch = [min(size, count - first) for first in range(0, count, size)]
    return [epoch[step % len(epoch)] for step in range(steps)]


def processor():
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vae")
    parser.add_argument("photographs")
    parser.add_argument("work")
    parser.add_argument("--crops", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json")
    known = sys.argv[1:sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    more = sys.argv[len(known) + 2:]
    a = parser.parse_args(known)
    os.makedirs(a.work, exist_ok=True)
    start = os.path.join(a.work, "start")
    ours(a, start, 0, more)
    rates, differences = {"tessera": [], "pytorch": []}, {}
    for _ in range(a.rounds):
        steps = ours(a, os.path.join(a.work, "run"), a.steps, more)
        seconds = [images / r["images_per_second"] for r, images in zip(steps, batches(start, a.steps))][3:]
        rates["tessera"].append(len(seconds) / sum(seconds))
        rate, losses = theirs(a, start, os.path.join(a.work, "losses.json"))
        rates["pytorch"].append(rate)
        for name in ("quantizer_loss", "rectifier_loss"):
            worst = max(abs(x[name] - y[name]) / y[name] for x, y in zip(steps, losses["steps"]) if y[name] > 0)
            differences[name] = max(differences.get(name, 0), worst)
        assert len(steps) == len(losses["steps"]) == a.steps
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(f"{processor()}, {a.threads} threads; {a.crops} crops, {a.steps} steps, {a.rounds} rounds {' '.join(more)}")
    for name, values in rates.items():
        print(f"{name:8} {medians[name]:.3f} steps/s ({min(values):.3f} to {max(values):.3f})")
    print(f"ratio ours / PyTorch {medians['tessera'] / medians['pytorch']:.2f}")
    for name, worst in differences.items():
        print(f"{name}: largest relative difference of a step {worst:.2e}")
    if a.json:
        with open(a.json, "w") as file:
            json.dump({"rates": rates, "differences": differences, "options": more, "crops": a.crops,
                       "steps": a.steps, "processor": processor()}, file, indent=1)


if __name__ == "__main__":
    main()
