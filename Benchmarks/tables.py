"""Results of run.py as Markdown tables, put between markers into README.md and docs/figures.md.

    python Benchmarks/tables.py RESULTS.json

A table stands between <!-- bench:NAME --> and <!-- /bench:NAME -->, with a line above it that says where and when it
was measured. Parts that RESULTS.json hasn't are left as they are.
"""
import json
import os
import re
import sys
import textwrap

import spreads

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
FILES = [os.path.join(ROOT, "README.md"), os.path.join(ROOT, "docs/figures.md")]
NAMES = {("sftok-b", "encode"): "SFTok-B encode", ("sftok-b", "decode"): "SFTok-B decode, 8 steps",
         ("revq-512t", "encode"): "DC-AE + ReVQ 512T encode", ("revq-512t", "decode"): "ReVQ 512T + DC-AE decode"}
MODELS = {"sftok-b": "SFTok-B", "revq-512t": "ReVQ 512T"}
SIDES = {"ours": "Tessera", "pytorch": "PyTorch"}


def table(heads, rows):
    return "\n".join(["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads),
                      *("| " + " | ".join(row) + " |" for row in rows)])


def where(results):
    return ("{cpu}, {threads} threads on {cores} cores, PyTorch {torch}, {date}, "
            "commit {commit}".format(**results["machine"]))


def filled(text):
    """The paragraphs between the tables, in lines of at most 120 characters."""
    return "\n\n".join(part if part.startswith("|") else textwrap.fill(part, 120, break_long_words=False,
                                                                      break_on_hyphens=False)
                       for part in text.split("\n\n"))


def engine(results):
    heads = ["seconds an image", "Tessera", "PyTorch", "ratio"]
    lines = []
    for row in results["engine"]:
        how = row["precision"] + ("" if row["precision"] == row["against"] else f", PyTorch {row['against']}")
        lines.append([f"{NAMES[row['model'], row['operation']]}, {how}", spreads.told(row["ours"]),
                      spreads.told(row["pytorch"]), spreads.told(row["ratio"], digits=2)])
    return (f"{where(results)}; medians of {results['machine']['rounds']} rounds, in brackets the lowest and the "
            f"highest; a ratio is the median of the rounds' own.\n\n{table(heads, lines)}")


def roofline(results):
    told = results["roofline"]
    peak, rows = told["peak"], {}
    for row in told["rows"]:
        rows.setdefault((row["model"], row["stage"]), {})[row["precision"]] = row
    precisions = [p for p in ("fp32", "bf16", "int8") if any(p in each for each in rows.values())]
    heads = ["stage", "GFLOP"]
    for p in precisions:
        heads += [f"{p}: ms", "GFLOP/s", "of peak"]
    lines = []
    for (model, stage), each in rows.items():
        cells = [f"{MODELS[model]} {stage}", f"{next(iter(each.values()))['flop'] * 1e-9:.1f}"]
        for p in precisions:
            row = each.get(p)
            share = "" if not row or row["share"] is None else f"{row['share']:.0%}"
            cells += [f"{row['seconds']['median'] * 1e3:.1f}", f"{row['gflops']:.0f}", share] if row else [""] * 3
        lines.append(cells)
    limits = ", ".join(f"{p} {peak[p]:.0f}" for p in ("fp32", "bf16", "int8") if peak[p])
    return (f"{where(results)}. Peak in the same run, GFLOP/s: {limits}; memory is read at "
            f"{peak['memory']:.0f} GB/s.\n\n{table(heads, lines)}")


