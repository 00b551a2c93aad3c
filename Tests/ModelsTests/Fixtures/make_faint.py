"""Writes sftok-faint.safetensors: what the reference computes where every layer norm sees numbers about as small as its
epsilon's root, so that another epsilon shows in the first digit. On the recipe's weights epsilon hides in the last.

    python make_faint.py      (needs torch, numpy, safetensors)

The tiny model on recipe weights of seed 0, with all that feeds a layer norm multiplied by FAINT.
"""
import os
import sys

import torch
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../../reference"))
import goldens  # noqa: E402
import sftok  # noqa: E402

TINY = dict(enc_width=128, enc_layers=2, dec_width=128, dec_layers=2, codes=512, hidden=32)
FAINT = 2.0 ** -8
PARTS = ("embedding", "latent_tokens", "patch_embed", "decoder_embed", "ln_pre", "out_proj", "c_proj")


def is_faint(name):
    return not name.startswith(("quantize.", "pixel_")) and any(part in name for part in PARTS)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    P = {name: t * FAINT if is_faint(name) else t for name, t in goldens.tensors(sftok.shapes(**TINY), 0).items()}
    golden = load_file(os.path.join(HERE, "sftok-tiny.safetensors"))
    x = golden["image"].permute(2, 0, 1)[None].float() / 255

    def outputs():
        condition = sftok.codebook(P)[golden["tokens"]][None]
        logits = sftok.proxy_logits(torch.full((1, 256), 1024), condition, P)
        return sftok.encode_features(x, P)[0], logits[0, ::64]

    features, logits = outputs()
    plain = sftok.layer_norm

    # Any one norm with a tenth of its epsilon shows.
    for part in ("encoder.ln_pre", "encoder.ln_post", "encoder.transformer.0.ln_1", "encoder.transformer.1.ln_2",
                 "decoder.ln_pre", "decoder.ln_post", "decoder.transformer.0.ln_1", "decoder.transformer.1.ln_2"):
        def other(x, P, p):
            return plain(x, P, p) if p != part else torch.nn.functional.layer_norm(
                x, x.shape[-1:], P[p + ".weight"], P[p + ".bias"], 1e-6)
        sftok.layer_norm = other
        found = outputs()
        sftok.layer_norm = plain
        ours, theirs = (features, found[0]) if part.startswith("encoder") else (logits, found[1])
        error = (ours - theirs).abs().max() / ours.abs().max()
        print(part, float(error))
        assert error > 5e-3, part
    save_file({"features": features.contiguous(), "logits": logits.contiguous()},
              os.path.join(HERE, "sftok-faint.safetensors"))
