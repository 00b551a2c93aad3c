"""Asks a running Prometheus every query of a rules file, and whether it has every metric: queries.py URL RULES…"""

import json
import re
import sys
import time
import urllib.parse
import urllib.request

import yaml

url, paths = sys.argv[1], sys.argv[2:]


def ask(query):
    with urllib.request.urlopen(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}") as answer:
        return json.load(answer)["data"]["result"]


deadline = time.monotonic() + 60
# Two scrapes: a rate needs them.
while not any(float(sample["value"][1]) > 2 for sample in ask('count_over_time(up{job="tessera"}[5m])')):
    if time.monotonic() > deadline:
        sys.exit("Prometheus has not scraped the service")
    time.sleep(0.5)
if any(sample["value"][1] != "1" for sample in ask('up{job="tessera"}')):
    sys.exit("Prometheus finds the service down")

rules = [rule for path in paths for group in yaml.safe_load(open(path))["groups"] for rule in group["rules"]]
answered = sum(bool(ask(rule["expr"])) for rule in rules)
names = {name for rule in rules for name in re.findall(r"\b(?:tessera|process)_\w+", rule["expr"])}
missing = [name for name in sorted(names) if not ask(f'{{__name__="{name}", job="tessera"}}')]
print(f"{len(rules)} queries answered, {answered} of them with samples; {len(names)} metrics used")
sys.exit("the service has no " + ", ".join(missing) if missing else 0)
