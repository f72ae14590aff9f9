"""Parameters of the generated accelerator: one frozen object for model, compiler and gateware."""

from __future__ import annotations

from dataclasses import dataclass

from hw import documents
from hw.errors import ConfigError

BANKS = 8
"""Input channels a step can choose from: X banks, bank = channel mod 8."""

TRANSFORM_WORDS = 4
"""Words a transform delivers or takes per clock and lane."""

WIDE_DRAIN_ROWS = 32
"""From this many rows on the drain takes 8 of them per clock, below 4."""

CLOCKS_PER_TILE = 8
"""A tile passes the forward or inverse transform in 8 clocks (one pixel row, 4 words each)."""


BUS_BITS = (32, 64, 128, 256, 512, 1024)
"""Widths of the bus to external memory (AXI4 ends at 1024)."""

MOST_LANES = 64

MOST = 1 << 24
"""Of any parameter, far above what the compiler makes of one: a number in a file is no reason to compute."""


def drain_rows(rows: int) -> int:
    """Rows of an array of ``rows`` that its drain reads out per clock and lane: 4, or 8 in a wide one.

    A word is read out in rows / drain clocks and takes that long at least, which in wide arrays would bind
    words with few steps.
    """
    return 8 if rows >= WIDE_DRAIN_ROWS else 4


@dataclass(frozen=True)
class AcceleratorConfig:
    """What a user chooses. Raises ``ConfigError`` when out of range.

    rows: N, output channels in flight (a multiple of 4).
    lanes: P, tiles in flight.
    batch: most images per run; fully connected layers use one lane per image, so it is at most P.
    line_pixels: pixels the feature memory reads or writes per clock (a power of two), 0 to let the
        compiler choose the smallest that lets every layer use its best lane layout.
    memory_lines: lines that the feature memory has at most. Where whole maps would take more, the compiler
        makes layers in bands of rows (:mod:`hw.bands`), which costs clocks. 0 for as many as whole maps need.
    stream_weights: weights come from external memory (AXI4) while the array runs, each exactly once per
        run, instead of lying in the design.
    bus_bits: width of that memory's bus (one of ``BUS_BITS``).
    memories: external memories side by side, each giving its part of every beat (1, 2 or 4).
    weight_steps: steps that the weight store of such a design holds (a power of two), 0 to let the
        compiler choose: the largest block that is played again, and half as much again or four bursts.
    """

    rows: int = 8
    lanes: int = 4
    batch: int = 4
    line_pixels: int = 0
    memory_lines: int = 0
    stream_weights: bool = False
    bus_bits: int = 512
    memories: int = 1
    weight_steps: int = 0

    def __post_init__(self) -> None:
        documents.check_fields(self, "the configuration", ConfigError)
        for name, value in vars(self).items():
            if value > MOST:
                raise ConfigError(f"{name} must be at most {MOST:,}, not {documents.shown(value)}")
        if self.rows < 4 or self.rows % self.drain:
            raise ConfigError(f"rows must be a multiple of {self.drain} and at least 4, not {self.rows}")
        if not 1 <= self.lanes <= MOST_LANES:
            raise ConfigError(f"lanes must be 1..{MOST_LANES}, not {self.lanes}")
        if not 1 <= self.batch <= self.lanes:
            raise ConfigError(
                f"batch must be 1..{self.lanes} (one lane per image in fully connected layers), "
                f"not {self.batch}: lower it or raise lanes"
            )
        line = self.line_pixels
        if line and (line < 8 or line & (line - 1)):
            raise ConfigError(f"line_pixels must be 0 or a power of two of at least 8, not {line}")
        if self.memory_lines < 0:
            raise ConfigError(f"memory_lines must be 0 or more, not {self.memory_lines}")
        if self.bus_bits not in BUS_BITS:
            raise ConfigError(f"bus_bits must be one of {', '.join(map(str, BUS_BITS))}, not {self.bus_bits}")
        if self.memories not in (1, 2, 4) or self.bus_bits // self.memories < BUS_BITS[0]:
            raise ConfigError(
                f"memories must be 1, 2 or 4, each giving {BUS_BITS[0]} of bus_bits or more, "
                f"not {self.memories} of {self.bus_bits}"
            )
        if self.weight_steps and (self.weight_steps < 2 or self.weight_steps & (self.weight_steps - 1)):
            raise ConfigError(f"weight_steps must be 0 or a power of two, not {self.weight_steps}")
        if self.weight_steps and not self.stream_weights:
            raise ConfigError("weight_steps is for streamed weights: set stream_weights, or leave it 0")

    @property
    def drain(self) -> int:
        """Rows the drain reads out per clock and lane (:func:`drain_rows`)."""
        return drain_rows(self.rows)

    @property
    def macs(self) -> int:
        """Complex multiply-accumulators."""
        return self.rows * self.lanes

    @property
    def mac_dsps(self) -> int:
        """DSP slices of the array: three per complex MAC."""
        return 3 * self.macs
