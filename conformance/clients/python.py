"""A Python library's client against the service: a line for each check, OK or FAIL; exit 1 on a FAIL.

usage: python.py requests|httpx|aiohttp URL PHOTO ANSWER PICTURE

ANSWER is what `tessera encode PHOTO` prints, PICTURE what `tessera decode` makes of that.
"""

import asyncio
import base64
import dataclasses
import io
import json
import pathlib
import sys
from collections.abc import Mapping

import aiohttp
import httpx
import numpy
import requests
from PIL import Image

JPEG = {"Content-Type": "image/jpeg"}
NPY = "application/x-npy"
OCTETS = "application/octet-stream"
CHUNK = 4096


@dataclasses.dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)

    def array(self):
        return numpy.load(io.BytesIO(self.body), allow_pickle=False)


class Requests:
    def __init__(self, url):
        self.url = url
        self.session = requests.Session()
        self.adapter = requests.adapters.HTTPAdapter(pool_maxsize=32)
        self.session.mount(url, self.adapter)

    async def send(self, method, path, *, chunks=None, content=None, data=None, **body):
        data = iter(chunks) if chunks else data or content
        answer = await asyncio.to_thread(self.session.request, method, self.url + path, data=data, timeout=300, **body)
        return Answer(answer.status_code, answer.headers, answer.content)

    @property
    def connections(self):
        pools = self.adapter.poolmanager.pools
        return sum(pools[key].num_connections for key in pools.keys())

    async def close(self):
        self.session.close()


class Httpx:
    def __init__(self, url):
        self.connections = 0
        limits = httpx.Limits(max_connections=32)
        self.client = httpx.AsyncClient(base_url=url, timeout=300, limits=limits, trust_env=False)

    async def trace(self, event, _):
        self.connections += event == "connection.connect_tcp.complete"

    async def send(self, method, path, *, chunks=None, content=None, **body):
        async def stream():
            for chunk in chunks:
                yield chunk

        content = stream() if chunks else content
        answer = await self.client.request(method, path, content=content, extensions={"trace": self.trace}, **body)
        return Answer(answer.status_code, answer.headers, answer.content)

    async def close(self):
        await self.client.aclose()


class Aiohttp:
    def __init__(self, url):
        self.connections = 0
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(self.count)
        self.session = aiohttp.ClientSession(
            url, connector=aiohttp.TCPConnector(limit=32), timeout=aiohttp.ClientTimeout(300), trace_configs=[trace])

    async def count(self, *_):
        self.connections += 1

    async def send(self, method, path, *, chunks=None, content=None, files=None, data=None, **body):
        async def stream():
            for chunk in chunks:
                yield chunk

        if files:
            form = aiohttp.FormData()
            for name, value in (data or {}).items():
                form.add_field(name, value)
            for name, (filename, value, kind) in files:
                form.add_field(name, value, filename=filename, content_type=kind)
            data = form
        data = stream() if chunks else data or content
        async with self.session.request(method, path, data=data, **body) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def close(self):
        await self.session.close()


class Fault(Exception):
    pass


def same(found, wanted, what):
    if found != wanted:
        raise Fault(f"{what}: expected {str(wanted)[:200]}, found {str(found)[:200]}")


