"""Serves page.html at a port of the loopback, lets Chromium open it, and prints what its script found.

usage: browser.py allowed|other PORT URL KEY ANSWER

Lines begin with OK or FAIL; exit 1 on a FAIL, or where the script didn't come to its end.
"""

import html
import http.server
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import urllib.parse

kind, port, url, key, answer = sys.argv[1:]
FILES = {
    "/page.html": ("text/html", pathlib.Path(__file__).with_name("page.html")),
    "/photo.jpg": ("image/jpeg", pathlib.Path("docs/chelsea.jpg")),
    "/answer.json": ("application/json", pathlib.Path(answer)),
}


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind, file = FILES.get(urllib.parse.urlsplit(self.path).path, (None, None))
        if file is None:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(file.read_bytes())

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Page)
threading.Thread(target=server.serve_forever, daemon=True).start()
page = f"http://127.0.0.1:{port}/page.html?" + urllib.parse.urlencode({"kind": kind, "url": url, "key": key})
with tempfile.TemporaryDirectory() as profile:
    # Virtual time stands still while an answer is awaited: the page is told when nothing is left to wait for.
    dom = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
         f"--user-data-dir={profile}", "--virtual-time-budget=120000", "--dump-dom", page],
        capture_output=True, text=True, timeout=300)
server.shutdown()
found = re.search(r"<pre[^>]*>(.*?)</pre>", dom.stdout, re.S)
lines = html.unescape(found[1]).strip().splitlines() if found else []
print("\n".join(lines))
if not lines or lines[-1] != "end":
    print(f"FAIL the script didn't come to its end\n{dom.stdout[-1000:]}\n{dom.stderr[-1000:]}")
    sys.exit(1)
sys.exit(any(line.startswith("FAIL") for line in lines))
