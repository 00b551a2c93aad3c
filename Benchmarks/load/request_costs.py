#!/usr/bin/env python3
"""What a request costs beside the engine, of two builds in turns on one idle machine: BEFORE, and AFTER a change.

    Benchmarks/load/request_costs.py BEFORE AFTER [--rounds 9] [--seconds 5] [--json FILE]

BEFORE and AFTER are `tessera` executables with their resources beside them. In each round either one is asked, first
the one and then the other, in the next round the other way round:

- live: processor time (user and system) of the process for a request to /health/live, under wrk, 64 connections
- encode: processor time for an encode request in all threads but the engine's, 16 in flight
- refusal: processor time for a 429 at REFUSED requests a second, which is ten times what a fast machine can do, in all
  threads but the engine's. The service has a queue of one image, so that few requests are good and their share, which
  is taken off, is small
- goodput: good responses a second under ten times the capacity, beside the capacity that the same process had just
  before

The engine computes with one thread, so that its thread can be told from the others: it is the one that took most.
Prints medians, the ratio of each pair (its median, lowest and highest), and nginx's processor time for the same probe.
"""
import argparse
import os
import statistics
import tempfile

import health_vs_nginx
import service
from report import Report
from service import BUILT_IN, WORK, Flood, KnownRequests, Service, plan_line, prepare, processor_seconds

BOUNDS = {"live": 1.02, "encode": 1.02, "refusal": 1 / 3}


def thread_seconds(pid):
    """{thread: utime + stime}"""
    seconds = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            seconds[thread] = processor_seconds([f"{pid}/task/{thread}"])
        except FileNotFoundError:
            pass  # The thread has ended.
    return seconds


class Beside:
    """Processor time of a process while `with` lasts, in all threads but the one that took most."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        self.start = thread_seconds(self.pid), processor_seconds([self.pid])
        return self

    def __exit__(self, *_):
        threads, whole = self.start
        engine = max(end - threads.get(thread, 0) for thread, end in thread_seconds(self.pid).items())
        self.seconds = processor_seconds([self.pid]) - whole - engine


def measure(executable, a):
    """A fresh process: {figure: value}, times in microseconds."""
    service.TESSERA = executable
    figures = {}
    with Service(BUILT_IN, "--threads", "1") as running:
        known = KnownRequests(BUILT_IN, running)
        figures["live"] = health_vs_nginx.round_of(running.port, [running.pid], a)[2]
        Flood(running, 2, [plan_line("encode", "closed=16", known.encode)]).result()
        with Beside(running.pid) as beside:
            flood = Flood(running, a.seconds, [plan_line("encode", "closed=16", known.encode)])
            encode = flood.result()["encode"]
        figures["encode"] = beside.seconds / encode["right"] * 1e6
        peak = statistics.mean(encode["right_by_second"][1:a.seconds])
        flood = Flood(running, a.seconds + 3, [plan_line("encode", f"rate={10 * peak:.0f}", known.encode)])
        right = flood.result()["encode"]["right_by_second"]
        figures["capacity"] = peak
        figures["goodput"] = statistics.mean(right[3:a.seconds + 3]) / peak
    with Service(BUILT_IN, "--threads", "1", "--queued-images", "1") as running:
        requests = [known.encode[-1]]
        with Beside(running.pid) as beside:
            encode = Flood(running, a.seconds, [plan_line("encode", f"rate={a.refused}", requests)]).result()["encode"]
        refused = encode["statuses"]["429"]["count"]
        figures["refusal"] = (beside.seconds * 1e6 - figures["encode"] * encode["right"]) / refused
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--refused", type=int, default=1400)
    parser.add_argument("--json", default=os.path.join(WORK, "request_costs.json"))
    a = parser.parse_args()
    health_vs_nginx.install()
    prepare()
    builds = {"before": os.path.realpath(a.before), "after": os.path.realpath(a.after)}
    rounds = {"before": [], "after": []}
    probes = []
    report = Report("Costs of a request beside the engine", f"{a.rounds} rounds in turns")
    with tempfile.TemporaryDirectory() as folder, health_vs_nginx.Nginx(folder) as nginx:
        for index in range(a.rounds):
            order = ["before", "after"] if index % 2 == 0 else ["after", "before"]
            for build in order:
                rounds[build].append(measure(builds[build], a))
                print(f"{build:>6}", {name: round(value, 2) for name, value in rounds[build][-1].items()}, flush=True)
            probes.append(health_vs_nginx.round_of(nginx.port, nginx.pids(), a)[2])
            print(f" nginx {{'live': {probes[-1]:.2f}}}", flush=True)
    for name, bound in BOUNDS.items():
        for build, done in rounds.items():
            values = [each[name] for each in done]
            report.add(f"{build}: {name}", f"{statistics.median(values):.1f} us", "", None,
                       f"{min(values):.1f} to {max(values):.1f}", values)
        ratios = [new[name] / old[name] for old, new in zip(*rounds.values())]
        report.most(f"after / before: {name}", ratios, bound, "", 3)
    ratios = [each["live"] / probe for each, probe in zip(rounds["after"], probes)]
    report.most("live: after / nginx", ratios, 1.8, "", 2)
    for build, done in rounds.items():
        values = [each["capacity"] for each in done]
        report.add(f"{build}: capacity", f"{statistics.median(values):.0f}/s", "", None,
                   f"{min(values):.0f} to {max(values):.0f}", values)
    report.median("before: goodput at 10x / capacity", [each["goodput"] for each in rounds["before"]], "",
                  lambda _: None, "", 3)
    report.least("after: goodput at 10x / capacity", [each["goodput"] for each in rounds["after"]], 0.95, "", 3)
    report.finish(a.json)


if __name__ == "__main__":
    main()
