"""Whether block RAMs have output registers.

What a block RAM reads leaves it much later after a clock than what its own output register holds. Vivado
takes a register for the block's that follows it straight, a bit each, with nothing else behind the block;
Yosys leaves the register where it is (DOA_REG = 0). So that is what a netlist can promise.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from bitstreams.synthesis.netlist import Bit, bits_of

Cell = Mapping[str, Any]

BLOCKS = ("RAMB18E1", "RAMB36E1", "RAMB18E2", "RAMB36E2", "URAM288")
"""Block RAM and UltraRAM."""

REGISTERS = ("FDRE", "FDSE", "FDCE", "FDPE")
"""Flip-flops."""


def unregistered(cells: Mapping[str, Cell]) -> list[str]:
    """What reads a block RAM of ``cells`` and is no register of its own, said once of every memory."""
    loads: defaultdict[Bit, list[tuple[Cell, str]]] = defaultdict(list)
    for cell in cells.values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) == "input":
                for bit in bits:
                    loads[bit].append((cell, port))
    found: dict[str, str] = {}
    for name, cell in cells.items():
        if cell["type"] not in BLOCKS:
            continue
        for bit in bits_of(cell, "output"):
            wrong = [(load, port) for load, port in loads[bit] if not _is_register(load, port)]
            if wrong or len(loads[bit]) > 1:
                memory = re.sub(r"(\.\d+)+$", "", name)
                what = ", ".join(sorted({load["type"] for load, _ in wrong})) or "two registers"
                found.setdefault(memory, f"{memory}: read by {what}, not by registers of its own")
    return list(found.values())


def _is_register(cell: Cell, port: str) -> bool:
    return cell["type"] in REGISTERS and port == "D"
