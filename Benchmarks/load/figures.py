"""What `make load` measures: the service under ten times its capacity, beside slow, broken and idle clients, and
stopped under load. Each figure is printed beside its bound; exit status 1 where one is broken.

    python3 Benchmarks/load/figures.py [--only overload,slow,abuse,idle,failing,stop,overstop] [--rounds 5]
                                       [--model ID=FOLDER]

Needs the release build (or TESSERA=FILE), a C compiler and Linux; run it on an idle machine. The model is the built-in
one unless another is named. Service, generator and clients share the machine's cores.
"""
import argparse
import json
import os
import socket
import statistics
import time

import abuse
import stopping
from report import Report
from service import Flood, KnownRequests, Service, WORK, plan_line, prepare, processor_seconds, request

PROBES = 20  # health requests a second, of each kind


def capacity(service, known, seconds=10):
    """Right responses a second with a queue that is never empty; the first two seconds don't count."""
    encode = Flood(service, seconds, [plan_line("encode", "closed=16", known.encode)]).result()["encode"]
    return statistics.mean(encode["right_by_second"][2:])


def probes(known):
    return [plan_line("live", f"rate={PROBES} new", known.live), plan_line("ready", f"rate={PROBES}", known.ready)]


def faults(classes, statuses=("200", "429")):
    """Responses that were wrong, missing or not among `statuses`, over all classes."""
    count = 0
    for each in classes.values():
        count += each["wrong"] + each["broken"] + each["refused"] + each["unanswered"]
        count += sum(value["count"] for status, value in each["statuses"].items() if status not in statuses)
    return count


def health(classes):
    """(probes that failed, p99 in ms, the slowest in ms)"""
    both = {name: classes[name] for name in ("live", "ready")}
    answered = [each["statuses"]["200"] for each in both.values()]
    return faults(both, ("200",)), max(a["p99"] for a in answered), max(a["max"] for a in answered)


def normal(service, known):
    """Milliseconds of a request on an idle service, the median of 20."""
    encode = Flood(service, 20, [plan_line("encode", "closed=1 count=20", known.encode)]).result()["encode"]
    return encode["statuses"]["200"]["p50"]


def recovery(service, known, usual):
    """Seconds until three requests in a row are answered as fast as before, or twice that."""
    data = open(known.encode[0].split(":")[0], "rb").read()
    start = time.monotonic()
    good, first = 0, 0.0
    while good < 3 and time.monotonic() - start < 60:
        begin = time.monotonic()
        status, _ = service.ask(data)
        took = (time.monotonic() - begin) * 1000
        if status == 200 and took <= 2 * usual:
            first = begin if good == 0 else first
            good += 1
        else:
            good = 0
            time.sleep(0.1)
    return first - start if good == 3 else 60.0


def overload(report, service, known, rounds):
    usual = normal(service, known)
    peaks, goodputs, ratios, rejections, recoveries, bad, probes_failed = [], [], [], [], [], 0, 0
    health_p99, health_max = [], []
    for _ in range(rounds):
        peaks.append(capacity(service, known))
        offered = 10 * peaks[-1]
        flood = Flood(service, 20, [plan_line("encode", f"rate={offered:.0f}", known.encode), *probes(known)])
        recoveries.append(recovery(service, known, usual) if flood.until_sent() else 0)
        classes = flood.result()
        goodputs.append(statistics.mean(classes["encode"]["right_by_second"][3:]))
        ratios.append(goodputs[-1] / peaks[-1])
        rejections.append(classes["encode"]["statuses"].get("429", {"p99": 0})["p99"])
        bad += faults(classes)
        failed, p99, slowest = health(classes)
        probes_failed += failed
        health_p99.append(p99)
        health_max.append(slowest)
    report.add("capacity", f"{statistics.median(peaks):.1f}/s", "", None,
               f"{min(peaks):.1f} to {max(peaks):.1f}", peaks)
    report.least("goodput at 10x / peak", ratios, 0.9)
    report.most("p99 of rejections (429)", rejections, 50, "ms")
    report.add("health probes that failed at 10x", str(probes_failed), "0", probes_failed == 0)
    report.most("p99 of health probes at 10x", health_p99, 1000, "ms")
    report.most("slowest health probe at 10x", health_max, 1000, "ms")
    report.most("back to normal after 10x", recoveries, 10, "s")
    report.add("responses at 10x neither right nor 429", str(bad), "0", bad == 0)


