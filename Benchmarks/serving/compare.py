"""SFTok-B over HTTP under load, beside a Python server around the same model in PyTorch.

A part of run.py, which see. Both servers are up at once and take turns; the Python server, which takes a seventh of a
processor when nobody asks, is stopped (SIGSTOP) while ours is asked. Each round
measures what they do with a queue that is never empty (images/s), then sends them the same load, four fifths of what the
Python server can do, and takes the times of answers. One image a request, as base64 in JSON, the same bytes to both; two
mixes: encodes alone, and seven encodes for each decode of 8 steps. Server, generator and model share the machine's cores.
int8 is compared with PyTorch's bf16.
"""
import base64
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
from service import Flood, Known, line, request  # noqa: E402

MODEL = "sftok-b"
IN_FLIGHT = 16
# How often each request is among those of a mix.
ENCODE, MIX = {"encode": 1}, {"encode": 7, "decode": 1}
PICTURE = base64.b64encode(open(Known.PICTURES[0], "rb").read()).decode()
BODIES = {"encode": {"input": [PICTURE]}, "decode": {"tokens": list(range(64))}}
THEIRS = {"fp32": "fp32", "bf16": "bf16", "int8": "bf16"}


class Python:
    """LitServe's processes."""

    paths = {"encode": "/predict", "decode": "/predict"}

    def __init__(self, model, precision, threads, batch):
        log = open(os.path.join(service.WORK, "litserve.log"), "w")
        self.port = 18000 + os.getpid() % 10000
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "pytorch_server.py"), model, str(self.port), precision, str(threads),
             str(batch)], stdout=log, stderr=log, start_new_session=True)
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
        """Nothing to do: it waits without taking time."""

    def resume(self):
        pass


def question(server, kind):
    body = json.dumps(BODIES[kind]).encode()
    return request("POST", server.paths[kind], body, "application/json", "Accept: application/json\r\n")


class Pair:
    """Ours, one for each precision that there is, and the Python server in the one they are compared with."""

    def __init__(self, a, precisions, batch=8):
        if importlib.util.find_spec("litserve") is None:
            raise SystemExit("serving: there is no litserve: pip install litserve")
        service.prepare()
        self.ours, self.theirs = {}, None
        try:
            self.start_all(os.path.join(a.models, MODEL), precisions, a.threads, batch)
        except BaseException:
            self.__exit__()
            raise

    def start_all(self, folder, precisions, threads, batch):
        for precision in precisions:
            self.start(folder, precision, threads)
        if not self.ours:
            return
        self.theirs = Python(folder, THEIRS[precisions[0]], threads, batch)
        self.theirs.pause()
        for server in [*self.ours.values(), self.theirs]:
            throughput(server, MIX, 8, 16)

    def start(self, folder, precision, threads):
        try:
            # However long they wait: the Python server refuses nobody either.
            server = Tessera(f"{MODEL}={folder},precision={precision}", "--threads", str(threads), "--longest-wait", "0")
        except SystemExit as error:
            lines = str(error).strip().splitlines()
            why = next((line for line in lines if "rror" in line), lines[-1])
            return print(f"{precision}: left out: {why}", flush=True)
        told = json.loads(server.ask(request("GET", f"/v1/models/{MODEL}"))[1])
        if told["precision"] == precision:
            self.ours[precision] = server
        else:
            server.stop()
            print(f"{precision}: left out: computed in {told['precision']} here", flush=True)

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
        plan.append(line(name, how, files))
    server.resume()
    run = Flood(server, seconds, plan)
    result = run.result()
    server.pause()
    for name, told in result.items():
        if list(told["statuses"]) != ["200"] or told["broken"] or told["unanswered"]:
            told.pop("right_by_second")
            raise SystemExit(f"{server.paths} {name} {classes[name][0]}: {told}")
    return result, run.seconds


def throughput(server, mix, in_flight, count):
    """Images a second while so many are in flight, until `count` are answered: each mix with the same number of decodes."""
    kinds = [kind for kind, times in mix.items() for _ in range(times)]
    return count / flood(server, 3600, {"all": (f"closed={in_flight} count={count}", kinds)})[1]


