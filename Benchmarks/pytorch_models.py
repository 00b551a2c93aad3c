"""PyTorch's side: reference/*.py, set up to be fast on a processor.

Inference mode, bf16 by autocast, distances in float32 as ours (in bfloat16 hardly a token would be right). Each
operation is there in several forms that give the same, and the fastest counts: contiguous and channels_last weights,
and the search of 512 codebooks one by one as reference/revq.py has it, all at once, or by a product.
"""
import os
import sys
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(ROOT, "reference"))

import numpy  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

import revq  # noqa: E402
import sftok  # noqa: E402

PICTURE = os.path.join(ROOT, "docs/chelsea.jpg")


def channels_last(state):
    return {k: v.to(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in state.items()}


def floats(path):
    return {k: v.float() for k, v in load_file(path).items()}


class ReVQ:
    """The parts of a model's folder."""

    def __init__(self, folder):
        weights = floats(os.path.join(folder, "model.safetensors"))
        self.vae = floats(os.path.join(folder, "vae", "diffusion_pytorch_model.safetensors"))
        stats = torch.load(os.path.join(folder, "preprocessor.pth"), weights_only=True)
        self.statistics = {k: v.flatten().float() for k, v in stats.items()}
        self.quantizer = {"embeddings": weights["quantizer.embeddings"]}
        self.norms = self.quantizer["embeddings"].pow(2).sum(-1, keepdim=True)
        self.rectifier = {k[len("decoder."):]: v for k, v in weights.items() if k.startswith("decoder.")}


def one_by_one(z, model):
    return revq.quantize(z, model.quantizer)


def parts(z, e):
    """The vectors of one latent, (G, 1, d)."""
    return z.flatten(1).view(e.shape[0], 1, e.shape[2])


def at_once(z, model):
    e = model.quantizer["embeddings"]
    return torch.cdist(parts(z, e), e)[:, 0].argmin(-1)[None]


def by_product(z, model):
    """|e|^2 - 2 e z, with the norms kept."""
    e = model.quantizer["embeddings"]
    return torch.baddbmm(model.norms, e, parts(z, e).mT, alpha=-2)[..., 0].argmin(-1)[None]


class Theirs:
    """Weights in both layouts; `threads` are PyTorch's."""

    def __init__(self, models, threads):
        torch.set_num_threads(threads)
        self.sftok = floats(os.path.join(models, "sftok-b", "model.safetensors"))
        self.revq = ReVQ(os.path.join(models, "revq-512t"))
        pixels = numpy.asarray(Image.open(PICTURE).convert("RGB")).copy()
        self.picture = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        self.chosen = {}
        with torch.inference_mode():
            self.forms = self.all_forms()

    def all_forms(self):
        P, last_P = self.sftok, channels_last(self.sftok)
        m = self.revq
        last_vae, last_rectifier = channels_last(m.vae), channels_last(m.rectifier)
        x, last = self.picture, torch.channels_last
        codes = m.quantizer["embeddings"].shape
        tokens = torch.arange(64) * 37 % P["quantize.embedding"].shape[1]
        ids = (torch.arange(codes[0]) * 37 % codes[1])[None]

        def revq_encode(x, vae, search):
            z = revq.dcae_encode(x * 2 - 1, vae).float()
            with torch.autocast("cpu", enabled=False):
                return search(revq.normalise(z, m.statistics), m)

        def named(name, body):
            body.__name__ = name
            return body

        z = revq.dcae_encode(x * 2 - 1, m.vae)
        search = min((one_by_one, at_once, by_product), key=lambda each: self.trial(lambda: each(z, m), "fp32"))
        return {
            ("sftok-b", "encode"): [named("contiguous", lambda: sftok.encode(x, P)),
                                    named("channels_last", lambda: sftok.encode(x, last_P))],
            ("sftok-b", "decode"): [named("contiguous", lambda: sftok.decode(tokens, P, seed=0)),
                                    named("channels_last", lambda: sftok.decode(tokens, last_P, seed=0))],
            ("revq-512t", "encode"): [
                named(f"contiguous, search {search.__name__}", lambda: revq_encode(x, m.vae, search)),
                named(f"channels_last, search {search.__name__}",
                      lambda: revq_encode(x.to(memory_format=last), last_vae, search))],
            ("revq-512t", "decode"): [
                named("contiguous", lambda: revq.decode(ids, m.vae, m.statistics, m.quantizer, m.rectifier)),
                named("channels_last", lambda: revq.decode(ids, last_vae, m.statistics, m.quantizer, last_rectifier))],
        }

    def best(self, model, operation, precision):
        """The fastest form; chosen once."""
        key = (model, operation, precision)
        if key not in self.chosen:
            self.chosen[key] = min(self.forms[key[:2]], key=lambda body: self.trial(body, precision))
        return self.chosen[key]

    def trial(self, body, precision):
        """The second of two runs: the first one finds its kernels."""
        self.seconds(body, precision)
        return self.seconds(body, precision)

    @staticmethod
    def seconds(body, precision):
        start = time.perf_counter()
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            body()
        return time.perf_counter() - start
