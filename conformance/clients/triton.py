"""Holds the /v2 routes against Triton's own Python client.

    python conformance/clients/triton.py http://127.0.0.1:8080 [PICTURE]

The service has one model loaded; PICTURE is docs/chelsea.jpg unless given. Prints a line for each check; the exit code
is 0 where all are OK. Needs tritonclient[http].
"""

import base64
import json
import pathlib
import sys
import urllib.request
from urllib.parse import urlsplit

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

PNG = b"\x89PNG\r\n\x1a\n"
CHELSEA = pathlib.Path(__file__).parents[2] / "docs" / "chelsea.jpg"
failures = 0


def check(name, test):
    """Prints OK or FAIL; `test` returns something false or raises where it failed."""
    global failures
    try:
        passed, why = bool(test()), ""
    except Exception as error:
        passed, why = False, f": {type(error).__name__}: {error}"
    failures += not passed
    print(f"{'OK  ' if passed else 'FAIL'} {name}{why}")


def post(url, body, kind, accept="application/json"):
    request = urllib.request.Request(url, body, {"Content-Type": kind, "Accept": accept})
    return urllib.request.urlopen(request, timeout=120).read()


def infer(client, model, name, array, datatype, binary_in, binary_out, **options):
    """The output and the whole answer of a model with one input and one output."""
    tensor = InferInput(name, array.shape, datatype)
    tensor.set_data_from_numpy(array, binary_data=binary_in)
    output = "tokens" if name == "image" else "image"
    wanted = None if binary_out is None else [InferRequestedOutput(output, binary_data=binary_out)]
    answer = client.infer(model, [tensor], outputs=wanted, **options)
    return answer.as_numpy(output), answer.get_response()


def pictures(files, binary):
    values = files if binary else [base64.b64encode(file) for file in files]
    return np.array(values, dtype=np.object_)


def refused(call, status, says):
    try:
        call()
    except InferenceServerException as error:
        return error.status() == str(status) and says in error.message()
    return False


def check_server(client, model, tokens):
    check("live", client.is_server_live)
    check("ready", client.is_server_ready)
    check("server metadata", lambda: client.get_server_metadata()["extensions"] == ["binary_tensor_data"])
    image = {"name": "image", "datatype": "BYTES", "shape": [-1]}
    ids = {"name": "tokens", "datatype": "INT32", "shape": [-1, tokens]}
    for name, sides in ((f"{model}-encode", [image, ids]), (f"{model}-decode", [ids, image])):
        for version in ("", "1"):
            what = f"{name} {version}".strip()
            check(f"{what} ready", lambda: client.is_model_ready(name, version))
            metadata = client.get_model_metadata(name, version)
            check(f"{what} metadata", lambda: [metadata["inputs"][0], metadata["outputs"][0]] == sides)
        check(f"{name} 2 isn't there", lambda: not client.is_model_ready(name, "2"))
        check(f"{name} 2 is 404", lambda: refused(lambda: client.get_model_metadata(name, "2"), 404, "no route"))


def check_encoding(client, model, file, expected):
    for binary_in in (True, False):
        for binary_out in (None, True, False):
            for shape in ((1,), (1, 1)):
                what = f"encode, in {'binary' if binary_in else 'JSON'}, out {binary_out}, shape {shape}"

                def same():
                    tokens, answer = infer(
                        client, model, "image", pictures([file], binary_in).reshape(shape), "BYTES", binary_in,
                        binary_out, request_id="r-1")
                    return (tokens.dtype == np.int32 and (tokens == expected).all() and answer["id"] == "r-1"
                            and answer["model_version"] == "1")

                check(what, same)

    def batch():
        tokens, _ = infer(client, model, "image", pictures([file] * 3, True), "BYTES", True, True, model_version="1")
        return tokens.shape == (3, expected.shape[1]) and (tokens == expected).all()

    check("encode, three pictures", batch)
    bad = pictures([file, b"GIF89a"], True)
    check("a bad picture is named", lambda: refused(
        lambda: infer(client, model, "image", bad, "BYTES", True, True), 422, "image[1]"))


