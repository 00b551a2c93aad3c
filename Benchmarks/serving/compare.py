"""SFTok-B over HTTP under load, beside a Python server around the same model in PyTorch.

A part of run.py, which see. Both servers are up at once and take turns; the Python server, which takes a seventh of a
processor without requests, is stopped (SIGSTOP) while ours is asked. Each round measures how fast they answer 32
requests, 16 of them in flight at a time (images/s), and right after each what its engine does with such images when
nothing is around it: HTTP's share of its engine is printed for both. Then the same load goes to all, four fifths of
what the Python server can do, and the times of answers count. One image a request, as base64 in JSON, the same bytes to
both; two mixes: encodes alone, and seven encodes for each decode of 8 steps. The Python server's batches are as large
as is fastest, and PyTorch without it computes the same batches by the same code. Server, generator and model share the
machine's cores. int8 is compared with PyTorch's bf16.
"""
import base64
import functools
import importlib.util
import json
import os
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../load"))

import service  # noqa: E402
from engine import THEIRS, Ours  # noqa: E402
from service import Flood, KnownRequests, plan_line, request  # noqa: E402
from spreads import spread, told  # noqa: E402

MODEL = "sftok-b"
IN_FLIGHT, COUNT = 16, 32
BATCHES = [1, 2, 4, 8]
# How often each request is among those of a mix.
ENCODE, MIX = {"encode": 8}, {"encode": 7, "decode": 1}
PICTURE = base64.b64encode(open(KnownRequests.PICTURES[0], "rb").read()).decode()
BODIES = {"encode": {"input": [PICTURE]}, "decode": {"tokens": list(range(64))}}


class Python:
    """LitServe's processes."""

    paths = {"encode": "/predict", "decode": "/predict"}

    def __init__(self, tokenizer, batch):
        log = open(os.path.join(service.WORK, "litserve.log"), "w")
        self.port = 18000 + os.getpid() % 10000
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "pytorch_server.py"), tokenizer.folder, str(self.port),
             tokenizer.precision, str(tokenizer.threads), tokenizer.layout, str(batch)],
            stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 120
        while self.ask(question(self, "encode"))[0] != 200:
            if time.monotonic() > end or self.process.poll() is not None:
                self.stop()
                raise SystemExit(f"the Python server didn't start: {log.name}")
            time.sleep(0.2)

    def ask(self, data):
        try:
            return service.Service.ask(self, data)
        except OSError:
            return 0, b""

    def connect(self, **options):
        return service.Service.connect(self, **options)

    def pause(self):
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def stop(self):
        """Ends all of its processes: the one that was started goes before its workers have."""
        end, sign = time.monotonic() + 10, signal.SIGTERM
        try:
            while True:
                os.killpg(self.process.pid, sign)
                self.resume()
                self.process.poll()
                if time.monotonic() > end:
                    sign = signal.SIGKILL
                time.sleep(0.2)
        except ProcessLookupError:
            self.process.wait()


class Tessera(service.Service):
    paths = {"encode": "/v1/encode", "decode": "/v1/decode"}

    def pause(self):
        """Does nothing: an idle process takes no processor time."""

    def resume(self):
        pass


def question(server, kind):
    body = json.dumps(BODIES[kind]).encode()
    return request("POST", server.paths[kind], body, "application/json", "Accept: application/json\r\n")


class PyTorch:
    """What is behind the Python server, without it: the same code on the same batches, as large as is fastest."""

    def __init__(self, models, threads, precision, layout):
        from serving.pytorch_server import Tokenizer
        self.tokenizer = Tokenizer(os.path.join(models, MODEL), precision, threads, layout,
                                   max_batch_size=max(BATCHES))
        self.tokenizer.setup("cpu")
        self.inputs = {kind: self.tokenizer.decode_request(body) for kind, body in BODIES.items()}
        # What runs first to find its kernels isn't counted.
        rates = {batch: [self.rate(ENCODE, batch) for _ in range(3)][1:] for batch in BATCHES}
        self.batch = max(BATCHES, key=lambda batch: max(rates[batch]))

    def rate(self, mix, batch=None):
        """images/s"""
        inputs, batch = [self.inputs[kind] for kind, times in mix.items() for _ in range(times)], batch or self.batch
        start = time.perf_counter()
        for first in range(0, len(inputs), batch):
            self.tokenizer.predict(inputs[first:first + batch])
        return len(inputs) / (time.perf_counter() - start)


