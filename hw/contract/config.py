"""Parameters of the generated accelerator: one frozen object for model, compiler and gateware, and its file.

The file is what ``spec2 explore`` writes and ``spec2 generate --config`` takes: JSON or TOML with the
parameters under ``config``; anything beside is for others. A ``design.json`` is one as well, so a design can
be made again for another model, and so is a recipe.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from hw.contract.formats import PIXEL_BITS
from hw.contract.packed_products import PRODUCTS, SLICES
from hw.contract.spectrum import TILE
from hw.host_interface.registers import SHAPE
from hw.util import documents
from hw.util.errors import ConfigError
from hw.util.files import write_json

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

BUS_BITS_UNLESS_CHOSEN = 512

STREAM_BITS = (32, 64, 128, 256)
"""Widths of the two streams, images and results."""

RAM_KINDS = ("block", "ultra")
"""What memories are made of: block RAM, or UltraRAM, which UltraScale+ devices have beside it."""

MOST_LANES = 64

MOST = (1 << 63) - 1
"""Of any parameter: a file may hold numbers of thousands of digits, which no sentence should repeat."""

MOST_LINE_PIXELS = TILE * MOST_LANES
"""A line that has room for a window of every lane: no lane layout makes use of more."""

MOST_WEIGHT_STEPS = 1 << 20
"""Steps of the largest weight buffer: beyond what any device has of block RAM."""

MOST_SPARE_STEPS = 800
"""Percent: an eighth of all words may become all of them."""

MOST_MEMORY_LINES = 1 << 24
"""Lines of the largest feature memory: likewise."""


def drain_rows(rows: int) -> int:
    """Rows of an array of ``rows`` that its drain reads out per clock and lane: 4, or 8 in a wide one.

    A word is read out in rows / drain clocks and takes that long at least, which in wide arrays would bind
    words with few steps.
    """
    return 8 if rows >= WIDE_DRAIN_ROWS else 4


MOST_ROWS = SHAPE.largest("rows") // drain_rows(SHAPE.largest("rows")) * drain_rows(SHAPE.largest("rows"))
"""What SHAPE can tell of them, in groups that the drain takes."""


def check_rows(rows: int) -> None:
    """Raises ``ConfigError`` for an array of ``rows`` that there is none of."""
    if not 4 <= rows <= MOST_ROWS or rows % drain_rows(rows):
        raise ConfigError(
            f"rows must be a multiple of 4, and of 8 from {WIDE_DRAIN_ROWS} on, from 4 to {MOST_ROWS}, "
            f"not {rows}"
        )


@dataclass(frozen=True)
class AcceleratorConfig:
    """What a user chooses. Raises ``ConfigError`` when out of range.

    rows: N, output channels in flight (a multiple of 4, of 8 from 32 rows on, to ``MOST_ROWS``).
    lanes: P, tiles in flight.
    batch: most images per run; fully connected layers use one lane per image, so it is at most P.
    line_pixels: pixels the feature memory reads or writes per clock (a power of two), 0 to let the
        compiler choose the smallest that lets every layer use its best lane layout.
    memory_lines: lines that the feature memory has at most. Where whole maps would take more, the compiler
        makes layers in row bands (:mod:`hw.compile.row_bands`), which costs clocks. 0 for as many as
        whole maps need.
    stream_weights: weights come from external memory (AXI4) while the array runs, each exactly once per
        run, instead of lying in the design.
    bus_bits: width of that memory's bus (one of ``BUS_BITS``).
    memories: striped external memories, each giving its part of every beat (1, 2 or 4).
    weight_steps: steps that the weight buffer of such a design holds (a power of two), 0 to let the
        compiler choose: the largest block that is replayed, and half as much again or four bursts.
    spare_steps: percent of steps that every block of such a design has more than its model needs, so that
        other models fit onto the accelerator (:mod:`hw.compile.onto`); they cost clocks.
    products: how rows make complex products: in ``three`` DSP slices, or ``packed`` into two, for weights and
        spectra that are narrow enough (:mod:`hw.contract.packed_products`).
    stream_bits: width of both streams, images and results (one of ``STREAM_BITS``). A beat is written into
        one line, so it has at most ``line_pixels`` pixels.
    feature_memory: what the feature memory is made of, ``block`` RAM or ``ultra`` RAM.
    spectrum_memory: likewise of the X buffers, which hold spectra of tiles; small ones are LUTs.
    """

    rows: int = 8
    lanes: int = 4
    batch: int = 4
    line_pixels: int = 0
    memory_lines: int = 0
    stream_weights: bool = False
    bus_bits: int = BUS_BITS_UNLESS_CHOSEN
    memories: int = 1
    weight_steps: int = 0
    spare_steps: int = 0
    products: str = PRODUCTS[0]
    stream_bits: int = STREAM_BITS[0]
    feature_memory: str = RAM_KINDS[0]
    spectrum_memory: str = RAM_KINDS[0]

    def __post_init__(self) -> None:
        documents.check_fields(self, "the configuration", ConfigError)
        for name, value in vars(self).items():
            if isinstance(value, int) and value > MOST:
                raise ConfigError(f"{name} must be far less than {documents.shown(value)}")
        if self.products not in PRODUCTS:
            raise ConfigError(
                f"products must be {' or '.join(PRODUCTS)}, not {documents.shown(self.products)}"
            )
        for name in ("feature_memory", "spectrum_memory"):
            if (kind := getattr(self, name)) not in RAM_KINDS:
                raise ConfigError(f"{name} must be {' or '.join(RAM_KINDS)}, not {documents.shown(kind)}")
        check_rows(self.rows)
        if not 1 <= self.lanes <= MOST_LANES:
            raise ConfigError(f"lanes must be 1..{MOST_LANES}, not {self.lanes}")
        if not 1 <= self.batch <= self.lanes:
            raise ConfigError(
                f"batch must be 1..{self.lanes} (one lane per image in fully connected layers), "
                f"not {self.batch}: lower it or raise lanes"
            )
        line = self.line_pixels
        if line and (not TILE <= line <= MOST_LINE_PIXELS or line & (line - 1)):
            raise ConfigError(
                f"line_pixels must be 0 or a power of two from {TILE} to {MOST_LINE_PIXELS}, not {line}"
            )
        if self.stream_bits not in STREAM_BITS:
            raise ConfigError(
                f"stream_bits must be one of {', '.join(map(str, STREAM_BITS))}, not {self.stream_bits}"
            )
        if line and self.stream_pixels > line:
            raise ConfigError(
                f"a beat of {self.stream_bits} stream_bits is {self.stream_pixels} pixels, more than the "
                f"{line} line_pixels that are written in a clock: lower stream_bits to {line * PIXEL_BITS}, "
                "or raise line_pixels"
            )
        if not 0 <= self.memory_lines <= MOST_MEMORY_LINES:
            raise ConfigError(f"memory_lines must be 0..{MOST_MEMORY_LINES}, not {self.memory_lines}")
        if self.bus_bits not in BUS_BITS:
            raise ConfigError(f"bus_bits must be one of {', '.join(map(str, BUS_BITS))}, not {self.bus_bits}")
        if self.memories not in (1, 2, 4) or self.bus_bits // self.memories < BUS_BITS[0]:
            raise ConfigError(
                f"memories must be 1, 2 or 4, each giving {BUS_BITS[0]} of bus_bits or more, "
                f"not {self.memories} of {self.bus_bits}"
            )
        steps = self.weight_steps
        if steps and (not 2 <= steps <= MOST_WEIGHT_STEPS or steps & (steps - 1)):
            raise ConfigError(
                f"weight_steps must be 0 or a power of two from 2 to {MOST_WEIGHT_STEPS}, not {steps}"
            )
        if not 0 <= self.spare_steps <= MOST_SPARE_STEPS:
            raise ConfigError(f"spare_steps must be 0 to {MOST_SPARE_STEPS} percent, not {self.spare_steps}")
        if not self.stream_weights:
            without_streams = {
                "weight_steps": 0,
                "spare_steps": 0,
                "memories": 1,
                "bus_bits": BUS_BITS_UNLESS_CHOSEN,
            }
            for name, without in without_streams.items():
                if getattr(self, name) != without:
                    raise ConfigError(
                        f"{name} is for streamed weights: set stream_weights, or leave it {without}"
                    )

    @property
    def drain(self) -> int:
        """Rows the drain reads out per clock and lane (:func:`drain_rows`)."""
        return drain_rows(self.rows)

    @property
    def ultra(self) -> bool:
        """Whether any memory is UltraRAM."""
        return "ultra" in (self.feature_memory, self.spectrum_memory)

    @property
    def macs(self) -> int:
        """Complex multiply-accumulators."""
        return self.rows * self.lanes

    @property
    def mac_dsps(self) -> int:
        """DSP slices of the array: three per complex MAC, or two."""
        return SLICES[self.products] * self.macs

    @property
    def stream_pixels(self) -> int:
        """Pixels, or bytes, of a beat of either stream."""
        return self.stream_bits // PIXEL_BITS

    def to_json(self) -> dict[str, Any]:
        """The parameters, plain data. The width of streams and the kinds of memories are left out where they
        are what they were before they could be chosen: such designs keep their files."""
        found = asdict(self)
        for name in ("stream_bits", "feature_memory", "spectrum_memory"):
            if found[name] == getattr(AcceleratorConfig, name):
                del found[name]
        return found


def shape_word(config: AcceleratorConfig, layers: int) -> int:
    """What SHAPE reads for ``config`` and a network of ``layers`` layers."""
    return SHAPE.pack(rows=config.rows, lanes=config.lanes, batch=config.batch, layers=layers)


KINDS: dict[str, type] = {field.name: type(field.default) for field in fields(AcceleratorConfig)}
"""Parameters, and whether they are numbers, switches or words."""


def load_config(path: Path | str) -> dict[str, Any]:
    """The parameters that the file names; those it does not name are left to their defaults.

    Raises ``ConfigError`` when there is no such file, it is no configuration, or it names a parameter that
    does not exist or has another type.
    """
    path = Path(path)
    content = documents.needed(
        path, "the configuration", remedy="'spec2 explore' writes one", error=ConfigError
    )
    form: Literal["json", "toml"] = "toml" if path.suffix.lower() == ".toml" else "json"
    data: Any = documents.decode(content, Any, f"the configuration {path}", form=form, error=ConfigError)
    found = data.get("config") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds no configuration: one has its parameters under 'config'")
    for name, value in found.items():
        if name not in KINDS:
            raise ConfigError(
                f"{path}: there is no parameter {documents.shown(name)}: known are {', '.join(KINDS)}"
            )
        if type(value) is not KINDS[name]:
            raise ConfigError(
                f"{path}: {name} must be of type {KINDS[name].__name__}, not {documents.shown(value)}"
            )
    return found


def save_config(config: AcceleratorConfig, path: Path | str, **about: Any) -> Path:
    """Write ``config`` with what else there is to say ``about`` it, and return the path.

    Raises ``ArtifactError`` if the place cannot be written.
    """
    path = Path(path)
    write_json(path, {**about, "config": config.to_json()})
    return path
