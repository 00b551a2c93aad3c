"""The tables between bench: markers in README.md and docs/figures.md, measured beside PyTorch in one run of 25 minutes.

    python Benchmarks/run.py MODELS [--parts engine,roofline,scaling,serving,fidelity] [--precisions fp32,bf16,int8]
                                    [--rounds 5] [--scaling-rounds 2] [--serving-rounds 4] [--seconds 20] [--pictures 4]
                                    [--threads N] [--json FILE] [--no-tables]

MODELS holds sftok-b and revq-512t; one that isn't there is made, with the recipe's weights (speed doesn't depend on
them). Needs the release builds of tessera and tessera-bench, a C compiler, and torch, numpy, pillow, safetensors and
litserve. `make bench MODELS=FOLDER` builds and runs it. A precision that the processor or the build doesn't have is
left out, and told. Medians with the lowest and the highest; run it on an idle machine. README.md says how each part
measures.
"""
import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PARTS = ["engine", "roofline", "scaling", "serving", "fidelity"]


def options():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("models")
    a.add_argument("--parts", default=",".join(PARTS))
    a.add_argument("--precisions", default="fp32,bf16,int8")
    a.add_argument("--rounds", type=int, default=5, help="of engine and roofline")
    a.add_argument("--scaling-rounds", type=int, default=2)
    a.add_argument("--serving-rounds", type=int, default=4)
    a.add_argument("--seconds", type=int, default=20, help="of each server's steady load")
    a.add_argument("--pictures", type=int, default=4, help="of fidelity")
    a.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    a.add_argument("--json", default=os.path.join(ROOT, ".build/bench/results.json"))
    a.add_argument("--no-tables", action="store_true", help="leaves README.md and docs/figures.md as they are")
    a = a.parse_args()
    a.parts, a.precisions = a.parts.split(","), a.precisions.split(",")
    for given, known in ((a.parts, PARTS), (a.precisions, ["fp32", "bf16", "int8"])):
        if not set(given) <= set(known):
            raise SystemExit(f"{','.join(given)}: expected some of {','.join(known)}")
    a.models = os.path.abspath(a.models)
    return a


def prepare(models):
    for name in ("sftok-b", "revq-512t"):
        if not os.path.isdir(os.path.join(models, name)):
            print(f"{models}/{name} is made", flush=True)
            script = os.path.join(ROOT, "reference/checkpoints.py")
            subprocess.run([sys.executable, script, name, os.path.join(models, name)], check=True)


def machine(a):
    import torch
    name = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return {"cpu": name, "cores": len(os.sched_getaffinity(0)), "threads": a.threads, "torch": torch.__version__,
            "date": datetime.date.today().isoformat(), "commit": commit.stdout.strip() or "?", "rounds": a.rounds,
            "load": os.getloadavg()[0]}


def measure(part, a, theirs):
    """What a part found; each is imported when its turn comes: serving needs litserve."""
    if part == "engine":
        import engine
        return engine.measure(a, theirs)
    if part == "roofline":
        import roofline
        return roofline.measure(a, theirs)
    if part == "scaling":
        import scaling
        return scaling.measure(a, theirs)
    if part == "serving":
        from serving import compare
        return compare.measure(a, theirs)
    import fidelity
    rounded = [p for p in a.precisions if p != "fp32"]
    return fidelity.compare(a.models, fidelity.PICTURES, a.pictures, rounded) if rounded else []


def main():
    a = options()
    # Ends the servers too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.path.insert(0, HERE)
    prepare(a.models)
    os.makedirs(os.path.dirname(os.path.abspath(a.json)), exist_ok=True)
    import engine
    import pytorch_models
    import tables
    a.precisions = engine.available(a)
    if not a.precisions:
        raise SystemExit("no precision left to measure")
    results = {"machine": machine(a)}
    theirs, failed = pytorch_models.Theirs(a.models, a.threads), []
    for part in PARTS:
        if part not in a.parts:
            continue
        start = time.monotonic()
        print(f"\n# {part}", flush=True)
        try:
            results[part] = measure(part, a, theirs)
        except SystemExit as error:
            print(f"{part}: {error}", flush=True)
            failed.append(part)
        print(f"({time.monotonic() - start:.0f} s)", flush=True)
        with open(a.json, "w") as file:
            json.dump(results, file, indent=1)
    print(f"\n{a.json}", flush=True)
    if not a.no_tables:
        tables.write(results)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
