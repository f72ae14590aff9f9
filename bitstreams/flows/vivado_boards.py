"""Vivado's names of things on the boards: flashes, and what a block design asks the board files for.

Interfaces are those of the board files in Xilinx/XilinxBoardStore (vc709 1.8, vcu118 2.0 to 2.4), the places
of PCI Express blocks too; sizes of flashes are those of their data sheets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bitstreams.boards import Board
from hw.util.errors import ConfigError


@dataclass(frozen=True)
class Flash:
    """A configuration memory.

    interface: as ``write_cfgmem`` names it. mbytes: its size, both halves of a pair together.
    alias: another name under which releases of Vivado know it.
    """

    interface: str
    mbytes: int
    alias: str = ""

    @property
    def images(self) -> tuple[str, ...]:
        """The files that ``write_cfgmem -file spec2.mcs`` makes: two where a pair shares every byte."""
        return ("spec2_primary.mcs", "spec2_secondary.mcs") if self.interface == "SPIx8" else ("spec2.mcs",)


@dataclass(frozen=True)
class Block:
    """What the block design around the accelerator needs to know of a board.

    dram: ``mig7`` or ``ddr4``, which is also the name of its script. dram_interfaces: the memory among
    the board's interfaces, the preferred name first. dram_clock: its clock.
    xdma: parameters that place PCI Express, by name.
    """

    dram: str
    dram_interfaces: tuple[str, ...]
    dram_clock: str
    xdma: Mapping[str, str] = field(default_factory=dict)


FLASHES = {
    "mt28gu01gaax1e-bpi-x16": Flash("BPIx16", 128, "28f00ag18f-bpi-x16"),
    "28f00ap30t-bpi-x16": Flash("BPIx16", 128),
    "mt25qu01g-spi-x1_x2_x4_x8": Flash("SPIx8", 256),  # a pair of 128 MB
    "s25fl256sxxxxxx0-spi-x1_x2_x4": Flash("SPIx4", 32),
    "s25fl128sxxxxxx0-spi-x1_x2_x4": Flash("SPIx4", 16),
    "n25q128-3.3v-spi-x1_x2_x4": Flash("SPIx4", 16),
}
"""By Vivado's name."""

BLOCKS = {
    "vc709": Block(
        dram="mig7",
        dram_interfaces=("ddr3_sdram_socket_j1",),
        dram_clock="sys_diff_clock",
        xdma={"mode_selection": "Advanced", "pcie_blk_locn": "X0Y1"},
    ),
    "vcu118": Block(
        dram="ddr4",
        # Later boards carry a faster memory; the oldest board files know one name only.
        dram_interfaces=("ddr4_sdram_c1_062", "ddr4_sdram_c1"),
        dram_clock="default_250mhz_clk1",
        xdma={
            "mode_selection": "Advanced",
            "pcie_blk_locn": "X1Y2",
            "en_gt_selection": "true",
            "select_quad": "GTY_Quad_227",
        },
    ),
}
"""The boards with PCI Express and DRAM, by name."""


def flash(board: Board) -> Flash:
    """The board's flash; ``ConfigError`` for one that is not in the table."""
    try:
        return FLASHES[board.flash]
    except KeyError:
        raise ConfigError(
            f"the Vivado flow does not know the flash {board.flash!r} of {board.name}: add it to FLASHES"
        ) from None


def block(board: Board) -> Block:
    """The board's part of the block design; ``ConfigError`` for a board that has none."""
    try:
        return BLOCKS[board.name]
    except KeyError:
        raise ConfigError(
            f"the {board.name} has no PCI Express shell, {' and '.join(BLOCKS)} have: use --transport uart"
        ) from None
