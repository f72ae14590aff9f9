"""What yosys writes as JSON, read for what is counted here: netlists, and the report of ``stat``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict

import msgspec
from msgspec import Meta

from hw.util import documents
from hw.util.errors import ArtifactError, ToolFailed

MOST = 2 << 30
"""Bytes of a netlist. Of these only the parts below are kept."""

Bit = int | str
"""Of a net: its number, or a constant."""

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Cell(TypedDict):
    """A cell of a mapped design; bits are numbers, constants are text."""

    type: str
    port_directions: dict[str, str]
    connections: dict[str, list[int | str]]


class Net(TypedDict):
    """Bits of a named signal."""

    bits: list[int | str]


class Module(TypedDict):
    """A module."""

    cells: dict[str, Cell]
    netnames: dict[str, Net]


class Netlist(TypedDict):
    """A design."""

    modules: dict[str, Module]


class _Kind(msgspec.Struct):
    type: str


class _Cells(msgspec.Struct):
    cells: dict[str, _Kind]


class Mapped(msgspec.Struct):
    """A netlist of which only the types of cells are kept."""

    creator: str
    modules: dict[str, _Cells]


class _Primitive(msgspec.Struct):
    type: str
    parameters: dict[str, str | int | float] = {}


class _Primitives(msgspec.Struct):
    cells: dict[str, _Primitive]


class Parametrised(msgspec.Struct):
    """A netlist of which the types and parameters of cells are kept."""

    modules: dict[str, _Primitives]


class _Design(msgspec.Struct):
    num_cells_by_type: dict[str, Count]


class Stat(msgspec.Struct):
    """The report of ``stat -json``."""

    creator: str
    modules: dict[str, Any]
    design: _Design


def read(path: Path, kind: Any) -> Any:
    """The file as one of the kinds above. Raises ``ToolFailed``: a tool left something else, or nothing."""
    try:
        return documents.decode(documents.read(path, MOST), kind, str(path))
    except OSError as error:
        raise ToolFailed(f"yosys left no {path.name} at {path}: {error.strerror or error}") from None
    except ArtifactError as error:
        raise ToolFailed(f"what yosys left cannot be read: {error}") from None


def read_cells(netlist: Mapping[str, Any], top: str) -> tuple[dict[str, Mapping[str, Any]], dict[Bit, str]]:
    """Cells of ``top`` by their names, and names of their nets.

    Raises ``ToolFailed`` where there is no ``top``.
    """
    if top not in netlist["modules"]:
        raise ToolFailed(f"the netlist has no module {top!r}: run 'spec2 synth' again")
    module = netlist["modules"][top]
    cells = {n: c for n, c in module["cells"].items() if c["type"] != "$scopeinfo"}
    return cells, _names(module["netnames"])


def bits_of(cell: Mapping[str, Any], direction: str) -> Iterator[Bit]:
    """Those of ports of the ``direction``, "input" or "output"."""
    for port, bits in cell["connections"].items():
        if cell["port_directions"].get(port) == direction:
            yield from bits


def _names(netnames: Mapping[str, Any]) -> dict[Bit, str]:
    """A name for every bit: that of the signal highest up, not one that yosys made up if it can be."""
    found: dict[Bit, str] = {}
    for name, net in sorted(netnames.items(), key=lambda item: ("$" in item[0], item[0].count("."), item[0])):
        for i, bit in enumerate(net["bits"]):
            found.setdefault(bit, f"{name}[{i}]" if len(net["bits"]) > 1 else name)
    return found