def slow(report, service, known, rounds, peak):
    plan = [plan_line("encode", f"rate={0.4 * peak:.1f}", known.encode), *probes(known)]
    ratios, probe_ratios, open_now, bad = [], [], [], 0

    def measure():
        classes = Flood(service, 15, plan).result()
        return faults(classes, ("200",)), classes["encode"]["statuses"]["200"]["p99"], health(classes)[1]

    for _ in range(rounds):
        before, alone, probe_alone = measure()
        with abuse.SlowClients(service, 1000) as slow_clients:
            time.sleep(4)
            among, together, probe_together = measure()
            open_now.append(slow_clients.open)
        bad += before + among
        ratios.append(together / alone)
        probe_ratios.append(probe_together / probe_alone)
        time.sleep(3)
    report.add("slow connections open", str(min(open_now)), ">= 950", min(open_now) >= 950, values=open_now)
    report.most("p99 of encode among them / alone", ratios, 1.5, "", 2)
    report.most("p99 of health among them / alone", probe_ratios, 1.5, "", 2)
    report.add("responses among them that failed", str(bad), "0", bad == 0)


def abusive(report, service):
    kinds = abuse.small() | abuse.large()
    unexpected = []

    def send(name, count):
        data, statuses = kinds[name]
        for _ in range(count):
            status, _ = service.ask(data)
            if status not in statuses:
                unexpected.append(f"{name}: {status}")

    # Memory that the first of them take is what any traffic takes.
    for name in kinds:
        send(name, 20)
    abuse.disconnect(service, 60)
    time.sleep(2)
    start, growths = service.resident(), {}
    previous = start
    for name in [*kinds, "disconnecting"]:
        if name == "disconnecting":
            abuse.disconnect(service, 100)
        else:
            send(name, 100)
        time.sleep(0.5)
        growths[name], previous = service.resident() - previous, service.resident()
    per_hundred = (previous - start) / len(growths)
    worst = max(growths, key=growths.get)
    report.add("RSS growth per 100 abusive requests", f"{per_hundred:.2f} MiB", "<= 1 MiB", per_hundred <= 1,
               f"most: {worst}, {growths[worst]:.1f}", growths)
    report.add("abusive requests answered unexpectedly", str(len(unexpected)), "0", not unexpected,
               "; ".join(sorted(set(unexpected)))[:80])


def idle(report, service, known, count=10_000):
    """Each has had a response: the memory that a connection keeps after one counts too."""
    live = request("GET", "/health/live")
    before = service.resident()
    connections = []
    try:
        for index in range(count):
            connections.append(socket.create_connection(
                ("127.0.0.1", service.port), 30, source_address=(f"127.0.0.{2 + index // 4000}", 0)))
            connections[-1].sendall(live)
        answered = sum(connection.recv(4096).startswith(b"HTTP/1.1 200") for connection in connections)
        time.sleep(2)
        each = (service.resident() - before) * 1024 / count
        cpu = processor_seconds([service.pid])
        time.sleep(5)
        cpu = (processor_seconds([service.pid]) - cpu) / 5
        classes = Flood(service, 10, [plan_line("encode", "closed=2", known.encode), *probes(known)]).result()
        still = sum(is_open(connection) for connection in connections)
    finally:
        for connection in connections:
            connection.close()
    report.add("idle connections, answered once and kept", f"{min(answered, still)}", f"{count}",
               min(answered, still) == count)
    report.most("RSS of an idle connection", [each], 16, "KiB")
    report.add("processor while they idle", f"{100 * cpu:.1f} % of a core", "", None)
    bad = faults(classes, ("200",))
    report.add("responses beside them that failed", str(bad), "0", bad == 0,
               f"health p99 {health(classes)[1]:.1f} ms")


