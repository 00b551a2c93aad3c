"""Reads collections of pictures as Pillow does, and sends them to the service.

usage: compare.py FOLDER READER TESSERA URL COUNTS

FOLDER holds checkouts as OWNER/NAME (see sources.tsv), READER is tessera-pixels, URL a service with TESSERA's built-in
model. Every file in the collections' folders that begins as a PNG or JPEG does is taken, if it has less than 4 MiB:
larger ones are photographs from the same cameras, and a gigabyte of them.

Pixels: where Pillow (LOAD_TRUNCATED_IMAGES off) loads a file, READER must give, at full size, what Pillow gives by
exif_transpose, then alpha_composite over white, then convert("RGB"). exceptions.tsv lists every file where that isn't
so:

    grey16              Pillow clips 16-bit grey to white above 255; ours is the sample divided by 257 and rounded
    STATUS CODE         the service refuses the file with this status and code

A listed file must differ in just the listed way; one that is equal, or isn't loaded by Pillow, has no place in the
list.

Service: it answers every file with 200 where READER reads it, else with 4xx and READER's words; a 200 says what
`tessera encode` says of the file.

Prints a line for each collection and check, OK or FAIL, and writes to COUNTS how many files there were; exit 1 on a
FAIL.
"""

import collections
import concurrent.futures
import http.client
import io
import itertools
import json
import os
import pathlib
import subprocess
import sys
import urllib.parse
import warnings

import numpy
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent
# Files that one run of the command line takes: it loads the model once for all of them.
BATCH = 100
TOO_LARGE = 4 << 20
SIGNATURES = {b"\xff\xd8": "image/jpeg", b"\x89PNG": "image/png"}


def table(name):
    lines = (HERE / name).read_text().splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def pictures(folder):
    """[(path, type)] of all files below the folder that begin as a PNG or JPEG does, and how many are left out."""
    found, large = [], 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with open(path, "rb") as file:
            start = file.read(4)
        kinds = [kind for signature, kind in SIGNATURES.items() if start.startswith(signature)]
        is_large = path.stat().st_size >= TOO_LARGE
        large += is_large and bool(kinds)
        found += [(path, kind) for kind in kinds if not is_large]
    return found, large


# MARK: Pixels


def upright(image):
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image  # Metadata that can't be read says nothing of the orientation.


def scaled(image):
    """16-bit grey as we want it."""
    samples = numpy.asarray(image).astype(numpy.int32)
    grey = (samples + 128) // 257
    if "transparency" in image.info:
        grey[samples == image.info["transparency"]] = 255
    return numpy.repeat(grey[:, :, None], 3, axis=2).astype(numpy.uint8)


def reference(data):
    """What Pillow makes of a file, uint8 (H, W, 3), and what we want in its place; None where it doesn't load it."""
    try:
        image = Image.open(io.BytesIO(data), formats=["PNG", "JPEG"])
        image.load()
        image = upright(image)
        wanted = scaled(image) if image.mode.startswith("I;16") else None
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
        pillows = numpy.asarray(image.convert("RGB"))
    except Exception:  # Each kind of damage has a class of its own.
        return None
    return pillows, pillows if wanted is None else wanted


def read(reader, data):
    """READER's pixels, uint8 (H, W, 3), or its refusal."""
    run = subprocess.run([reader], input=data, capture_output=True)
    if run.returncode == 1 and run.stderr:
        return run.stderr.decode().strip()
    if run.returncode != 0:
        raise RuntimeError(f"{reader} ended with {run.returncode}: {run.stderr.decode(errors='replace')[-300:]}")
    header, pixels = run.stdout.split(b"\n", 1)
    width, height = map(int, header.split()[1:3])
    return numpy.frombuffer(pixels, numpy.uint8).reshape(height, width, 3)


def difference(found, wanted):
    """How two pictures differ; None where they don't."""
    if found.shape != wanted.shape:
        return "is {1}x{0} in place of {3}x{2}".format(*found.shape[:2], *wanted.shape[:2])
    levels = abs(found.astype(numpy.int16) - wanted).max(axis=2, initial=0)
    if not levels.any():
        return None
    return f"differs in {(levels > 0).sum()} of {levels.size} pixels, by {levels.max()} levels at most"


def compared(pixels, theirs, status, code):
    """Whether Pillow loads the file, the exception that it is, and what is wrong with it; None where nothing is."""
    if theirs is None:
        return False, None, None
    pillows, wanted = theirs
    if isinstance(pixels, str):
        return True, f"{status} {code}", None
    if not difference(pixels, pillows):
        return True, None, None
    if wanted is not pillows and not difference(pixels, wanted):
        return True, "grey16", None
    return True, None, difference(pixels, wanted)


