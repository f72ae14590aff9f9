"""The Vivado flow: a plan that needs Vivado and nothing else.

The plan's scripts are the files beside this module in ``tcl/``; what differs between designs and boards is
in one generated file, ``settings.tcl``. ``vivado -mode batch -source build.tcl`` does everything;
:mod:`bitstreams.flows.vivado_reports` reads what it leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib.resources import files as resources
from pathlib import Path

from bitstreams.boards import BOARDS, Board
from bitstreams.boards.board import PCIE, UART, ZYNQ, Flash
from bitstreams.flows import device_tree, memory_map, processors
from bitstreams.plans.manifest import describe
from bitstreams.plans.plan import Plan, combined
from bitstreams.shell import constraints as shell_constraints
from bitstreams.shell import top as shell_top
from hw.contract.design import DesignInfo
from hw.contract.design_files import VERILOG
from hw.emit import emit_module
from hw.gateware.pcie import wrapper
from hw.util import quote
from hw.util.errors import ConfigError

FLOW = "vivado"

BITSTREAM, HANDOFF = "spec2.bit", "spec2.hwh"
"""What a run leaves in its folder; the flash image, or a description of the block design, lies beside it."""

CLOCK_RANGES = {PCIE: (10_000_000, 600_000_000), ZYNQ: processors.CLOCK_RANGE}
"""Design clocks in Hz: what an MMCM makes of the 250 MHz of PCI Express on either family; beside a
processor."""

REPORTS = "reports"
"""Folder of the reports of a run (:mod:`bitstreams.flows.vivado_reports`)."""

_ALWAYS = ("build.tcl", "common.tcl", "versions.tcl", "verilog.tcl")

_JTAG = ("program.tcl", "flash.tcl", "hardware.tcl")
"""What loads a device that no processor loads."""

_OF_TRANSPORT = {
    UART: ("synth_uart.tcl", *_JTAG),
    PCIE: ("synth_block.tcl", "block.tcl", "pcie.tcl", "board.tcl", "dram.tcl", "memory.tcl", *_JTAG),
    ZYNQ: ("synth_block.tcl", "block.tcl", "zynq.tcl"),
}

Texts = Mapping[str, str]
"""File names to contents."""


def plan(
    design: Path | str, board: Board, *, transport: str = "uart", clock_hz: int = 0, baud: int = 0
) -> Plan:
    """The build of the design in folder ``design`` for ``board``, shell included.

    transport: ``uart``, ``pcie`` with DRAM beside it, or ``zynq`` with a processor. ``clock_hz`` and ``baud``
    of 0 take the board's defaults; the manifest's ``baud`` stays 0 where there is no UART. Raises
    ``ConfigError`` for what the board cannot do, ``ArtifactError`` without a complete design.
    """
    folder, info = Path(design), DesignInfo.load(design)
    # Weights that memory holds are no part of the device: whoever loads them takes them from the design.
    loaded = info.weight_files
    held = {name: content for name, content in info.read(folder).items() if name not in loaded}
    texts = {name: content.decode() for name, content in held.items()}
    verilog = {name: text for name, text in texts.items() if name.endswith(VERILOG)}
    images = {name: text for name, text in texts.items() if name not in verilog}
    clock_hz = clock_hz or board.clock
    memory: list[dict[str, object]] = []
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
        memory = memory_map.memory_map(board, info).to_json()
    else:
        baud = baud or board.baud
        shell = shell_top.emit_shell(board, info, clock_hz, baud)
        made = shell.clock_hz
        files = uart_files(
            board,
            top=shell_top.TOP,
            mhz=made / 1e6,
            verilog=combined(verilog, {"shell.v": shell.verilog}),
            images=images,
            constraints={"board.xdc": shell_constraints.vivado(board)},
        )
    return Plan(
        name=f"{info.network.name}-{board.name}-{FLOW}-{transport}",
        run="vivado -mode batch -source build.tcl",
        files=files,
        products=(BITSTREAM, *(board.flash.images if board.flash else [HANDOFF])),
        manifest=describe(folder, board, FLOW, transport=transport, clock_hz=made, baud=baud, memory=memory),
    )


def uart_files(
    board: Board, *, top: str, mhz: float, verilog: Texts, images: Texts, constraints: Texts
) -> dict[str, bytes]:
    """The files of a plan whose module ``top`` is plain Verilog with its pins in the constraints.

    ``images`` are contents of memories.
    """
    return _plan(board, UART, top, mhz, verilog, images, constraints, {})


def pcie_files(
    board: Board, info: DesignInfo, *, mhz: float, verilog: Texts, images: Texts
) -> dict[str, bytes]:
    """The files of a plan with the accelerator in a block design: PCI Express, DRAM, clocks, resets.

    Raises ``ConfigError`` for a board without PCI Express, or too few memories, or a design with ports that
    have no place in it.
    """
    block = board.pcie
    if block is None:
        able = ", ".join(name for name, other in BOARDS.items() if other.pcie)
        raise ConfigError(f"the {board.name} has no PCI Express shell, {able} have: use --transport uart")
    memories = memory_map.memory_map(board, info)
    return _plan(
        board,
        PCIE,
        wrapper.WRAPPER,
        mhz,
        combined(
            verilog,
            {
                f"{wrapper.WRAPPER}.v": wrapper.wrapper(info),
                **shell_modules(info),
            },
        ),
        images,
        {"pcie.xdc": pcie_constraints(board)},
        {
            "board_part": board.board_part,
            "series": "7" if board.family == "xc7" else "usp",
            "lanes": str(block.lanes),
            "gts": block.gts,
            "link_bytes": str(block.link_bits // 8),
            "button": board.button,
            "xdma": [word for name, value in block.xdma.items() for word in (f"CONFIG.{name}", value)],
            "stream_bytes": str(info.config.stream_pixels),
            "windows": [
                word
                for bus, offset in memory_map.WINDOWS.items()
                if memories.routes or not bus.startswith("loader/")
                for word in (bus, f"0x{offset:04X}")
            ],
            **memories.settings(),
        },
    )


def zynq_files(
    board: Board, info: DesignInfo, *, mhz: float, verilog: Texts, images: Texts
) -> dict[str, bytes]:
    """The files of a plan with the accelerator in a block design beside a processor, and a device-tree
    overlay.

    Raises ``ConfigError`` for a board without one, or a design that reads its weights from memory.
    """
    if not board.processor:
        able = ", ".join(name for name, other in BOARDS.items() if other.processor)
        raise ConfigError(f"the {board.name} has no processor, {able} have: use --transport uart")
    files = _plan(
        board,
        ZYNQ,
        wrapper.WRAPPER,
        mhz,
        combined(
            verilog,
            {f"{wrapper.WRAPPER}.v": wrapper.wrapper(info, processor=True), **shell_modules(info)},
        ),
        images,
        {},  # no pin of the logic is used, and every clock is made by an IP
        {"board_part": board.board_part, **processors.settings(board.processor, info)},
    )
    return combined(files, {device_tree.FILE_NAME: device_tree.overlay(board, info).encode()})


def shell_modules(info: DesignInfo) -> dict[str, str]:
    """Verilog of what lies between a host and the accelerator, by file; the same bytes every time."""
    return {
        f"{name}.v": emit_module(part, name, ports) for name, (part, ports) in wrapper.parts(info).items()
    }


def pcie_constraints(board: Board) -> str:
    """The XDC beside the block design: what neither its IP nor the board files constrain."""
    lines = [
        "# Pins lie in the block design; the clock of PCI Express is not created there.",
        "create_clock -name pcie_refclk -period 10.000 [get_ports pcie_refclk_clk_p*]",
        "set_false_path -from [get_ports pcie_perstn*]",
        "set_false_path -from [get_ports reset*]",
        *board.configuration,
    ]
    return "\n".join([*lines, ""])


def _plan(
    board: Board,
    transport: str,
    top: str,
    mhz: float,
    verilog: Texts,
    images: Texts,
    constraints: Texts,
    more: Mapping[str, str | Iterable[str]],
) -> dict[str, bytes]:
    scripts = [*_ALWAYS, *_OF_TRANSPORT[transport]]
    texts = combined(verilog, images, constraints, {name: script(name) for name in scripts})
    plan = {name: text.encode() for name, text in texts.items()}
    settings: dict[str, str | Iterable[str]] = {
        "board": board.name,
        "part": board.part,
        "transport": transport,
        "synthesis": "uart" if transport == UART else "block",
        "top": top,
        "mhz": f"{mhz:.3f}",
        "verilog": verilog,
        "images": images,
        "constraints": constraints,
        **_flash(board.flash),
        **more,
    }
    # Checkpoints are stamped with what they were made from: these files and settings.
    text = _settings(settings)
    stamp = _digest({**plan, "settings.tcl": text.encode()})
    plan["settings.tcl"] = (text + _settings({"inputs": stamp})).encode()
    return plan


def _flash(flash: Flash | None) -> dict[str, str | Iterable[str]]:
    if flash is None:
        return {"flash_interface": ""}
    return {
        "flash_interface": flash.interface,
        "flash_mbytes": str(flash.mbytes),
        "flash_offset": f"0x{flash.offset:08X}",
        "flash_parts": [name for name in (flash.name, flash.alias) if name],
    }


def script(name: str) -> str:
    """The text of one of the Tcl files beside this module."""
    return resources("bitstreams.flows").joinpath("tcl", name).read_text(encoding="utf-8")


def _settings(values: Mapping[str, str | Iterable[str]]) -> str:
    """Tcl that sets ``settings(name)`` to a word or a list of words."""
    lines = []
    for name, value in values.items():
        word = quote.tcl(value) if isinstance(value, str) else quote.tcl_list(value)
        lines.append(f"set settings({name}) {word}\n")
    return "".join(lines)


def _digest(plan: Mapping[str, bytes]) -> str:
    sha = hashlib.sha256()
    for name in sorted(plan):
        sha.update(f"{name}:{len(plan[name])}:".encode())
        sha.update(plan[name])
    return sha.hexdigest()


def command(vivado: Path | str, *, allow_timing_fail: bool = False, threads: int = 8) -> list[str]:
    """The command that runs a plan, in the folder it was unpacked to."""
    options = ["--threads", str(threads), *(["--allow-timing-fail"] if allow_timing_fail else [])]
    batch = [str(vivado), "-mode", "batch", "-nojournal", "-nolog", "-notrace"]
    return [*batch, "-source", "build.tcl", "-tclargs", *options]