def times(server, mix, rate, seconds):
    """{kind: {count, p50, p99, max}}, ms."""
    # New connections: one that rests between two requests may be closed by either side just when it is used.
    parts = {kind: (f"rate={rate * share / sum(mix.values()):.4f} new", [kind]) for kind, share in mix.items()}
    return {kind: told["statuses"]["200"] for kind, told in flood(server, seconds, parts)[0].items()}


def engine_ratios(engine, mix):
    """{precision: PyTorch's time / ours} for such a mix, without HTTP."""
    sums = {}
    for row in engine:
        if row["model"] == MODEL and row["operation"] in mix:
            ours, theirs = sums.get(row["precision"], (0, 0))
            times = mix[row["operation"]]
            sums[row["precision"]] = (ours + times * row["ours"]["median"], theirs + times * row["pytorch"]["median"])
    return {precision: theirs / ours for precision, (ours, theirs) in sums.items()}


def compare(pair, name, mix, a):
    """One round of a mix: {"load", "pytorch", "pytorch_at", "ours": {precision: }, "ours_at": {precision: }}"""
    count = 3 * IN_FLIGHT if mix is ENCODE else IN_FLIGHT
    told = {"pytorch": throughput(pair.theirs, mix, IN_FLIGHT, count),
            "ours": {p: throughput(server, mix, IN_FLIGHT, count) for p, server in pair.ours.items()}}
    told["load"] = 0.8 * told["pytorch"]
    told["pytorch_at"] = times(pair.theirs, mix, told["load"], a.seconds)
    told["ours_at"] = {p: times(server, mix, told["load"], a.seconds) for p, server in pair.ours.items()}
    for precision, rate in told["ours"].items():
        print(f"{name} {precision}: images/s: ours {rate:.2f}, LitServe {told['pytorch']:.2f}, ratio "
              f"{rate / told['pytorch']:.2f}; at {told['load']:.2f}/s, p50 and p99 in ms: " + "; ".join(
                  f"{kind}: ours {at['p50']:.0f}, {at['p99']:.0f}, LitServe {told['pytorch_at'][kind]['p50']:.0f}, "
                  f"{told['pytorch_at'][kind]['p99']:.0f}" for kind, at in told["ours_at"][precision].items()), flush=True)
    return told


def measure(a, engine):
    """[{mix, precision, against, ratio, engine_ratio, kept, rounds}]; kept is HTTP's ratio over the engine's.

    engine(precisions): rows of engine.measure for sftok-b; asked in every round."""
    rows = []
    for against in ("fp32", "bf16"):
        precisions = [p for p in a.precisions if THEIRS[p] == against]
        if not precisions:
            continue
        with Pair(a, precisions) as pair:
            for name, mix in [("encode", ENCODE), ("7 encode : 1 decode", MIX)] if pair.ours else []:
                rounds = [compare(pair, name, mix, a) | {"plain": engine_ratios(engine(list(pair.ours)), mix)}
                          for _ in range(a.serving_rounds)]
                for precision in pair.ours:
                    ratios = [each["ours"][precision] / each["pytorch"] for each in rounds]
                    plain = [each["plain"][precision] for each in rounds]
                    kept = [http / inside for http, inside in zip(ratios, plain)]
                    rows.append({"mix": name, "precision": precision, "against": against,
                                 "ratio": statistics.median(ratios), "ratios": ratios,
                                 "engine_ratio": statistics.median(plain), "kept": statistics.median(kept),
                                 "rounds": [one_of(each, precision) for each in rounds]})
                    print(f"{name} {precision}: HTTP's ratio {rows[-1]['ratio']:.2f}, the engine's "
                          f"{rows[-1]['engine_ratio']:.2f}; kept {' '.join(f'{each:.2f}' for each in kept)}", flush=True)
    return rows


def one_of(told, precision):
    return told | {"ours": told["ours"][precision], "ours_at": told["ours_at"][precision]}
