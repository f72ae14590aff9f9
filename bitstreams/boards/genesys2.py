"""Digilent Genesys 2: Kintex-7 XC7K325T, FT232R USB UART.

Pins: amaranth-boards; clock, reset button, UART and LEDs agree with Digilent's Genesys-2-Master.xdc and
litex-hub/litex-boards ``digilent_genesys2.py``.
"""

from amaranth_boards.genesys2 import Genesys2Platform

from bitstreams.boards.board import Board, Flash
from bitstreams.boards.memory import Controller, Memory

__all__ = ["BOARD", "Genesys2Platform"]

BOARD = Board(
    name="genesys2",
    title="Digilent Genesys 2 (Kintex-7)",
    part="xc7k325tffg900-2",
    family="xc7",
    dsp=840,
    bram36=445,
    uram=0,
    lut=203_800,
    ff=407_600,
    source="7 Series FPGAs Overview, DS180, XC7K325T",
    memories=(
        Memory(
            name="DDR3",
            kind="ddr3",
            part="MT41J256M16HA-107",
            bytes=1 << 30,
            bits=32,
            rate=800_000_000,  # the manual says up to 1,800
            source="as Digilent's board files (genesys2 H, mig.prj) run it",
        ),
    ),
    # Names of version H of the board files, whose preset wants the controller's reset low, as the button is.
    controllers=((Controller("mig7", ("ddr3_sdram",), ("sys_diff_clock",), reset="ACTIVE_LOW"),),),
    button=("reset", "ACTIVE_LOW"),
    pins="Genesys-2-Master.xdc; amaranth-boards",
    baud=921_600,
    max_baud=3_000_000,  # FT232R
    clock=200_000_000,
    open_clock=50_000_000,
    loader=("--board", "genesys2"),
    flash=Flash("s25fl256sxxxxxx0-spi-x1_x2_x4", "SPIx4", 32),
    board_part="digilentinc.com:genesys2:*",
    cfgbvs="VCCO",
    config_voltage=3.3,
    platform=Genesys2Platform,
)
