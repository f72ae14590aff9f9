"""A design, what watches and feeds its ports, and external memory where it reads it, as one module."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hw.contract.design import DesignInfo
from hw.host_interface.registers import MEMORY_ADDRESS_BITS

TOP = "spec2_bench"

DESIGN = "dut"
"""The instance of the design in it."""

CONTROLS = {
    "latency": 16, "gap": 8, "stall": 8, "apart": 1, "bad": 32, "seed": 32, "base": MEMORY_ADDRESS_BITS,
}  # fmt: skip
"""Inputs of ``axi_memory.v`` that the bench drives, as ``memory_latency`` and so on; their widths."""

MEMORY = re.compile(r"(m_axi(?:_\d)?)_([a-z]+)")
"""A signal of a memory port: ``m_axi_araddr``, or ``m_axi_1_araddr`` of memories side by side."""

PIECE = 1024
"""Bits of a piece of a frame, at most 32 beats."""

SOURCE = {
    "pause": 1, "epoch": 1, "given": 2, "beats_0": PIECE, "beats_1": PIECE, "count_0": 6, "count_1": 6,
    "lasts": 2,
}  # fmt: skip
"""Inputs of ``frame_source`` in ``frames.v`` that the bench drives, as ``source_pause`` and so on."""

SINK = {"pause": 1, "epoch": 1}
"""Inputs of ``frame_sink``, as ``sink_pause`` and so on."""

PIECES = {
    "source_taken": 2, "sink_given": 1, "sink_beats": PIECE, "sink_count": 6, "sink_last": 1, "sink_of": 1,
}  # fmt: skip
"""What the bench reads of both."""

INPUT = re.compile(
    r"clk|rst|s_axil_((aw|w|ar)(?!ready)\w+|[br]ready)|memory_\w+|"
    rf"source_({'|'.join(SOURCE)})|sink_({'|'.join(SINK)})"
)
"""Names of the inputs of ``TOP``; streams are fed inside, and seen, and memory ports stay inside."""

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
    outer |= {f"source_{name}": width for name, width in SOURCE.items()}
    outer |= {f"sink_{name}": width for name, width in SINK.items()}
    outer |= {**PIECES, BROKEN: len(promises(info)), UNFINISHED: 1}
    ports = ",\n  ".join(_port(name, width) for name, width in outer.items())
    wires = "".join(f"  wire {_range(width)}{name};\n" for name, width in inner.items())
    design = ", ".join(f".{name}({name})" for name in info.ports)
    pairs = zip(_buses(info), files, strict=True)
    memories = "".join(_memory(info, bus, file, len(files)) for bus, file in pairs)
    streams = _streams(info.ports["s_axis_tdata"])
    inside = f"{wires}  {info.top} {DESIGN}({design});\n{memories}{streams}{_checks(info)}"
    text = f"module {TOP}(\n  {ports}\n);\n{inside}endmodule\n"
    names = ("axi_memory.v",) * bool(files) + ("frames.v", "port_checks.v")
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


def _streams(width: int) -> str:
    """Instances of ``frames.v`` at both streams, of ``width`` bits."""
    text = []
    for kind, bus, controls in (("source", "s_axis", SOURCE), ("sink", "m_axis", SINK)):
        names = [f"{kind}_{name}" for name in controls]
        names += [name for name in PIECES if name.startswith(kind)]
        pins = [f".{name.removeprefix(kind + '_')}({name})" for name in names]
        pins += [f".{signal}({bus}_{signal})" for signal in ("tvalid", "tready", "tdata", "tlast")]
        text.append(
            f"  frame_{kind} #(.WIDTH({width}), .BEATS({PIECE // width})) {kind}_i("
            f".clk(clk), .rst(rst), {', '.join(pins)});\n"
        )
    return "".join(text)


def _port(name: str, width: int) -> str:
    direction = "input" if INPUT.fullmatch(name) else "output"
    return f"{direction} {_range(width)}{name}"


def _range(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""