class Checks:
    """Each method is a check, named by its docstring."""

    def __init__(self, kind, url, photo, answer, picture):
        self.open = lambda: kind(url)
        self.photo = pathlib.Path(photo).read_bytes()
        self.answer = pathlib.Path(answer).read_bytes()
        self.known = json.loads(self.answer)
        self.tokens = self.known["data"][0]["tokens"]
        self.picture = numpy.asarray(Image.open(picture))

    def encoded(self, answer):
        same((answer.status, answer.body), (200, self.answer), "the answer")
        same(answer.headers["X-Tessera-Contract"], self.known["contract"], "X-Tessera-Contract")

    def painted(self, png):
        found = numpy.asarray(Image.open(io.BytesIO(png)))
        same(found.shape, (256, 256, 3), "the picture's shape")
        if not numpy.array_equal(found, self.picture):
            raise Fault("the picture is another")

    async def raw(self, client):
        """encode: a raw body"""
        self.encoded(await client.send("POST", "/v1/encode", content=self.photo, headers=JPEG))

    async def as_json(self, client):
        """encode: JSON, base64 and data URL"""
        text = base64.b64encode(self.photo).decode()
        for given in (text, f"data:image/jpeg;base64,{text}"):
            self.encoded(await client.send("POST", "/v1/encode", json={"input": given}))

    async def form(self, client):
        """encode: a form, two pictures and a field"""
        files = [("file", ("a.jpg", self.photo, "image/jpeg")), ("file", ("b.jpg", self.photo, "image/jpeg"))]
        answer = await client.send("POST", "/v1/encode", files=files, data={"exif": "ignore"})
        same([item["tokens"] for item in answer.json()["data"]], [self.tokens] * 2, "tokens")
        same(answer.json()["usage"], {"images": 2, "tokens": 2 * len(self.tokens)}, "usage")

    async def chunked(self, client):
        """encode: a chunked body from a generator"""
        chunks = [self.photo[start:start + CHUNK] for start in range(0, len(self.photo), CHUNK)]
        self.encoded(await client.send("POST", "/v1/encode", chunks=chunks, headers=JPEG))

    async def arrays(self, client):
        """encode: npy and octets"""
        answer = await client.send("POST", "/v1/encode", content=self.photo, headers=JPEG | {"Accept": NPY})
        found = answer.array()
        same((found.dtype.str, found.tolist()), ("<u2", [self.tokens]), "the array")
        answer = await client.send("POST", "/v1/encode", content=self.photo, headers=JPEG | {"Accept": OCTETS})
        same(numpy.frombuffer(answer.body, "<u2").tolist(), self.tokens, "the octets")

    async def pictures(self, client):
        """decode: JSON, npy of four types, and octets to PNG"""
        body = {"tokens": self.tokens, "contract": self.known["contract"]}
        answer = await client.send("POST", "/v1/decode", json=body)
        same((answer.status, answer.headers["Content-Type"]), (200, "image/png"), "the answer")
        self.painted(answer.body)
        for kind in ("<u2", "<i4", ">i4", "<i8"):
            file = io.BytesIO()
            numpy.save(file, numpy.array([self.tokens], kind))
            answer = await client.send("POST", "/v1/decode", content=file.getvalue(), headers={"Content-Type": NPY})
            self.painted(answer.body)
        octets = numpy.array(self.tokens, "<u2").tobytes()
        answer = await client.send("POST", "/v1/decode", content=octets, headers={"Content-Type": OCTETS})
        self.painted(answer.body)

    async def several(self, client):
        """decode: two pictures, as JSON and as an array"""
        body = {"tokens": [self.tokens] * 2}
        answer = await client.send("POST", "/v1/decode", json=body)
        same([item["index"] for item in answer.json()["data"]], [0, 1], "index")
        for item in answer.json()["data"]:
            self.painted(base64.b64decode(item["b64_json"], validate=True))
        found = (await client.send("POST", "/v1/decode", json=body, headers={"Accept": NPY})).array()
        same((found.dtype, found.shape), (numpy.uint8, (2, 256, 256, 3)), "the array")
        if not all(numpy.array_equal(picture, self.picture) for picture in found):
            raise Fault("the pictures are others")

    async def reconstructed(self, client):
        """reconstruct: a picture with PSNR and SSIM"""
        answer = await client.send("POST", "/v1/reconstruct", content=self.photo, headers=JPEG)
        self.painted(answer.body)
        psnr, ssim = (float(answer.headers[f"X-Tessera-{name}"]) for name in ("PSNR", "SSIM"))
        if not (20 < psnr < 40 and 0.5 < ssim < 1):
            raise Fault(f"PSNR {psnr}, SSIM {ssim}")

    async def partial(self, client):
        """encode: a bad picture harms no other"""
        inputs = [base64.b64encode(data).decode() for data in (b"\xff\xd8\xff", self.photo)]
        data = (await client.send("POST", "/v1/encode", json={"input": inputs})).json()["data"]
        same((set(data[0]), data[1]["tokens"]), ({"object", "index", "error"}, self.tokens), "the items")

    async def refusals(self, client):
        """errors: their form, on each way"""
        rows = [
            ("GET", "/no/such", 404, "not_found", {}),
            ("DELETE", "/v1/encode", 405, "method_not_allowed", {}),
            ("GET", "/v1/models/x", 404, "model_not_found", {}),
            ("POST", "/v1/encode", 415, "unsupported_image", {"content": b"GIF89a", "headers": JPEG}),
            ("POST", "/v1/encode", 422, "undecodable_image", {"content": self.photo[:4000], "headers": JPEG}),
            ("POST", "/v1/encode", 415, "unsupported_content_type",
             {"content": b"x", "headers": {"Content-Type": "text/plain"}}),
            ("POST", "/v1/encode", 406, "not_acceptable", {"content": b"x", "headers": JPEG | {"Accept": "image/png"}}),
            ("POST", "/v1/encode", 400, "url_not_fetched", {"json": {"input": "http://localhost/"}}),
            ("POST", "/v1/encode?no=1", 400, "unknown_option", {"content": self.photo, "headers": JPEG}),
            ("POST", "/v1/decode", 422, "token_count", {"json": {"tokens": [0]}}),
            ("POST", "/v1/decode", 409, "contract_mismatch", {"json": {"tokens": self.tokens, "contract": "0"}}),
        ]
        for method, path, status, code, body in rows:
            answer = await client.send(method, path, **body)
            error = answer.json()["error"]
            same((answer.status, error["code"]), (status, code), f"{method} {path}")
            same(set(error), {"message", "type", "code", "param", "request_id"}, f"members after {method} {path}")
            same(error["request_id"], answer.headers["X-Request-Id"], f"request_id after {method} {path}")
        same(answer.headers["Content-Type"], "application/json", "Content-Type")

    async def kept(self, _):
        """one connection for requests of all kinds, errors among them"""
        client = self.open()
        for path, status in [("/health/live", 200), ("/v1/models", 200), ("/no/such", 404), ("/metrics", 200)]:
            same((await client.send("GET", path)).status, status, path)
            self.encoded(await client.send("POST", "/v1/encode", content=self.photo, headers=JPEG))
        connections = client.connections
        await client.close()
        same(connections, 1, "connections")

    async def concurrent(self, client):
        """32 at once, each its own answer"""
        names = [f"request-{index}" for index in range(32)]
        answers = await asyncio.gather(*(
            client.send("POST", "/v1/encode", content=self.photo, headers=JPEG | {"X-Request-Id": name})
            for name in names))
        for name, answer in zip(names, answers):
            self.encoded(answer)
            same(answer.headers["X-Request-Id"], name, "X-Request-Id")


CHECKS = [
    Checks.raw, Checks.as_json, Checks.form, Checks.chunked, Checks.arrays, Checks.pictures, Checks.several,
    Checks.reconstructed, Checks.partial, Checks.refusals, Checks.kept, Checks.concurrent,
]


async def main(kind, *known):
    checks = Checks(kind, *known)
    client = checks.open()
    failed = 0
    for check in CHECKS:
        try:
            await check(checks, client)
            print(f"OK {check.__doc__}")
        except Exception as error:
            failed = 1
            print(f"FAIL {check.__doc__}: {error!r}"[:500])
    await client.close()
    return failed


sys.exit(asyncio.run(main({"requests": Requests, "httpx": Httpx, "aiohttp": Aiohttp}[sys.argv[1]], *sys.argv[2:])))
