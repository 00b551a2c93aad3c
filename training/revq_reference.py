"""ReVQ's training (arXiv 2507.10547) in PyTorch, to compare losses and speed with `tessera train revq`.

    tessera train revq --vae VAE --images PHOTOGRAPHS --out RUN --steps 0
    python revq_reference.py RUN --steps 200 --losses losses.json --time      (torch, diffusers, safetensors, numpy)

Starts from the same codes and parameters, takes the same latents in the same batches and moves codes by the same noise;
gradients, optimizer and search are PyTorch's own. The log of `tessera train revq --latents RUN/latents --steps 200
--log-steps 1`, other options as before, has the same losses up to float32 rounding, which grows with the steps.
"""
import argparse
import json
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_dc import Decoder
from safetensors import safe_open
from safetensors.numpy import load_file

ORDER, RESET = 5, 6                     # purposes of random numbers, as in Sources/Training/Random.swift
SEARCH_FLOATS = 1 << 20                 # distances at once: 4 MB


class Random:
    """SplitMix64 keyed by seed, purpose and counters: Sources/Training/Random.swift."""

    MASK = (1 << 64) - 1
    INCREMENT = 0x9E3779B97F4A7C15

    def __init__(self, seed, purpose, *counters):
        self.state = self.mixed((seed + self.INCREMENT) & self.MASK)
        for key in (purpose, *counters):
            self.state = self.mixed(self.state ^ self.mixed((key + self.INCREMENT) & self.MASK))

    @staticmethod
    def mixed(z):
        """Of an int below 2^64, or of an array of uint64."""
        mask = Random.MASK if isinstance(z, int) else np.uint64(Random.MASK)
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        return z ^ (z >> 31)

    def next(self, count):
        """(count) uint64."""
        steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(self.INCREMENT)
        drawn = self.mixed(np.uint64(self.state) + steps)
        self.state = (self.state + count * self.INCREMENT) & self.MASK
        return drawn

    def normal(self, count):
        """(count) float64, by Box and Muller; a pair of uniforms gives one number."""
        uniform = ((self.next(2 * count) >> 11).astype(np.float64) * 2.0 ** -53).reshape(count, 2)
        return np.sqrt(-2 * np.log(1 - uniform[:, 0])) * np.cos(2 * np.pi * uniform[:, 1])

    def permutation(self, count):
        """0 ... count - 1 in random order (Fisher and Yates)."""
        order = list(range(count))
        for last, drawn in zip(range(count - 1, 0, -1), self.next(max(0, count - 1)).tolist()):
            other = drawn * (last + 1) >> 64
            order[last], order[other] = order[other], order[last]
        return order


