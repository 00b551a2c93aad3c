"""Fetches the photographs of photographs.tsv and heldout.txt from Debian's packages.

    python get_photographs.py FOLDER      (needs apt-get, dpkg; pillow, numpy, scikit-image)

FOLDER/train receives whole photographs, FOLDER/heldout 16 squares of 256x256 (centre, bicubic); all PNG, named
package--path. Packages are unpacked in FOLDER/packages, not installed; what is there already isn't fetched again.
"""
import argparse
import csv
import glob
import io
import os
import struct
import subprocess
import tempfile
import zlib

import skimage.data
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
SKIMAGE = ("astronaut", "chelsea", "coffee", "rocket")
Image.MAX_IMAGE_PIXELS = None


def unpack(package, folder):
    """The folder with the package's files; appears whole or not at all."""
    where = os.path.join(folder, "packages", package)
    if not os.path.exists(where):
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with tempfile.TemporaryDirectory(dir=os.path.dirname(where)) as fresh:
            subprocess.run(["apt-get", "download", "-q", package], cwd=fresh, check=True)
            [deb] = glob.glob(os.path.join(fresh, "*.deb"))
            files = os.path.join(fresh, "files")
            subprocess.run(["dpkg", "-x", deb, files], check=True)
            os.rename(files, where)
    return where


def resource_files(blob):
    """{path: bytes} of a Qt binary resource: 'qres', then big-endian version and offsets of tree, data and names."""
    version, tree, data, names = struct.unpack_from(">4I", blob, 4)
    size = 22 if version >= 2 else 14
    files, todo = {}, [(0, "")]
    while todo:
        index, prefix = todo.pop()
        at = tree + index * size
        name_at, flags = struct.unpack_from(">IH", blob, at)
        path = prefix
        if index:                                               # the root has no name
            length, = struct.unpack_from(">H", blob, names + name_at)
            text = names + name_at + 6
            path = prefix + blob[text:text + 2 * length].decode("utf-16-be")
        if flags & 2:
            count, first = struct.unpack_from(">2I", blob, at + 6)
            todo += [(first + k, path + "/" if path else "") for k in range(count)]
        else:
            start = data + struct.unpack_from(">I", blob, at + 10)[0]
            length, = struct.unpack_from(">I", blob, start)
            body = blob[start + 4:start + 4 + length]
            files[path] = zlib.decompress(body[4:]) if flags & 1 else body
    return files


def find(where, name):
    """The file of that name anywhere below."""
    return next(os.path.join(at, name) for at, _, names in os.walk(where) if name in names)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def square(image):
    """The centre, 256x256."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side)).resize((256, 256), Image.BICUBIC)


def picture(blob):
    return Image.open(io.BytesIO(blob)).convert("RGB")


def save(image, folder, package, path):
    name = package + "--" + os.path.splitext(path)[0].replace("/", "__") + ".png"
    image.save(os.path.join(folder, name), compress_level=1)


def get_training(folder):
    archives = {}
    with open(os.path.join(HERE, "photographs.tsv")) as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        package, archive, path = row["package"], row["archive"], row["path"]
        where = unpack(package, folder)
        if archive and (package, archive) not in archives:
            archives[package, archive] = resource_files(read(find(where, archive)))
        blob = archives[package, archive][path] if archive else read(os.path.join(where, path))
        save(picture(blob), os.path.join(folder, "train"), package, path)


def get_heldout(folder):
    to = os.path.join(folder, "heldout")
    with open(os.path.join(HERE, "heldout.txt")) as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    for package, path in rows:
        save(square(picture(read(os.path.join(unpack(package, folder), path)))), to, package, path)
    for name in SKIMAGE:
        save(square(Image.fromarray(getattr(skimage.data, name)())), to, "skimage", name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    for part in ("train", "heldout"):
        os.makedirs(os.path.join(folder, part), exist_ok=True)
    get_training(folder)
    get_heldout(folder)


if __name__ == "__main__":
    main()
