"""Reads a page of metrics as Prometheus' client does: all that are promised are there, with their types and labels.

usage: metrics.py PAGE HEAD
"""

import pathlib
import sys

from prometheus_client.parser import text_string_to_metric_families

PROMISED = {
    "tessera_http_requests": ("counter", {"route", "code"}),
    "tessera_http_request_duration_seconds": ("histogram", {"route"}),
    "tessera_queue_depth": ("gauge", set()),
    "tessera_queue_seconds": ("histogram", set()),
    "tessera_stage_seconds": ("histogram", {"stage"}),
    "tessera_batch_images": ("histogram", set()),
    "tessera_images": ("counter", {"model", "op"}),
    "tessera_build_info": ("gauge", {"version"}),
    "tessera_rejected": ("counter", {"reason"}),
    "tessera_cancelled": ("counter", set()),
    "tessera_connections": ("gauge", set()),
    "tessera_engine_busy_seconds": ("counter", set()),
    "tessera_token_margin": ("histogram", {"model"}),
    "tessera_codes_used": ("gauge", {"model"}),
    "tessera_code_perplexity": ("gauge", {"model"}),
    "process_cpu_seconds": ("counter", set()),
    "process_open_fds": ("gauge", set()),
    "process_max_fds": ("gauge", set()),
    "process_resident_memory_bytes": ("gauge", set()),
    "process_virtual_memory_bytes": ("gauge", set()),
    "process_start_time_seconds": ("gauge", set()),
}
VALUES = {
    "op": {"encode", "decode", "reconstruct"},
    "stage": {"preprocess", "inference", "postprocess"},
}

page, head = (pathlib.Path(path).read_text() for path in sys.argv[1:3])
families = {family.name: family for family in text_string_to_metric_families(page)}
faults = []


def expect(holds, fault):
    if not holds:
        faults.append(fault)


def histogram(family):
    """Each member's buckets grow, end at +Inf, and come to its count."""
    members = {}
    for sample in family.samples:
        labels = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
        part = sample.name.removeprefix(family.name)
        member = members.setdefault(labels, {"buckets": []})
        if part == "_bucket":
            member["buckets"].append((float(sample.labels["le"]), sample.value))
        else:
            member[part] = sample.value
    for labels, member in members.items():
        bounds, counts = zip(*member["buckets"])
        name = f"{family.name}{dict(labels)}"
        expect(list(bounds) == sorted(set(bounds)) and bounds[-1] == float("inf"), f"{name}: bounds {bounds}")
        expect(list(counts) == sorted(counts) and counts[-1] == member["_count"], f"{name}: counts {counts}")
        expect("_sum" in member, f"{name}: no sum")


expect("content-type: text/plain; version=0.0.4; charset=utf-8" in head.lower(), f"Content-Type in {head}")
for name, (kind, labels) in PROMISED.items():
    family = families.get(name)
    if family is None:
        faults.append(f"{name}: missing")
        continue
    expect(family.type == kind, f"{name}: a {family.type}, expected a {kind}")
    expect(family.documentation, f"{name}: no help")
    expect(family.samples, f"{name}: no samples")
    for sample in family.samples:
        expect(sample.labels.keys() - {"le"} == labels, f"{name}: labels {sorted(sample.labels)}, not {sorted(labels)}")
    if kind == "histogram":
        histogram(family)
    for label, values in VALUES.items():
        found = {sample.labels[label] for sample in family.samples if label in sample.labels}
        expect(label not in labels or found == values, f"{name}: {label} {sorted(found)}, expected {sorted(values)}")
for name in families:
    expect(name.startswith(("tessera_", "process_")), f"{name}: another prefix")

for fault in faults:
    print(fault)
print(f"{len(families)} families, {sum(len(family.samples) for family in families.values())} samples")
sys.exit(1 if faults else 0)
