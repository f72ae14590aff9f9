"""Weights in external memory: where the channel table and every layer's steps lie.

The channel table comes first (:mod:`hw.compile.channel_table`), then layer after layer.
Steps follow each other without gaps: a step takes whole *units* of 16 bit, fewer where a layer's weights are
narrow; a beat of the memory bus holds a power of two of units, and steps begin at any unit of a beat. Only
the table and layers are aligned, to 4 KiB, which no burst may cross (AXI, ARM IHI 0022, A3.4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hw.compile.channel_table import drain_group_beats
from hw.compile.step_format import StepFormat
from hw.compile.step_table import StepTable
from hw.contract.config import BUS_BITS
from hw.contract.streamed_weights import PAGE
from hw.util.errors import ConfigError

QUEUED_BEATS = 4
"""Beats that one memory may be ahead of another (:mod:`hw.gateware.weights.memory_striping`)."""

UNIT_BITS = 16
"""Steps are padded to this."""

KEPT_FREE = 2
"""Steps of the weight buffer that are never requested: one that is being filled, and one because the count of
steps that came is late."""

LEAST_PORT_BITS = BUS_BITS[0]
"""Narrowest port to a memory."""

MOST_BEATS, SHORTEST_BURST = 64, 4
"""Longest burst, and the shortest that a weight buffer has to have credit for, in beats."""

OUTSTANDING = 8
"""Most bursts on their way: 512 beats of a long burst, more than a memory's latency in clocks."""


