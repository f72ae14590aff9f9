"""The openXC7 flow: yosys, nextpnr-xilinx and Project X-Ray, for the 7-series boards they know.

The plan's scripts are the templates beside this module. Its build is followed by :mod:`.nextpnr`.
"""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import files as resources
from pathlib import Path

from bitstreams.boards import BOARDS, Board
from bitstreams.flows.packed import PACKED
from bitstreams.flows.routed_timing import BLIND
from bitstreams.plans.manifest import describe
from bitstreams.plans.plan import Plan, combined
from bitstreams.shell import constraints
from bitstreams.shell.top import emit_shell
from bitstreams.synthesis.netlist import Mapped, read
from bitstreams.synthesis.yosys import Synthesis, count
from hw.contract.design import DesignInfo
from hw.contract.design_files import VERILOG
from hw.util import quote
from hw.util.errors import ConfigError, ToolFailed

FLOW = "openxc7"

TOOLS = ("yosys", "nextpnr-xilinx", "fasm2frames", "xc7frames2bit")
"""What a run of the plan needs on the path, besides two databases."""

BITSTREAM = "top.bit"

LOG = "nextpnr.log"
"""Output of placement and routing, for :func:`bitstreams.flows.nextpnr.read`."""

FASM, SDF, NETLIST = "top.fasm", "top.sdf", "top.json"
"""What is set in the device, feature by feature; delays after routing; the synthesised design."""

PRODUCTS = (BITSTREAM, LOG, "yosys.log", "synthesis.txt", "tools.txt")


def plan(design: Path | str, board: Board, *, clock_hz: int = 0, baud: int = 0, dsp: bool = True) -> Plan:
    """The build of the design in folder ``design`` for ``board``, shell and UART included.

    ``clock_hz`` and ``baud`` of 0 take the board's defaults. Without ``dsp`` multipliers are made of LUTs:
    many, but right with any release of nextpnr-xilinx. Raises ``ConfigError`` for a board or clock
    out of reach, ``ArtifactError`` without a design.
    """
    if board.open_clock is None or board.xray is None:
        able = ", ".join(name for name, other in BOARDS.items() if other.open_clock)
        raise ConfigError(
            f"the open tools have no database of the {board.part} on the {board.name}: "
            f"use Vivado, or one of {able}"
        )
    folder, info = Path(design), DesignInfo.load(design)
    shell = emit_shell(board, info, clock_hz or board.open_clock, baud or board.baud)
    files = info.read(folder)
    sources = [name for name in files if name.endswith(VERILOG)] + ["shell.v"]
    values = {
        "NAME": quote.line(f"{info.network.name} on the {board.name}"),
        "SOURCES": quote.yosys(*sources),
        "PACKED": " ".join(f"t:{name} %d" for name in PACKED),
        "DSP": "" if dsp else " -nodsp",
        "MHZ": f"{shell.clock_hz / 1e6:.3f}",
        "PART": board.part,
        "DEVICE": board.die,
        "FAMILY": board.xray,
        "UPPER": board.xray.upper(),
        "CHIPDBS": f"{board.die}{board.package} {board.part} {board.die}",
        "BITSTREAM": BITSTREAM,
        "PRODUCTS": ", ".join(PRODUCTS),
        "BLIND": BLIND,
    }
    texts = {
        "shell.v": shell.verilog,
        "top.xdc": constraints.openxc7(board, shell.clock_hz),
        "synth.ys": _fill("openxc7.ys", values),
        "build.sh": _fill("openxc7.sh", values),
    }
    return Plan(
        name=f"{info.network.name}-{board.name}-{FLOW}",
        run="./build.sh",
        files=combined(files, {name: text.encode() for name, text in texts.items()}),
        products=PRODUCTS,
        manifest=describe(folder, board, FLOW, clock_hz=shell.clock_hz, baud=shell.baud),
    )


def synthesised(netlist: Path | str) -> Synthesis:
    """The cells of ``top.json``, which the plan's synthesis writes. Raises ``ToolFailed`` without it."""
    path = Path(netlist)
    data: Mapped = read(path, Mapped)
    if "top" not in data.modules:
        raise ToolFailed(f"the netlist at {path} has no module 'top': build it again")
    cells = Counter(cell.type for cell in data.modules["top"].cells.values())
    stat = {"modules": {}, "design": {"num_cells_by_type": cells}, "creator": data.creator}
    return count(stat, "xc7", 0.0)


def command(*, allow_timing_fail: bool = False) -> list[str]:
    """The command that runs a plan, in the folder it was unpacked to."""
    return ["./build.sh", *(["--allow-timing-fail"] if allow_timing_fail else [])]


def _fill(template: str, values: dict[str, str]) -> str:
    """The template beside this module with every ``@NAME@`` replaced."""
    text = resources("bitstreams.flows").joinpath(template).read_text(encoding="utf-8")
    return re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], text)
