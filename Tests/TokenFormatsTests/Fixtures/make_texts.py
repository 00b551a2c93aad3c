"""Writes texts.json beside this script: .npy files and what numpy.load makes of them, base64 and what Python makes of it.

    python make_texts.py

Needs numpy 2.4. Rows under "refused here" are read by numpy.load and deliberately not by Tessera, each with the reason.
"""
import base64
import binascii
import io
import json
import os
import re
import warnings

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))
warnings.simplefilter("ignore")


def npy(header, data, version=1):
    header = header.encode("utf-8" if version == 3 else "latin1")
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


def load(file):
    """The array's shape and values, or the name of the error."""
    try:
        array = np.load(io.BytesIO(file))
    except Exception as error:
        return {"error": type(error).__name__}
    if array.dtype.kind not in "iu":
        return {"dtype": str(array.dtype)}
    # Ids beyond 63 bits count as the largest.
    values = [min(int(value), 2**63 - 1) for value in array.ravel().tolist()]
    return {"shape": list(array.shape), "values": values}


def row(name, file):
    """`file` without its longest run of spaces where that is long; `spaces` says where it was and how long."""
    found = {"name": name, **load(file)}
    spaces = max((len(run.group()), run.start()) for run in re.finditer(b" *", file))
    if spaces[0] > 100:
        found["spaces"] = [spaces[1], spaces[0]]
        file = file[: spaces[1]] + file[sum(spaces):]
    return {**found, "file": base64.b64encode(file).decode()}


PLAIN = "{'descr': '%s', 'fortran_order': False, 'shape': (2,), }"
BYTES = bytes([0xFF, 1, 2, 3, 4, 5, 6, 0x87, 8, 9, 10, 11, 12, 13, 14, 15])


def types():
    codes = [sign + size for sign in "iu" for size in ("1", "2", "4", "8")] + list("bBhHiIlLqQpPnN")
    words = """int8 int16 int32 int64 uint8 uint16 uint32 uint64 byte ubyte short ushort intc uintc int uint int_ long
        ulong longlong ulonglong intp uintp""".split()
    others = """f4 f8 float32 float bool ? b1 O object S4 U1 V4 M8[s] c8 i3 i16 u3 x Int32 I4 U4 int128 integer signed
        int0 4 i4x""".split()
    odd = ["", "i4 ", " i4", "<", "=", "<<i4", "!i4", "@i4", "<int32", "=uint8", "<i", ">q", "|i4", "|u2", "<B", "i4,i4",
           "2i4", "(2,)i4"]
    for name in dict.fromkeys(
            codes + [order + code for order in "<>=|" for code in codes] + words + others + odd):
        try:
            size = np.dtype(name).itemsize
        except Exception:
            size = 4
        yield row(name, npy(PLAIN % name, (BYTES * 8)[: 2 * size]))


