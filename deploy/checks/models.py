"""Reads a file as its owner's own model does, and says what that doesn't know: models.py dashboard|servicemonitor FILE.

With `dashboard`, writes a file of Prometheus rules that holds every query: models.py dashboard FILE RULES.
"""

import json
import re
import sys

import yaml


def unknown(source, known, path=""):
    """What `source` has and `known` has not, or has otherwise."""
    if isinstance(source, dict):
        for name, value in source.items():
            if not isinstance(known, dict) or name not in known:
                yield f"{path}.{name} is not a member"
            else:
                yield from unknown(value, known[name], f"{path}.{name}")
    elif isinstance(source, list):
        if not isinstance(known, list) or len(source) != len(known):
            yield f"{path} has another number of items"
        else:
            for index, (value, other) in enumerate(zip(source, known)):
                yield from unknown(value, other, f"{path}[{index}]")
    elif source != known:
        yield f"{path} is {source!r}, read as {known!r}"


def dashboard(path, rules):
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    source = json.load(open(path))
    known = json.loads(JSONEncoder().encode(Dashboard.from_json(source)))
    yield from unknown(source, known)
    expressions = [target["expr"] for panel in source["panels"] for target in panel.get("targets", [])]
    identifiers = [panel["id"] for panel in source["panels"]]
    if len(set(identifiers)) != len(identifiers):
        yield "panels share an id"
    variables = {"$__rate_interval": "5m", "$job": "tessera", "$instance": ".*"}
    group = []
    for index, expression in enumerate(expressions):
        for name, value in variables.items():
            expression = expression.replace(name, value)
        if left := re.search(r"\$\w+", expression):
            yield f"{left[0]} is no variable: {expression}"
        group.append({"record": f"panel:{index}", "expr": expression})
    yaml.safe_dump({"groups": [{"name": "dashboard", "rules": group}]}, open(rules, "w"), width=10_000)
    print(f"{len(expressions)} queries of {len(identifiers)} panels and rows")


def servicemonitor(path):
    from cloudcoil.models.prometheus_operator.v1 import ServiceMonitor

    source = yaml.safe_load(open(path))
    known = ServiceMonitor.model_validate(source).model_dump(by_alias=True, exclude_none=True, mode="json")
    yield from unknown(source, known)


complaints = list({"dashboard": dashboard, "servicemonitor": servicemonitor}[sys.argv[1]](*sys.argv[2:]))
for complaint in complaints:
    print(complaint)
sys.exit(bool(complaints))
