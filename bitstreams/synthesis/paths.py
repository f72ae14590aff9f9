"""Logic levels and fan-outs of a mapped netlist: what decides whether a design reaches its clock.

Levels are LUTs between two registers; carry chains and the wide multiplexers behind LUTs (MUXF7, MUXF8) add
none. Wires, which a device's delays mostly consist of, are not known before routing: few levels and few
loads are what a netlist can promise.

``python -m bitstreams.synthesis.paths top.json top`` prints them of a netlist that synthesis has left.
"""

from __future__ import annotations

import pathlib
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from itertools import takewhile
from typing import Any

from bitstreams.synthesis import netlist as files
from bitstreams.synthesis.netlist import Bit, bits_of, read_cells
from bitstreams.synthesis.output_registers import unregistered
from hw.util.errors import ToolFailed

LEVELS = {
    **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
    **dict.fromkeys(("MUXF7", "MUXF8", "MUXF9", "CARRY4", "CARRY8", "INV"), 0),
}
"""Levels of every cell that holds no state; all others begin and end paths."""

ADDRESSED = ("RAM32M", "RAM64M", "RAM32X1", "RAM64X1", "RAM128X1", "RAM256X1", "SRL16E", "SRLC32E")
"""LUTs that store: paths end at them and begin with one level, that of reading them."""

CLOCK_PORTS = ("C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK")

MOST_LEVELS, MOST_LOADS = 4, 600
"""What designs keep to: levels of a path, and loads of a net that is no clock. Held by
``tests/bitstreams/synthesis/test_paths.py`` and ``test_estimate.py``."""

HOST_LEVELS, HOST_LOADS = 3, 128
"""What the blocks between host and core keep to, serial bridge, ports and writer: their wires are long. No
reset drives more either, wherever it is."""

HOST_BLOCKS = re.compile(
    r"(?:^|\.)(?:bridge|receiver|transmitter|guard|sync"
    r"|(?:(?<=core\.)|(?<=accelerator\.)|^)(?:control|gate|interrupt)"
    r"|core\.(?:image_port|map_port|score_port|writer))(?:\.|$)"
)
"""Instances, from the top on, that are such blocks."""

Cell = Mapping[str, Any]

RESETS = {"FDRE": "R", "FDSE": "S"}
"""The reset of a flip-flop."""

SHOWN = 10
"""Paths and nets that a report names."""


@dataclass(frozen=True)
class Path:
    """Logic between two registers. cells: types in between."""

    levels: int
    start: str
    end: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Paths:
    """levels: number of register inputs by the levels of the longest path to them. worst: longest paths, of
    different registers. fanout: nets with most loads, but clocks and constants. unregistered: block RAMs that
    have no output register."""

    levels: Mapping[int, int]
    worst: tuple[Path, ...]
    fanout: tuple[tuple[str, int], ...]
    unregistered: tuple[str, ...]

    @property
    def longest(self) -> int:
        """Levels of the longest path."""
        return max(self.levels, default=0)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def paths(netlist: Mapping[str, Any], top: str) -> Paths:
    """The paths of ``netlist``, Yosys' JSON of a flattened, mapped design.

    Raises ``ToolFailed`` where cells without state form a loop, or there is no ``top``.
    """
    cells, names = read_cells(netlist, top)
    ends, via = _ends(cells)
    worst: dict[str, Path] = {}
    for count, last, end in sorted(ends, key=lambda end: -end[0]):
        name = _register(cells[end], end, names)
        stem = name.split("[")[0]
        if stem not in worst:
            worst[stem] = _path(count, last, name, cells, via, names)
        if len(worst) == SHOWN:
            break
    return Paths(
        levels=dict(sorted(Counter(count for count, _, _ in ends).items())),
        worst=tuple(worst.values()),
        fanout=_fanout(cells, names),
        unregistered=tuple(unregistered(cells)),
    )


