"""The delays of a routed design: what nextpnr-xilinx writes with ``--sdf``, line by line as it writes it.

Reads ``common/sdf.cc`` of openXC7/nextpnr-xilinx 0.8.2, picoseconds, and keeps the larger of the two edges.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hw.util.errors import ToolFailed

Pin = tuple[str, str]
"""A cell, and its port."""


@dataclass
class Cell:
    """kind: of nextpnr-xilinx. paths: (from, to) and the delay. setup: of a port, against its clock. clocks:
    ports that are clocks. In nanoseconds; what nextpnr-xilinx does not time has none of them."""

    kind: str
    paths: dict[tuple[str, str], float] = field(default_factory=dict)
    setup: dict[str, float] = field(default_factory=dict)
    clocks: set[str] = field(default_factory=set)


@dataclass
class Delays:
    """cells: by name. wires: what drives a pin, and the delay from there in nanoseconds."""

    cells: dict[str, Cell] = field(default_factory=dict)
    wires: dict[Pin, tuple[Pin, float]] = field(default_factory=dict)


_TRIPLE = r"\(-?[\d.e+-]+:-?[\d.e+-]+:(-?[\d.e+-]+)\)"
_SCALE = re.compile(r"\s*\(TIMESCALE (.*)\)")
_WIRE = re.compile(rf"\s*\(INTERCONNECT (\S+) (\S+) {_TRIPLE} {_TRIPLE}\)")
_KIND = re.compile(r'\s*\(CELLTYPE "(.*)"\)')
_NAME = re.compile(r"\s*\(INSTANCE (\S*)\)")
_PATH = re.compile(rf"\s*\(IOPATH (\S+) (\S+) {_TRIPLE} {_TRIPLE}\)")
_SETUP = re.compile(rf"\s*\(SETUPHOLD \(\w+ (\S+)\) \(\w+ (\S+)\) {_TRIPLE} {_TRIPLE}\)")
_ESCAPED = re.compile(r"\\(.)")


def parse(lines: Iterable[str]) -> Delays:
    """Read a file's lines. Raises ``ToolFailed`` for one that says something else than it should."""
    found, kind, cell = Delays(), "", Cell("")
    readers = {"(INTERCONNECT": _WIRE, "(IOPATH": _PATH, "(SETUPHOLD": _SETUP}
    for line in lines:
        word = line.split(maxsplit=1)[0] if line.strip() else ""
        if word in readers:
            match = readers[word].match(line)
            if not match:
                raise ToolFailed(
                    f"the SDF of nextpnr-xilinx has a line that is not read: {line.strip()[:80]!r}"
                )
            first, second = _plain(match[1]), _plain(match[2])
            if word == "(INTERCONNECT":
                found.wires[_pin(second)] = _pin(first), max(_ns(match[3]), _ns(match[4]))
            elif word == "(IOPATH":
                cell.paths[first, second] = max(_ns(match[3]), _ns(match[4]))
            else:  # setup and hold, in this order
                cell.setup[first] = max(_ns(match[3]), cell.setup.get(first, 0.0))
                cell.clocks.add(second)
        elif match := _KIND.match(line):
            kind = match[1]
        elif match := _NAME.match(line):
            cell = found.cells.setdefault(_plain(match[1]), Cell(kind))
        elif (match := _SCALE.match(line)) and match[1] != "1ps":
            raise ToolFailed(f"the SDF of nextpnr-xilinx is in units of {match[1]!r}, not of 1ps")
    return found


def read(path: Path | str) -> Delays:
    """Read the file at ``path``. Raises ``ToolFailed`` without it, or when it has no wires."""
    path = Path(path)
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            found = parse(lines)
    except OSError as error:
        raise ToolFailed(f"nextpnr-xilinx left no SDF at {path} ({error.strerror})") from None
    if not found.wires:
        raise ToolFailed(f"the SDF at {path} has no wires: the design was not routed")
    return found


def _plain(name: str) -> str:
    return _ESCAPED.sub(r"\1", name)


def _pin(name: str) -> Pin:
    cell, _, port = name.rpartition("/")
    return cell, port


def _ns(text: str) -> float:
    return float(text) / 1000
