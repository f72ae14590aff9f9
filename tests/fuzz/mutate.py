"""Seeded mutations of files: of their structure where there is one, and of their bytes."""

import copy
import hashlib
import io
import json
import re
import zipfile
from random import Random

NAN, INF = float("nan"), float("inf")

VALUES = [
    None, True, False, 0, 1, -1, 2, 7, 8, 255, 256, 65_535, 1 << 20, 1 << 31, 1 << 63, 1 << 64, 10**30,
    0.5, -0.5, 8.0, 1e-9, 1e20, 1e308, NAN, INF, -INF,
    "", "0", "8", "0.5", "false", "NaN", "conv", "../../x", "/etc/passwd", "\x1b[31m",
    "a\nb", "é", "\x00", "x" * 3000,
    [], [0], [None], [[]], {}, {"a": 1}, [1, 2, 3, 4], list(range(200)),
]  # fmt: skip
"""What a value is replaced by."""

TOKENS = [
    b"0", b"-1", b"1e999", b"NaN", b"NA", b"inf", b"9" * 40, b"9" * 5000, b"0.000", b"1.2.3", b"",
    b"\x00", b"\xff\xfe",
    b"{", b"}", b"[" * 300, b"|", b"\n", b",", b'"', b"-", b"'", b"= ", b"true", b"null", b"\x1b[31m",
]  # fmt: skip
"""What a word of a text is replaced by."""


def deep(depth: int) -> object:
    """A list in a list in a list."""
    found: object = []
    for _ in range(depth):
        found = [found]
    return found


def _places(data: object, way: tuple = ()) -> list[tuple]:
    found = [way]
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        found += _places(value, (*way, key))
    return found