@functools.cache
def pytorch(models, threads, theirs, precision):
    """Made once, so that all of a run's tables have the same batches."""
    return PyTorch(models, threads, precision, theirs.best(MODEL, "decode", precision).__name__)


class Pair:
    """Ours, one for each precision that there is, and the Python server in the one they are compared with."""

    def __init__(self, a, theirs, precisions):
        if importlib.util.find_spec("litserve") is None:
            raise SystemExit("serving: there is no litserve: pip install litserve")
        service.prepare()
        self.ours, self.theirs = {}, None
        self.pytorch = pytorch(a.models, a.threads, theirs, THEIRS[precisions[0]])
        try:
            self.start_all(os.path.join(a.models, MODEL), precisions, a.threads)
        except BaseException:
            self.__exit__()
            raise

    def start_all(self, folder, precisions, threads):
        for precision in precisions:
            self.start(folder, precision, threads)
        if not self.ours:
            return
        self.theirs = Python(self.pytorch.tokenizer, self.pytorch.batch)
        self.theirs.pause()
        for server in [*self.ours.values(), self.theirs]:
            throughput(server, MIX, 8, 16)

    def start(self, folder, precision, threads):
        try:
            # No limit to the wait: the Python server refuses no request either.
            server = Tessera(f"{MODEL}={folder},precision={precision}", "--threads", str(threads),
                             "--longest-wait", "0")
        except SystemExit as error:
            lines = str(error).strip().splitlines()
            why = next((line for line in lines if "rror" in line), lines[-1])
            return print(f"{precision}: left out: {why}", flush=True)
        model = json.loads(server.ask(request("GET", f"/v1/models/{MODEL}"))[1])
        if model["precision"] == precision:
            self.ours[precision] = server
        else:
            server.stop()
            print(f"{precision}: left out: computed in {model['precision']} here", flush=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.ours.values():
            server.stop()
            server.__exit__()
        if self.theirs:
            self.theirs.stop()


def flood(server, seconds, classes):
    """classes: {name: (how, [kinds])} -> (the generator's own account, seconds it took)"""
    plan = []
    for name, (how, kinds) in classes.items():
        files = []
        for kind in kinds:
            files.append(os.path.join(service.WORK, f"serving-{server.port}-{kind}"))
            with open(files[-1], "wb") as out:
                out.write(question(server, kind))
        plan.append(plan_line(name, how, files))
    server.resume()
    run = Flood(server, seconds, plan)
    result = run.result()
    server.pause()
    for name, account in result.items():
        if list(account["statuses"]) != ["200"] or account["broken"] or account["unanswered"]:
            account.pop("right_by_second")
            raise SystemExit(f"{server.paths} {name} {classes[name][0]}: {account}")
    return result, run.seconds


def throughput(server, mix, in_flight, count):
    """Images a second with `in_flight` requests at a time, until `count` are answered."""
    kinds = [kind for kind, times in mix.items() for _ in range(times)]
    return count / flood(server, 3600, {"all": (f"closed={in_flight} count={count}", kinds)})[1]


def times(server, mix, rate, seconds):
    """{kind: {count, p50, p99, max}}, ms."""
    # New connections: one that rests between two requests may be closed by either side just when it is used.
    parts = {kind: (f"rate={rate * share / sum(mix.values()):.4f} new", [kind]) for kind, share in mix.items()}
    return {kind: account["statuses"]["200"] for kind, account in flood(server, seconds, parts)[0].items()}


def engine_rate(ours, precision, mix):
    """images/s of ours without a server."""
    kinds = [kind for kind, times in mix.items() for _ in range(times)]
    return len(kinds) / sum(ours.seconds(MODEL, precision, kind) for kind in kinds)


def queue_round(pair, ours, mix):
    """images/s: {"pytorch": (over HTTP, without), precision: (over HTTP, without)}"""
    found = {"pytorch": (throughput(pair.theirs, mix, IN_FLIGHT, COUNT), pair.pytorch.rate(mix))}
    for precision, server in pair.ours.items():
        found[precision] = throughput(server, mix, IN_FLIGHT, COUNT), engine_rate(ours, precision, mix)
    return found


def compare(pair, ours, name, mix, a):
    """A row of `measure` for each of our precisions."""
    for precision in pair.ours:
        engine_rate(ours, precision, mix)
    pair.pytorch.rate(mix)
    rounds = [queue_round(pair, ours, mix) for _ in range(a.serving_rounds)]
    load = 0.8 * statistics.median(each["pytorch"][0] for each in rounds)
    theirs_at = times(pair.theirs, mix, load, a.seconds)
    rows = []
    for precision, server in pair.ours.items():
        def over(figure):
            return spread([figure(*each[precision], *each["pytorch"]) for each in rounds])
        rows.append({
            "mix": name, "precision": precision, "against": THEIRS[precision], "batch": pair.pytorch.batch,
            "ours": statistics.median(each[precision][0] for each in rounds),
            "pytorch": statistics.median(each["pytorch"][0] for each in rounds),
            "ratio": over(lambda http, plain, their_http, their_plain: http / their_http),
            "engine_ratio": over(lambda http, plain, their_http, their_plain: plain / their_plain),
            "share": over(lambda http, plain, their_http, their_plain: http / plain),
            "pytorch_share": over(lambda http, plain, their_http, their_plain: their_http / their_plain),
            "kept": over(lambda http, plain, their_http, their_plain: http / their_http / (plain / their_plain)),
            "load": load, "ours_at": times(server, mix, load, a.seconds), "pytorch_at": theirs_at, "rounds": rounds})
        print(summary(rows[-1]), flush=True)
    return rows


def summary(row):
    shown = {key: told(row[key], digits=2)
             for key in ("ratio", "engine_ratio", "share", "pytorch_share", "kept")}
    at = "; ".join(f"{kind}: ours {mine['p50']:.0f}, {mine['p99']:.0f}, LitServe {row['pytorch_at'][kind]['p50']:.0f}, "
                   f"{row['pytorch_at'][kind]['p99']:.0f}" for kind, mine in row["ours_at"].items())
    return (f"{row['mix']} {row['precision']}: images/s: ours {row['ours']:.2f}, LitServe (batches of {row['batch']}) "
            f"{row['pytorch']:.2f}, ratio {shown['ratio']}, the engines' {shown['engine_ratio']}; "
            f"HTTP of its engine: ours {shown['share']}, LitServe {shown['pytorch_share']}, kept {shown['kept']}; "
            f"at {row['load']:.2f}/s, p50 and p99 in ms: {at}")


def measure(a, theirs):
    """[{mix, precision, against, batch, ours, pytorch, ratio, engine_ratio, share, pytorch_share, kept, load, ours_at,
    pytorch_at, rounds}]; images/s over HTTP, their ratio, the engines', what HTTP is of its engine on either side, and
    HTTP's ratio over the engines'."""
    rows = []
    for against in ("fp32", "bf16"):
        precisions = [p for p in a.precisions if THEIRS[p] == against]
        if not precisions:
            continue
        with Pair(a, theirs, precisions) as pair, Ours(a.threads) as ours:
            for precision in pair.ours:
                ours.load(a.models, MODEL, precision)
            for name, mix in [("encode", ENCODE), ("7 encode : 1 decode", MIX)] if pair.ours else []:
                rows += compare(pair, ours, name, mix, a)
    return rows