def is_open(connection):
    connection.setblocking(False)
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def failing(report, service, known, seconds=30):
    """Good requests share the queue and its batches with some that fail and some whose clients disconnect. The queue is
    a second long, and the service sees half a second after it that a client has disconnected."""
    names = ["cut JPEG", "cut PNG", "token out of range"]
    bad = [known.file(abuse.small()[name][0]) for name in names]
    cancelled = [case.split(":")[0] for case in known.encode + known.decode]
    counters = {name: service.metric(name) for name in
                ("tessera_batch_images_sum", "tessera_batch_images_count", "tessera_cancelled_total")}
    good = max(6, round(capacity(service, known, 6)))
    plan = [plan_line("good", f"closed={good}", known.encode), plan_line("decode", "closed=1", known.decode),
            plan_line("mixed", "closed=2", known.mixed), plan_line("bad", "rate=20", bad),
            plan_line("disconnecting", "rate=20 disconnect=60 new", cancelled)]
    classes = Flood(service, seconds, plan).result()
    images, batches, left = (service.metric(name) - value for name, value in counters.items())
    good = {name: classes[name] for name in ("good", "decode", "mixed")}
    right = sum(each["right"] for each in good.values())
    wrong = faults(good, ("200",)) + faults({"bad": classes["bad"]}, ("422",)) + faults(
        {"disconnecting": {**classes["disconnecting"], "unanswered": 0}}, ("200",))
    told = f"{classes['bad']['sent']} failed, {left:.0f} cancelled, {images / max(1, batches):.1f} images a batch"
    report.add("right responses beside failing requests", str(right), "all",
               right > 0 and left > 0 and images > batches, told)
    report.add("wrong or missing responses beside failing requests", str(wrong), "0", wrong == 0)


def alone(report, model, name, part):
    """Runs a part on a new service, so that memory isn't carried from part to part, and then counts its descriptors."""
    # Ten thousand connections that idle for longer than it takes to open and measure them, and room for others.
    with Service(model, "--connections", "10200", "--idle-timeout", "600") as service:
        known = KnownRequests(model, service)
        Flood(service, 3, [plan_line("encode", "closed=16", known.encode), *probes(known)]).result()
        descriptors = service.settled_descriptors(0, 3)
        part(service, known)
        left = service.settled_descriptors(descriptors)
        report.add(f"descriptors after {name}", str(left), f"<= {descriptors}", left <= descriptors)
        status, took = service.stop()
        report.add(f"exit status after {name}", str(status), "0", status == 0, f"after {took:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="overload,slow,abuse,idle,failing,stop,overstop")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stops", type=int, default=20)
    parser.add_argument("--model")
    parser.add_argument("--json", default=os.path.join(WORK, "figures.json"))
    a = parser.parse_args()
    only = a.only.split(",")
    model = prepare(a.model)
    started = time.monotonic()
    report = Report("Load", f"model {model.split('=')[0]}, {a.rounds} rounds, medians")
    parts = {
        "overload": lambda service, known: overload(report, service, known, a.rounds),
        "slow": lambda service, known: slow(report, service, known, a.rounds, capacity(service, known)),
        "failing": lambda service, known: failing(report, service, known),
        "abuse": lambda service, known: abusive(report, service),
        "idle": lambda service, known: idle(report, service, known),
    }
    for name, part in parts.items():
        if name in only:
            alone(report, model, name, part)
    if "stop" in only:
        stopping.measure(report, model, a.stops)
    if "overstop" in only:
        stopping.measure_overloaded(report, model, a.stops, capacity)
    report.add("time taken", f"{(time.monotonic() - started) / 60:.1f} min", "", None)
    report.finish(a.json)


if __name__ == "__main__":
    main()