@dataclass(frozen=True)
class StepUnits:
    """Units of a step: ``step`` in the weight buffer, and in memory in the widest layer; ``narrowest`` in
    memory in the narrowest one. beat: of a beat, no more than the widest step can use."""

    step: int
    narrowest: int
    beat: int

    @classmethod
    def of(cls, step: StepFormat, widths: Sequence[int], bus_bits: int) -> StepUnits:
        """Of layers with weights of ``widths`` bits per part, on a bus of ``bus_bits``."""
        beat = useful_bus(step.bits, bus_bits) // UNIT_BITS
        return cls(-(-step.bits // UNIT_BITS), layer_units(step, min(widths), beat), beat)

    @property
    def beat_credit(self) -> int:
        """Units of the weight buffer that a beat may take: a step takes as many there as in the widest
        layer."""
        return -(-self.beat * self.step // self.narrowest)

    @property
    def least_beside(self) -> int:
        """Steps that a weight buffer holds beside the largest set at least: bursts on their way."""
        return KEPT_FREE + max(8, -(-SHORTEST_BURST * 4 * self.beat_credit // self.step))


def layer_units(step: StepFormat, width: int, beat_units: int) -> int:
    """Units that a step takes in memory in a layer with weights of ``width`` bits per part: a beat at
    least."""
    return max(beat_units, -(-step.bits_of(width) // UNIT_BITS))


@dataclass(frozen=True)
class StreamPlan:
    """The stream of one network.

    bus_bits: width of the memory bus. step_units: units a step takes in the weight buffer, and in memory in
    the widest layer. depth: steps the weight buffer holds. most: steps of the largest set of blocks that is
    replayed, which has to fit. Of every instruction, in order: layer_units, units a step takes in
    memory; layer_steps, its steps; layer_blocks, its blocks; numbers, the layer whose steps it takes. Of
    every block: block_steps. drain_groups: of the channel table; drain_group_beats: beats of each.
    """

    bus_bits: int
    step_units: int
    depth: int
    most: int
    layer_units: tuple[int, ...]
    layer_steps: tuple[int, ...]
    layer_blocks: tuple[int, ...]
    numbers: tuple[int, ...]
    block_steps: tuple[int, ...]
    drain_groups: int
    drain_group_beats: int

    @property
    def table_beats(self) -> int:
        """Beats of the channel table, which every run begins with."""
        return self.drain_groups * self.drain_group_beats

    @property
    def beat_units(self) -> int:
        """Units in a beat."""
        return self.bus_bits // UNIT_BITS

    @property
    def beat_credit(self) -> int:
        """Units of the weight buffer that a beat may take."""
        return StepUnits(self.step_units, min(self.layer_units), self.beat_units).beat_credit

    @property
    def layer_beats(self) -> tuple[int, ...]:
        """Beats of every layer; the last one may hold units of no step."""
        pairs = zip(self.layer_steps, self.layer_units, strict=True)
        return tuple(-(-steps * units // self.beat_units) for steps, units in pairs)

    @property
    def layer_pages(self) -> tuple[int, ...]:
        """Page in which the steps of every instruction begin: those of one layer share them."""
        pages = self._first_pages
        return tuple(pages[number] for number in self.numbers)

    @property
    def _first_pages(self) -> dict[int, int]:
        """Page in which every layer begins."""
        found, page = {}, -(-self.table_beats * self.bus_bits // 8 // PAGE)
        for number, beats in dict(zip(self.numbers, self.layer_beats, strict=True)).items():
            found[number] = page
            page += -(-beats * self.bus_bits // 8 // PAGE)
        return found

    @property
    def bytes(self) -> int:
        """Size of the whole stream."""
        number, page = max(self._first_pages.items(), key=lambda item: item[1])
        return page * PAGE + self.layer_beats[self.numbers.index(number)] * self.bus_bits // 8

    @property
    def burst_beats(self) -> int:
        """Beats of a full burst, which no page divides: beside the largest set four of them fit."""
        fit = (self.depth - self.most - KEPT_FREE) * self.step_units // self.beat_credit // 4
        return min(MOST_BEATS, PAGE * 8 // self.bus_bits, 1 << (fit.bit_length() - 1))


def plan_stream(
    step: StepFormat,
    layers: Sequence[StepTable],
    widths: Sequence[int],
    replayed: Sequence[int],
    bus_bits: int,
    depth: int,
    numbers: Sequence[int],
    table: tuple[int, int],
) -> StreamPlan:
    """The stream of a layer program whose instructions have the steps ``layers``, with weights of ``widths``
    bits per part, and whose sets of so many blocks are ``replayed`` (0: none is). table: entries of the
    channel table, and bits of each.

    ``depth`` 0 takes the largest set that is replayed, and half as much again or four bursts. ``bus_bits``
    is lowered to what a step of the widest layer can use; steps of narrower ones take a beat at least.
    Raises ``ConfigError`` for a weight buffer too small.
    """
    units = StepUnits.of(step, widths, bus_bits)
    blocks = [table.block_lengths for table in layers]
    sets = [b.reshape(-1, size).sum(axis=1) for b, size in zip(blocks, replayed, strict=True) if size]
    most = max((int(steps.max()) for steps in sets), default=0)
    least = most + units.least_beside
    if depth and depth < least:
        who = "the largest block needs, which is replayed" if most else "bursts need"
        raise ConfigError(
            f"weight_steps {depth} is less than the {least} that {who}: raise it to "
            f"{power_of_two(least)}, or leave it 0"
        )
    # Beside a set that is replayed four of the longest bursts: with fewer, memory's latency binds.
    ahead = most + KEPT_FREE + -(-4 * MOST_BEATS * units.beat_credit // units.step)
    return StreamPlan(
        bus_bits=units.beat * UNIT_BITS,
        step_units=units.step,
        depth=depth or max(power_of_two(max(least, ahead)), roomy(most)),
        most=most,
        layer_units=tuple(layer_units(step, width, units.beat) for width in widths),
        layer_steps=tuple(map(len, layers)),
        layer_blocks=tuple(map(len, blocks)),
        numbers=tuple(numbers),
        block_steps=tuple(int(n) for b in blocks for n in b),
        drain_groups=table[0],
        drain_group_beats=drain_group_beats(table[1], units.beat * UNIT_BITS),
    )


def useful_bus(step_bits: int, bus_bits: int) -> int:
    """Of a bus of ``bus_bits`` what a step can use: a beat takes no more units than a step has."""
    units = -(-step_bits // UNIT_BITS)
    return min(bus_bits, UNIT_BITS << (units.bit_length() - 1))


def roomy(most: int) -> int:
    """The weight buffer for sets of ``most`` steps: half as much again arrives while one is replayed."""
    return power_of_two(most * 3 // 2)


def power_of_two(steps: int) -> int:
    """The smallest weight buffer of at least so many steps."""
    return 1 << (steps - 1).bit_length()


def stream_ports(memories: int) -> tuple[str, ...]:
    """The AXI4 ports of a design with so many memories, each to the one that holds the file of its number."""
    return tuple(f"m_axi_{i}" for i in range(memories)) if memories > 1 else ("m_axi",)
