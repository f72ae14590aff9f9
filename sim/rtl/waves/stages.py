"""Which signals of a design belong to which stage of its pipeline, from the hierarchy of its Verilog.

A signal is a port of a unit: what stages say to one another. Only the names of units are known here; one that
no stage knows is in :data:`REST`, and what is within a unit stands in the viewer's tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sim.rtl.waves.hierarchy import Module, modules

STAGES = {
    "streams": r"[sm]_axi[sl]|image_port|map_port|score_port|gate",
    "fetch": r"fetch|front|head_start|memory|window_\d+|x_ping_pong",
    "array": r"issue|middle|row_weights|lane_\d+",
    "output": r"readout|output|writer|back|y_ping_pong",
    "weights": r"m_axi(_\d+)?|weights|channel_loader|reader|striping|checksum",
    "counters": r"control|sequencer|interrupt",
}
"""What the units of a stage, or the ports of the top, are called: a pattern by stage, in the order of the
save file."""

REST = "rest"

CORE = "core"
"""The unit whose units are sorted, too."""

COMMON = ("clk", "rst", "abort")
"""Ports that every unit has: they stand in no group."""

_NUMBER = re.compile(r"\$\d+")
"""What Amaranth appends to a name that there is already."""

_UNNAMED = re.compile(r"port\$")
_PORT = re.compile(r"([sm]_axi[sl]|m_axi(?:_\d+)?)_\w+")


@dataclass(frozen=True)
class Signal:
    """path: in the waves, from the top on. shown: for people. width: bits."""

    path: str
    shown: str
    width: int


@dataclass(frozen=True)
class Unit:
    """A part of a stage, and its signals."""

    name: str
    signals: tuple[Signal, ...]


def grouped(verilog: str, top: str, above: str) -> dict[str, list[Unit]]:
    """The units of module ``top``, which waves know as ``above``, and of the core in it, by stage.

    Every stage is there, also one without units; :data:`REST` where there is one.
    """
    known = modules(verilog)
    found: dict[str, list[Unit]] = {stage: [] for stage in STAGES}
    for unit in [*_buses(known[top], above), *_units(known, top, above)]:
        stage = next((name for name, units in STAGES.items() if re.fullmatch(units, unit.name)), REST)
        if unit.signals:
            found.setdefault(stage, []).append(unit)
    return found


def _buses(top: Module, above: str) -> list[Unit]:
    """The ports of the top, a unit for each of its interfaces."""
    buses: dict[str, list[str]] = {}
    for port in top.ports:
        if match := _PORT.fullmatch(port):
            buses.setdefault(match[1], []).append(port)
    return [Unit(bus, tuple(_of_bus(bus, ports, top, above))) for bus, ports in buses.items()]


def _of_bus(bus: str, ports: list[str], top: Module, above: str) -> Iterable[Signal]:
    for port in ports:
        yield Signal(f"{above}.{port}", port.removeprefix(f"{bus}_"), top.ports[port])


def _units(known: dict[str, Module], module: str, above: str) -> list[Unit]:
    units = []
    for name, kind in sorted(known[module].instances.items(), key=lambda item: _order(item[0])):
        if kind not in known:
            continue  # a primitive
        path = f"{above}.{name}"
        if name == CORE:
            units += _units(known, kind, path)
        else:
            units.append(Unit(_NUMBER.sub("", name), tuple(_signals(known[kind].ports, path))))
    return units


def _order(name: str) -> list[str | int]:
    """``lane_10`` behind ``lane_9``."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _signals(ports: dict[str, int], path: str) -> Iterable[Signal]:
    shown: set[str] = set()
    for port, width in ports.items():
        if port in COMMON or _UNNAMED.match(port):
            continue
        plain = _NUMBER.sub("", port).replace("__", ".")
        name = port if plain in shown or plain in COMMON else plain
        shown.add(name)
        yield Signal(f"{path}.{port}", name, width)