def headers():
    data = bytes([1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0])
    texts = [
        # Python 2's.
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2L, 4L), }",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (8L,), }",
        "{'shape': (1L, 8L), 'fortran_order': False, 'descr': '<u2'}",
        "{u'descr': u'<u2', u'fortran_order': False, u'shape': (2L, 4)}\n",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2 L, 4 L)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2l, 4l)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2LL, 4)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2L4,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (L, 4)}",
        # Orders of members, quotes and space.
        '{"shape": (2, 4), "descr": "<u2", "fortran_order": False}',
        "{'fortran_order':False,'shape':(8,),'descr':'<u2'}",
        "{U'shape':(2,4),'descr':U\"<u2\",'fortran_order':False,}",
        "  {  'descr'  :  '<u2'  ,  'fortran_order'  :  False  ,  'shape'  :  (  2  ,  4  ,  )  ,  }  ",
        "\t{'descr': '<u2', 'fortran_order': False, 'shape': (2, 4)}\t\n",
        "\n{'descr': '<u2', 'fortran_order': False, 'shape': (2, 4)}\n\n",
        "{\n    'descr': '<u2',\n    'fortran_order': False,\n    'shape': (2, 4),\n}\n",
        "{\r\n'descr': '<u2',\r\n'fortran_order': False,\r\n'shape': (2, 4)}\r\n",
        "{\f'descr': '<u2', 'fortran_order': False, 'shape': (2, 4)}",
        "{'descr': '<u2', 'fortran_order': True, 'shape': (8,)}",
        "{'descr': '<u2', 'fortran_order': True, 'shape': (1, 8)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 2, 2)}",
        # What is no header.
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2 4)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (8)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': [2, 4]}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2.0, 4)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (-2, 4)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (02, 4)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': ('2', 4)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (True, 8)}",
        "{'descr': '<u2', 'fortran_order': false, 'shape': (2, 4)}",
        "{'descr': '<u2', 'fortran_order': 0, 'shape': (2, 4)}",
        "{'descr': '<u2', 'fortran_order': None, 'shape': (2, 4)}",
        "{'descr': b'<u2', 'fortran_order': False, 'shape': (2, 4)}",
        "{b'descr': '<u2', 'fortran_order': False, 'shape': (2, 4)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 4), 'more': 1}",
        "{'descr': '<u2', 'fortran_order': False}",
        "{'Descr': '<u2', 'fortran_order': False, 'shape': (2, 4)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 4)} x",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 4)",
        "{'descr': '<u2',, 'fortran_order': False, 'shape': (2, 4)}",
        "{'descr' '<u2', 'fortran_order': False, 'shape': (2, 4)}",
        "{'descr': '<u2\", 'fortran_order': False, 'shape': (2, 4)}",
        "{'descr': <u2, 'fortran_order': False, 'shape': (2, 4)}",
        "{u 'descr': '<u2', 'fortran_order': False, 'shape': (2, 4)}",
        "['descr', '<u2', 'fortran_order', False, 'shape', (2, 4)]",
        "dict(descr='<u2', fortran_order=False, shape=(2, 4))",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 4)}\0",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (3, 4)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (2,\xa04)}",
        "",
    ]
    for text in texts:
        for version in (1, 2, 3):
            yield row("version %d: %s" % (version, text[:80]), npy(text, data, version))
    good = "{'descr': '<u2', 'fortran_order': False, 'shape': (8,), }"
    # NumPy's limit is 10,000 characters.
    for length in (9999, 10000, 10001, 20000):
        for version in (1, 2, 3):
            yield row("version %d, a header of %d" % (version, length), npy(good.ljust(length), data, version))
    for version in (0, 4, 255):
        yield row("version %d" % version, npy(good, data, version))
    yield row("version 1.1", npy(good, data).replace(b"\x01\x00", b"\x01\x01", 1))
    yield row("no magic", npy(good, data)[1:])


def written():
    """What NumPy writes."""
    for code in ("i1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8", "u1", "<u2", ">u2", "<u4", ">u4", "<u8", ">u8"):
        limits = np.iinfo(code)
        array = np.array([[limits.min, 0, 7], [9, 100, limits.max]], dtype=code)
        for version in ((1, 0), (2, 0), (3, 0)):
            file = io.BytesIO()
            np.lib.format.write_array(file, array, version=version)
            yield row("%s, version %d" % (code, version[0]), file.getvalue())


