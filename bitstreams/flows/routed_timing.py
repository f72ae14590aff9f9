"""Timing of a routed design, block RAMs and DSP slices included: what nextpnr-xilinx' own figure leaves out.

Delays of wires, LUTs, carries and flip-flops are those of nextpnr-xilinx' SDF, delays of the blocks those of
the data sheets (:mod:`.block_delays`). One clock, whose edges reach every register at once: no skew, no
jitter, no hold. Flip-flops are as fast as nextpnr-xilinx takes them to be (0.1 ns either way), and what is
written to LUTs as memory is not timed: the figure is closer to a vendor tool's, not equal to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from bitstreams.flows import block_delays
from bitstreams.flows.sdf import Cell, Delays, Pin
from bitstreams.synthesis import netlist
from hw.util.errors import ToolFailed

BLIND = (
    "nextpnr-xilinx' own figure is blind to block RAMs and DSP slices: no path that begins or ends at a "
    "RAMB18E1, RAMB36E1 or DSP48E1 is in it"
)
"""What ``build.json`` says beside the two figures."""

_UNTIMED = float("-inf")


@dataclass(frozen=True)
class Block:
    """A block RAM or DSP slice: its primitive, and its parameters that are numbers."""

    kind: str
    registers: Mapping[str, int]


Blocks = Mapping[str, Block]
"""By name."""


@dataclass(frozen=True)
class Routed:
    """period_ns: of the slowest path, and where it begins and ends. worst: nanoseconds by the kinds of both
    ends, ``logic`` or a primitive. unknown: pins of blocks that signals reach and no table knows."""

    period_ns: float
    start: str
    end: str
    worst: Mapping[str, float]
    unknown: tuple[str, ...] = ()

    @property
    def mhz(self) -> float:
        """The fastest clock."""
        return 1000 / self.period_ns

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "mhz": round(self.mhz, 2), "nextpnr": BLIND}


def blocks(path: Path | str) -> dict[str, Block]:
    """The blocks of ``top.json``, which the plan's synthesis writes. Raises ``ToolFailed`` without it."""
    data: netlist.Parametrised = netlist.read(Path(path), netlist.Parametrised)
    if "top" not in data.modules:
        raise ToolFailed(f"the netlist at {path} has no module 'top': build it again")
    return {
        name: Block(cell.type, {key: int(value, 2) for key, value in _numbers(cell.parameters)})
        for name, cell in data.modules["top"].cells.items()
        if cell.type in block_delays.BLOCKS
    }


def _numbers(parameters: Mapping[str, str | int | float]) -> Iterator[tuple[str, str]]:
    """Those that are written as bits."""
    for key, value in parameters.items():
        if isinstance(value, str) and value and set(value) <= {"0", "1"}:
            yield key, value


def analyse(delays: Delays, found: Blocks) -> Routed:
    """The slowest path of ``delays``. Raises ``ToolFailed`` when there is none, or logic goes in circles."""
    arrival, start = _arrivals(delays, found)
    worst: dict[str, tuple[float, Pin, Pin]] = {}
    unknown = []
    for end, source, wire, needed in _ends(delays, found):
        if source not in arrival:
            continue
        if needed is None:
            unknown.append("/".join(end))
            continue
        between = f"{_kind(found, start[source])} to {_kind(found, end)}"
        worst[between] = max(
            worst.get(between, (_UNTIMED, end, end)), (arrival[source] + wire + needed, start[source], end)
        )
    if not worst:
        raise ToolFailed("the SDF of nextpnr-xilinx has no path from a register to a register")
    period, begin, end = max(worst.values())
    return Routed(
        period_ns=round(period, 3),
        start="/".join(begin),
        end="/".join(end),
        worst={kind: round(ns, 3) for kind, (ns, _, _) in sorted(worst.items())},
        unknown=tuple(sorted(unknown)),
    )


def _arrivals(delays: Delays, found: Blocks) -> tuple[dict[Pin, float], dict[Pin, Pin]]:
    """Of every output that registers reach: its delay after the clock, and where the slowest path began."""
    arrival: dict[Pin, float] = {}
    start: dict[Pin, Pin] = {}
    before: dict[Pin, list[tuple[Pin, float]]] = {}
    for source in {source for source, _ in delays.wires.values()}:
        ns = _clock_to_out(delays, found, source)
        if ns is None:
            before[source] = list(_inputs(delays, source))
        else:
            arrival[source], start[source] = ns, source
    graph = {pin: [source for source, _ in inputs] for pin, inputs in before.items()}
    try:
        for pin in TopologicalSorter(graph).static_order():
            for source, ns in before.get(pin, ()):
                if arrival.get(source, _UNTIMED) + ns > arrival.get(pin, _UNTIMED):
                    arrival[pin], start[pin] = arrival[source] + ns, start[source]
    except ValueError as error:  # graphlib.CycleError
        raise ToolFailed(f"the SDF of nextpnr-xilinx has a loop without a register: {error}") from None
    return arrival, start


def _inputs(delays: Delays, pin: Pin) -> Iterator[tuple[Pin, float]]:
    """What drives an output through its cell, and the delay of wire and cell."""
    name, port = pin
    for (begin, end), ns in delays.cells.get(name, Cell("")).paths.items():
        if end == port and (name, begin) in delays.wires:
            source, wire = delays.wires[name, begin]
            yield source, wire + ns


def _clock_to_out(delays: Delays, found: Blocks, pin: Pin) -> float | None:
    """Of an output: the delay after its clock, None where it has none."""
    name, port = pin
    if block := found.get(name):
        return block_delays.clock_to_out(block.kind, port, block.registers)
    cell = delays.cells.get(name, Cell(""))
    return next((ns for (begin, end), ns in cell.paths.items() if end == port and begin in cell.clocks), None)


def _ends(delays: Delays, found: Blocks) -> Iterator[tuple[Pin, Pin, float, float | None]]:
    """Every pin at which paths end: what drives it, the wire's delay, and its setup, None if unknown."""
    for end, (source, wire) in delays.wires.items():
        name, port = end
        if block := found.get(name):
            if not port.startswith(block_delays.CLOCKS):
                yield end, source, wire, block_delays.setup(block.kind, port, block.registers)
        elif port in (setup := delays.cells.get(name, Cell("")).setup):
            yield end, source, wire, setup[port]


def _kind(found: Blocks, pin: Pin) -> str:
    block = found.get(pin[0])
    return block.kind if block else "logic"
