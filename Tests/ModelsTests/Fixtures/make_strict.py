"""Writes strict.json: what PyTorch's `load_state_dict(strict=True)` says of tiny models with one tensor changed.

    python make_strict.py      (needs torch, numpy)

Each model's tensors are parameters of a module on the meta device. Each of them in turn is left out, renamed, made one
longer in each dimension, and transposed (all dimensions reversed); what PyTorch says of it is parsed. Kept are, for each
model, the settings as `reference/checkpoints.py` writes them, and for each tensor its shape and the verdicts: "m" missing,
"u" unexpected, "s" size mismatch, "" none.
"""
import json
import os
import re
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../../reference"))
sys.path.insert(0, HERE)
import checkpoints  # noqa: E402
import goldens  # noqa: E402
import make_variants  # noqa: E402
import sftok  # noqa: E402


def module(shapes):
    """A module whose state dict has these names and shapes."""
    root = torch.nn.Module()
    for name, shape in shapes.items():
        *path, leaf = name.split(".")
        at = root
        for part in path:
            if part not in at._modules:
                at.add_module(part, torch.nn.Module())
            at = at._modules[part]
        at.register_parameter(leaf, torch.nn.Parameter(torch.empty(shape, device="meta")))
    return root


def verdict(root, shapes, name, changed):
    """What strict loading says of `name` and its replacement; fails where it says anything of another tensor."""
    state = {k: torch.empty(v, device="meta") for k, v in changed.items()}
    try:
        root.load_state_dict(state, strict=True)
        return ""
    except RuntimeError as error:
        text = str(error)
    said = ""
    missing = re.search(r"Missing key\(s\) in state_dict: (.*?)\. \n?", text + " ")
    unexpected = re.search(r"Unexpected key\(s\) in state_dict: (.*?)\. \n?", text + " ")
    if missing:
        assert missing[1] == f'"{name}"', text
        said += "m"
    if unexpected:
        assert unexpected[1] == f'"{name}_other"', text
        said += "u"
    if "size mismatch" in text:
        assert text.count("size mismatch") == 1 and f"size mismatch for {name}:" in text, text
        said += "s"
    return said


def verdicts(shapes):
    root, out = module(shapes), {}
    for name, shape in shapes.items():
        rest = {k: v for k, v in shapes.items() if k != name}
        longer = [verdict(root, shapes, name, rest | {name: (*shape[:i], n + 1, *shape[i + 1:])})
                  for i, n in enumerate(shape)]
        out[name] = [list(shape), verdict(root, shapes, name, rest), verdict(root, shapes, name, rest | {name + "_other": shape}),
                     "".join(longer), verdict(root, shapes, name, rest | {name: tuple(reversed(shape))})]
    return out


def vae_config(encoder, decoder, enc_layers, dec_layers, kinds, strided, interpolate):
    scales = [[5] if k == "EfficientViTBlock" else [] for k in kinds]
    return {"in_channels": 3, "latent_channels": 8 if len(encoder) < 6 else 32, "attention_head_dim": 32,
            "encoder_block_types": kinds, "decoder_block_types": kinds,
            "encoder_block_out_channels": encoder, "decoder_block_out_channels": decoder,
            "encoder_layers_per_block": enc_layers, "decoder_layers_per_block": dec_layers,
            "encoder_qkv_multiscales": scales, "decoder_qkv_multiscales": scales,
            "upsample_block_type": "interpolate" if interpolate else "pixel_shuffle",
            "downsample_block_type": "conv" if strided else "pixel_unshuffle"}


def models():
    size = checkpoints.SFTOK["sftok-tiny"]
    yield "sftok", sftok.shapes(**size), checkpoints.sftok_config("sftok-tiny", size)
    vae, codes, d, width, layers = checkpoints.REVQ["revq-tiny"]
    tokens = 2048 // d
    quantizer = {"quantizer.embeddings": (tokens, codes, d)}
    rectifier = goldens.decoder_shapes("decoder.", 32, 32, (width,), (layers,), ("vit",))
    settings = {"TYPE": "vq", "num_code": codes, "num_group": tokens, "tokens_per_data": tokens}
    decoder = {"TYPE": "dc_ae", "in_channels": 32, "latent_channels": 32, "attention_head_dim": 32,
               "block_type": ["EfficientViTBlock"], "block_out_channels": [width], "layers_per_block": [layers],
               "qkv_multiscales": [[5]], "upsample_block_type": "interpolate"}
    data = [32, 8, 8]
    yield "revq", quantizer | rectifier, {"model": {"input_data_size": data, "quantizer": settings, "decoder": decoder}}
    yield "revq-identity", quantizer, {
        "model": {"input_data_size": data, "quantizer": settings, "decoder": {"TYPE": "identity"}}}
    yield "preprocessor", {"mean": (2048,), "std": (2048,)}, {}
    words = {"res": "ResBlock", "vit": "EfficientViTBlock"}
    yield "dcae", goldens.vae_shapes(**vae), vae_config(
        vae["encoder"], vae["decoder"], vae["enc_layers"], vae["dec_layers"], [words[k] for k in goldens.KINDS], True, True)
    for name, v in make_variants.VARIANTS.items():
        layers = [0 if v["first_down"] and i == 0 else 1 for i in range(len(v["channels"]))]
        yield f"dcae-{name}", make_variants.shapes(**v), vae_config(
            v["channels"], v["channels"], layers, layers, [words[k] for k in v["kinds"]], v["strided"], v["interpolate"])


if __name__ == "__main__":
    lines = []
    for name, shapes, config in models():
        tensors = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in verdicts(shapes).items()]
        lines.append(f'{json.dumps(name)}: {{"config": {json.dumps(config)}, "tensors": {{\n' + ",\n".join(tensors) + "}}")
    open(os.path.join(HERE, "strict.json"), "w").write("{" + ",\n".join(lines) + "}\n")
