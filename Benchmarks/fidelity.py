"""How far bf16 and int8 are from fp32, beside how far PyTorch's autocast is from its own fp32, on the same pictures and
weights.

    python Benchmarks/fidelity.py MODELS [--pictures FOLDER] [--count 16] [--json FILE]

MODELS holds sftok-b and revq-512t as reference/checkpoints.py writes them; revq-mini is the built-in one. Pictures are
256x256 crops of the photographs in FOLDER (default: the tests'). Tokens: how many of fp32's ids the other gives too.
Pixels: PSNR between the pictures that the two make of fp32's tokens (SFTok with one step: with more, noise decides what
is picked). Needs torch, numpy, pillow, safetensors, and the release build of tessera.
"""
import argparse
import glob
import io
import json
import math
import os
import statistics
import sys
import urllib.request

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(ROOT, "reference"))
sys.path.insert(0, os.path.join(ROOT, "Benchmarks/load"))

import numpy  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

import revq  # noqa: E402
import service  # noqa: E402
import sftok  # noqa: E402

PRECISIONS = ("bf16", "int8")
PICTURES = os.path.join(ROOT, "Tests/TrainingTests/Fixtures/photographs")
MINI = os.path.join(ROOT, "Sources/tessera/Resources/revq-mini")


def crops(folder, count):
    """Squares of 256 pixels from all over the photographs."""
    found = []
    for path in sorted(glob.glob(os.path.join(folder, "*.jpg")) + glob.glob(os.path.join(folder, "*.png"))):
        picture = Image.open(path).convert("RGB")
        for part in range(4):
            width, height = picture.size
            side = min(width, height) * (4 - part) // 4
            if side >= 256:
                left, top = (width - side) * part // 3, (height - side) * (3 - part) // 3
                found.append(picture.crop((left, top, left + side, top + side)).resize((256, 256), Image.BICUBIC))
    return found[:count]


def png(picture):
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def psnr(a, b):
    error = numpy.mean((a.astype(float) - b.astype(float)) ** 2)
    return 10 * numpy.log10(255 ** 2 / error) if error else 99.0


class Ours:
    """One service with fp32 and other precisions of one model."""

    def __init__(self, folder, precisions):
        os.makedirs(service.WORK, exist_ok=True)
        more = [part for p in precisions for part in ("--model", f"{p}={folder},precision={p}")]
        self.service = service.Service(f"fp32={folder}", *more)
        for precision in precisions:
            told = json.loads(self.service.ask(service.request("GET", f"/v1/models/{precision}"))[1])
            if told["precision"] != precision:
                raise SystemExit(f"this processor has no {precision}")

    def post(self, route, body, kind, accept):
        ask = urllib.request.Request(f"http://127.0.0.1:{self.service.port}{route}", body,
                                     {"Content-Type": kind, "Accept": accept})
        return urllib.request.urlopen(ask, timeout=120).read()

    def tokens(self, picture, precision):
        body = self.post(f"/v1/encode?model={precision}", png(picture), "image/png", "application/json")
        return json.loads(body)["data"][0]["tokens"]

    def pixels(self, tokens, precision, steps):
        question = {"model": precision, "tokens": tokens} | ({"steps": steps} if steps else {})
        body = self.post("/v1/decode", json.dumps(question).encode(), "application/json", "image/png")
        return numpy.asarray(Image.open(io.BytesIO(body)))


class Theirs:
    def __init__(self, encode, decode):
        self.encode, self.decode = encode, decode

    def run(self, body, precision):
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            return body()

    def tokens(self, picture, precision):
        x = torch.from_numpy(numpy.asarray(picture).copy()).permute(2, 0, 1)[None].float() / 255
        return self.run(lambda: self.encode(x), precision)[0].tolist()

    def pixels(self, tokens, precision, _):
        y = self.run(lambda: self.decode(torch.tensor(tokens)), precision).float()[0].clamp(0, 1)
        return (y.permute(1, 2, 0) * 255).round().numpy().astype(numpy.uint8)