def scaling(results):
    told = results["scaling"]
    counts = list(told["cores"][0]["by_cores"])
    heads = ["seconds an image", "", *(f"{count} core{'s' if int(count) > 1 else ''}" for count in counts)]
    heads += ["2 cores: faster", "part that stays", *(f"{count}: on paper" for count in told["more_cores"])]
    lines = []
    for row in told["cores"]:
        each = row["by_cores"]
        cells = [NAMES[row["model"], row["operation"]], f"{SIDES[row['side']]} {row['precision']}",
                 *(spreads.told(each[count]) for count in counts)]
        if "stays" in row:
            one, two = (each[count]["median"] for count in counts[:2])
            cells += [f"{one / two:.2f}", f"{row['stays']:.1%}", *(f"{speedup:.1f}" for speedup in row["more"])]
        else:
            cells += [""] * (2 + len(told["more_cores"]))
        lines.append(cells)
    text = f"{where(results)}.\n\n{table(heads, lines)}"
    if told["flights"]:
        precision = told["flights"][0]["precision"]
        rows = [[str(row["in_flight"]), f"{row['ours']:.2f}", f"{row['pytorch']:.2f}",
                 f"{row['ours'] / row['pytorch']:.2f}"]
                for row in told["flights"]]
        heads = [f"SFTok-B encode, {precision}: images in flight", "Tessera, images/s",
                 f"LitServe (batches of up to {told['flights'][0]['batch']}), images/s", "ratio"]
        text += f"\n\n{table(heads, rows)}"
    return text


def serving(results):
    rows, queue, steady = results["serving"], [], []

    def answers(at):
        return "; ".join(f"{kind} {each['p50']:.0f}, {each['p99']:.0f} ({each['count']})" for kind, each in at.items())

    for row in rows:
        against = "" if row["precision"] == row["against"] else f", LitServe {row['against']}"
        name = f"{row['mix']}, {row['precision']}{against}"
        queue.append([name, f"{row['ours']:.2f}", f"{row['pytorch']:.2f}", *(
            spreads.told(row[key], digits=2) for key in ("ratio", "engine_ratio", "kept", "share", "pytorch_share"))])
        steady.append([name, f"{row['load']:.2f}", answers(row["ours_at"]), answers(row["pytorch_at"])])
    batches = " and ".join(f"{batch} ({against})" for against, batch in
                           dict.fromkeys((row["against"], row["batch"]) for row in rows))
    return (f"{where(results)}. Batches of LitServe and PyTorch: {batches} pictures. Medians of "
            f"{len(rows[0]['rounds'])} rounds, in brackets the lowest and the highest.\n\n"
            + table(["images/s", "Tessera", "LitServe", "ratio", "the engines' ratio", "the one over the other",
                     "HTTP of its engine: Tessera", "LitServe of PyTorch"], queue)
            + "\n\n" + table(["p50, p99, ms (answers)", "load, 1/s", "Tessera", "LitServe"], steady))


def fidelity(results):
    names = MODELS | {"sftok-b": "SFTok-B, one step"}
    sides = {"bf16": "bf16", "int8": "int8", "pytorch_bf16": "PyTorch's bf16"}
    heads = ["tokens that agree with fp32's; pixels of the same tokens, PSNR (lowest), dB"]
    heads += [name for side, name in sides.items() if side in results["fidelity"][0]]
    rows = []
    for row in results["fidelity"]:
        rows.append([names.get(row["model"], row["model"]), *(
            f"{row[side]['tokens']:.1%}; {row[side]['psnr']:.1f} ({row[side]['lowest_psnr']:.1f})"
            for side in sides if side in row)])
    return f"{where(results)}; {results['fidelity'][0]['pictures']} pictures.\n\n{table(heads, rows)}"


PARTS = {"engine": engine, "roofline": roofline, "scaling": scaling, "serving": serving, "fidelity": fidelity}


def write(results):
    """Puts what there is in its place; says which files have changed."""
    results = json.loads(json.dumps(results))
    for path in FILES:
        text = before = open(path).read()
        for name, part in PARTS.items():
            if results.get(name):
                marked = rf"(<!-- bench:{name} -->\n).*?(\n<!-- /bench:{name} -->)"
                text = re.sub(marked, lambda m: m[1] + filled(part(results)) + m[2], text, flags=re.S)
        if text != before:
            with open(path, "w") as file:
                file.write(text)
            print(f"{os.path.relpath(path, ROOT)}: tables written", flush=True)


if __name__ == "__main__":
    write(json.load(open(sys.argv[1])))
