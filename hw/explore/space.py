"""The designs a sweep considers, and which of them a glance at the budget rules out.

How lanes lie over the tile grid (R × Q) and the order of loops are the compiler's choice, layer by layer: it
minimises clocks, so there is nothing to sweep.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hw.compile.step_format import StepFormat
from hw.compile.weight_stream import LEAST_PORT_BITS, useful_bus
from hw.contract.artifact import MAX_WEIGHT_BITS, MIN_WEIGHT_BITS
from hw.contract.config import MOST_LANES, MOST_LINE_PIXELS, MOST_WEIGHT_STEPS, AcceleratorConfig
from hw.contract.formats import PIXEL_BITS
from hw.contract.packed_products import PRODUCTS
from hw.contract.spectrum import TILE
from hw.contract.ultra_ram import BLOCK_WORDS, WORD_BYTES
from hw.cost.resources import feature_banks
from hw.explore.device import Device
from hw.explore.point import Point
from hw.explore.workload import Workload
from hw.util.errors import ConfigError

ROWS = (8, 16, 32, 64, 128)

WEIGHT_BITS = (8, 12, 16)
"""Widths that ``spec2 prune`` makes."""

BATCHES = (1, 2, 4, 8)

RAMB36_BITS = 36 << 10

RAMB18_LINES = 2048
"""Lines that a bank of the feature memory holds in half a RAMB36."""

ULTRA_LINES = BLOCK_WORDS * WORD_BYTES
"""Lines that it holds in an UltraRAM block."""


MEMORY_HELPS = {"bram36", "uram", "lut"}
"""Resources of which a design needs less with smaller memories."""


@dataclass(frozen=True)
class Design:
    """A configuration and the width of its weights' parts."""

    config: AcceleratorConfig
    weight_bits: int


@dataclass(frozen=True)
class Space:
    """rows: N. lanes: P. batches: images per run. weight_bits: of each part of a weight. products: how rows
    make them; packed ones where weights and spectra are narrow enough for the device's slices.

    Raises ``ConfigError`` for values that no accelerator has, and where nothing is left to choose from.
    """

    rows: Sequence[int] = ROWS
    lanes: Sequence[int] = range(1, MOST_LANES + 1)
    batches: Sequence[int] = (1,)
    weight_bits: Sequence[int] = WEIGHT_BITS
    products: Sequence[str] = PRODUCTS

    def __post_init__(self) -> None:
        for rows in self.rows:
            AcceleratorConfig(rows, 1, 1)
        for lanes in self.lanes:
            AcceleratorConfig(ROWS[0], lanes, 1)
        for batch in self.batches:
            AcceleratorConfig(ROWS[0], max(self.lanes), batch)
        for products in self.products:
            AcceleratorConfig(products=products)
        for bits in self.weight_bits:
            if not MIN_WEIGHT_BITS <= bits <= MAX_WEIGHT_BITS:
                raise ConfigError(f"weight bits must be {MIN_WEIGHT_BITS}..{MAX_WEIGHT_BITS}, not {bits}")

    def designs(self, workload: Workload, device: Device, most_dsps: float) -> Iterator[Design]:
        """Every design of at most ``most_dsps`` slices whose weights can be somewhere, the smallest first.
        Line, feature memory and weight buffer are as the compiler sizes them, streams as wide as the device's
        link. Feature maps and spectra lie in UltraRAM where the device has any."""
        kind = "ultra" if device.budget.get("uram") else "block"
        for rows, lanes in sorted(self._arrays(), key=lambda array: (array[0] * array[1], -array[0])):
            for batch, products in itertools.product(self.batches, self.products):
                if batch > lanes:
                    continue
                array = AcceleratorConfig(
                    rows,
                    lanes,
                    batch,
                    products=products,
                    stream_bits=device.stream_bits,
                    feature_memory=kind,
                    spectrum_memory=kind,
                )
                if array.mac_dsps > most_dsps:
                    continue
                for bits in self.weight_bits:
                    if products == "packed" and not workload.packs(bits, device.wide_port):
                        continue
                    for config in self._weights(array, bits, workload, device):
                        yield Design(config, bits)

    def _arrays(self) -> Iterator[tuple[int, int]]:
        for rows in self.rows:
            for lanes in self.lanes:
                yield rows, lanes

    def _weights(
        self, config: AcceleratorConfig, bits: int, workload: Workload, device: Device
    ) -> Iterator[AcceleratorConfig]:
        """``config`` with weights in the design, if block RAM could hold them, and in external memory."""
        step = StepFormat(config.rows, bits, 1, False).bits
        if step * workload.steps(config.rows).total <= device.budget["bram36"] * RAMB36_BITS:
            yield config
        if bus := device.bus_bits:
            memories = min(device.memories(bus), useful_bus(step, bus) // LEAST_PORT_BITS)
            yield replace(config, stream_weights=True, bus_bits=bus, memories=memories)


def smaller(point: Point) -> Iterator[Design]:
    """Designs of the same array with narrower lines, and streams if need be, or a smaller weight buffer, or
    with feature maps or spectra in block RAM."""
    config, line = point.config, point.config.line_pixels
    if line > TILE:
        bits = min(config.stream_bits, line // 2 * PIXEL_BITS)
        yield Design(replace(config, line_pixels=line // 2, stream_bits=bits), point.weight_bits)
    if config.stream_weights:
        yield Design(replace(config, weight_steps=point.weight_steps // 2), point.weight_bits)
    for memory in ("spectrum_memory", "feature_memory"):
        if getattr(config, memory) == "ultra":
            yield Design(replace(config, **{memory: "block"}), point.weight_bits)  # type: ignore[arg-type]


def larger(point: Point, device: Device) -> Iterator[Design]:
    """Designs of the same array with wider lines, and streams, or a larger weight buffer, which may save
    clocks."""
    config, line = point.config, 2 * point.config.line_pixels
    if line <= MOST_LINE_PIXELS:
        bits = min(device.stream_bits, line * PIXEL_BITS)
        yield Design(replace(config, line_pixels=line, stream_bits=bits), point.weight_bits)
    if config.stream_weights and point.weight_steps < MOST_WEIGHT_STEPS:
        yield Design(replace(config, weight_steps=2 * point.weight_steps), point.weight_bits)


def in_row_bands(point: Point, device: Device) -> Iterator[Design]:
    """The design of ``point``, which needs too much memory, with a feature memory of what the rest leaves:
    whole blocks per column bank, and early layers in row bands."""
    config, banks = point.config, point.config.line_pixels
    if config.feature_memory == "ultra":
        others = point.needs["uram"] - feature_banks(config, point.memory_lines).uram
        lines = int((device.budget["uram"] - others) // banks) * ULTRA_LINES
    else:
        blocks = feature_banks(config, point.memory_lines).bram36
        left = device.budget["bram36"] - (point.needs["bram36"] - blocks)
        lines = int(2 * left / banks) * RAMB18_LINES
    if 0 < lines < point.memory_lines:
        yield Design(replace(config, memory_lines=lines), point.weight_bits)