def check_decoding(client, model, tokens, expected, contract):
    for datatype, kind in (("INT32", np.int32), ("INT64", np.int64), ("UINT16", np.uint16)):
        for binary_in in (True, False):
            for binary_out in (None, True, False):
                what = f"decode, {datatype}, in {'binary' if binary_in else 'JSON'}, out {binary_out}"

                def same():
                    image, _ = infer(
                        client, model, "tokens", tokens.astype(kind), datatype, binary_in, binary_out,
                        parameters={"contract": contract})
                    file = image[0] if isinstance(image[0], bytes) else base64.b64decode(image[0])
                    return image.shape == (1,) and file.startswith(PNG) and file == expected

                check(what, same)
    outside = tokens.copy()
    outside[0, 2] = -1
    check("an id out of range is named", lambda: refused(
        lambda: infer(client, model, "tokens", outside, "INT32", True, True), 422, "position 2 is -1"))
    check("another contract is refused", lambda: refused(
        lambda: infer(client, model, "tokens", tokens, "INT32", True, True, parameters={"contract": "x"}), 409, "'x'"))
    check("an unknown parameter is refused", lambda: refused(
        lambda: infer(client, model, "tokens", tokens, "INT32", True, True, parameters={"prio": 1}), 400, "prio"))


def check_parameters(client, model, file, expected):
    """What the client can set: what changes nothing is taken, what would mean something is refused."""
    array = pictures([file], True)

    def same(**options):
        tokens, _ = infer(client, model, "image", array, "BYTES", True, None, **options)
        return (tokens == expected).all()

    taken = [
        {"timeout": 0}, {"timeout": 5_000_000}, {"timeout": 2**64 - 1}, {"priority": 1}, {"priority": 2**64 - 1},
        {"priority": 3, "timeout": 1}, {"sequence_id": 0, "sequence_start": True, "sequence_end": True},
        {"sequence_id": ""}, {"parameters": {"content_type": "np"}}, {"parameters": {"binary_data": True}},
    ]
    for options in taken:
        check(f"{options} is taken", lambda options=options: same(**options))
    not_taken = [
        ({"sequence_id": 7, "sequence_start": True}, "sequence_id"), ({"sequence_id": "a"}, "sequence_id"),
        ({"timeout": -1}, "timeout"), ({"timeout": 1.5}, "timeout"), ({"priority": "high"}, "priority"),
        ({"parameters": {"content_type": 1}}, "content_type"), ({"parameters": {"unknown": 1}}, "unknown"),
    ]
    for options, name in not_taken:
        check(f"{options} is refused", lambda options=options, name=name: refused(lambda: same(**options), 400, name))

    def asked(tensor=None, **options):
        tensor = tensor or InferInput("image", array.shape, "BYTES").set_data_from_numpy(array)
        output = InferRequestedOutput("tokens", **options)
        return client.infer(model, [tensor], outputs=[output]).as_numpy("tokens")

    check("classes are refused", lambda: refused(lambda: asked(class_count=3), 400, "classification"))

    def shared_input():
        tensor = InferInput("image", array.shape, "BYTES")
        tensor.set_shared_memory("region", 16, offset=4)
        asked(tensor)

    def shared_output():
        tensor = InferInput("image", array.shape, "BYTES").set_data_from_numpy(array)
        output = InferRequestedOutput("tokens")
        output.set_shared_memory("region", 16)
        client.infer(model, [tensor], outputs=[output])

    check("shared memory of an input is refused", lambda: refused(shared_input, 400, "shared_memory_region"))
    check("shared memory of an output is refused", lambda: refused(shared_output, 400, "shared_memory_region"))


def main():
    url = sys.argv[1].rstrip("/")
    file = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else CHELSEA).read_bytes()
    model = json.load(urllib.request.urlopen(url + "/v1/models", timeout=30))["data"][0]
    encoded = json.loads(post(url + "/v1/encode", file, "application/octet-stream"))
    tokens = np.array([encoded["data"][0]["tokens"]], dtype=np.int32)
    body = json.dumps({"tokens": tokens.tolist()}).encode()
    picture = post(url + "/v1/decode", body, "application/json", "image/png")
    with InferenceServerClient(urlsplit(url).netloc, network_timeout=120.0, connection_timeout=30.0) as client:
        check_server(client, model["id"], model["tokens_per_image"])
        check_encoding(client, model["id"] + "-encode", file, tokens)
        check_parameters(client, model["id"] + "-encode", file, tokens)
        check_decoding(client, model["id"] + "-decode", tokens, picture, encoded["contract"])
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main())
