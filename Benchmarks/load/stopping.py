"""SIGTERM in the middle of 200 concurrent requests, and under ten times the capacity."""
import asyncio
import os
import statistics
import threading
import time

from service import Flood, KnownRequests, Service, plan_line, read_response, request

CONCURRENT, UPLOADS, GRACE, CONNECTING = 200, 10, 30, 3


class Client:
    """A kept connection that sends the next request after each response, until the service closes it."""

    def __init__(self, run, cases, index):
        self.run, self.cases, self.index = run, cases, index

    async def live(self):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.run.port)
        except OSError as error:
            return self.run.broken(time.monotonic(), error)
        try:
            for turn in range(1_000_000):
                data, expected = self.cases[(self.index + turn) % len(self.cases)]
                sent_at = time.monotonic()
                self.run.in_flight += 1
                try:
                    await self.send(writer, data, turn)
                    status, closes, body = await read(reader)
                except (OSError, asyncio.IncompleteReadError) as error:
                    return self.run.broken(sent_at, error)
                finally:
                    self.run.in_flight -= 1
                self.run.answered(sent_at, status, body == expected)
                if closes:
                    return await self.expect_end(reader)
        finally:
            writer.close()

    async def send(self, writer, data, turn):
        writer.write(data)
        await writer.drain()

    async def expect_end(self, reader):
        if await reader.read(1):
            self.run.wrong += 1


class Upload(Client):
    """Half of its first request is there when the signal comes, the rest follows."""

    async def live(self):
        # A connection that said nothing until then would be closed.
        await self.run.due.wait()
        await super().live()

    async def send(self, writer, data, turn):
        half = len(data) // 2 if turn == 0 else 0
        if half:
            writer.write(data[:half])
            await writer.drain()
            self.run.halves += 1
            await self.run.signalled.wait()
            await asyncio.sleep(0.2)
        writer.write(data[half:])
        await writer.drain()


