"""Writes texts.json beside this script: configurations with byte order marks and with numbers that aren't finite, and
what Python's json and PyYAML read from their bytes. Needs PyYAML 6 (PyPI).

    python make_texts.py
"""
import base64
import codecs
import json
import math
import os

import yaml

FOLDER = os.path.dirname(os.path.abspath(__file__))


def plain(value):
    """Without numbers that JSON lacks: they become texts."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return "float %r" % value if isinstance(value, float) and not math.isfinite(value) else value


def row(name, data, encoding=None):
    """`encoding`: read by Python, refused by Tessera, which names it."""
    try:
        found = {"value": plain(yaml.safe_load(data) if name.endswith(".yaml") else json.loads(data))}
    except Exception as error:
        found = {"error": type(error).__name__}
    return {"name": name, "bytes": base64.b64encode(data).decode(), **found, **({"encoding": encoding} if encoding else {})}


JSON_TEXTS = [
    '{"a": 1, "b": [true, null, "\u00e9"]}', ' \r\n{"a": {"b": 2.5}}\r\n', "{}", '{"\ufeff": "\ufeff"}', "\t{\"a\": \"b\"}",
]
YAML_TEXTS = [
    "a: 1\nb: [true, null, '\u00e9']\n", "# comment\na: {b: 2.5}\n", "---\na: 1\n...\n", "{a: b}\n", "\r\na:\r\n  - b\r\n",
    "a: 'x\ufeff'\n", "%YAML 1.1\n---\na: 1\n", "'a': 1", "? a\n: b\n",
]
NOT_FINITE = [
    '{"a": NaN}', '{"a": Infinity}', '{"a": -Infinity}', '{"a": [1, NaN, {"b": Infinity}]}', '{"a": 1e999, "b": -1e400}',
    '{"a": NaN, "b": NaN}', '{"a" : -Infinity , "b" : 2}',
    # Not Python's.
    '{"a": nan}', '{"a": -NaN}', '{"a": +Infinity}', '{"a": Inf}', '{"a": infinity}', '{"a": NaNs}', '{"a": Infinit}',
    '{"a": - Infinity}', '{NaN: 1}',
]
YAML_NOT_FINITE = ["a: .nan", "a: .inf", "a: -.inf", "a: [.NaN, .Inf, -.INF]", "{a: .INF, b: 1}"]
ENCODINGS = [
    ("UTF-16LE (FF FE)", "utf-16-le", codecs.BOM_UTF16_LE), ("UTF-16BE (FE FF)", "utf-16-be", codecs.BOM_UTF16_BE),
    ("UTF-32LE (FF FE 00 00)", "utf-32-le", codecs.BOM_UTF32_LE),
    ("UTF-32BE (00 00 FE FF)", "utf-32-be", codecs.BOM_UTF32_BE),
]


def main():
    rows = []
    for name, texts in (("config.json", JSON_TEXTS), ("model.yaml", YAML_TEXTS)):
        for text in texts:
            rows.append(row(name, text.encode()))
            rows.append(row(name, codecs.BOM_UTF8 + text.encode()))
            for told, encoding, mark in ENCODINGS:
                rows.append(row(name, mark + text.encode(encoding), told))
    # Only one mark, only at the start.
    rows += [row("config.json", codecs.BOM_UTF8 * 2 + b"{}"), row("config.json", b" " + codecs.BOM_UTF8 + b"{}")]
    rows += [row("config.json", codecs.BOM_UTF8), row("config.json", codecs.BOM_UTF8[:2] + b"{}")]
    rows += [row("config.json", text.encode()) for text in NOT_FINITE]
    rows += [row("config.json", codecs.BOM_UTF8 + b'{"a": NaN}')]
    rows += [row("model.yaml", text.encode()) for text in YAML_NOT_FINITE]
    with open(os.path.join(FOLDER, "texts.json"), "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(found) for found in rows) + "\n]\n")
    print(len(rows), [(r["name"], base64.b64decode(r["bytes"])) for r in rows if "error" in r])


main()
