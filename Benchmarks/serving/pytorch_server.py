"""SFTok behind LitServe with batching: what a Python user would serve it with.

    python Benchmarks/serving/pytorch_server.py FOLDER PORT fp32|bf16 THREADS LAYOUT BATCH

POST /predict {"input": ["base64 of a picture"]} answers {"tokens": [...]}, POST /predict {"tokens": [...]} answers
{"image": "base64 of a PNG"}. The model is reference/sftok.py in inference mode, bf16 by autocast, convolutions' weights
in LAYOUT (contiguous or channels_last); pictures are read and resized by Pillow in the server's worker, as the authors'
scripts do. One worker for both, so that two models don't contend for the cores; pictures of a batch are encoded
together, decoded one by one, as the authors' sampler takes one.
"""
import base64
import io
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../reference"))

import litserve  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

import sftok  # noqa: E402


class Tokenizer(litserve.LitAPI):
    def __init__(self, folder, precision, threads, layout, **options):
        super().__init__(**options)
        self.folder, self.precision, self.threads, self.layout = folder, precision, threads, layout

    def setup(self, device):
        torch.set_num_threads(self.threads)
        weights = load_file(os.path.join(self.folder, "model.safetensors"))
        layout = getattr(torch, {"contiguous": "contiguous_format"}.get(self.layout, self.layout))
        self.weights = {k: v.float().contiguous(memory_format=layout) if v.dim() == 4 else v.float()
                        for k, v in weights.items()}

    def decode_request(self, request):
        if "tokens" in request:
            return "decode", torch.tensor(request["tokens"])
        picture = Image.open(io.BytesIO(base64.b64decode(request["input"][0]))).convert("RGB")
        scale = 256 / min(picture.size)
        picture = picture.resize([round(side * scale) for side in picture.size], Image.BICUBIC)
        left, top = (picture.width - 256) // 2, (picture.height - 256) // 2
        pixels = numpy.asarray(picture.crop((left, top, left + 256, top + 256))).copy()
        return "encode", torch.from_numpy(pixels).permute(2, 0, 1).float() / 255

    def batch(self, inputs):
        return inputs

    def predict(self, inputs):
        """[(kind, numbers)] -> [(kind, ids or pixels)], in the same order; one of them where there are no batches."""
        if isinstance(inputs, tuple):
            return self.predict([inputs])[0]
        pictures = [x for kind, x in inputs if kind == "encode"]
        with torch.inference_mode():
            tokens = iter(self.encode(torch.stack(pictures)) if pictures else [])
            return [(kind, next(tokens) if kind == "encode" else self.decode(x)) for kind, x in inputs]

    def autocast(self):
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.precision == "bf16")

    def encode(self, x):
        with self.autocast():
            z = sftok.encode_features(x, self.weights).float()
        return [sftok.assign(each, self.weights) for each in z]

    def decode(self, tokens):
        with self.autocast():
            y = sftok.decode(tokens, self.weights, seed=0).float()[0].clamp(0, 1)
        return (y.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        kind, value = output
        if kind == "encode":
            return {"tokens": value.tolist()}
        out = io.BytesIO()
        Image.fromarray(value).save(out, "PNG")
        return {"image": base64.b64encode(out.getvalue()).decode()}


if __name__ == "__main__":
    folder, port, precision, threads, layout, batch = sys.argv[1:]
    api = Tokenizer(folder, precision, int(threads), layout, max_batch_size=int(batch), batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu", devices=1, workers_per_device=1, timeout=120)
    server.run(host="127.0.0.1", port=int(port), generate_client_file=False, log_level="warning", num_api_servers=1)
