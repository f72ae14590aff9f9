"""The routes from every memory port of a design to a memory, and from the host to it: one table.

The block design (``tcl/block.tcl``) is made of it, and so are ``manifest.json`` and ``build.json``, in which
a host finds where to write weights, and the table on the boards' pages. Widths change, and clocks, in the
crossbar of a memory: each has one of its own, so that no port waits for another's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bitstreams.boards import Board
from bitstreams.boards.memory import Controller, Memory
from hw.compile.weight_stream import stream_ports
from hw.contract.design import DesignInfo
from hw.contract.streamed_weights import stream_files
from hw.util.errors import ConfigError

CELL = "accelerator"
"""The design's instance in the block design."""

WINDOWS = {"accelerator/s_axil": 0x0000, "marker/S_AXI": 0x1000, "loader/S_AXI_LITE": 0x2000}
"""Where the host finds registers, 4 KiB each: buses of the block design and byte addresses."""

PORTS = {
    "mig7": {
        "bus": "{s}_AXI",
        "clock": "{c}ui_clk",
        "reset_out": "{c}ui_clk_sync_rst",
        "reset_in": "{c}aresetn",
        "calibrated": "{c}init_calib_complete",
        "pads": "{C}DDR3",
        "oscillator": "{C}SYS_CLK",
    },
    "ddr4": {
        "bus": "C0_DDR4_S_AXI",
        "clock": "c0_ddr4_ui_clk",
        "reset_out": "c0_ddr4_ui_clk_sync_rst",
        "reset_in": "c0_ddr4_aresetn",
        "calibrated": "c0_init_calib_complete",
        "pads": "C0_DDR4",
        "oscillator": "C0_SYS_CLK",
    },
}
"""Pins of a controller, by kind. One for several memories numbers them: ``S1_AXI``, ``c1_ui_clk``,
``C1_DDR3``."""


@dataclass(frozen=True)
class Cell:
    """A controller in the block design, of the memories ``first`` to ``first`` + ``count`` - 1."""

    name: str
    controller: Controller
    first: int
    count: int

    def pins(self, number: int) -> dict[str, str]:
        """Its pins for memory ``number``, by what they are for."""
        own = str(number - self.first) if self.count > 1 else ""
        letters = {"s": f"S{own}", "c": f"c{own}_" if own else "", "C": f"C{own}_" if own else ""}
        return {
            what: f"{self.name}/{pin.format(**letters)}" for what, pin in PORTS[self.controller.kind].items()
        }


@dataclass(frozen=True)
class Route:
    """From ports of the design to a memory. number: of the memory. ports: buses of the design, ``m_axi_1``.
    bits: of each. base: where the host sees it; its own ports see it at 0. file: of the design, what it has
    to hold."""

    number: int
    memory: Memory
    cell: Cell
    ports: tuple[str, ...]
    bits: tuple[int, ...]
    base: int
    file: str = ""

    @property
    def crossbar(self) -> str:
        """Its instance in the block design, which ports and host share."""
        return f"memory{self.number}"

    def to_json(self) -> dict[str, Any]:
        """What a host has to know of it."""
        memory = self.memory
        return {
            "file": self.file,
            "ports": list(self.ports),
            "bits": list(self.bits),
            "memory": memory.name,
            "part": memory.part,
            "base": self.base,
            "bytes": memory.bytes,
            "peak": memory.peak,
            "sustained": memory.sustained,
        }


@dataclass(frozen=True)
class MemoryMap:
    """Of a design on a board: controllers, and the routes to their memories. Both empty where nothing is
    read."""

    cells: tuple[Cell, ...] = ()
    routes: tuple[Route, ...] = ()

    def settings(self) -> dict[str, str | list[str]]:
        """The table as ``settings.tcl`` has it: names of cells, and of each, after its name, what it
        needs."""
        rows = {cell.name: _controller(cell) for cell in self.cells}
        rows |= {route.crossbar: _route(route) for route in self.routes}
        flat = {f"{name},{key}": value for name, row in rows.items() for key, value in row.items()}
        return {
            "controllers": [cell.name for cell in self.cells],
            "memories": [route.crossbar for route in self.routes],
            **flat,
        }

    def to_json(self) -> list[dict[str, Any]]:
        """The table as ``manifest.json`` has it, a row a memory."""
        return [route.to_json() for route in self.routes]


