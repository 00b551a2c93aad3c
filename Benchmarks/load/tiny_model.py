"""An SFTok with random weights, small enough that a server's own costs can be seen beside it.

    python3 Benchmarks/load/tiny_model.py FOLDER

Its tokens mean nothing, but they are the same for the same picture, every time. Standard library only.
"""
import array
import json
import math
import os
import random
import struct
import sys

WIDTH, LAYERS, CODES, HIDDEN = 128, 2, 512, 32


def norm(name, width):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def transformer(part):
    shapes = norm(f"{part}.ln_pre", WIDTH) | norm(f"{part}.ln_post", WIDTH)
    for layer in range(LAYERS):
        p = f"{part}.transformer.{layer}"
        shapes |= norm(f"{p}.ln_1", WIDTH) | norm(f"{p}.ln_2", WIDTH)
        shapes |= {f"{p}.attn.in_proj_weight": (3 * WIDTH, WIDTH), f"{p}.attn.in_proj_bias": (3 * WIDTH,)}
        for name, outputs, inputs in [("attn.out_proj", 1, 1), ("mlp.c_fc", 4, 1), ("mlp.c_proj", 1, 4)]:
            shapes |= {f"{p}.{name}.weight": (outputs * WIDTH, inputs * WIDTH), f"{p}.{name}.bias": (outputs * WIDTH,)}
    return shapes


def convolution(name, outputs, inputs, has_bias):
    shapes = {f"pixel_decoder.{name}.weight": (outputs, inputs, 3, 3)}
    return shapes | ({f"pixel_decoder.{name}.bias": (outputs,)} if has_bias else {})


def residual(name, inputs, outputs):
    shapes = norm(f"pixel_decoder.{name}.norm1", inputs) | norm(f"pixel_decoder.{name}.norm2", outputs)
    shapes |= convolution(f"{name}.conv1", outputs, inputs, False)
    shapes |= convolution(f"{name}.conv2", outputs, outputs, False)
    shortcut = {f"pixel_decoder.{name}.nin_shortcut.weight": (outputs, outputs, 1, 1)}
    return shapes | (shortcut if inputs != outputs else {})


def pixel_decoder():
    widths = [HIDDEN * multiple for multiple in (1, 1, 2, 2, 4, 4)]
    shapes = convolution("conv_in", widths[5], 256, True) | convolution("conv_out", 3, HIDDEN, True)
    for block in range(2):
        shapes |= residual(f"mid.{block}", widths[5], widths[5])
    for stage in range(5):
        shapes |= residual(f"up.{stage}.block.0", widths[stage + 1], widths[stage])
        shapes |= residual(f"up.{stage}.block.1", widths[stage], widths[stage])
        shapes |= convolution(f"up.{stage}.upsample_conv", widths[stage], widths[stage], True) if stage else {}
    return shapes | norm("pixel_decoder.norm_out", HIDDEN)


def shapes():
    w = WIDTH
    return {
        "latent_tokens": (64, w), "encoder.class_embedding": (1, w), "encoder.positional_embedding": (257, w),
        "encoder.latent_token_positional_embedding": (64, w), "encoder.patch_embed.weight": (w, 3, 16, 16),
        "encoder.patch_embed.bias": (w,), "encoder.conv_out.weight": (32, w, 1, 1), "encoder.conv_out.bias": (32,),
        "decoder.condition_positional_embedding": (64, w), "decoder.class_embedding": (1, w),
        "decoder.learnable_embedding_positional_embedding": (257, w), "decoder.decoder_embed.weight": (w, 32),
        "decoder.decoder_embed.bias": (w,), "decoder.learnable_embedding.weight": (1025, w),
        "decoder.ffn.0.weight": (2 * w, w, 1, 1), "decoder.ffn.0.bias": (2 * w,),
        "decoder.ffn.2.weight": (1024, 2 * w, 1, 1), "decoder.ffn.2.bias": (1024,),
        "quantize.embedding": (1, CODES, 32), "quantize.shared_linear.weight": (32, 32),
        "quantize.shared_linear.bias": (32,), "pixel_quantize.embedding.weight": (1024, 256),
    } | transformer("encoder") | transformer("decoder") | pixel_decoder()


def values(name, shape):
    """As many as the shape has, spread so that what flows through neither dies nor grows."""
    count = math.prod(shape)
    if name.endswith("bias"):
        centre, spread = 0, 0.1
    elif len(shape) == 1:
        centre, spread = 1, 0.2
    elif "embedding" in name or "latent_tokens" in name:
        centre, spread = 0, 1
    else:
        centre, spread = 0, 1.7 / math.sqrt(math.prod(shape[1:]))
    # A few thousand numbers, over and over: a small model needs no better ones.
    some = random.Random(name)
    block = array.array("f", (centre + spread * some.uniform(-1, 1) for _ in range(min(count, 4099))))
    return (block.tobytes() * (count // len(block) + 1))[:4 * count]


def write(folder):
    os.makedirs(folder, exist_ok=True)
    header, data = {}, []
    end = 0
    for name, shape in sorted(shapes().items()):
        data.append(values(name, shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + len(data[-1])]}
        end += len(data[-1])
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))
    model = {
        "model_type": "sftok",
        "vq_model": {"codebook_size": CODES, "token_size": 32, "use_l2_norm": True, "vit_enc_model_size": "small",
                     "vit_enc_patch_size": 16, "num_latent_tokens": 64, "num_group": 1, "finetune_decoder": True},
        "decoder": {"vit_dec_model_size": "small", "vit_dec_patch_size": 16, "num_latent_tokens": 64, "token_size": 32,
                    "num_proxy_codes": 256, "codebook_size": 1024, "randomize_temperature": 1.0,
                    "guidance_scale": 0.0, "guidance_decay": "constant"}}
    preprocessing = {"resize_shorter_edge": 256, "crop_size": 256}
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump({"experiment": {"name": "tiny"}, "model": model, "dataset": {"preprocessing": preprocessing}}, file)


if __name__ == "__main__":
    write(sys.argv[1])