async def read(reader):
    """(status, whether the connection closes, body)"""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
    fields = dict(line.split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(int(fields["content-length"]))
    return int(head[0].split()[1]), fields.get("connection") == "close", body


class Run:
    """One service, stopped after `after` right responses."""

    def __init__(self, port, after):
        self.port, self.after = port, after
        self.right = self.refused = self.lost = self.wrong = self.in_flight = self.in_flight_at_signal = 0
        self.halves = 0
        self.due, self.signalled, self.signal_time = asyncio.Event(), asyncio.Event(), None
        self.errors = []

    def answered(self, sent_at, status, is_right):
        if status == 503 and self.signal_time is not None and sent_at > self.signal_time - 0.05:
            # The request came after the service had stopped accepting.
            self.refused += 1
        elif status == 200 and is_right:
            self.right += 1
        else:
            self.wrong += 1
            self.errors.append(f"{status}, {'right' if is_right else 'another'} body")
        if self.right >= self.after:
            self.due.set()

    def broken(self, sent_at, error):
        self.lost += 1
        self.errors.append(repr(error))

    async def go(self, service, cases):
        kinds = [Client] * CONCURRENT + [Upload] * UPLOADS
        tasks = [asyncio.create_task(kind(self, cases, index).live()) for index, kind in enumerate(kinds)]
        if self.after == 0:
            self.due.set()
        await self.due.wait()
        while self.halves < UPLOADS:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        self.in_flight_at_signal = self.in_flight
        self.signal_time = time.monotonic()
        service.process.terminate()
        self.signalled.set()
        await asyncio.gather(*tasks)
        end = await asyncio.to_thread(service.process.wait, 60)
        return end, time.monotonic() - self.signal_time


def cases(known):
    """[(request, the body that answers it)]; decodes are slower, so one among seventeen."""
    files = [case.split(":") for case in known.encode * 4 + known.decode[:1]]
    return [(open(data, "rb").read(), open(body, "rb").read()) for data, body in files]


def measure(report, model, stops):
    table, runs, ends, spans = None, [], [], []
    for index in range(stops):
        # All are accepted, however long they may have to wait.
        with Service(model, "--grace", str(GRACE), "--longest-wait", "0") as service:
            table = table or cases(KnownRequests(model, service))
            run = Run(service.port, index * CONCURRENT // stops)
            end, span = asyncio.run(run.go(service, table))
            runs.append(run)
            ends.append(end)
            spans.append(span)
    least = min(run.in_flight_at_signal for run in runs)
    lost, wrong = sum(run.lost for run in runs), sum(run.wrong for run in runs)
    told = "; ".join(sorted({error for run in runs for error in run.errors}))[:100]
    report.add("requests in flight at SIGTERM, least", str(least), f">= {CONCURRENT}", least >= CONCURRENT)
    report.add(f"accepted requests lost over {stops} SIGTERMs", str(lost), "0", lost == 0,
               told or f"{sum(run.right for run in runs)} right, {sum(run.refused for run in runs)} refused")
    report.add("responses that were wrong", str(wrong), "0", wrong == 0)
    report.add("exits with another status than 0", str(sum(end != 0 for end in ends)), "0", not any(ends))
    report.add("slowest stop", f"{max(spans):.1f} s", f"<= {GRACE} s", max(spans) <= GRACE,
               f"{min(spans):.1f} to {max(spans):.1f}", spans)


class EndlessUpload(threading.Thread):
    """Says that a body follows, and sends half of it."""

    def __init__(self, service, data):
        super().__init__()
        self.connection = service.connect()
        self.connection.sendall(data[:len(data) // 2])
        self.status = None
        self.start()

    def run(self):
        self.status, _ = read_response(self.connection)
        self.connection.close()


def overloaded(service, known, offered, stop_at):
    """(what was wrong, {status: count}, connects refused, requests that crossed an idle close, seconds to the end)

    Half of the requests are on new connections. Each that connected must be answered; only a request that was sent
    after the signal, on a kept connection, may find it closed."""
    upload = EndlessUpload(service, open(known.encode[0].split(":")[0], "rb").read())
    plan = [plan_line("kept", f"rate={offered / 2:.0f}", known.encode),
            plan_line("new", f"rate={offered / 2:.0f} new", known.encode)]
    # Separate processes, which connect while the service's threads run, one connection after another without a pause.
    connecting = [Flood(service, stop_at + 1.5, [plan_line("live", "closed=16 new", known.live)], GRACE)
                  for _ in range(CONNECTING)]
    flood = Flood(service, stop_at + 1.5, plan, GRACE, stop_at)
    # The generator sends the signal; its own start is some milliseconds.
    start = time.monotonic() + stop_at
    end = service.process.wait(60 + stop_at)
    span = time.monotonic() - start
    classes = flood.result() | {f"live{index}": each.result()["live"] for index, each in enumerate(connecting)}
    upload.join()
    statuses, wrong = {}, []
    for name, each in classes.items():
        for status, value in each["statuses"].items():
            statuses[status] = statuses.get(status, 0) + value["count"]
        bad = {"wrong": each["wrong"], "reset": each["broken"] - each["crossed"], "unanswered": each["unanswered"]}
        wrong += [f"{name}: {count} {what}" for what, count in bad.items() if count]
    wrong += [f"status {status}" for status in statuses if status not in ("200", "429", "503")]
    if "429" not in statuses:
        wrong.append("no overload")
    if upload.status != 503:
        wrong.append(f"upload: {upload.status}")
    if end != 0:
        wrong.append(f"exit status {end}")
    refused, crossed = (sum(each[key] for each in classes.values()) for key in ("refused", "crossed"))
    return wrong, statuses, refused, crossed, span


def measure_overloaded(report, model, stops, capacity):
    """Without --drain-delay, so that connections arrive until the listener closes."""
    offered, known, clean, told, spans = None, None, 0, [], []
    statuses, refused, crossed = {}, 0, 0
    for index in range(stops):
        with Service(model, "--grace", str(GRACE)) as service:
            known = known or KnownRequests(model, service)
            offered = offered or 10 * capacity(service, known, 6)
            wrong, counts, refusals, crossings, span = overloaded(service, known, offered, 1.5 + 0.037 * index)
            spans.append(span)
            clean += not wrong
            told += wrong
            refused, crossed = refused + refusals, crossed + crossings
            for status, count in counts.items():
                statuses[status] = statuses.get(status, 0) + count
    responses = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    report.add(f"clean stops under {offered:.0f} requests/s", f"{clean} of {stops}", f"{stops} of {stops}",
               clean == stops, "; ".join(told)[:200]
               or f"{responses}, {refused} connects refused, {crossed} sent while it closed")
    report.add("median stop with an upload that doesn't end", f"{statistics.median(spans):.1f} s", "<= 10 s",
               statistics.median(spans) <= 10, f"{min(spans):.1f} to {max(spans):.1f}", spans)