def pytorch_sftok(folder):
    P = load_file(os.path.join(folder, "model.safetensors"))

    def encode(x):
        # As ours: distances are float32's.
        z = sftok.encode_features(x, P).float()
        with torch.autocast("cpu", enabled=False):
            return torch.stack([sftok.assign(each, P) for each in z])

    return Theirs(encode, lambda t: sftok.decode(t, P, steps=1, seed=0))


def pytorch_revq(folder):
    P = {k: v.float() for k, v in load_file(os.path.join(folder, "model.safetensors")).items()}
    V = {k: v.float() for k, v in load_file(os.path.join(folder, "vae/diffusion_pytorch_model.safetensors")).items()}
    stats = os.path.join(folder, "preprocessor.safetensors")
    pre = load_file(stats) if os.path.exists(stats) else torch.load(os.path.join(folder, "preprocessor.pth"))
    pre = {k: v.flatten().float() for k, v in pre.items()}
    quantizer = {"embeddings": P["quantizer.embeddings"]}
    rectifier = {k[len("decoder."):]: v for k, v in P.items() if k.startswith("decoder.")}
    told = json.load(open(os.path.join(folder, "vae/config.json")))
    strided, interpolates = told["downsample_block_type"] == "conv", told["upsample_block_type"] == "interpolate"
    channels = rectifier["conv_in.weight"].shape[1]
    side = math.isqrt(pre["mean"].numel() // channels)

    def encode(x):
        # As ours: distances are float32's.
        z = revq.dcae_encode(x * 2 - 1, V, strided=strided).float()
        with torch.autocast("cpu", enabled=False):
            return revq.quantize(revq.normalise(z, pre), quantizer)

    def decode(tokens):
        return (revq.decode(tokens[None], V, pre, quantizer, rectifier, (channels, side, side), interpolates) + 1) / 2

    return Theirs(encode, decode)


def measure(side, pictures, steps, precision):
    agreement, distance = [], []
    for picture in pictures:
        exact, rounded = side.tokens(picture, "fp32"), side.tokens(picture, precision)
        agreement.append(sum(a == b for a, b in zip(exact, rounded)) / len(exact))
        distance.append(psnr(side.pixels(exact, "fp32", steps), side.pixels(exact, precision, steps)))
    return {"tokens": statistics.mean(agreement), "psnr": statistics.mean(distance), "lowest_psnr": min(distance)}


def described(who, told):
    return f"{who} {100 * told['tokens']:.1f} % of tokens, {told['psnr']:.1f} dB ({told['lowest_psnr']:.1f} at least)"


def compare(models, folder, count, precisions=PRECISIONS):
    """[{model, pictures, pytorch_bf16, bf16, int8}], each of a precision {tokens, psnr, lowest_psnr}."""
    pictures = crops(folder, count)
    rows = []
    for name, place, theirs, steps in [
            ("sftok-b", os.path.join(models, "sftok-b"), pytorch_sftok, 1),
            ("revq-512t", os.path.join(models, "revq-512t"), pytorch_revq, None),
            ("revq-mini", MINI, pytorch_revq, None)]:
        ours = Ours(place, precisions)
        with ours.service:
            mine = {p: measure(ours, pictures, steps, p) for p in precisions}
            ours.service.stop()
        other = measure(theirs(place), pictures, steps, "bf16")
        rows.append({"model": name, "pictures": len(pictures), "pytorch_bf16": other} | mine)
        print(f"{name}, {len(pictures)} pictures, beside its own fp32:", "; ".join(
            [described(p, mine[p]) for p in precisions] + [described("PyTorch's bf16", other)]), flush=True)
    return rows


def main():
    a = argparse.ArgumentParser()
    a.add_argument("models")
    a.add_argument("--pictures", default=PICTURES)
    a.add_argument("--count", type=int, default=16)
    a.add_argument("--json")
    a = a.parse_args()
    rows = compare(a.models, a.pictures, a.count)
    if a.json:
        json.dump(rows, open(a.json, "w"), indent=2)


if __name__ == "__main__":
    main()
