"""The Vivado flow: a plan that needs Vivado and nothing else.

``vivado -mode batch -source build.tcl`` does everything; :mod:`bitstreams.flows.vivado_designs` has the files
of each kind of design, and :mod:`bitstreams.flows.vivado_reports` reads what a run leaves.
"""

from __future__ import annotations

from pathlib import Path

from bitstreams.boards import Board
from bitstreams.boards.board import PCIE, ZYNQ
from bitstreams.flows import memory_map, processors
from bitstreams.flows.vivado_designs import memory_files, pcie_files, uart_files, zynq_files
from bitstreams.plans.manifest import describe
from bitstreams.plans.plan import Plan, combined
from bitstreams.shell import block as shell_block
from bitstreams.shell import constraints as shell_constraints
from bitstreams.shell import top as shell_top
from hw.contract.design import DesignInfo
from hw.contract.design_files import VERILOG
from hw.util.errors import ConfigError

FLOW = "vivado"

BITSTREAM, HANDOFF = "spec2.bit", "spec2.hwh"
"""What a run leaves in its folder; the flash image, or a description of the block design, lies beside it."""

CLOCK_RANGES = {PCIE: (10_000_000, 600_000_000), ZYNQ: processors.CLOCK_RANGE}
"""Design clocks in Hz: what an MMCM makes of the 250 MHz of PCI Express on either family; beside a
processor."""

REPORTS = "reports"
"""Folder of the reports of a run (:mod:`bitstreams.flows.vivado_reports`)."""


def plan(
    design: Path | str, board: Board, *, transport: str = "uart", clock_hz: int = 0, baud: int = 0
) -> Plan:
    """The build of the design in folder ``design`` for ``board``, shell included.

    transport: ``uart`` or ``pcie``, with DRAM for a design that reads its weights, or ``zynq`` with a
    processor. ``clock_hz`` and ``baud`` of 0 take the board's defaults; the manifest's ``baud`` stays 0 where
    there is no UART. Raises ``ConfigError`` for what the board cannot do, ``ArtifactError`` without a
    complete design.
    """
    folder, info = Path(design), DesignInfo.load(design)
    # Weights that memory holds are no part of the device: whoever loads them takes them from the design.
    loaded = info.weight_files
    held = {name: content for name, content in info.read(folder).items() if name not in loaded}
    texts = {name: content.decode() for name, content in held.items()}
    verilog = {name: text for name, text in texts.items() if name.endswith(VERILOG)}
    images = {name: text for name, text in texts.items() if name not in verilog}
    clock_hz = clock_hz or board.clock
    memory = memory_map.memory_map(board, info).to_json()  # refuses what the board does not join
    if transport in CLOCK_RANGES:
        least, most = CLOCK_RANGES[transport]
        if not least <= clock_hz <= most:
            raise ConfigError(
                f"the design clock must be {least / 1e6:g} to {most / 1e6:g} MHz, "
                f"not {clock_hz / 1e6:g} MHz: the clock wizard makes no other"
            )
        made, baud = float(clock_hz), 0
        in_block = pcie_files if transport == PCIE else zynq_files
        files = in_block(board, info, mhz=made / 1e6, verilog=verilog, images=images)
    else:
        baud = baud or board.baud
        emit_shell = shell_block.emit_block_shell if memory else shell_top.emit_shell
        shell = emit_shell(board, info, clock_hz, baud)
        made, verilog = shell.clock_hz, combined(verilog, {"shell.v": shell.verilog})
        if memory:
            files = memory_files(board, info, mhz=made / 1e6, verilog=verilog, images=images)
        else:
            constraints = {"board.xdc": shell_constraints.vivado(board)}
            files = uart_files(
                board,
                top=shell_top.TOP,
                mhz=made / 1e6,
                verilog=verilog,
                images=images,
                constraints=constraints,
            )
    return Plan(
        name=f"{info.network.name}-{board.name}-{FLOW}-{transport}",
        run="vivado -mode batch -source build.tcl",
        files=files,
        products=(BITSTREAM, *(board.flash.images if board.flash else [HANDOFF])),
        manifest=describe(folder, board, FLOW, transport=transport, clock_hz=made, baud=baud, memory=memory),
    )


def command(vivado: Path | str, *, allow_timing_fail: bool = False, threads: int = 8) -> list[str]:
    """The command that runs a plan, in the folder it was unpacked to."""
    options = ["--threads", str(threads), *(["--allow-timing-fail"] if allow_timing_fail else [])]
    batch = [str(vivado), "-mode", "batch", "-nojournal", "-nolog", "-notrace"]
    return [*batch, "-source", "build.tcl", "-tclargs", *options]