def excesses(
    netlist: Mapping[str, Any], top: str, levels: int = MOST_LEVELS, loads: int = MOST_LOADS
) -> list[str]:
    """What exceeds the limits in ``netlist``, the worst first: registers behind more than ``levels`` and nets
    with more than ``loads``; behind ``HOST_LEVELS`` and with ``HOST_LOADS`` in :data:`HOST_BLOCKS`, and of
    resets anywhere. Then block RAMs that have no output register.

    Raises like :func:`paths`.
    """
    cells, names = read_cells(netlist, top)
    ends, via = _ends(cells)
    found: dict[str, int] = {}
    for count, last, end in ends:
        limit = HOST_LEVELS if _of_host(end) else levels
        if count > limit:
            path = _path(count, last, _register(cells[end], end, names), cells, via, names)
            found.setdefault(f"{path.start} -> {path.end.split('[')[0]}: {count} levels, not {limit}", count)
    driver = {bit: name for name, cell in cells.items() for bit in bits_of(cell, "output")}
    resets = {bit for cell in cells.values() for bit in cell["connections"].get(RESETS.get(cell["type"]), ())}
    for bit, count in _loads(cells).items():
        close = bit in resets or _of_host(driver.get(bit, ""))
        limit = min(loads, HOST_LOADS) if close else loads
        if count > limit:
            found.setdefault(f"{names.get(bit, bit)}: {count} loads, not {limit}", count)
    return sorted(found, key=lambda said: -found[said]) + unregistered(cells)


def _of_host(cell: str) -> bool:
    """Whether a cell of a flattened netlist lies in one of :data:`HOST_BLOCKS`."""
    parts = takewhile(
        lambda part: not part.startswith("$"), cell.removeprefix("$flatten").replace("\\", "").split(".")
    )
    # Of a name that is taken Amaranth makes another one, with a number behind it.
    return bool(HOST_BLOCKS.search(".".join(part.split("$")[0] for part in parts)))


def _ends(cells: Mapping[str, Cell]) -> tuple[list[tuple[int, str, str]], dict[str, str]]:
    """Of every input of a register: levels in front of it, the last cell of them, the register; and the cell
    before each cell on its longest path."""
    driver = {bit: name for name, cell in cells.items() for bit in bits_of(cell, "output")}
    before = {
        name: [driver[bit] for bit in bits_of(cell, "input") if bit in driver]
        for name, cell in cells.items()
        if cell["type"] in LEVELS
    }
    levels = {
        name: int(cell["type"].startswith(ADDRESSED)) for name, cell in cells.items() if name not in before
    }
    via: dict[str, str] = {}
    try:
        for name in TopologicalSorter(before).static_order():
            if name not in before:  # a register
                continue
            longest = max(before[name], key=levels.__getitem__, default=None)
            levels[name] = LEVELS[cells[name]["type"]] + (levels[longest] if longest else 0)
            if longest:
                via[name] = longest
    except ValueError as error:  # graphlib.CycleError
        raise ToolFailed(f"the netlist has a loop without a register: {error}") from None
    ends = [
        (levels[driver[bit]], driver[bit], name)
        for name, cell in cells.items()
        if cell["type"] not in LEVELS
        for bit in bits_of(cell, "input")
        if bit in driver
    ]
    return ends, via


def _register(cell: Cell, name: str, names: Mapping[Bit, str]) -> str:
    """A register by what it drives."""
    return next((names[bit] for bit in bits_of(cell, "output") if bit in names), name)


def _path(
    count: int,
    last: str,
    end: str,
    cells: Mapping[str, Cell],
    via: Mapping[str, str],
    names: Mapping[Bit, str],
) -> Path:
    passed = [last]
    while passed[-1] in via:
        passed.append(via[passed[-1]])
    start = passed[-1]
    inner = [cells[name]["type"] for name in reversed(passed) if cells[name]["type"] in LEVELS]
    return Path(count, _register(cells[start], start, names), end, tuple(inner))


def _fanout(cells: Mapping[str, Cell], names: Mapping[Bit, str]) -> tuple[tuple[str, int], ...]:
    """The nets with most loads, one of every signal."""
    most: dict[str, int] = {}
    for bit, count in _loads(cells).most_common():
        most.setdefault(names.get(bit, str(bit)).split("[")[0], count)
        if len(most) == SHOWN:
            break
    return tuple(most.items())


def _loads(cells: Mapping[str, Cell]) -> Counter[Bit]:
    """Loads of every net that is no clock."""
    loads: Counter[Bit] = Counter()
    for cell in cells.values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) == "input" and port not in CLOCK_PORTS:
                loads.update(bit for bit in bits if not isinstance(bit, str))
    return loads


def main(arguments: Sequence[str]) -> int:
    """Print levels, longest paths and largest fan-outs of a netlist's module."""
    file, top = arguments
    found = paths(files.read(pathlib.Path(file), files.Netlist), top)
    print(", ".join(f"{count:,} after {level}" for level, count in found.levels.items()))
    for path in found.worst:
        print(f"{path.levels} {path.start} -> {path.end}: {' '.join(path.cells)}")
    for net, loads in found.fanout:
        print(f"{loads:,} {net}")
    for memory in found.unregistered:
        print(memory)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