def plain(data: object, rng: Random) -> object:
    """Plain data with one to three places changed."""
    data = copy.deepcopy(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        way = rng.choice(_places(data))
        if not way:
            if rng.random() < 0.1:
                data = rng.choice(VALUES)
            continue
        place = data
        for key in way[:-1]:
            place = place[key]
        key, how = way[-1], rng.randrange(12)
        if how == 0:
            del place[key]
        elif how == 1 and isinstance(place, dict):
            place[rng.choice(["", "x", "type", "layers", "a\nb", str(key) + "_"])] = place.pop(key)
        elif how == 1:
            place.append(copy.deepcopy(place[key]))
        elif how == 2:
            place[key] = [place[key]]
        elif how == 3:
            place[key] = deep(rng.choice((3, 200)))
        elif how == 4:
            place[key] = str(place[key])
        elif how == 5 and isinstance(place[key], int):
            place[key] = (
                place[key] + rng.choice((-1, 1, 1 << 16, -(1 << 16)))
                if rng.random() < 0.7
                else float(place[key])
            )
        elif how == 6 and isinstance(place, dict):
            place[rng.choice(["x", "pruned_from", "accuracy", "layer_bits", "schema"])] = rng.choice(VALUES)
        elif how == 7:
            other = data
            for step in rng.choice(_places(data)):
                other = other[step]
            place[key] = copy.deepcopy(other)
        else:
            place[key] = copy.deepcopy(rng.choice(VALUES))
    return data


def octets(content: bytes, rng: Random) -> bytes:
    """Bytes flipped, cut, doubled, inserted, overwritten."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at, how = rng.randrange(len(found) + 1), rng.randrange(7)
        if how <= 1 and at < len(found):
            found[at] ^= 1 << rng.randrange(8)
        elif how == 2 and at < len(found):
            found[at] = rng.choice((0, 1, 127, 128, 255))
        elif how == 3:
            del found[at : at + rng.choice((1, 2, 8, 100, len(found)))]
        elif how == 4:
            found[at:at] = found[at : at + rng.choice((1, 4, 50))]
        elif how == 5:
            found[at:at] = rng.choice(TOKENS)
        else:
            size = rng.choice((1, 2, 4, 8))
            value = rng.choice((0, 1, (1 << 8 * size) - 1, 1 << (8 * size - 1), rng.getrandbits(8 * size)))
            found[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))
    return bytes(found)


def text(content: bytes, rng: Random) -> bytes:
    """Words and lines of a text changed, and sometimes bytes."""
    if rng.random() < 0.2:
        return octets(content, rng)
    lines = content.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, how = rng.randrange(len(lines)), rng.randrange(8)
        if how == 0:
            del lines[at : at + rng.choice((1, 3, 20))]
            lines = lines or [b""]
        elif how == 1:
            lines[at:at] = [lines[at]] * rng.choice((1, 5))
        elif how == 2:
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        else:
            words = list(re.finditer(rb"[\w.+-]+", lines[at]))
            if words:
                word = rng.choice(words)
                lines[at] = lines[at][: word.start()] + rng.choice(TOKENS) + lines[at][word.end() :]
    return b"\n".join(lines)


def document(content: bytes, rng: Random) -> bytes:
    """A JSON document: mostly other data, sometimes other text."""
    if rng.random() < 0.12:
        return text(content, rng)
    return json.dumps(plain(json.loads(content), rng)).encode()


def npy(content: bytes, rng: Random) -> bytes:
    """An array with another header, or other bytes."""
    if rng.random() < 0.3 or content[:6] != b"\x93NUMPY":
        return octets(content, rng)
    size = int.from_bytes(content[8:10], "little")
    head, body = content[10 : 10 + size].decode("latin-1"), content[10 + size :]
    how = rng.randrange(5)
    if how == 0:
        descr = rng.choice(
            [
                "|O",
                "<f8",
                "<i8",
                "|u1",
                "<U9",
                "|V8",
                ">i4",
                "<c16",
                "|b1",
                "<M8[s]",
                "|S0",
                "i",
                "(4,)<i2",
                "x",
            ]
        )
        head = re.sub(r"'descr': '[^']*'", f"'descr': {descr!r}", head)
    elif how == 1:
        numbers = [
            rng.choice((0, 1, 2, 5, -1, 1 << 20, 1 << 31, 1 << 62, 10**30)) for _ in range(rng.randrange(6))
        ]
        head = re.sub(r"'shape': \([^)]*\)", f"'shape': {tuple(numbers)!r}", head)
    elif how == 2:
        head = (
            head.replace("False", "True")
            if rng.random() < 0.5
            else text(head.encode(), rng).decode("latin-1")
        )
    elif how == 3:
        body = (
            body[: rng.randrange(len(body) + 1)]
            if rng.random() < 0.5
            else body + bytes(rng.choice((1, 100, 1 << 16)))
        )
    else:
        body = octets(body, rng)
    encoded = head.encode("latin-1")[:60_000]
    return content[:8] + len(encoded).to_bytes(2, "little") + encoded + body


def archive(content: bytes, rng: Random, members: dict | None = None) -> bytes:
    """A ``.npz`` with one member changed, gone, twice, new, or packed otherwise; sometimes other bytes."""
    if rng.random() < 0.25:
        return octets(content, rng)
    if members is None:
        members = unpack(content)
        name = rng.choice(list(members))
        how = rng.randrange(8)
        if how == 0:
            del members[name]
        elif how == 1:
            members[rng.choice(["x.npy", "x", "../x.npy", "/tmp/x.npy", "header.npy", "a\nb.npy"])] = members[
                name
            ]
        elif how == 2:
            members["unused.npy"] = zeros(rng.choice((1, 1, 1, 1, 4, 16)) << 20)
        elif how == 3:
            members[name] = members[rng.choice(list(members))]
        else:
            members[name] = npy(members[name], rng)
    return pack(
        members,
        rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)),
    )


def zeros(size: int) -> bytes:
    """An array of so many zeros, which packed is next to nothing."""
    import numpy as np

    file = io.BytesIO()
    np.save(file, np.zeros(size, np.uint8))
    return file.getvalue()


def unpack(content: bytes) -> dict[str, bytes]:
    """The members of an archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def pack(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The inverse of :func:`unpack`."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", how, compresslevel=1) as file:
        for name, member in members.items():
            file.writestr(zipfile.ZipInfo(name), member, how)
    return made.getvalue()


def artifact(content: bytes, rng: Random) -> bytes:
    """A ``model.npz``: its header's data changed and the digest made right, or an archive's mutation."""
    return headed(content, rng, sealed=True)


def headed(content: bytes, rng: Random, *, sealed: bool = False) -> bytes:
    """Arrays with a JSON header: its data changed, or one of them. sealed: the header holds a digest of all,
    which is made right."""
    import numpy as np

    if rng.random() < 0.35:
        return archive(content, rng)
    with np.load(io.BytesIO(content)) as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(bytes(arrays.pop("header")))
    header.pop("digest", None)
    if rng.random() < 0.85:
        header = plain(header, rng)
    else:
        name = rng.choice(list(arrays))
        array = arrays[name]
        how = rng.randrange(5)
        if how == 0:
            arrays[name] = array.astype(rng.choice(["<i8", "<f4", "<u8", ">i2", "|b1", "|i1"]))
        elif how == 1:
            arrays[name] = array.reshape(-1)[: rng.randrange(array.size + 1)]
        elif how == 2:
            arrays[name] = array[None] if rng.random() < 0.5 else array.T
        elif how == 3:
            arrays[name] = np.full_like(array, rng.choice((-1, 127, 255, 32767)) % 128)
        else:
            arrays[name] = arrays[rng.choice(list(arrays))]
    if sealed and isinstance(header, dict):
        sha = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        for name in sorted(arrays):
            sha.update(f"{name}:{arrays[name].dtype.str}:{arrays[name].shape}".encode())
            sha.update(np.ascontiguousarray(arrays[name]).tobytes())
        header["digest"] = sha.hexdigest()
    blob, made = np.frombuffer(json.dumps(header).encode(), np.uint8), io.BytesIO()
    np.savez(made, header=blob, **arrays)
    return made.getvalue()
