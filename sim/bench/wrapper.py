"""A design that reads external memory, and the memory, as one module for the bench."""

from __future__ import annotations

import re
from pathlib import Path

from hw.design import DesignInfo
from hw.registers import MEMORY_ADDRESS_BITS

TOP = "spec2_bench"

CONTROLS = {"latency": 16, "gap": 8, "stall": 8, "seed": 32, "base": MEMORY_ADDRESS_BITS}
"""Inputs of ``axi_memory.v`` that the bench drives, as ``memory_latency`` and so on; their widths."""

MEMORY = re.compile(r"m_axi_(\w+)")

INPUT = re.compile(
    r"clk|rst|s_axil_((aw|w|ar)(?!ready)\w+|[br]ready)|s_axis_(?!tready)\w+|m_axis_tready|m_axi_(arready|r(?!ready)\w+)"
)
"""Names of the ports that are inputs of a design."""

CONSTANT = ("arsize", "arburst", "arprot")
"""Signals of the port that the memory does not look at."""


def wrapped(info: DesignInfo, verilog: str, file: Path) -> tuple[str, dict[str, int]]:
    """Verilog of module ``TOP``, with the design's own ``verilog``, and its ports with their widths.

    file: the image that memory holds.
    """
    outer = {name: width for name, width in info.ports.items() if not MEMORY.match(name)}
    outer |= {f"memory_{name}": width for name, width in CONTROLS.items()}
    inner = {name: width for name, width in info.ports.items() if MEMORY.match(name)}
    bits = info.ports["m_axi_rdata"]
    words = -(-file.stat().st_size // (bits // 8))
    ports = ",\n  ".join(_port(name, width) for name, width in outer.items())
    wires = "".join(f"  wire {_range(width)}{name};\n" for name, width in inner.items())
    design = ", ".join(f".{name}({name})" for name in info.ports)
    names = [MEMORY.match(name)[1] for name in inner]  # type: ignore[index]
    memory = [f".{name}(memory_{name})" for name in CONTROLS]
    memory += [f".{name}(m_axi_{name})" for name in names if name not in CONSTANT]
    text = (
        f"module {TOP}(\n  {ports}\n);\n{wires}"
        f"  {info.top} dut({design});\n"
        f"  axi_memory #(.DATA({bits}), .ADDRESS({MEMORY_ADDRESS_BITS}), .WORDS({words}), "
        f'.FILE("{file.name}"))\n'
        f"    memory(.clk(clk), .rst(rst), {', '.join(memory)});\nendmodule\n"
    )
    model = (Path(__file__).parent / "axi_memory.v").read_text()
    return "\n".join([verilog, model, text]), outer


def _port(name: str, width: int) -> str:
    direction = "input" if INPUT.fullmatch(name) or name.startswith("memory_") else "output"
    return f"{direction} {_range(width)}{name}"


def _range(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""
