"""A design that reads external memory, and the memory, as one module for the bench."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hw.design import DesignInfo
from hw.registers import MEMORY_ADDRESS_BITS

TOP = "spec2_bench"

CONTROLS = {
    "latency": 16, "gap": 8, "stall": 8, "apart": 1, "bad": 32, "seed": 32, "base": MEMORY_ADDRESS_BITS,
}  # fmt: skip
"""Inputs of ``axi_memory.v`` that the bench drives, as ``memory_latency`` and so on; their widths."""

MEMORY = re.compile(r"(m_axi(?:_\d)?)_([a-z]+)")
"""A signal of a memory port: ``m_axi_araddr``, or ``m_axi_1_araddr`` of memories side by side."""

INPUT = re.compile(r"clk|rst|s_axil_((aw|w|ar)(?!ready)\w+|[br]ready)|s_axis_(?!tready)\w+|m_axis_tready")
"""Names of the ports that are inputs of a design; memory ports stay inside."""

CONSTANT = ("arsize", "arburst", "arprot")
"""Signals of the port that the memory does not look at."""


def wrapped(info: DesignInfo, verilog: str, files: Sequence[Path]) -> tuple[str, dict[str, int]]:
    """Verilog of module ``TOP``, with the design's own ``verilog``, and its ports with their widths.

    files: the images that memories hold, one for each.
    """
    inner = {name: width for name, width in info.ports.items() if MEMORY.fullmatch(name)}
    outer = {name: width for name, width in info.ports.items() if name not in inner}
    outer |= {f"memory_{name}": width for name, width in CONTROLS.items()}
    ports = ",\n  ".join(_port(name, width) for name, width in outer.items())
    wires = "".join(f"  wire {_range(width)}{name};\n" for name, width in inner.items())
    design = ", ".join(f".{name}({name})" for name in info.ports)
    buses = dict.fromkeys(match[1] for name in inner if (match := MEMORY.fullmatch(name)))
    memories = "".join(_memory(info, bus, file, len(files)) for bus, file in zip(buses, files, strict=True))
    text = f"module {TOP}(\n  {ports}\n);\n{wires}  {info.top} dut({design});\n{memories}endmodule\n"
    model = (Path(__file__).parent / "axi_memory.v").read_text(encoding="utf-8")
    return "\n".join([verilog, model, text]), outer


def _memory(info: DesignInfo, bus: str, file: Path, count: int) -> str:
    """An instance of the memory at port ``bus``, one of ``count``. Each stalls at times of its own."""
    names = [name for name in info.ports if (match := MEMORY.fullmatch(name)) and match[1] == bus]
    bits = info.ports[f"{bus}_rdata"]
    words = -(-file.stat().st_size // (bits // 8))
    number = int(bus[-1]) if count > 1 else 0
    shared = {name: f"memory_{name}" for name in CONTROLS}
    shared["seed"] = f"memory_seed + {number}"
    shared["base"] = f"memory_base >> {count.bit_length() - 1}"
    pins = [f".{pin}({value})" for pin, value in shared.items()]
    pins += [
        f".{name.removeprefix(bus + '_')}({name})"
        for name in names
        if name.removeprefix(bus + "_") not in CONSTANT
    ]
    return (
        f"  axi_memory #(.DATA({bits}), .ADDRESS({MEMORY_ADDRESS_BITS}), "
        f".ID({info.ports[f'{bus}_arid']}), .WORDS({words}), "
        f'.FILE("{file.name}"))\n    memory_{number}_i(.clk(clk), .rst(rst), {", ".join(pins)});\n'
    )


def _port(name: str, width: int) -> str:
    direction = "input" if INPUT.fullmatch(name) or name.startswith("memory_") else "output"
    return f"{direction} {_range(width)}{name}"


def _range(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""
