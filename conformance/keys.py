"""Asks every operation of openapi.yaml, and some that don't exist, without a key, with wrong ones, and with the right
one.

usage: keys.py URL KEY open|closed    whether /metrics can be read without a key
"""

import http.client
import json
import pathlib
import re
import sys
import urllib.parse

import yaml

url, key, metrics = sys.argv[1:]
address = urllib.parse.urlsplit(url)
document = yaml.safe_load(pathlib.Path("openapi.yaml").read_text())
OPEN = {"/health", "/healthz", "/livez", "/readyz"} | ({"/metrics"} if metrics == "open" else set())
WRONG = {
    "none": {},
    "another": {"Authorization": "Bearer " + "0" * len(key)},
    "one letter less": {"Authorization": f"Bearer {key[:-1]}"},
    "one letter more": {"Authorization": f"Bearer {key}0"},
    "empty": {"Authorization": "Bearer "},
    "another scheme": {"Authorization": f"Basic {key}"},
    "in another field": {"X-API-Key": key},
}
failed = 0


def send(method, path, headers):
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def refusal(path, status, headers, body):
    """What a 401 says, without what differs between two of them; a text that tells a fault."""
    if status != 401 or headers["WWW-Authenticate"] is None:
        return f"{status}, WWW-Authenticate {headers['WWW-Authenticate']}"
    error = json.loads(body)["error"]
    if path.startswith("/v2"):
        return error if isinstance(error, str) else f"not this protocol's error: {error}"
    return {name: value for name, value in error.items() if name != "request_id"}


def verdict(name, faults):
    global failed
    failed |= bool(faults)
    print(f"FAIL {name}: {'; '.join(faults)[:1000]}" if faults else f"OK {name}")


# Every path once with every method that it has, and with one that it hasn't.
operations = [
    (method.upper(), re.sub(r"\{\w+\}", "revq-mini", path))
    for path, item in document["paths"].items() for method in [*item.keys() & {"get", "post"}, "delete"]
]
operations += [("GET", "/no/such/route"), ("POST", "/v1/encodes")]


def is_open(path):
    return path in OPEN or path.startswith(("/health/", "/v2/health/"))


guarded = [operation for operation in operations if not is_open(operation[1])]
free = [(method, path) for method, path in operations if is_open(path) and method == "GET"]
for name, headers in WRONG.items():
    said = {}
    for method, path in guarded:
        answer = refusal(path, *send(method, path, headers))
        said.setdefault((path.startswith("/v2"), json.dumps(answer, sort_keys=True)), []).append(f"{method} {path}")
    kinds = [is_v2 for is_v2, _ in said]
    good = len(set(kinds)) == len(kinds) and all(is_v2 or text.startswith("{") for is_v2, text in said)
    faults = [] if good else [f"{text}: {', '.join(paths)}" for (_, text), paths in said.items()]
    verdict(f"key: {name}, the same 401 from {len(guarded)} operations", faults)

right = {"Authorization": f"Bearer {key}"}
statuses = {f"{method} {path}": send(method, path, right)[0] for method, path in guarded}
verdict("the right key", [f"{operation}: {status}" for operation, status in statuses.items() if status == 401])
scheme = {"Authorization": f"bearer {key}"}
verdict("the scheme's name in small letters", [] if send("GET", "/v1/models", scheme)[0] == 200 else ["not 200"])
statuses = {path: send(method, path, {})[0] for method, path in free}
verdict(f"{len(free)} open operations", [f"{path}: {status}" for path, status in statuses.items() if status != 200])
sys.exit(failed)
