#!/usr/bin/env python3
"""1,000,000 requests and more to /health/live over kept connections, beside nginx's static 200 on the same machine.

    Benchmarks/load/health_vs_nginx [--rounds 5] [--seconds 10] [--connections 64] [--json FILE]

The two take turns under wrk (one thread) until both have had the rounds and a million requests. Prints requests a
second and processor time (user and system, from /proc) a request, and our ratio to nginx. nginx has as many worker
processes as the service has queues for connections (2) and no access log. wrk shares the cores with them: of the
two figures the processor time is the fairer. Installs wrk and nginx-light with apt where they are missing.
"""
import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

from report import Report
from service import Service, WORK, prepare, processor_seconds

WORKERS = 2
CONFIGURATION = """
worker_processes {workers};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location = /health/live {{ default_type application/json; return 200 '{{"status":"live"}}'; }}
    }}
}}
"""


def install():
    packages = {"wrk": "wrk", "/usr/sbin/nginx": "nginx-light"}
    missing = [package for tool, package in packages.items() if not shutil.which(tool)]
    if missing:
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        subprocess.run([*sudo, "apt-get", "update", "-q"], check=True)
        subprocess.run([*sudo, "apt-get", "install", "-q", "-y", "--no-install-recommends", *missing], check=True)


class Nginx:
    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w") as file:
            file.write(CONFIGURATION.format(workers=WORKERS, folder=folder, port=self.port))
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", path])
        time.sleep(1)

    def pids(self):
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [self.process.pid, *map(int, open(path).read().split())]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def round_of(port, pids, a):
    """(requests, requests a second, microseconds of processor a request)"""
    before = processor_seconds(pids)
    out = subprocess.run(
        ["wrk", "-t1", f"-c{a.connections}", f"-d{a.seconds}s", f"http://127.0.0.1:{port}/health/live"], check=True,
        capture_output=True, text=True).stdout
    used = processor_seconds(pids) - before
    errors = re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", out)
    if errors and not re.search(r"connect 0, read 0, write 0, timeout 0", errors.group(0)):
        raise SystemExit(f"port {port}: {errors.group(0)}")
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    return requests, float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), used / requests * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--json", default=os.path.join(WORK, "health_vs_nginx.json"))
    a = parser.parse_args()
    install()
    model = prepare()
    rounds = {"tessera": [], "nginx": []}
    with tempfile.TemporaryDirectory() as folder, Service(model) as service, Nginx(folder) as nginx:
        report = Report("Health beside nginx", f"wrk -t1 -c{a.connections} -d{a.seconds}s, {WORKERS} workers each, "
                        + subprocess.run(["/usr/sbin/nginx", "-v"], capture_output=True, text=True).stderr.strip())
        while len(rounds["nginx"]) < a.rounds or any(sum(r[0] for r in done) < a.requests for done in rounds.values()):
            rounds["tessera"].append(round_of(service.port, [service.pid], a))
            rounds["nginx"].append(round_of(nginx.port, nginx.pids(), a))
    for name, done in rounds.items():
        report.add(f"{name}: requests", f"{sum(each[0] for each in done):,}", f">= {a.requests:,}",
                   sum(each[0] for each in done) >= a.requests)
        for index, (what, unit) in enumerate([("requests a second", ""), ("processor a request", " us")], 1):
            values = [each[index] for each in done]
            report.add(f"{name}: {what}", f"{statistics.median(values):,.1f}{unit}", "", None,
                       f"{min(values):,.1f} to {max(values):,.1f}", values)
    pairs = list(zip(rounds["tessera"], rounds["nginx"]))
    for index, what in [(1, "requests a second"), (2, "processor a request")]:
        ratios = [ours[index] / theirs[index] for ours, theirs in pairs]
        report.add(f"tessera / nginx: {what}", f"{statistics.median(ratios):.2f}", "", None,
                   f"{min(ratios):.2f} to {max(ratios):.2f}", ratios)
    report.finish(a.json)


if __name__ == "__main__":
    main()
