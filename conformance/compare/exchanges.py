"""What `run` sends to both builds: a line or a small block for each exchange. To add one, add a line.

An exchange is `Exchange(name, data, settings)`: the bytes that go to a fresh connection, and which of `SETTINGS` the
service runs with. `end` is "half" where the client then ends its side, "reset" where it closes at once.
"""
import base64
import dataclasses
import json
import pathlib
import struct
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEY = "0123456789abcdef0123456789abcdef"
#: Arguments of `tessera serve`, by the word that an exchange names.
SETTINGS = {
    "plain": ["--threads", "1"],
    "keys": ["--threads", "1", "--api-key-file", "{keys}", "--metrics-auth"],
    "cors": ["--threads", "1", "--cors-origin", "https://example.org"],
    "small": ["--threads", "1", "--images-per-request", "2", "--queued-images", "2"],
}


@dataclasses.dataclass
class Exchange:
    name: str
    data: bytes
    settings: str = "plain"
    end: str = "open"
    #: Responses that are awaited.
    responses: int = 1


def png(width=8, height=8, kind=2, depth=8, extra=b"", value=90):
    """A PNG of one colour, pixels by zlib."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    row = b"\0" + bytes([value % (2 if kind == 3 else 256)]) * (width * samples * depth // 8)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    palette = chunk(b"PLTE", bytes(range(6))) if kind == 3 else b""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return (b"\x89PNG\r\n\x1a\n" + header + extra + palette + chunk(b"IDAT", zlib.compress(row * height))
            + chunk(b"IEND", b""))


def npy(kind, shape, values, order=False):
    text = f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + values


def request(method, target, body=None, kind=None, fields=(), version="1.1", host="localhost"):
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    if kind:
        lines.append(f"Content-Type: {kind}")
    lines += [f"{name}: {value}" for name, value in fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def chunked(target, kind, pieces, extension="", trailers=""):
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"".join(f"{len(each):x}{extension}\r\n".encode() + each + b"\r\n" for each in pieces)
    return head.encode() + body + b"0\r\n" + trailers.encode() + b"\r\n"


def form(parts, boundary="frontier"):
    body = b""
    for head, content in parts:
        body += f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def file_part(content, name="file", kind="image/png"):
    return f'Content-Disposition: form-data; name="{name}"; filename="a"\r\nContent-Type: {kind}', content


def field_part(name, value):
    return f'Content-Disposition: form-data; name="{name}"', value.encode()


def make(tokens):
    """All exchanges. `tokens`: one image's, as the model gives them."""
    jpeg = (ROOT / "docs/chelsea.jpg").read_bytes()
    text = base64.b64encode(png()).decode()
    ids = b"".join(struct.pack("<H", each) for each in tokens)
    J, P, G, N, O = "application/json", "image/png", "image/jpeg", "application/x-npy", "application/octet-stream"
    exchanges = []

    def add(name, data, settings="plain", end="open", responses=1):
        exchanges.append(Exchange(name, data, settings, end, responses))

    def post(name, target, body, kind=J, fields=(), settings="plain"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        add(name, request("POST", target, data, kind, fields), settings)

    def get(name, target, fields=(), method="GET", settings="plain", version="1.1"):
        add(name, request(method, target, fields=fields, version=version), settings)

    # Resources, each by GET, HEAD and OPTIONS, with a method that it lacks, and asked for again by its tag.
    for path in ["/health/live", "/livez", "/health/ready", "/health", "/readyz", "/healthz", "/metrics", "/v1/models",
                 "/v1/models/revq-mini", "/openapi.yaml", "/openapi.json", "/v2", "/v2/health/live", "/v2/health/ready",
                 "/v2/models/revq-mini-encode", "/v2/models/revq-mini-decode/ready",
                 "/v2/models/revq-mini-encode/versions/1"]:
        get(f"get {path}", path)
        get(f"head {path}", path, method="HEAD")
        get(f"options {path}", path, method="OPTIONS")
        get(f"delete {path}", path, method="DELETE")
        get(f"get any {path}", path, [("If-None-Match", "*")])
    get("codebook", "/v1/models/revq-mini/codebook")
    get("codebook head", "/v1/models/revq-mini/codebook", method="HEAD")
    for path in ["/", "/v1", "/v1/encode/", "/v1//encode", "/v1/models/", "/v1/models/none", "/v1/models/none/codebook",
                 "/v1/models/a%2Fb", "/v2/models/none", "/v2/models/none/ready",
                 "/v2/models/revq-mini-encode/versions/2",
                 "/%7Ea", "/V1/ENCODE", "/v1/encode?a=b", "/favicon.ico"]:
        get(f"get {path}", path)
    get("options *", "*", method="OPTIONS")

    # Encoding: every form of body, response and option.
    for name, body, kind in [("png", png(), P), ("jpeg", jpeg, G), ("octets", jpeg, O), ("grey", png(kind=0), P),
                             ("alpha", png(kind=6), P), ("grey alpha", png(kind=4), P), ("palette", png(kind=3), P),
                             ("sixteen", png(kind=2, depth=16), P), ("wide", png(700, 3), P)]:
        post(f"encode {name}", "/v1/encode", body, kind)
        post(f"encode {name} npy", "/v1/encode", body, kind, [("Accept", N)])
    post("encode without a type", "/v1/encode", png(), None)
    post("encode json", "/v1/encode", {"input": text})
    post("encode data url", "/v1/encode", {"input": "data:image/png;base64," + text})
    post("encode several", "/v1/encode", {"input": [text, base64.b64encode(jpeg).decode()], "model": "revq-mini"})
    post("encode list with a broken one", "/v1/encode", {"input": [text, "AAAA"]})
    post("encode list all broken", "/v1/encode", {"input": ["AAAA", "AAAA"]})
    post("encode octets out", "/v1/encode", png(), P, [("Accept", O)])
    post("encode nothing acceptable", "/v1/encode", png(), P, [("Accept", "text/html")])
    post("encode best acceptable", "/v1/encode", png(), P, [("Accept", "text/*, application/x-npy;q=0.5, */*;q=0.1")])
    for query in ["margin=true", "id_space=global", "id_space=local", "exif=ignore", "alpha=black", "alpha=drop",
                  "assignment=nearest", "model=revq-mini"]:
        post(f"encode ?{query}", f"/v1/encode?{query}", png(kind=6), P)
    for query in ["margin=maybe", "id_space=x", "exif=", "alpha=red", "assignment=sinkhorn", "model=none", "a=b",
                  "margin=true&margin=true", "MARGIN=true"]:
        post(f"encode bad ?{query}", f"/v1/encode?{query}", png(), P)
    for name, body in [("no input", {}), ("input of a number", {"input": 1}), ("empty list", {"input": []}),
                       ("list of numbers", {"input": [1]}), ("unknown member", {"input": text, "a": 1}),
                       ("url", {"input": "https://example.org/a.png"}), ("bad base64", {"input": "ab!d"}),
                       ("data url without base64", {"input": "data:image/png,abc"}),
                       ("margin text", {"input": text, "margin": "x"}),
                       ("many", {"input": [text] * 65})]:
        post(f"encode json {name}", "/v1/encode", body)
    for name, body in [("not json", b"{"), ("twice", b'{"input":"","input":""}'), ("list", b"[]"),
                       ("nan", b'{"input":NaN}'),
                       ("empty", b""), ("deep", b"[" * 2000), ("utf-16", b"\xff\xfe{\0}\0"),
                       ("mark", b"\xef\xbb\xbf{}")]:
        post(f"encode {name}", "/v1/encode", body)
    post("encode json query", "/v1/encode?margin=true", {"input": text})
    for name, body in [("empty", b""), ("text", b"hello"), ("gif", b"GIF89a" + b"\0" * 20), ("png head", png()[:40]),
                       ("jpeg head", jpeg[:60]), ("jpeg half", jpeg[: len(jpeg) // 2]),
                       ("png bad sum", png()[:-6] + b"\0" * 6),
                       ("huge", png(60000, 60000)[:60] + png()[60:]), ("webp", b"RIFF\x10\0\0\0WEBPVP8 " + b"\0" * 16)]:
        post(f"encode broken {name}", "/v1/encode", body, O)
    post("encode png said to be jpeg", "/v1/encode", png(), G)
    post("encode text/plain", "/v1/encode", png(), "text/plain")
    post("encode json charset", "/v1/encode", {"input": text}, "application/json; charset=utf-8")
    post("encode gzip", "/v1/encode", png(), P, [("Content-Encoding", "gzip")])
    post("encode identity", "/v1/encode", png(), P, [("Content-Encoding", "identity")])
    for value in ["5000", "0", "-1", "x", "9999999999", ""]:
        post(f"encode timeout {value!r}", "/v1/encode", png(), P, [("X-Request-Timeout-Ms", value)])
    for value in ["abc", "a b", "ü", "x" * 129, ""]:
        get(f"request id {value[:8]!r}", "/health/live", [("X-Request-Id", value)])
    orientation = b"\0\0\0\x10eXIf" + b"II*\0\x08\0\0\0\0\0\0\0\0\0\0\0"
    post("encode exif", "/v1/encode", png(extra=orientation + struct.pack(">I", zlib.crc32(orientation[4:]))), P)

    # Forms.
    body, kind = form([file_part(png()), file_part(jpeg, kind=G), field_part("id_space", "local")])
    post("form", "/v1/encode", body, kind)
    for name, parts in [("without file", [field_part("id_space", "local")]),
                        ("unknown field", [file_part(png()), field_part("a", "b")]),
                        ("twice", [file_part(png()), field_part("alpha", "black"), field_part("alpha", "black")]),
                        ("part's type", [file_part(png(), kind="text/plain")]),
                        ("no name", [("Content-Type: image/png", png())]),
                        ("broken one", [file_part(png()), file_part(b"GIF89a")]), ("none", [])]:
        body, kind = form(parts)
        post(f"form {name}", "/v1/encode", body, kind)
    body, kind = form([file_part(png())])
    post("form cut", "/v1/encode", body[:-8], kind)
    post("form other boundary", "/v1/encode", body, "multipart/form-data; boundary=other")
    post("form without boundary", "/v1/encode", body, "multipart/form-data")

    # Decoding, and there and back.
    post("decode", "/v1/decode", {"tokens": tokens})
    post("decode two", "/v1/decode", {"tokens": [tokens, tokens]})
    post("decode with a seed", "/v1/decode", {"tokens": tokens, "seed": 3})
    post("decode json out", "/v1/decode", {"tokens": tokens, "format": "json"})
    post("decode npy out", "/v1/decode", {"tokens": tokens}, J, [("Accept", N)])
    post("decode npy", "/v1/decode", npy("<u2", (len(tokens),), ids), N)
    post("decode npy two", "/v1/decode", npy("<u2", (2, len(tokens)), ids * 2), N)
    post("decode octets", "/v1/decode", ids, O)
    post("decode octets global", "/v1/decode?id_space=global", b"".join(struct.pack("<I", each) for each in tokens), O)
    for name, members in [("none", {}), ("text", {"tokens": "a"}), ("empty", {"tokens": []}),
                          ("short", {"tokens": tokens[1:]}),
                          ("range", {"tokens": [10**6] + tokens[1:]}), ("negative", {"tokens": [-1] + tokens[1:]}),
                          ("huge", {"tokens": [2**70] + tokens[1:]}), ("fraction", {"tokens": [0.5] + tokens[1:]}),
                          ("mixed", {"tokens": [tokens, 1]}), ("steps", {"tokens": tokens, "steps": 3}),
                          ("temperature", {"tokens": tokens, "temperature": 1}),
                          ("contract", {"tokens": tokens, "contract": "aa"}),
                          ("seed", {"tokens": tokens, "seed": -1}), ("format", {"tokens": tokens, "format": "gif"}),
                          ("png of two", {"tokens": [tokens, tokens], "format": "png"}),
                          ("model", {"tokens": tokens, "model": "x"}),
                          ("data and tokens", {"tokens": tokens, "data": []}), ("data", {"data": [{"tokens": tokens}]}),
                          ("failed data", {"data": [{"error": {}}]}), ("unknown", {"tokens": tokens, "a": 1})]:
        post(f"decode {name}", "/v1/decode", members)
    for name, body in [("cut", npy("<u2", (len(tokens),), ids)[:-1]), ("float", npy("<f4", (len(tokens),), ids * 2)),
                       ("shape", npy("<u2", (2, 3), ids[:12])), ("order", npy("<u2", (2, len(tokens)), ids * 2, True)),
                       ("no header", b"\x93NUMPY"), ("version", b"\x93NUMPY\x09\0" + b"\0" * 20)]:
        post(f"decode npy {name}", "/v1/decode", body, N)
    post("decode octets short", "/v1/decode", ids[:-1], O)
    post("decode png", "/v1/decode", png(), P)
    post("reconstruct", "/v1/reconstruct", jpeg, G)
    post("reconstruct json", "/v1/reconstruct", {"input": text, "seed": 1})
    post("reconstruct broken", "/v1/reconstruct", jpeg[:100], G)
    post("reconstruct two", "/v1/reconstruct", {"input": [text, text]})

    # The Open Inference Protocol.
    def infer(name, model, body, fields=(), kind=J):
        post(f"infer {name}", f"/v2/models/{model}/infer", body, kind, fields)

    image = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [text]}
    row = {"name": "tokens", "datatype": "INT32", "shape": [1, len(tokens)], "data": tokens}
    infer("encode", "revq-mini-encode", {"id": "7", "inputs": [image]})
    infer("encode two", "revq-mini-encode", {"inputs": [dict(image, shape=[2], data=[text, text])]})
    infer("encode binary out", "revq-mini-encode", {"inputs": [image], "parameters": {"binary_data_output": True}})
    head = json.dumps({"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1],
                                   "parameters": {"binary_data_size": len(png()) + 4}}]}).encode()
    infer("encode binary in", "revq-mini-encode", head + struct.pack("<I", len(png())) + png(),
          [("Inference-Header-Content-Length", len(head))], O)
    infer("decode", "revq-mini-decode", {"inputs": [row], "parameters": {"seed": 2}})
    infer("decode nested", "revq-mini-decode", {"inputs": [dict(row, data=[tokens])]})
    head = json.dumps({"inputs": [{"name": "tokens", "datatype": "UINT16", "shape": [1, len(tokens)],
                                   "parameters": {"binary_data_size": len(ids)}}]}).encode()
    infer("decode binary in", "revq-mini-decode", head + ids, [("Inference-Header-Content-Length", len(head))], O)
    for name, body in [("no inputs", {}), ("other name", {"inputs": [dict(image, name="x")]}),
                       ("datatype", {"inputs": [dict(image, datatype="FP32")]}),
                       ("shape", {"inputs": [dict(image, shape=[3])]}),
                       ("outputs", {"inputs": [image], "outputs": [{"name": "x"}]}),
                       ("parameter", {"inputs": [image], "parameters": {"x": 1}}),
                       ("triton's parameter", {"inputs": [image], "parameters": {"priority": 1}}),
                       ("sequence", {"inputs": [image], "parameters": {"sequence_id": 5}}),
                       ("sequence none",
                        {"inputs": [image], "parameters": {"sequence_id": 0, "sequence_start": False}}),
                       ("bad image", {"inputs": [dict(image, data=["AAAA"])]}), ("id", {"id": 1, "inputs": [image]})]:
        infer(f"encode {name}", "revq-mini-encode", body)
    for name, body in [("range", {"inputs": [dict(row, data=[10**6] + tokens[1:])]}),
                       ("float", {"inputs": [dict(row, datatype="FP32")]}),
                       ("short", {"inputs": [dict(row, data=tokens[1:])]}),
                       ("contract", {"inputs": [row], "parameters": {"contract": "aa"}})]:
        infer(f"decode {name}", "revq-mini-decode", body)
    infer("no model", "none", {"inputs": [row]})
    infer("header length", "revq-mini-encode", b"{}", [("Inference-Header-Content-Length", "99")], O)

    # The wire.
    add("continue", request("POST", "/v1/encode", png(), P, [("Expect", "100-continue")]), responses=2)
    add("continue refused", request("POST", "/v1/none", png(), P, [("Expect", "100-continue")]))
    add("chunked", chunked("/v1/encode", P, [png()[:10], png()[10:]]))
    add("chunked extension", chunked("/v1/encode", P, [png()], ';a="b"', "X: y\r\n"))
    add("chunked extension quoted end", chunked("/v1/encode", P, [png()], ';a="b'))
    add("chunked bad size", request("POST", "/v1/encode", None, P, [("Transfer-Encoding", "chunked")]) + b"zz\r\n")
    add("pipelined", request("GET", "/health/live") * 3, responses=3)
    add("pipelined after a refusal", request("GET", "/none") + request("GET", "/health/live"), responses=2)
    get("http/1.0", "/health/live", version="1.0")
    get("http/1.0 kept", "/health/live", [("Connection", "keep-alive")], version="1.0")
    get("close", "/health/live", [("Connection", "close")])
    add("cut head", b"GET /health/live HTTP/1.1\r\nHo", end="half")
    add("cut body", request("POST", "/v1/encode", png(), P)[:-5], end="half")
    add("half closed", request("POST", "/v1/encode", png(), P), end="half")
    add("reset", request("POST", "/v1/encode", png(), P), end="reset", responses=0)
    for name, data in [("no host", b"GET / HTTP/1.1\r\n\r\n"),
                       ("two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
                       ("bad host", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
                       ("host of bytes", b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n"),
                       ("version", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
                       ("version 2", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
                       ("no version", b"GET /\r\n\r\n"), ("lf", b"GET / HTTP/1.1\nHost: a\n\n"),
                       ("fold", b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"),
                       ("space before colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
                       ("no colon", b"GET / HTTP/1.1\r\nHost\r\n\r\n"),
                       ("control", b"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n"),
                       ("method", b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n"),
                       ("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01"), ("target", b"GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
                       ("percent", b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
                       ("nul", b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"),
                       ("fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
                       ("absolute", b"GET http://a/health/live HTTP/1.1\r\nHost: a\r\n\r\n"),
                       ("connect", b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
                       ("empty line", b"\r\nGET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"),
                       ("empty lines", b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
                       ("long line", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n"),
                       ("long header", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 17000),
                       ("fields", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 101 + b"\r\n"),
                       ("length", b"POST /v1/encode HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n"),
                       ("lengths",
                        b"POST /v1/encode HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
                       ("length and coding",
                        b"POST /v1/encode HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n"),
                       ("coding", b"POST /v1/encode HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"),
                       ("coding 1.0", b"POST /v1/encode HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
                       ("too large",
                        b"POST /v1/encode HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\n"
                        b"Content-Length: 99999999\r\n\r\n"),
                       ("too large 1.0",
                        b"POST /v1/encode HTTP/1.0\r\nContent-Type: image/png\r\nContent-Length: 99999999\r\n\r\n")]:
        add(f"wire {name}", data)

    # Other origins, keys, small limits.
    origin = ("Origin", "https://example.org")
    for name, fields in [("simple", [origin]), ("stranger", [("Origin", "https://evil.example")]), ("none", [])]:
        get(f"cors {name}", "/v1/models", fields, settings="cors")
        get(f"cors preflight {name}", "/v1/encode", [*fields, ("Access-Control-Request-Method", "POST")],
            "OPTIONS", "cors")
        get(f"cors 404 {name}", "/none", fields, settings="cors")
    add("cors bad wire", b"GET / HTTP/1.1\r\n\r\n", "cors")
    for name, fields in [("none", []), ("right", [("Authorization", f"Bearer {KEY}")]),
                         ("wrong", [("Authorization", "Bearer x")]),
                         ("basic", [("Authorization", f"Basic {KEY}")]),
                         ("twice", [("Authorization", f"Bearer {KEY}")] * 2)]:
        for path in ["/v1/models", "/health/live", "/metrics", "/none", "/v2"]:
            get(f"key {name} {path}", path, fields, settings="keys")
        post(f"key {name} encode", "/v1/encode", png(), P, fields, "keys")
    post("small list", "/v1/encode", {"input": [text] * 3}, settings="small")
    post("small npy", "/v1/decode", npy("<u2", (3, len(tokens)), ids * 3), N, settings="small")
    post("small two", "/v1/encode", {"input": [text] * 2}, settings="small")
    return exchanges
