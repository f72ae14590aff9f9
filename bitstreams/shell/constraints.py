"""Constraints of the shell, once for Vivado and once for nextpnr-xilinx.

nextpnr-xilinx reads a subset of XDC (``xilinx/xdc.cc``): ``set_property`` of one port at a time and
``create_clock``. It skips what it does not know, today with a message and formerly with an error, so it is
given nothing else. Its clock constraint counts for the very net it names: until 2026-08 nothing carried it
from the pin through buffers and PLL (openXC7/nextpnr-xilinx#155). So the design's clock is constrained by
name as well, and ``--freq`` says it a third time, to whatever clock may have another name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bitstreams.boards import Board
from bitstreams.boards.wiring import Pin, wiring
from bitstreams.shell.leds import LEDS
from bitstreams.shell.top import pads

DESIGN_CLOCK = "clk"
"""The net of the design's clock in the top module."""


def vivado(board: Board) -> str:
    """XDC for Vivado: pins, input clock (others are derived), asynchronous pins, configuration."""
    asynchronous = [
        "set_false_path -from [get_ports {button uart_rx}]",
        f"set_false_path -to [get_ports {{uart_tx {' '.join(LEDS)}}}]",
    ]
    return "\n".join(
        [*_pins(pads(wiring(board))), *_input_clock(board), *asynchronous, *board.configuration, ""]
    )


def block(board: Board) -> str:
    """XDC for Vivado beside a block design with memory: pins of serial port, LEDs and button, which there has
    its name of the board files. The oscillator leads to a controller, which constrains it."""
    button, _ = board.button
    ports = {name: pin for name, pin in pads(wiring(board)).items() if not name.startswith("clock")}
    ports[button] = ports.pop("button")
    asynchronous = [
        f"set_false_path -from [get_ports {{{button} uart_rx}}]",
        f"set_false_path -to [get_ports {{uart_tx {' '.join(LEDS)}}}]",
    ]
    return "\n".join([*_pins(ports), *asynchronous, *board.configuration, ""])


def openxc7(board: Board, clock_hz: float) -> str:
    """XDC for nextpnr-xilinx: pins, input clock, and the design's clock of ``clock_hz``."""
    design = f"create_clock -name design -period {1e9 / clock_hz:.3f} [get_nets {DESIGN_CLOCK}]"
    return "\n".join([*_pins(pads(wiring(board))), *_input_clock(board), design, ""])


def _pins(ports: Mapping[str, Pin]) -> Iterator[str]:
    for name, pin in ports.items():
        yield f"set_property PACKAGE_PIN {pin.site} [get_ports {name}]"
        yield f"set_property IOSTANDARD {pin.iostandard} [get_ports {name}]"


def _input_clock(board: Board) -> Iterator[str]:
    pins = wiring(board)
    port = next(iter(pads(pins)))
    yield f"create_clock -name oscillator -period {1e9 / pins.clock_hz:.3f} [get_ports {port}]"
