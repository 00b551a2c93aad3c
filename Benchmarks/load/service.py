"""Runs `tessera serve`, reads its memory and descriptors from /proc, and makes requests whose responses are known."""
import http.client
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
TESSERA = os.path.realpath(os.environ.get("TESSERA", os.path.join(ROOT, ".build/release/tessera")))
WORK = os.path.join(ROOT, ".build/load")
PICTURES = os.path.join(ROOT, "Tests/ImageInputTests/Fixtures/pictures")
BUILT_IN = "revq-mini=" + os.path.join(ROOT, "Sources/tessera/Resources/revq-mini")
FLOOD = os.path.join(WORK, "flood")


def prepare(model=None):
    """Makes the generator; returns the argument of --model."""
    os.makedirs(WORK, exist_ok=True)
    if not os.access(TESSERA, os.X_OK):
        raise SystemExit(f"no executable {TESSERA}; 'make build' makes it")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    compiler = shutil.which("clang") or shutil.which("cc") or shutil.which("gcc")
    source = os.path.join(ROOT, "Benchmarks/load/flood.c")
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-Werror", source, "-o", FLOOD], check=True)
    return model or BUILT_IN


def request(method, target, body=b"", kind=None, more=""):
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{more}"
    if kind:
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class Service:
    """The process. `with` ends it; `stop` tells how it ended."""

    def __init__(self, model, *arguments):
        # One file a process, so that the next process doesn't overwrite what this one logs at its end.
        self.log = os.path.join(WORK, f"serve-{os.getpid()}-{time.monotonic_ns()}.log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [TESSERA, "serve", "--listen", "127.0.0.1:0", "--model", model, *arguments], stderr=log, stdout=log)
        self.pid = self.process.pid
        self.port = self.wait_for(lambda: re.search(r"listening on 127\.0\.0\.1:(\d+)", open(self.log).read()))
        self.port = int(self.port.group(1))
        self.wait_for(lambda: self.ask(request("GET", "/health/ready"))[0] == 200)
        self.model = json.loads(self.ask(request("GET", "/v1/models"))[1])["data"][0]["id"]

    def wait_for(self, condition, seconds=120):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        raise SystemExit(f"the service didn't start:\n{open(self.log).read()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        elif self.process.poll() == 0:
            os.remove(self.log)
        else:
            print(f"the service ended with {self.process.poll()}: {self.log}")

    def stop(self):
        """(exit status, seconds from SIGTERM to the end)"""
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60), time.monotonic() - start

    def connect(self, **options):
        return socket.create_connection(("127.0.0.1", self.port), timeout=60, **options)

    def ask(self, data):
        """(status, body) over a new connection; (0, b"") if no response comes."""
        with self.connect() as connection:
            try:
                connection.sendall(data)
            except OSError:
                pass  # Refused while sending: the response can be read all the same.
            return read_response(connection)

    def status(self, name):
        for line in open(f"/proc/{self.pid}/status"):
            if line.startswith(name + ":"):
                return int(line.split()[1])
        return 0

    def resident(self):
        """MiB"""
        return self.status("VmRSS") / 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def metric(self, name):
        page = self.ask(request("GET", "/metrics"))[1].decode()
        return sum(float(line.split()[-1]) for line in page.splitlines() if re.match(name + r"[ {]", line))

    def settled_descriptors(self, expected, seconds=45):
        """The number of open descriptors, once it is at most `expected` or the time is over."""
        end = time.monotonic() + seconds
        while self.descriptors() > expected and time.monotonic() < end:
            time.sleep(0.25)
        return self.descriptors()


def read_response(connection):
    try:
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""


def processor_seconds(pids):
    """utime + stime"""
    ticks = 0
    for pid in pids:
        fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def hardware():
    name = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = int(open("/proc/meminfo").readline().split()[1]) / 2**20
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {os.uname().release}"


class KnownRequests:
    """Requests in files, each with the body that the command line, which runs without the server, gives for it."""

    PICTURES = [os.path.join(ROOT, "docs/chelsea.jpg")] + [
        os.path.join(PICTURES, name) for name in ("rgba16-laced.png", "jpeg-cmyk-progressive.jpg", "rgb8.png")]

    def __init__(self, model, service):
        self.model, self.service, self.count = model, service, 0
        self.folder = os.path.join(WORK, "known")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        answers = [self.run("encode", path) for path in self.PICTURES]
        self.encode = []
        for path, answer in zip(self.PICTURES, answers):
            kind = "image/png" if path.endswith("png") else "image/jpeg"
            self.encode.append(self.case(request("POST", "/v1/encode", open(path, "rb").read(), kind), answer))
        self.tokens = [json.loads(answer)["data"][0]["tokens"] for answer in answers]
        self.decode = [self.decoding(tokens) for tokens in self.tokens[:2]]
        self.mixed = [self.mixture()]
        self.live = [self.plain("/health/live")]
        self.ready = [self.plain("/health/ready")]

    def run(self, *arguments):
        return subprocess.run(
            [TESSERA, arguments[0], "--model", self.model, *arguments[1:]], check=True, capture_output=True).stdout

    def file(self, data):
        self.count += 1
        path = os.path.join(self.folder, str(self.count))
        with open(path, "wb") as file:
            file.write(data)
        return path

    def case(self, data, answer):
        """The request as a plan names it, after the idle service was seen to give this response."""
        status, body = self.service.ask(data)
        if (status, body) != (200, answer):
            raise SystemExit(f"{data[:60]}: {status} {body[:200]}, expected {answer[:200]}")
        return f"{self.file(data)}:{self.file(answer)}"

    def decoding(self, tokens):
        body = json.dumps({"tokens": tokens}).encode()
        picture = os.path.join(self.folder, "decoded.png")
        self.run("decode", "--out", picture, self.file(body))
        return self.case(request("POST", "/v1/decode", body, "application/json"), open(picture, "rb").read())

    def mixture(self):
        """Three pictures in one request, the middle one broken."""
        import base64
        paths = [self.PICTURES[0], os.path.join(PICTURES, "jpeg-cut-entropy.jpg"), self.PICTURES[3]]
        texts = [base64.b64encode(open(path, "rb").read()).decode() for path in paths]
        data = request("POST", "/v1/encode", json.dumps({"input": texts}).encode(), "application/json",
                       "X-Request-Id: mixture\r\n")
        _, answer = self.service.ask(data)
        items = json.loads(answer)["data"]
        if [item.get("tokens") for item in items] != [self.tokens[0], None, self.tokens[3]] or "error" not in items[1]:
            raise SystemExit(f"one broken picture among three: {answer[:300]}")
        return self.case(data, answer)

    def plain(self, target):
        data = request("GET", target)
        return self.case(data, self.service.ask(data)[1])


class Flood:
    """A run of the generator; `plan` has a line for each class. `stop_at` seconds after its start the service is sent
    SIGTERM."""

    def __init__(self, service, seconds, plan, drain=90, stop_at=None):
        # A file: a pipe isn't read until the end, and a full one would stop the generator.
        self.out = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [FLOOD, "127.0.0.1", str(service.port), str(seconds), str(drain),
             *([] if stop_at is None else [str(service.pid), str(stop_at)])],
            stdin=subprocess.PIPE, stdout=self.out, stderr=subprocess.PIPE, text=True)
        self.process.stdin.write("\n".join(plan) + "\n")
        self.process.stdin.close()

    def until_sent(self):
        """Returns when nothing more is sent."""
        self.process.stderr.readline()
        return self

    def result(self):
        if self.process.wait() != 0:
            raise SystemExit(f"flood: {self.process.stderr.read()}")
        self.out.seek(0)
        told = json.load(self.out)
        # From the first request to the last response.
        self.seconds = told["seconds"]
        return told["classes"]


def plan_line(name, how, cases):
    return " ".join([name, how, *cases])
