"""A design, what watches its ports, and external memory where it reads it, as one module for the bench."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hw.contract.design import DesignInfo
from hw.host_interface.registers import MEMORY_ADDRESS_BITS

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

BROKEN, UNFINISHED = "check_broken", "check_unfinished"
"""Outputs of ``TOP``: a bit for every promise of :func:`promises`, and whether a result lacks its end."""


def promises(info: DesignInfo) -> list[str]:
    """What the bits of ``check_broken`` watch, in words."""
    held = "{} took back or changed what it offered before it was taken"
    found = [held.format(name) for name in ("m_axis", "s_axil b", "s_axil r")]
    for bus in _buses(info):
        found += [held.format(f"{bus} ar"), f"{bus} asked for a burst that is unaligned or leaves its page"]
    return found


def _buses(info: DesignInfo) -> list[str]:
    return list(dict.fromkeys(match[1] for name in info.ports if (match := MEMORY.fullmatch(name))))


def _checks(info: DesignInfo) -> str:
    """Instances of ``port_checks.v``, in the order of :func:`promises`."""
    channels = [
        ("m_axis", ("tvalid", "tready", "tdata", "tlast"), 1),
        ("s_axil", ("bvalid", "bready", "bresp"), 1),
        ("s_axil", ("rvalid", "rready", "rdata", "rresp"), 1),
    ]
    text, bit = [], 0

    def handshake(bus: str, signals: Sequence[str], reset: int) -> None:
        nonlocal bit
        valid, ready, *payload = (f"{bus}_{signal}" for signal in signals)
        width = sum(info.ports[name] for name in payload)
        text.append(
            f"  handshake_check #(.WIDTH({width}), .RESET({reset})) check_{bit}_i(.clk(clk), .rst(rst), "
            f".valid({valid}), .ready({ready}), .payload({{{', '.join(payload)}}}), "
            f".broken({BROKEN}[{bit}]));\n"
        )
        bit += 1

    for channel in channels:
        handshake(*channel)
    for bus in _buses(info):
        handshake(bus, ("arvalid", "arready", "araddr", "arlen", "arid"), 0)
        text.append(
            f"  burst_check #(.DATA({info.ports[f'{bus}_rdata']}), .ADDRESS({info.ports[f'{bus}_araddr']})) "
            f"check_{bit}_i(.clk(clk), .valid({bus}_arvalid), .addr({bus}_araddr), .len({bus}_arlen), "
            f".size({bus}_arsize), .burst({bus}_arburst), .broken({BROKEN}[{bit}]));\n"
        )
        bit += 1
    text.append(
        "  frame_check frame_i(.clk(clk), .rst(rst), .valid(m_axis_tvalid), .ready(m_axis_tready), "
        f".last(m_axis_tlast), .unfinished({UNFINISHED}));\n"
    )
    return "".join(text)


def wrapped(info: DesignInfo, verilog: str, files: Sequence[Path]) -> tuple[str, dict[str, int]]:
    """Verilog of module ``TOP``, with the design's own ``verilog``, and its ports with their widths.

    files: the images that memories hold, one for each; none of a design without external memory.
    """
    inner = {name: width for name, width in info.ports.items() if MEMORY.fullmatch(name)}
    outer = {name: width for name, width in info.ports.items() if name not in inner}
    if files:
        outer |= {f"memory_{name}": width for name, width in CONTROLS.items()}
    outer |= {BROKEN: len(promises(info)), UNFINISHED: 1}
    ports = ",\n  ".join(_port(name, width) for name, width in outer.items())
    wires = "".join(f"  wire {_range(width)}{name};\n" for name, width in inner.items())
    design = ", ".join(f".{name}({name})" for name in info.ports)
    pairs = zip(_buses(info), files, strict=True)
    memories = "".join(_memory(info, bus, file, len(files)) for bus, file in pairs)
    inside = f"{wires}  {info.top} dut({design});\n{memories}{_checks(info)}"
    text = f"module {TOP}(\n  {ports}\n);\n{inside}endmodule\n"
    names = ("axi_memory.v", "port_checks.v") if files else ("port_checks.v",)
    models = [(Path(__file__).parent / name).read_text(encoding="utf-8") for name in names]
    return "\n".join([verilog, *models, text]), outer


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
