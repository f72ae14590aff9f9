"""Designs as Vivado builds them: plain Verilog behind a serial port, or block designs around the accelerator.

:mod:`bitstreams.flows.vivado_files` has the scripts, and puts what differs into ``settings.tcl``.
"""

from __future__ import annotations

from bitstreams.boards import BOARDS, Board
from bitstreams.boards.board import PCIE, UART, ZYNQ
from bitstreams.flows import device_tree, memory_map, processors
from bitstreams.flows.vivado_files import Texts, plan_files
from bitstreams.plans.plan import combined
from bitstreams.shell import block as shell_block
from bitstreams.shell import constraints as shell_constraints
from hw.contract.design import DesignInfo
from hw.emit import emit_module
from hw.gateware.pcie import wrapper
from hw.util.errors import ConfigError


def uart_files(
    board: Board, *, top: str, mhz: float, verilog: Texts, images: Texts, constraints: Texts
) -> dict[str, bytes]:
    """The files of a plan whose module ``top`` is plain Verilog with its pins in the constraints.

    ``images`` are contents of memories.
    """
    return plan_files(board, UART, top, mhz, verilog, images, constraints)


def memory_files(
    board: Board, info: DesignInfo, *, mhz: float, verilog: Texts, images: Texts
) -> dict[str, bytes]:
    """The files of a plan with the accelerator, its serial port and DRAM in a block design; ``verilog`` has
    the shell's module for it.

    Raises ``ConfigError`` for memories that the board does not join.
    """
    return plan_files(
        board,
        UART,
        shell_block.TOP,
        mhz,
        verilog,
        images,
        {"board.xdc": shell_constraints.block(board)},
        {
            "board_part": board.board_part,
            "button": board.button,
            "primitive": shell_block.primitive(board),
            "pads": [word for pad in shell_block.PADS.items() for word in pad],
            **memory_map.memory_map(board, info).settings(),
        },
    )


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
    return plan_files(
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
            "pcie_in_board_file": "0" if block.pins else "1",
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
    files = plan_files(
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
        "# Pins are those of the block design, or here; the clock of PCI Express is not created there.",
        *(board.pcie.pins.constraints() if board.pcie and board.pcie.pins else []),
        "create_clock -name pcie_refclk -period 10.000 [get_ports pcie_refclk_clk_p*]",
        "set_false_path -from [get_ports pcie_perstn*]",
        "set_false_path -from [get_ports reset*]",
        *board.configuration,
    ]
    return "\n".join([*lines, ""])
