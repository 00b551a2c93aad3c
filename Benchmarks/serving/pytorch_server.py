"""SFTok's encoder behind LitServe with batching: what a Python user would serve it with.

    python Benchmarks/serving/pytorch_server.py FOLDER PORT fp32|bf16 THREADS

POST /predict {"input": ["base64 of a picture"]} answers {"tokens": [...]}. The model is reference/sftok.py in inference
mode, bf16 by autocast; pictures are read and resized by Pillow in the server's worker, as the authors' scripts do.
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


class Encoder(litserve.LitAPI):
    def __init__(self, folder, precision, threads, **options):
        super().__init__(**options)
        self.folder, self.precision, self.threads = folder, precision, threads

    def setup(self, device):
        torch.set_num_threads(self.threads)
        self.weights = load_file(os.path.join(self.folder, "model.safetensors"))

    def decode_request(self, request):
        picture = Image.open(io.BytesIO(base64.b64decode(request["input"][0]))).convert("RGB")
        scale = 256 / min(picture.size)
        picture = picture.resize([round(side * scale) for side in picture.size], Image.BICUBIC)
        left, top = (picture.width - 256) // 2, (picture.height - 256) // 2
        pixels = numpy.asarray(picture.crop((left, top, left + 256, top + 256))).copy()
        return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255

    def batch(self, inputs):
        return torch.stack(inputs)

    def predict(self, x):
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            z = sftok.encode_features(x, self.weights).float()
        with torch.inference_mode():
            return [sftok.assign(each, self.weights) for each in z]

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return {"tokens": output.tolist()}


if __name__ == "__main__":
    folder, port, precision, threads = sys.argv[1:]
    api = Encoder(folder, precision, int(threads), max_batch_size=8, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu", devices=1, workers_per_device=1, timeout=120)
    server.run(host="127.0.0.1", port=int(port), generate_client_file=False, log_level="warning", num_api_servers=1)
