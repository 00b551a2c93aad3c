"""Good, bad, slow and disconnecting clients together, for half an hour; then the service's memory and descriptors.

    python3 Benchmarks/load/soak.py [--minutes 30] [--model ID=FOLDER]

Every good response is compared with the known one. RSS is read every two seconds; the medians of the minute before half
time and of the last one are compared. Exit status 1 where a bound is broken. As `figures.py` in all else.
"""
import argparse
import os
import statistics
import threading
import time

import abuse
from figures import capacity
from report import Report
from service import Flood, KnownRequests, Service, WORK, plan_line, prepare


def plan(known, peak):
    """About half of what the service can do; where another process slows the machine, some is refused."""
    small = abuse.small()
    bad = {}
    for data, statuses in small.values():
        bad.setdefault("-".join(map(str, statuses)), []).append(known.file(data))
    lines = [
        plan_line("encode", f"rate={0.3 * peak:.2f}", known.encode),
        plan_line("encode-new", f"rate={0.05 * peak:.2f} new", known.encode),
        plan_line("mixed", f"rate={0.02 * peak:.2f}", known.mixed), plan_line("decode", "rate=0.5", known.decode),
        plan_line("live", "rate=10 new", known.live), plan_line("ready", "rate=10", known.ready),
        plan_line("disconnecting", "rate=2 disconnect=100 new", [case.split(":")[0] for case in known.encode]),
    ]
    return lines + [plan_line(f"bad-{status}", "rate=1", files) for status, files in sorted(bad.items())]


def misbehave(service, over, unexpected):
    """Requests that are too large for the generator, and clients that disconnect in the middle of one."""
    large = abuse.large()
    turn = 0
    while not over.wait(3):
        name = list(large)[turn % len(large)]
        status, _ = service.ask(large[name][0])
        if status not in large[name][1] + [429]:
            unexpected.append(f"{name}: {status}")
        abuse.disconnect(service, 10, seed=turn)
        turn += 1


def watch(service, flood, over):
    """[(seconds, MiB)] until the generator is done or the service is."""
    start, samples = time.monotonic(), []
    while flood.process.poll() is None and service.process.poll() is None and not over.is_set():
        samples.append((time.monotonic() - start, service.resident()))
        if len(samples) % 150 == 0:
            print(f"  {samples[-1][0] / 60:.0f} min: {samples[-1][1]:.1f} MiB, {service.descriptors()} descriptors",
                  flush=True)
        over.wait(2)
    return samples


def count(each, status):
    return each["statuses"].get(str(status), {"count": 0})["count"]


def tell(report, classes, unexpected, service):
    alive = service.process.poll() is None
    report.add("the service at the end", "up" if alive else f"exit {service.process.poll()}", "up", alive)
    good = [each for name, each in classes.items() if name != "disconnecting" and not name.startswith("bad-")]
    right, sent = sum(each["right"] for each in good), sum(each["sent"] for each in good)
    refused = sum(count(each, 429) for each in good)
    report.add("good requests answered right", f"{right} of {sent}", "all but refused", right + refused == sent,
               f"{refused} refused with 429")
    wrong = sum(each["wrong"] for each in classes.values())
    report.add("wrong responses", str(wrong), "0", wrong == 0)
    for name, each in classes.items():
        if not name.startswith("bad-"):
            continue
        right = sum(count(each, status) for status in name[4:].split("-"))
        refused = count(each, 429)
        report.add(f"bad requests answered {name[4:]}", f"{right} of {each['sent']}", "all but refused",
                   right + refused == each["sent"], f"{refused} refused with 429")
    report.add("large bad requests answered unexpectedly", str(len(unexpected)), "0", not unexpected,
               "; ".join(sorted(set(unexpected)))[:80])
    report.add("clients that disconnected", str(classes["disconnecting"]["disconnected"]), "", None)
    for name in ("encode", "live"):
        answered = classes[name]["statuses"]["200"]
        report.add(f"{name}: p99", f"{answered['p99']:.1f} ms", "", None, f"median {answered['p50']:.1f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--model")
    parser.add_argument("--json", default=os.path.join(WORK, "soak.json"))
    a = parser.parse_args()
    seconds = round(a.minutes * 60)
    model = prepare(a.model)
    over, unexpected = threading.Event(), []
    with Service(model) as service:
        known = KnownRequests(model, service)
        peak = capacity(service, known)
        report = Report("Soak", f"model {service.model}, {a.minutes:g} minutes, capacity {peak:.1f}/s")
        descriptors = service.settled_descriptors(0, 3)
        flood = Flood(service, seconds, plan(known, peak))
        misbehaving = threading.Thread(target=misbehave, args=(service, over, unexpected), daemon=True)
        misbehaving.start()
        with abuse.SlowClients(service, 100) as slow_clients:
            samples = watch(service, flood, over)
            over.set()
            classes = flood.result()
        misbehaving.join(60)
        tell(report, classes, unexpected, service)
        report.add("slow clients cut off", str(slow_clients.reopened), "", None)
        span = min(60, seconds / 4)
        half = statistics.median(r for t, r in samples if seconds / 2 - span <= t <= seconds / 2)
        end = statistics.median(r for t, r in samples if seconds - span <= t)
        report.add("RSS at half time", f"{half:.1f} MiB", "", None,
                   f"most {max(r for _, r in samples):.1f} MiB", samples)
        report.add("RSS at the end less that", f"{end - half:+.1f} MiB", "<= 5 MiB", end - half <= 5)
        left = service.settled_descriptors(descriptors)
        report.add("descriptors at the end", str(left), f"<= {descriptors}", left <= descriptors)
        status, took = service.stop()
        report.add("exit status", str(status), "0", status == 0, f"after {took:.1f} s")
    report.finish(a.json)


if __name__ == "__main__":
    main()
