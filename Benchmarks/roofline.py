"""Work, time and the processor's peak, stage by stage.

A part of run.py, which see. Work is the algorithm's: FLOP of all products of reference/*.py as PyTorch's own counter
counts them, direct convolutions, every pass of SFTok's decoder over all of its positions; the search as one product
with every code. Ours multiplies less than that in places (Winograd, convolutions after nearest-neighbour upsampling,
positions that aren't read), so a stage can pass 100 % of the peak. Normalisations, softmax and the like aren't
counted.
"""
import json
import os
import subprocess

import torch
from torch.utils.flop_counter import FlopCounterMode

from engine import ROOT, Ours
from pytorch_models import revq, sftok
from spreads import spread, told

STEPS = 8
# (model, its name for the stage, what tessera-bench calls it)
STAGES = [("sftok-b", "encode", "encode"), ("sftok-b", f"decode: {STEPS} passes", "passes"),
          ("sftok-b", "decode: pixels", "pixels"), ("revq-512t", "encode: DC-AE", "latent"),
          ("revq-512t", "encode: search", "search"), ("revq-512t", "decode: rectifier", "rectifier"),
          ("revq-512t", "decode: DC-AE", "pixels")]


def peak(threads):
    """GFLOP/s by precision, and GB/s of memory."""
    folder = os.path.join(ROOT, ".build/bench")
    os.makedirs(folder, exist_ok=True)
    binary = os.path.join(folder, "peak")
    source = os.path.join(ROOT, "Benchmarks/peak.c")
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", source, "-o", binary], check=True)
    return json.loads(subprocess.run([binary, str(threads)], check=True, capture_output=True, text=True).stdout)


def counted(body):
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        body()
    return counter.get_total_flops()


def meta(state):
    """Shapes alone: counting computes nothing."""
    return {k: v.to("meta") for k, v in state.items()}


def work(theirs):
    """{(model, operation): FLOP}"""
    P, model = meta(theirs.sftok), theirs.revq
    vae, rectifier = meta(model.vae), meta(model.rectifier)
    x, z = torch.empty(1, 3, 256, 256, device="meta"), torch.empty(1, 32, 8, 8, device="meta")
    ids = torch.empty(1, 256, dtype=torch.long, device="meta")
    condition, proxy = torch.empty(1, 64, 32, device="meta"), torch.empty(1, 256, 16, 16, device="meta")
    codes = P["quantize.embedding"].shape[1]
    scores = P["pixel_quantize.embedding.weight"].numel() * 256 * 2
    return {
        ("sftok-b", "encode"): counted(lambda: sftok.encode_features(x, P)) + 2 * 64 * 32 * codes,
        ("sftok-b", "passes"): STEPS * counted(lambda: sftok.proxy_logits(ids, condition, P)),
        ("sftok-b", "pixels"): counted(lambda: sftok.vqgan_decode(proxy, P)) + scores,
        ("revq-512t", "latent"): counted(lambda: revq.dcae_encode(x, vae)),
        ("revq-512t", "search"): 2 * model.quantizer["embeddings"].numel(),
        ("revq-512t", "rectifier"): counted(lambda: revq.dcae_decode(z, rectifier, p="")),
        ("revq-512t", "pixels"): counted(lambda: revq.dcae_decode(z, vae)),
    }


def measure(a, theirs):
    """{"peak": GFLOP/s, "rows": [{model, stage, precision, flop, seconds, gflops, share}]}; share is of the peak."""
    limits, flop, rows = peak(a.threads), work(theirs), []
    print(f"peak, GFLOP/s: {limits}", flush=True)
    with Ours(a.threads) as ours:
        loaded = {(name, precision) for name in ("sftok-b", "revq-512t") for precision in a.precisions
                  if ours.load(a.models, name, precision)}
        for model, stage, operation in STAGES:
            for precision in a.precisions:
                if (model, precision) not in loaded:
                    continue
                ours.seconds(model, precision, operation)
                seconds = spread([ours.seconds(model, precision, operation) for _ in range(a.rounds)])
                rate = flop[model, operation] * 1e-9 / seconds["median"]
                rows.append({"model": model, "stage": stage, "precision": precision, "flop": flop[model, operation],
                             "seconds": seconds, "gflops": rate,
                             "share": rate / limits[precision] if limits[precision] else None})
                share = f", {rows[-1]['share']:.0%} of the peak" if rows[-1]["share"] else ""
                print(f"{model} {stage} {precision}: {flop[model, operation] * 1e-9:.1f} GFLOP in "
                      f"{told(seconds, 1e3, 1)} ms: {rate:.0f} GFLOP/s{share}", flush=True)
    # What the machine said at the end: one that got slower meanwhile is told from one that computes badly.
    return {"peak": limits, "peak_after": peak(a.threads), "rows": rows}
