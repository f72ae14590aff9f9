"""From a board's oscillator to the design's clock: dividers of a PLL, and the primitives around it.

7 series: PLLE2_ADV (UG472, limits from DS181, DS182, DS183, table "PLL Specification").
UltraScale+: MMCME4_BASE (UG572, limits from DS923, table "MMCM Specification", 0.85 V).

``f_vco = f_in · mult / div_in``, ``f_out = f_vco / div_out``, all three whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from amaranth.hdl import ClockSignal, Elaboratable, Instance, Module, Signal

from bitstreams.boards import Board
from hw.util.errors import ConfigError

TOLERANCE = Fraction(1, 1000)
"""A design clock may miss the asked-for one by this share."""

MHZ = 1_000_000

VCO_TARGET = 1200 * MHZ
"""Middle of 800 to 1600 MHz, which every speed grade of both families has."""


@dataclass(frozen=True)
class Limits:
    """Ranges of a primitive, bounds included: frequencies in MHz, dividers as numbers."""

    primitive: str
    f_in: tuple[float, float]
    f_pfd: tuple[float, float]
    f_vco: tuple[float, float]
    f_out: tuple[float, float]
    mult: tuple[int, int]
    div_in: tuple[int, int]
    div_out: tuple[int, int] = (1, 128)


def limits(board: Board) -> Limits:
    """What the PLL of the board's device and speed grade can do."""
    speed = board.speed - 1
    if board.family == "xcup":
        return Limits(
            "MMCME4_BASE",
            f_in=(10, (800, 933, 1066)[speed]),
            f_pfd=(10, (450, 500, 550)[speed]),
            f_vco=(800, 1600),
            f_out=(6.25, (667, 775, 891)[speed]),
            mult=(2, 128),
            div_in=(1, 106),
        )
    fastest = 800 if board.xray == "artix7" else (800, 933, 1066)[speed]
    return Limits(
        "PLLE2_ADV",
        f_in=(19, fastest),
        f_pfd=(19, (450, 500, 550)[speed]),
        f_vco=(800, (1600, 1866, 2133)[speed]),
        f_out=(6.25, fastest),
        mult=(2, 64),
        div_in=(1, 56),
    )


@dataclass(frozen=True)
class Setting:
    """Dividers of a PLL, and what they make. f_in, f_vco, f_out: in Hz, exact."""

    f_in: Fraction
    mult: int
    div_in: int
    div_out: int

    @property
    def f_vco(self) -> Fraction:
        """Frequency of the oscillator inside."""
        return self.f_in * self.mult / self.div_in

    @property
    def f_out(self) -> Fraction:
        """Frequency of the design's clock."""
        return self.f_vco / self.div_out


def solve(f_in: int, f_out: int, limits: Limits) -> Setting:
    """Dividers that make ``f_out`` Hz of ``f_in`` Hz, the error first, then the fastest phase detector.

    Among equals the oscillator runs near :data:`VCO_TARGET`: far from both limits, and within the filter
    tables of nextpnr-xilinx, which end at 1600 MHz.
    Raises ``ConfigError`` naming the nearest possible frequency when the error reaches 0.1 %.
    """
    if not _within(f_in, limits.f_in):
        raise ConfigError(
            f"{limits.primitive} takes an input of {limits.f_in[0]:g} to {limits.f_in[1]:g} MHz, "
            f"not {f_in / MHZ:g} MHz: choose another board clock"
        )
    if f_out < 1:
        raise ConfigError(f"the design clock must be positive, not {f_out} Hz")

    def badness(setting: Setting) -> tuple[Fraction, int, Fraction]:
        return abs(setting.f_out - f_out), setting.div_in, abs(setting.f_vco - VCO_TARGET)

    best = min(_candidates(f_in, f_out, limits), key=badness)
    if abs(best.f_out - f_out) >= TOLERANCE * f_out:
        raise ConfigError(
            f"{limits.primitive} cannot make {f_out / MHZ:g} MHz of {f_in / MHZ:g} MHz: "
            f"the nearest design clock is {float(best.f_out / MHZ):.6g} MHz"
        )
    return best


def _candidates(f_in: int, f_out: int, limits: Limits) -> list[Setting]:
    found = []
    for div_in in range(limits.div_in[0], limits.div_in[1] + 1):
        if not _within(Fraction(f_in, div_in), limits.f_pfd):
            continue
        for mult in range(limits.mult[0], limits.mult[1] + 1):
            vco = Fraction(f_in * mult, div_in)
            if not _within(vco, limits.f_vco):
                continue
            ratio = int(vco / f_out)
            for div_out in {
                min(max(div, limits.div_out[0]), limits.div_out[1]) for div in (ratio, ratio + 1)
            }:
                if _within(vco / div_out, limits.f_out):
                    found.append(Setting(Fraction(f_in), mult, div_in, div_out))
    assert found, "every PLL can make some clock of an input within its range"
    return found


def _within(hertz: Fraction | int, bounds: tuple[float, float]) -> bool:
    return bounds[0] * MHZ <= hertz <= bounds[1] * MHZ


class Clocks(Elaboratable):  # type: ignore[misc]
    """Input buffer, PLL and global buffer; drives the clock of domain ``sync``.

    pads: one signal, or the two of a differential pair. reset: holds the PLL in reset (asynchronous).
    locked: the clock runs at its frequency (asynchronous).
    """

    def __init__(self, setting: Setting, limits: Limits, pads: list[Signal]) -> None:
        self.setting, self.limits, self.pads = setting, limits, pads
        self.reset = Signal()
        self.locked = Signal()

    def elaborate(self, platform: Any) -> Module:
        """The primitives, in the order the clock takes."""
        m = Module()
        oscillator, feedback, made = Signal(), Signal(), Signal()
        if len(self.pads) == 2:
            pads = {"i_I": self.pads[0], "i_IB": self.pads[1]}
            m.submodules.input = Instance("IBUFDS", **pads, o_O=oscillator)
        else:
            m.submodules.input = Instance("IBUF", i_I=self.pads[0], o_O=oscillator)
        wires = {"i_CLKIN1": oscillator, "i_CLKFBIN": feedback, "o_CLKFBOUT": feedback, "o_CLKOUT0": made}
        m.submodules.pll = Instance(
            self.limits.primitive, **self._parameters(), **wires, i_RST=self.reset, o_LOCKED=self.locked
        )
        m.submodules.output = Instance("BUFG", i_I=made, o_O=ClockSignal())
        return m

    def _parameters(self) -> dict[str, Any]:
        setting = self.setting
        period = {"p_CLKIN1_PERIOD": round(1e9 / float(setting.f_in), 3), "p_DIVCLK_DIVIDE": setting.div_in}
        if self.limits.primitive == "MMCME4_BASE":
            return period | {
                "p_CLKFBOUT_MULT_F": float(setting.mult),
                "p_CLKOUT0_DIVIDE_F": float(setting.div_out),
            }
        # The feedback stays inside the PLL: nothing here needs a phase relative to the pin. Phases are
        # given although they are the defaults: nextpnr-xilinx took missing ones for one degree.
        return period | {
            "p_COMPENSATION": "INTERNAL",
            "p_CLKFBOUT_MULT": setting.mult,
            "p_CLKFBOUT_PHASE": 0.0,
            "p_CLKOUT0_DIVIDE": setting.div_out,
            "p_CLKOUT0_PHASE": 0.0,
            "i_CLKINSEL": 1,
        }
