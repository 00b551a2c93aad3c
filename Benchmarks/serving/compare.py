"""SFTok's encoder over HTTP under load, beside a Python server around the same model in PyTorch.

    python Benchmarks/serving/compare.py MODEL [--precisions fp32,bf16] [--rounds 2] [--seconds 40] [--json FILE]

MODEL is a folder as `reference/checkpoints.py sftok-b` writes it (safetensors). Each round starts one server after the
other, measures what it does with a queue that is never empty (images/s), then sends both the same load, half and four
fifths of what the Python server can do, and takes the times of answers. One picture a request, as base64 in JSON, the
same bytes to both. Needs torch, litserve, pillow, safetensors, the release build of tessera, a C compiler; idle machine;
server, generator and model share its cores.
"""
import argparse
import base64
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

BODY = json.dumps({"input": [base64.b64encode(open(Known.PICTURES[0], "rb").read()).decode()]}).encode()


class Python:
    """LitServe's processes."""

    def __init__(self, model, precision, threads, port):
        log = open(os.path.join(service.WORK, "litserve.log"), "w")
        self.port = port
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "pytorch_server.py"), model, str(port), precision, str(threads)],
            stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 120
        while self.ask(request("POST", "/predict", BODY, "application/json"))[0] != 200:
            if time.monotonic() > end or self.process.poll() is not None:
                self.__exit__()
                raise SystemExit(f"the Python server didn't start: {log.name}")
            time.sleep(0.2)

    def ask(self, data):
        try:
            return service.Service.ask(self, data)
        except OSError:
            return 0, b""

    def connect(self, **options):
        return service.Service.connect(self, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def run(server, path, how, seconds):
    """(answers a second, median, 99th percentile in ms)"""
    file = os.path.join(service.WORK, f"serving-{server.port}")
    with open(file, "wb") as out:
        out.write(request("POST", path, BODY, "application/json"))
    told = Flood(server, seconds, [line("encode", how, [file])]).result()["encode"]
    good = told["statuses"].get("200")
    if not good or told["broken"] or told["unanswered"] or len(told["statuses"]) != 1:
        raise SystemExit(f"{path} {how}: {told}")
    return statistics.mean(told["right_by_second"][2:]), good["p50"], good["p99"]


def main():
    a = argparse.ArgumentParser()
    a.add_argument("model")
    a.add_argument("--precisions", default="fp32,bf16")
    a.add_argument("--rounds", type=int, default=2)
    a.add_argument("--seconds", type=int, default=40)
    a.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    a.add_argument("--json")
    a = a.parse_args()
    service.prepare()
    rows = []
    for precision in a.precisions.split(","):
        rounds = []
        for turn in range(a.rounds):
            with Python(a.model, precision, a.threads, 18000 + os.getpid() % 10000) as theirs:
                capacity = run(theirs, "/predict", "closed=16", a.seconds)[0]
                loads = [capacity / 2, capacity * 0.8]
                other = [run(theirs, "/predict", f"rate={load:.3f}", a.seconds) for load in loads]
            with service.Service(f"sftok={a.model},precision={precision}", "--threads", str(a.threads)) as ours:
                told = json.loads(ours.ask(request("GET", "/v1/models/sftok"))[1])
                if told["precision"] != precision:
                    raise SystemExit(f"this processor doesn't compute in {precision}")
                mine_capacity = run(ours, "/v1/encode", "closed=16", a.seconds)[0]
                mine = [run(ours, "/v1/encode", f"rate={load:.3f}", a.seconds) for load in loads]
                ours.stop()
            rounds.append({"pytorch": capacity, "ours": mine_capacity, "loads": loads, "pytorch_at": other, "ours_at": mine})
            print(f"{precision}, round {turn + 1}: images/s: ours {mine_capacity:.2f}, LitServe {capacity:.2f}, ratio "
                  f"{mine_capacity / capacity:.2f}", flush=True)
            for load, our, their in zip(loads, mine, other):
                print(f"  at {load:.2f}/s: ours p50 {our[1]:.0f} ms, p99 {our[2]:.0f} ms; LitServe p50 {their[1]:.0f} ms, "
                      f"p99 {their[2]:.0f} ms", flush=True)
        rows.append({"precision": precision, "rounds": rounds,
                     "ratio": statistics.median(r["ours"] / r["pytorch"] for r in rounds)})
        print(f"{precision}: ratio {rows[-1]['ratio']:.2f}", flush=True)
    if a.json:
        json.dump({"machine": service.hardware(), "rows": rows}, open(a.json, "w"), indent=2)


if __name__ == "__main__":
    main()