def memory_map(board: Board, info: DesignInfo) -> MemoryMap:
    """The table of a design on a board.

    Raises ``ConfigError`` for ports to more memories than controllers of the board join.
    """
    found = ports(info)
    if found and len(found) not in board.connected:
        able = ", ".join(map(str, board.connected)) or "none"
        raise ConfigError(
            f"the design reads its weights from {len(found)} memories side by side, on the {board.name} it "
            f"can be {able}: generate it with --memories"
        )
    return _joined(board, found, stream_files(info.top, len(found)))


def _joined(board: Board, found: Sequence[tuple[str, int]], files: Sequence[str]) -> MemoryMap:
    """The table for ports and their bits, the first one to the first memory; files: what each has to hold."""
    if not found:
        return MemoryMap()
    cells = tuple(_cells(board.controllers[len(found) - 1]))
    routes = []
    base = 0
    for cell in cells:
        for number in range(cell.first, cell.first + cell.count):
            memory = board.memories[number]
            port, bits = found[number]
            # A memory lies at a multiple of its size: its controller sees the low bits of an address alone.
            base = -(-base // memory.bytes) * memory.bytes
            routes.append(Route(number, memory, cell, (port,), (bits,), base, files[number]))
            base += memory.bytes
    return MemoryMap(cells, tuple(routes))


def markdown(board: Board) -> str:
    """The table of a board with all of its memories in use, in Markdown, for its page."""
    most = max(board.connected)
    names = stream_ports(most)
    head = ["port of the design", "memory", "controller", "the host finds it at", "size"]
    rows = [
        [
            f"`{route.ports[0]}`",
            route.memory.name,
            f"`{route.cell.pins(route.number)['bus']}`",
            f"`0x{route.base:X}`",
            f"{route.memory.bytes >> 30} GiB",
        ]
        for route in _joined(board, [(name, 0) for name in names], names).routes
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *rows])


def ports(info: DesignInfo) -> list[tuple[str, int]]:
    """The memory ports of a design in order, with the bits of data of each."""
    buses = {
        name.removesuffix("_rdata"): width
        for name, width in info.ports.items()
        if name.startswith("m_axi") and name.endswith("_rdata")
    }
    return list(buses.items())


def _cells(controllers: tuple[Controller, ...]) -> Iterator[Cell]:
    first = 0
    for number, controller in enumerate(controllers):
        count = len(controller.clocks)
        yield Cell(f"dram{number}", controller, first, count)
        first += count


def _controller(cell: Cell) -> dict[str, str | list[str]]:
    controller = cell.controller
    each = [cell.pins(number) for number in range(cell.first, cell.first + cell.count)]
    clocks = zip(each, controller.clocks, strict=True)
    return {
        "kind": controller.kind,
        "reset": controller.reset,
        "interfaces": list(controller.interfaces),
        "pads": [pins["pads"] for pins in each],
        "oscillators": [word for pins, clock in clocks for word in (pins["oscillator"], clock)],
        "options": [word for name, value in controller.options.items() for word in (f"CONFIG.{name}", value)],
    }


def _route(route: Route) -> dict[str, str | list[str]]:
    pins = route.cell.pins(route.number)
    return {
        "ports": [f"{CELL}/{port}" for port in route.ports],
        **{what: pins[what] for what in ("bus", "clock", "reset_out", "reset_in", "calibrated")},
        "base": f"0x{route.base:X}",
        "bytes": f"0x{route.memory.bytes:X}",
    }
