"""The top module of a board: clock, reset, the accelerator at its serial port, two LEDs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Instance, Module, ResetSignal, Signal

from bitstreams.boards import Board
from bitstreams.boards.wiring import Pin, Wiring, wiring
from bitstreams.shell.clocks import Clocks, Limits, Setting, limits, solve
from bitstreams.shell.leds import LEDS, Leds
from bitstreams.shell.reset import ResetBridge
from hw.contract.design import DesignInfo
from hw.emit import emit_module
from hw.host_interface.protocol import clocks_per_bit
from hw.serial_design import TOP as SERIAL
from hw.serial_design import emit_serial, memory_ports
from hw.util.errors import ConfigError

TOP = "top"
"""Name of the module."""


@dataclass(frozen=True)
class Shell:
    """A shell for a board. verilog: its text, all but the accelerator. clock_hz: of the design, as made."""

    verilog: str
    setting: Setting
    baud: int

    @property
    def clock_hz(self) -> float:
        """Frequency of the design's clock."""
        return float(self.setting.f_out)


def pads(pins: Wiring) -> dict[str, Pin]:
    """Every port of the top module with its pin."""
    clocks = ("clock",) if len(pins.clock) == 1 else ("clock_p", "clock_n")
    return {
        **dict(zip(clocks, pins.clock, strict=True)),
        "button": pins.reset,
        "uart_rx": pins.uart_rx,
        "uart_tx": pins.uart_tx,
        **dict(zip(LEDS, pins.leds, strict=False)),
    }


def emit_shell(board: Board, info: DesignInfo, clock_hz: int, baud: int) -> Shell:
    """The shell for the accelerator of ``info`` on ``board``; the same bytes every time.

    Raises ``ConfigError`` when the clock or the bit rate cannot be made on this board, and for a design that
    reads its weights from external memory (:mod:`bitstreams.shell.block` is for those).
    """
    if any(memory_ports(info)):
        raise ConfigError(
            "the design reads its weights from external memory, which the open tools do not connect: use "
            "Vivado, or generate it without --stream-weights"
        )
    pins, able = wiring(board), limits(board)
    check_rate(board, baud)
    setting = solve(pins.clock_hz, clock_hz, able)
    serial = emit_serial(info, clocks_per_bit(float(setting.f_out), baud))
    top = Top(pins, setting, able)
    text = emit_module(top, TOP, list(top.ports.values()))
    return Shell(f"{text}\n{serial}", setting, baud)


def check_rate(board: Board, baud: int) -> None:
    """Raises ``ConfigError`` for a bit rate beyond the board's USB bridge."""
    if baud > board.max_baud:
        raise ConfigError(
            f"the USB bridge of the {board.name} does at most {board.max_baud} bit/s, "
            f"not {baud}: lower --baud"
        )


class Top(Elaboratable):  # type: ignore[misc]
    """The top module. ``ports``: every port by name; every one ends in a buffer of the pad."""

    def __init__(self, pins: Wiring, setting: Setting, able: Limits) -> None:
        self.pins, self.setting, self.able = pins, setting, able
        self.ports = {name: Signal(name=name) for name in pads(pins)}

    def elaborate(self, platform: Any) -> Module:
        """Pads, clock and reset, then what they serve."""
        m = Module()
        m.domains.sync = ClockDomain("sync")
        clocks = [self.ports[name] for name in self.ports if name.startswith("clock")]
        m.submodules.clocks = clocks_ = Clocks(self.setting, self.able, clocks)
        m.submodules.reset = reset = ResetBridge()
        button = self._in(m, "button", self.pins.reset)
        # The button resets the PLL as well, whose reset pin is then no constant: what every LiteX design
        # does, hence the case that the open tools are tried with.
        m.d.comb += [
            clocks_.reset.eq(button),
            reset.request.eq(~clocks_.locked | button),
            ResetSignal().eq(reset.reset),
        ]

        rx, tx = self._in(m, "uart_rx", self.pins.uart_rx), Signal()
        ports = {"i_clk": ClockSignal(), "i_rst": ResetSignal(), "i_uart_rx": rx, "o_uart_tx": tx}
        m.submodules.serial = Instance(SERIAL, **ports)
        self._out(m, "uart_tx", self.pins.uart_tx, tx)

        m.submodules.leds = leds = Leds(int(self.setting.f_out))
        m.d.comb += leds.tx.eq(tx)
        for (name, lit), pin in zip(leds.lit.items(), self.pins.leds, strict=False):
            self._out(m, name, pin, lit)
        return m

    def _in(self, m: Module, name: str, pin: Pin) -> Any:
        """What the pad reads, one when active."""
        value = Signal(name=f"{name}_in")
        m.submodules[f"{name}_pad"] = Instance("IBUF", i_I=self.ports[name], o_O=value)
        return ~value if pin.inverted else value

    def _out(self, m: Module, name: str, pin: Pin, value: Any) -> None:
        driven = Signal(name=f"{name}_out")
        m.d.comb += driven.eq(~value if pin.inverted else value)
        m.submodules[f"{name}_pad"] = Instance("OBUF", i_I=driven, o_O=self.ports[name])
