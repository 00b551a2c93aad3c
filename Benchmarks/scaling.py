"""More cores, and more images at a time.

A part of run.py, which see. Cores: processes of tessera-bench that own 1, 2, 4 … cores, in turn with PyTorch on as many
threads; from the first step follows the part of the time that more cores don't shorten, and from that, by Amdahl's law,
what one image at a time would gain on up to 64. Images in flight: SFTok-B's encoder over HTTP with 1 to 32 clients that
ask again once they are answered, beside a Python server.
"""
import torch

from engine import ROWS, THEIRS, Ours
from spreads import spread, told

FLIGHTS = [1, 2, 4, 8, 16, 32]
MORE_CORES = [4, 8, 16, 32, 64]


def core_counts(threads):
    counts = [1]
    while counts[-1] * 2 <= threads:
        counts.append(counts[-1] * 2)
    return counts


def amdahl(one, two):
    """(the part that stays, [speedup on each of MORE_CORES]); what noise puts beyond 0 and 1 is cut off."""
    stays = min(1.0, max(0.0, 2 * two / one - 1))
    return stays, [1 / (stays + (1 - stays) / cores) for cores in MORE_CORES]


def cores(a, theirs, precisions):
    """[{model, operation, precision, side, by_cores: {cores: seconds}, stays, more}]"""
    rows, counts = [], core_counts(a.threads)
    ours = {count: Ours(count) for count in counts}
    loaded = {(name, precision) for name in ("sftok-b", "revq-512t") for precision in precisions
              if all([each.load(a.models, name, precision) for each in ours.values()])}
    for model, operation in ROWS:
        runs = {}
        sides = [(precision, "ours") for precision in precisions if (model, precision) in loaded]
        # One of PyTorch's is enough to see how it scales, its fastest.
        against = THEIRS[precisions[-1]]
        body = theirs.best(model, operation, against)
        sides.append((against, "pytorch"))
        for turn in range(a.scaling_rounds + 1):
            for precision, side in sides:
                for count in counts:
                    if side == "ours":
                        seconds = ours[count].seconds(model, precision, operation)
                    else:
                        torch.set_num_threads(count)
                        seconds = theirs.seconds(body, precision)
                    if turn:
                        runs.setdefault((precision, side), {}).setdefault(count, []).append(seconds)
        torch.set_num_threads(a.threads)
        for (precision, side), by_cores in runs.items():
            row = {"model": model, "operation": operation, "precision": precision, "side": side,
                   "by_cores": {count: spread(values) for count, values in by_cores.items()}}
            if len(counts) > 1:
                row["stays"], row["more"] = amdahl(*(row["by_cores"][count]["median"] for count in (1, 2)))
            rows.append(row)
            print(f"{model} {operation} {precision} {side}, cores: " + ", ".join(
                f"on {count} {told(seconds)} s" for count, seconds in row["by_cores"].items()), flush=True)
    for each in ours.values():
        each.__exit__()
    return rows


def flights(a, theirs, precision):
    """[{in_flight, precision, batch, ours, pytorch}], images/s; batch: pictures, LitServe's at most."""
    from serving import compare
    rows = []
    with compare.Pair(a, theirs, [precision]) as pair:
        if not pair.ours:
            return []
        for flight in FLIGHTS:
            row = {"in_flight": flight, "precision": precision, "batch": pair.pytorch.batch}
            count = max(12, 2 * flight)
            for side, server in (("ours", pair.ours[precision]), ("pytorch", pair.theirs)):
                row[side] = compare.throughput(server, compare.ENCODE, flight, count)
            rows.append(row)
            print(f"{flight} images in flight, {precision}: ours {row['ours']:.2f}/s, LitServe {row['pytorch']:.2f}/s",
                  flush=True)
    return rows


def measure(a, theirs):
    precisions = [p for p in a.precisions if p != "fp32"] or a.precisions
    return {"more_cores": MORE_CORES, "cores": cores(a, theirs, precisions),
            "flights": flights(a, theirs, THEIRS[precisions[0]])}
