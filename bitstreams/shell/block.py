"""What a block design with memory has of the shell: the accelerator with its serial port, and the LEDs.

Pads and clock are the block design's (``tcl/uart.tcl``): the oscillator leads to the first controller of
memory, and the design's clock is made of the one that this controller has for its port.
"""

from __future__ import annotations

from bitstreams.boards import Board
from bitstreams.boards.wiring import wiring
from bitstreams.shell.clocks import limits, solve
from bitstreams.shell.leds import LEDS, Leds
from bitstreams.shell.top import Shell, check_rate
from hw.contract.design import DesignInfo
from hw.emit import emit_module
from hw.gateware.serial.wrapper import WRAPPER, wrapper
from hw.host_interface.protocol import clocks_per_bit
from hw.serial_design import TOP as SERIAL
from hw.serial_design import emit_serial

TOP = WRAPPER
"""Name of the module that the block design takes."""

LED_MODULE = "spec2_leds"

PADS = {"uart_rx": "I", "uart_tx": "O", **dict.fromkeys(LEDS, "O")}
"""Its ports that lead to pads, and their directions."""

PRIMITIVES = {"PLLE2_ADV": "PLL", "MMCME4_BASE": "MMCM"}
"""What the clock wizard calls the primitive whose dividers were looked for."""


def primitive(board: Board) -> str:
    """The primitive that makes the clock, as the clock wizard calls it."""
    return PRIMITIVES[limits(board).primitive]


def emit_block_shell(board: Board, info: DesignInfo, clock_hz: int, baud: int) -> Shell:
    """The module :data:`TOP` for a design that reads its weights; the same bytes every time.

    Raises ``ConfigError`` when the clock or the bit rate cannot be made on this board.
    """
    check_rate(board, baud)
    setting = solve(board.memories[0].port_hz, clock_hz, limits(board))
    serial = emit_serial(info, clocks_per_bit(float(setting.f_out), baud))
    leds = Leds(int(setting.f_out))
    lit = {name: not pin.inverted for name, pin in zip(LEDS, wiring(board).leds, strict=True)}
    parts = [wrapper(info, SERIAL, LED_MODULE, lit), emit_module(leds, LED_MODULE, leds.ports), serial]
    return Shell("\n".join(parts), setting, baud)
