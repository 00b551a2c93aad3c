"""Runs slowhttptest again and again for some seconds, and asks the service every second: is it alive, what is this
photo?

usage: slow.py URL PHOTO ANSWER SECONDS CONNECTIONS OPTION…

ANSWER is what `tessera encode PHOTO` prints. Exit 1 where any answer failed or was another, where slowhttptest found
the service gone, or never held most of its connections at once.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

url, photo, answer, seconds, connections, *options = sys.argv[1:]
photo, answer = (pathlib.Path(path).read_bytes() for path in (photo, answer))
command = ["slowhttptest", "-c", connections, "-r", connections, "-l", seconds, "-p", "5", *options]
end = time.monotonic() + float(seconds)
counts = {}
slowest = {}
faults = []
runs = 0


def ask(name, path, wanted, **request):
    begin = time.monotonic()
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, **request), timeout=10) as found:
            if found.read() != wanted:
                faults.append(f"{name}: another answer")
    except OSError as error:
        faults.append(f"{name}: {error}")
    slowest[name] = max(slowest.get(name, 0), time.monotonic() - begin)
    counts[name] = counts.get(name, 0) + 1


def look():
    ask("live", "/health/live", b'{"status":"live"}')
    ask("encode", "/v1/encode", answer, data=photo, headers={"Content-Type": "image/jpeg"})


while time.monotonic() < end:
    with tempfile.TemporaryFile("w+") as log:
        attack = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        while attack.poll() is None:
            look()
            time.sleep(1)
        log.seek(0)
        told = re.sub(r"\x1b\[[\d;]*[A-Za-z]", "", log.read())
    runs += 1
    held = max(map(int, re.findall(r"^connected: +(\d+)", told, re.M)), default=0)
    print(f"run {runs}: {held} connections at once; {told.strip().splitlines()[-1]}")
    if held < 0.9 * int(connections) or attack.returncode:
        faults.append(f"slowhttptest ended with {attack.returncode}: {told[-1000:]}")
        break
    if re.search(r"^service available: +NO", told, re.M):
        faults.append("slowhttptest found the service not available")
look()
for name, count in counts.items():
    print(f"{name}: {count} asked, the slowest took {slowest[name]:.3f} s")
print("\n".join(faults))
sys.exit(1 if faults else 0)