def refused_here():
    data = bytes([1, 0, 2, 0, 3, 0, 4, 0])
    for reason, text in [
        ("several rows in Fortran's order", "{'descr': '<u2', 'fortran_order': True, 'shape': (2, 2)}"),
        ("a member twice", "{'descr': '<u2', 'descr': '<u2', 'fortran_order': False, 'shape': (4,)}"),
        ("a comment", "{'descr': '<u2', 'fortran_order': False, 'shape': (4,)} # four"),
        ("a hexadecimal size", "{'descr': '<u2', 'fortran_order': False, 'shape': (0x4,)}"),
        ("a size with a sign", "{'descr': '<u2', 'fortran_order': False, 'shape': (+4,)}"),
        ("a size with an underscore", "{'descr': '<u2', 'fortran_order': False, 'shape': (1_0,)}"),
        ("an escape", "{'descr': '\\x3cu2', 'fortran_order': False, 'shape': (4,)}"),
        ("a text in pieces", "{'descr': '<' 'u2', 'fortran_order': False, 'shape': (4,)}"),
        ("a text in three quotes", "{'descr': '''<u2''', 'fortran_order': False, 'shape': (4,)}"),
        ("a raw text", "{'descr': r'<u2', 'fortran_order': False, 'shape': (4,)}"),
        ("parentheses around it", "({'descr': '<u2', 'fortran_order': False, 'shape': (4,)})"),
        ("a number with a sign in the type", "{'descr': 'u+2', 'fortran_order': False, 'shape': (4,)}"),
        ("a number with a zero before it in the type", "{'descr': '<u02', 'fortran_order': False, 'shape': (4,)}"),
        ("a structure", "{'descr': [('id', '<u2')], 'fortran_order': False, 'shape': (4,)}"),
    ]:
        found = row(reason, npy(text, data * 3 if "1_0" in text else data))
        assert "error" not in found, found
        yield found
    found = row("bytes behind the values", npy("{'descr': '<u2', 'fortran_order': False, 'shape': (3,)}", data))
    assert "error" not in found, found
    yield found


ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def base64_row(text):
    """Decoded by Python, or the place of the first character that RFC 4648, section 4, doesn't have there."""
    try:
        # Python takes what isn't ASCII for an error of another kind, and any number of '=' behind a whole group.
        assert text == text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), text
        return {"text": text, "bytes": list(base64.b64decode(text, validate=True))}
    except (AssertionError, binascii.Error, ValueError):
        pass
    body = text[:-2] + text[-2:].rstrip("=")
    wrong = [place for place, character in enumerate(body) if ord(character) > 127 or ord(character) not in ALPHABET]
    if not wrong:
        assert len(text) % 4, text
        return {"text": text, "length": len(text)}
    return {"text": text, "place": wrong[0], "character": body[wrong[0]]}


def base64_rows():
    # RFC 4648, section 10.
    for text in ["", "f", "fo", "foo", "foob", "fooba", "foobar"]:
        encoded = base64.b64encode(text.encode()).decode()
        yield base64_row(encoded)
        for wrong in "!-_ \n\r=.,%\u00e9\ufeff\u20ac\U0001f600\0":
            # In place of a character, and one more: the length is right, and wrong.
            for place in sorted({0, len(encoded) // 2, len(encoded)}):
                for rest in (encoded[place:], encoded[place + 1:]):
                    changed = encoded[:place] + wrong + rest
                    if changed != encoded and changed.rstrip("=") != encoded.rstrip("="):
                        yield base64_row(changed)
    for length in range(1, 40):
        yield base64_row(base64.b64encode(bytes(value * 37 % 256 for value in range(length))).decode())
    for text in [ALPHABET.decode(), "Zg", "Zm8", "Zg=", "Z", "Zm9vY", "Zm9vYg=", "Zm9v\n", "\nZm9v", "Zm9v\r\nYmFy", "Zm9v Ymfy", "====",
                 "Z===", "Zg==Zm8=", "Zm9v====", "=", "==", "Zm9vZm9vZm9vZm9v!", "Zm9v\u00e9Zm9", "A" * 76 + "\n" + "A" * 4]:
        yield base64_row(text)


def main():
    rows = {
        "npy": {
            "types": list(types()), "headers": list(headers()), "written": list(written()),
            "refused here": list(refused_here()),
        },
        "base64": list({row["text"]: row for row in base64_rows()}.values()),
    }
    with open(os.path.join(FOLDER, "texts.json"), "w") as file:
        def block(rows):
            return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]"
        parts = ["%s: %s" % (json.dumps(name), block(part)) for name, part in rows["npy"].items()]
        file.write('{"npy": {\n%s\n}, "base64": %s}\n' % (",\n".join(parts), block(rows["base64"])))


main()