# MARK: The service and the command line


def ask(address, kind, data):
    """The status of POST /v1/encode, and its answer."""
    connection = http.client.HTTPConnection(address, timeout=120)
    try:
        connection.request("POST", "/v1/encode", data, {"Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def told(tessera, paths):
    """What the command line says of each file."""
    # A file alone that can't be read would have no answer.
    run = subprocess.run([tessera, "encode", *paths, *paths[:1]], capture_output=True, text=True)
    return [item | {"index": 0} for item in json.loads(run.stdout)["data"][: len(paths)]]


def served(pixels, status, answer, line):
    """What is wrong with the service's answer; None where nothing is."""
    if isinstance(pixels, str):
        message = answer.get("error", {}).get("message", "")
        if not 400 <= status < 500 or pixels not in message:
            return f"the service answers {status} '{message}', expected 4xx and '{pixels}'"
        wanted = line.get("error", {}).get("code")
        return None if wanted == answer["error"]["code"] else f"the command line calls it '{wanted}'"
    if status != 200:
        return f"the service answers {status} {answer}, expected 200"
    return None if answer["data"] == [line] else "the service's answer is not the command line's"


# MARK: All of it


class Check:
    def __init__(self, folder, reader, tessera, url, counts):
        self.folder = pathlib.Path(folder)
        self.reader, self.tessera = reader, tessera
        self.address = urllib.parse.urlsplit(url).netloc
        self.counts = pathlib.Path(counts).open("w")
        self.listed = {(name, path): code for name, path, code, _ in table("exceptions.tsv")}
        self.failed = False

    def examine(self, name, path, kind, line):
        """Counts of a file, and what is wrong with its pixels and with the service's answer."""
        data = path.read_bytes()
        try:
            pixels = read(self.reader, data)
            status, answer = ask(self.address, kind, data)
        except (RuntimeError, OSError, http.client.HTTPException, ValueError) as error:
            return {"crashes": 1}, None, f"{type(error).__name__}: {error}"
        code = answer.get("error", {}).get("code")
        loads, exception, fault = compared(pixels, reference(data), status, code)
        wanted = self.listed.get((name, str(path.relative_to(self.folder / name))))
        if not fault and exception != wanted:
            says = f" ({pixels})" if isinstance(pixels, str) else ""
            fault = f"is {exception or 'as Pillow reads it'}{says}, listed as {wanted or 'no exception'}"
            if wanted and not loads:
                fault = f"is not loaded by Pillow, listed as {wanted}"
        counts = {
            "files": 1, "loaded by Pillow": loads, "equal": loads and not exception and not fault,
            exception or "": bool(exception), "read here alone": not loads and not isinstance(pixels, str),
        }
        return counts, fault, served(pixels, status, answer, line)

    def verdict(self, name, faults):
        self.failed |= bool(faults)
        print(f"FAIL {name}:" if faults else f"OK {name}", *faults, sep="\n  ", flush=True)

    def collection(self, pool, name, folders):
        found = [pictures(self.folder / name / folder) for folder in folders]
        files = [file for files, _ in found for file in files]
        batches = [files[at : at + BATCH] for at in range(0, len(files), BATCH)]
        lines = itertools.chain(*pool.map(lambda batch: told(self.tessera, [path for path, _ in batch]), batches))
        results = list(pool.map(lambda file: self.examine(name, *file[0], file[1]), zip(files, lines)))
        names = [str(path.relative_to(self.folder / name)) for path, _ in files]
        here = set(names)
        absent = [path for collection, path in self.listed if collection == name and path not in here]
        self.verdict(f"{name}: pixels", [f"{path}: {fault}" for path, (_, fault, _) in zip(names, results) if fault])
        self.verdict(f"{name}: service", [f"{path}: {fault}" for path, (_, _, fault) in zip(names, results) if fault])
        self.tell(name, [counts for counts, _, _ in results], sum(large for _, large in found), absent)

    def tell(self, name, results, large, absent):
        counts = collections.Counter({"files": 0, "loaded by Pillow": 0, "equal": 0})
        for found in results:
            counts.update({what: int(count) for what, count in found.items() if what})
        if large:
            counts["of 4 MiB and more left out"] = large
        told = [f"{count} {what}" for what, count in counts.items() if count]
        print(f"{name}: {', '.join(told)}", file=self.counts)
        for path in absent:
            print(f"  an exception that is not at hand: {path}", file=self.counts)

    def all(self):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for name, _, folders, _ in table("sources.tsv"):
                if (self.folder / name).is_dir():
                    self.collection(pool, name, folders.split())
                else:
                    print(f"{name}: not at hand", file=self.counts)
        return self.failed


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(Check(*sys.argv[1:]).all())