class Start:
    """What `tessera train revq --steps 0` wrote."""

    def __init__(self, folder, latents):
        path = os.path.join(folder, "state", "step-0.safetensors")
        with safe_open(path, "pt") as file:
            self.settings = json.loads(file.metadata()["settings"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        self.codes = tensors["codes"]                                               # (books, K, d)
        self.rectifier = {name.removeprefix("rectifier."): value for name, value in tensors.items()
                          if name.startswith("rectifier.")}
        with open(os.path.join(latents, "manifest.json")) as file:
            manifest = json.load(file)
        shards = range((manifest["squares"] + manifest["shard"] - 1) // manifest["shard"])
        raw = np.concatenate([load_file(os.path.join(latents, f"{k:05}.safetensors"))["latents"] for k in shards])
        mean, std = (tensors[name].view(raw.shape[1:]) for name in ("mean", "std"))
        normalised = torch.from_numpy(raw).sub_(mean).div_(std)                     # (N, C, H, W)
        self.training = normalised[tensors["train"].long()]
        self.validation = normalised[tensors["validation"].long()]


class Codebooks(torch.nn.Module):
    """Codes (books, K, d): token t of an image is looked up in book t mod books."""

    def __init__(self, codes):
        super().__init__()
        self.codes = torch.nn.Parameter(codes.clone())
        self.uses = torch.zeros(codes.shape[:2], dtype=torch.int32)

    def nearest(self, x):
        """x (books, rows, d) to ids (books, rows): |c|^2 - 2 c x, as much at once as the cache holds."""
        books, count, _ = self.codes.shape
        rows = x.shape[1]
        ids = torch.empty(books, rows, dtype=torch.long)
        squares, turned = self.codes.square().sum(-1).unsqueeze(1), -2 * self.codes.transpose(1, 2)
        some_rows = max(1, min(rows, SEARCH_FLOATS // count))
        some_books = max(1, SEARCH_FLOATS // (some_rows * count))
        for b in range(0, books, some_books):
            for r in range(0, rows, some_rows):
                books_now, rows_now = slice(b, b + some_books), slice(r, r + some_rows)
                distances = torch.baddbmm(squares[books_now], x[books_now, rows_now], turned[books_now])
                ids[books_now, rows_now] = distances.argmin(-1)
        return ids

    def forward(self, z):
        """Latents (B, C, H, W) to their codes, which carry gradients to the codebooks."""
        books, count, d = self.codes.shape
        with torch.no_grad():
            x = z.reshape(-1, books, d).transpose(0, 1)
            flat = (self.nearest(x) + torch.arange(books)[:, None] * count).T.reshape(-1)
            if self.training:
                self.uses.view(-1).index_add_(0, flat, torch.ones_like(flat, dtype=torch.int32))
        return self.codes.view(-1, d).index_select(0, flat).view(z.shape)

    @torch.no_grad()
    def reset(self, share, noise, seed, epoch):
        """Moves codes that were never used, at most `share` of a book, to the most used ones plus noise."""
        count = self.codes.shape[1]
        for book, (codes, uses) in enumerate(zip(self.codes, self.uses)):
            unused = int((uses == 0).sum())
            number = min(max(int(share * count), 1), unused) if share > 0 else 0
            if number == 0 or unused == count:
                continue
            order = uses.argsort(descending=True, stable=True)
            drawn = Random(seed, RESET, epoch, book).normal(number * codes.shape[1])
            offsets = np.float32(noise) * torch.from_numpy(drawn).float().view(number, -1)
            sources = order[torch.arange(number) % (count - unused)]                # used ones only, in turn
            codes[order[count - number:]] = codes[sources] + offsets
        self.uses.zero_()


def make_rectifier(parameters, channels, features, layers):
    """diffusers' decoder with one stage of EfficientViT blocks; `None` where there are no layers."""
    if layers == 0:
        return None
    rectifier = Decoder(
        in_channels=channels, latent_channels=channels, attention_head_dim=32, block_type=("EfficientViTBlock",),
        block_out_channels=(features,), layers_per_block=(layers,), qkv_multiscales=((5,),), norm_type="rms_norm",
        act_fn="silu", upsample_block_type="interpolate")
    rectifier.load_state_dict(parameters)
    return rectifier.to(memory_format=torch.channels_last)


class Training:
    """One run over `total` steps."""

    def __init__(self, start, total, images_at_once):
        self.settings = s = start.settings
        self.total = total
        self.images_at_once = images_at_once
        self.step = 0
        self.codebooks = Codebooks(start.codes)
        self.rectifier = make_rectifier(start.rectifier, start.training.shape[1], s["features"], s["layers"])
        groups = [{"params": [self.codebooks.codes], "share": 1.0, "weight_decay": 0.0}]
        if self.rectifier:
            groups.append({"params": list(self.rectifier.parameters()), "share": s["rectifier_rate"],
                           "weight_decay": s["rectifier_decay"]})
        self.optimizer = torch.optim.AdamW(groups, fused=True)

    def rectifier_loss(self, codes, z):
        """Mean squared error of a batch, part by part; gradients add up where they are wanted."""
        if not self.rectifier:
            return 0.0
        total = 0.0
        for some_codes, some in zip(codes.detach().split(self.images_at_once), z.split(self.images_at_once)):
            rectified = self.rectifier(some_codes.contiguous(memory_format=torch.channels_last))
            loss = F.mse_loss(rectified, some) * (len(some) / len(z))
            if torch.is_grad_enabled():
                loss.backward()
            total += loss.item()
        return total

    def train(self, z):
        """One step on latents (B, C, H, W); returns both losses."""
        self.codebooks.train()
        self.optimizer.zero_grad(set_to_none=True)
        codes = self.codebooks(z)
        quantizer = F.mse_loss(codes, z)
        quantizer.backward()
        rectifier = self.rectifier_loss(codes, z)
        rate = self.settings["rate"] * self.settings["rate_fall"] ** (self.step / self.total)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
            torch.nn.utils.clip_grad_norm_(group["params"], self.settings["clip"])
        self.optimizer.step()
        self.step += 1
        return quantizer.item(), rectifier

    def reset(self, epoch):
        """The end of an epoch: moves codes, unless the run is nearly over."""
        s = self.settings
        share = s["reset_share"] if self.step / self.total < s["reset_until"] else 0
        self.codebooks.reset(share, s["reset_noise"], int(s["seed"]), epoch)

    @torch.no_grad()
    def validate(self, latents):
        """Both losses over all these latents."""
        self.codebooks.eval()
        sums = np.zeros(2)
        for z in latents.split(self.settings["batch"]):
            codes = self.codebooks(z)
            sums += len(z) * np.array([F.mse_loss(codes, z).item(), self.rectifier_loss(codes, z)])
        return sums / len(latents)


def run(start, steps, images_at_once):
    """Trains for `steps` (by default as the settings say); returns losses of steps and epochs, and steps' seconds."""
    s = start.settings
    per_epoch = -(-len(start.training) // s["batch"])
    total = steps or s["steps"] or s["epochs"] * per_epoch
    training = Training(start, total, images_at_once)
    losses, validation, seconds = [], [], []
    for epoch in range(-(-total // per_epoch)):
        order = torch.tensor(Random(int(s["seed"]), ORDER, epoch).permutation(len(start.training)))
        for batch in order.split(s["batch"])[:total - training.step]:
            began = time.perf_counter()
            quantizer, rectifier = training.train(start.training[batch])
            seconds.append(time.perf_counter() - began)
            losses.append({"step": training.step, "quantizer_loss": quantizer, "rectifier_loss": rectifier})
        training.reset(epoch)
        if len(start.validation):
            quantizer, rectifier = training.validate(start.validation)
            validation.append({"step": training.step, "quantizer_loss": quantizer, "rectifier_loss": rectifier})
    return losses, validation, seconds


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="the folder of `tessera train revq --steps 0`")
    parser.add_argument("--latents", help="the latents' folder (default: RUN/latents)")
    parser.add_argument("--steps", type=int, help="steps in all (default: as the run's settings say)")
    parser.add_argument("--losses", help="file for all losses as JSON")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images-at-once", type=int, default=16,
                        help="images that pass the rectifier together: a whole batch overflows the cache")
    parser.add_argument("--time", action="store_true", help="prints steps per second but for the first 3 steps")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    start = Start(arguments.run, arguments.latents or os.path.join(arguments.run, "latents"))
    losses, validation, seconds = run(start, arguments.steps, arguments.images_at_once)
    if arguments.losses:
        with open(arguments.losses, "w") as file:
            json.dump({"settings": start.settings, "steps": losses, "validation": validation}, file, indent=1)
    for name, rows in (("training", losses), ("validation", validation)):
        if rows:
            print(f"{name}, step {rows[-1]['step']}: quantizer loss {rows[-1]['quantizer_loss']:.6f}, "
                  f"rectifier loss {rows[-1]['rectifier_loss']:.6f}")
    if arguments.time and len(seconds) > 3:
        print(f"{(len(seconds) - 3) / sum(seconds[3:]):.4f} steps/s")


if __name__ == "__main__":
    main()
