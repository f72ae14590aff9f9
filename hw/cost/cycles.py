"""The cost model: clocks of a run from the layer program, without simulating anything.

Fetch, array and output of a layer form a pipeline over tile groups and passes, with two halves of a
buffer between each pair. The model walks the passes once and keeps, for each stage, the clock in which
it can go on: closed-form stage times, exact hand-over. Stated tolerance against the counters of the
RTL: 2 % (``tests/sim/bench``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hw.compile.program import LayerPlan, Program
from hw.contract.config import AcceleratorConfig
from hw.contract.instructions import instructions_of
from hw.contract.latencies import Latencies, latencies
from hw.cost.efficiency import per_cycle
from hw.cost.resources import resources
from hw.cost.weight_arrival import WeightArrival
from hw.host_interface.stream_format import map_beats


@dataclass(frozen=True)
class LayerCycles:
    """Clocks of one layer, and the array's steps within them."""

    name: str
    cycles: int
    steps: int


@dataclass(frozen=True)
class Pass:
    """One block of a tile group: what each stage spends on it when nothing makes it wait.

    words: steps of every word. steps: of the array. first: steps of the first word. rest: clocks from the
    end of the first word to that of the last, each word taking its steps or as long as the drain. drain:
    clocks to drain a word. output: clocks of its tokens.
    """

    words: NDArray[np.int64]
    steps: int
    first: int
    rest: int
    drain: int
    output: int


def passes(plan: LayerPlan, config: AcceleratorConfig) -> list[Pass]:
    """The passes of one tile group of ``plan``."""
    lengths, starts = plan.steps.word_lengths, plan.steps.first_words
    if plan.repeated:
        lengths, starts = np.repeat(lengths, plan.words), starts * plan.words
    valid = np.array([plan.block_rows(b, config.rows) for b in range(plan.blocks)])
    drain = -(-valid // config.drain)
    words = np.diff(starts, append=len(lengths))
    clocks = np.maximum(lengths, np.repeat(drain, words))
    rest = np.add.reduceat(clocks, starts) - clocks[starts]
    steps = np.add.reduceat(lengths, starts)
    columns = steps, lengths[starts], rest, drain, valid * plan.token_interval
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [Pass(words, *row) for words, row in zip(np.split(lengths, starts[1:]), rows, strict=True)]


def group_lines(plan: LayerPlan, images: int) -> int:
    """Lines fetched for a tile group; in dot mode for ``images``."""
    return plan.channels * plan.lines_per_channel * (images if plan.dot else 1)


def tile_groups(plan: LayerPlan, images: int) -> int:
    """Tile groups of ``images``; in dot mode they are one."""
    return 1 if plan.dot else plan.group_rows * plan.group_columns * plan.source.stacks(images)


class RunPass(NamedTuple):
    """A pass in the order of the run. work: of its stages. block: its number in the layer. fetches: it waits
    for spectra of its own. frees: it is the last one to read them. begins, ends: it is the first, the last
    pass of its block."""

    work: Pass
    block: int
    fetches: bool
    frees: bool
    begins: bool
    ends: bool


def run_passes(plan: LayerPlan, config: AcceleratorConfig, images: int) -> Iterator[RunPass]:
    """The passes of a layer, in the order of :class:`hw.gateware.control.loop_nest.LoopNest`."""
    table, size = passes(plan, config), plan.blocks_per_transform
    groups = tile_groups(plan, images)
    for first in range(0, len(table), size):
        for group in range(groups):
            begins, ends = (True, True) if not plan.weights_stay else (group == 0, group == groups - 1)
            for block in range(first, first + size):
                work = table[block]
                yield RunPass(work, block, block == first, block == first + size - 1, begins, ends)


def layer_cycles(
    plan: LayerPlan,
    config: AcceleratorConfig,
    images: int,
    t: Latencies,
    weights: WeightArrival | None = None,
    start: int = 0,
) -> LayerCycles:
    """Clocks of ``plan`` for ``images`` images, from its set-up until its last pixel can be read.

    Clock 0 is the one in which the controllers are started, clock ``start`` of the run; ``weights`` come
    when they come. Each variable is the first clock in which something is possible.
    """
    lines, token = group_lines(plan, images), plan.token_interval
    free_clock = plan.free_clock(t.reuse_lead)
    fetch, step, word_end, output = 1, 2, 0, 1
    x_free, y_free = [0, 0], [0, 0]
    x = y = steps = 0
    for item in run_passes(plan, config, images):
        work = item.work
        if item.fetches:
            last_line = max(fetch, x_free[x]) + lines
            fetch = last_line + 1
            step = max(step, last_line + t.memory + t.fill + 1)
        first_end = max(word_end, y_free[y])
        if weights and (item.begins or item.ends):
            words, clock = work.words, start + step
            gate = start + first_end
            word_end = weights.issue(
                item.block,
                words,
                work.drain,
                clock,
                gate,
                begins=item.begins,
                ends=item.ends,
                repeated=plan.repeated,
            )
            word_end -= start
        else:
            word_end = max(step + work.first - 1, first_end) + work.rest
        if weights:
            weights.issued = start + word_end
        step = word_end + 1
        full = word_end + 1 + t.array + (work.drain - 1) + t.pass_full + 1
        word_end += work.drain
        begun = max(output, full)
        output = begun + work.output + 1
        last_token = begun + 1 + work.output - token
        y_free[y] = last_token + free_clock + 1
        y ^= 1
        if item.frees:
            x_free[x] = step
            x ^= 1
        steps += work.steps
    if weights:
        weights.next_instruction()
    return LayerCycles(plan.layer.name, output + t.tail + t.settle + 1, steps)


def run_cycles(program: Program, images: int, layers: tuple[int, int] | None = None) -> list[LayerCycles]:
    """Clocks of every layer of a run of ``images`` images (1 to ``config.batch``), or of its ``layers`` from
    the first to the last. Raises ``DataError`` for layers that are made in row bands with others."""
    t, config = latencies_of(program), program.config
    first, last = instructions_of(program.network, program.numbers, layers)
    clock = 1 + load_cycles(program, images, program.numbers[first])
    weights = None
    if config.stream_weights:
        weights = WeightArrival(program.stream, first, config.memories)
    found: dict[int, LayerCycles] = {}
    for plan in program.layers[first : last + 1]:
        part = layer_cycles(plan, config, images, t, weights, clock)
        clock += part.cycles
        before = found.get(plan.number, LayerCycles(part.name, 0, 0))
        found[plan.number] = LayerCycles(part.name, before.cycles + part.cycles, before.steps + part.steps)
    return list(found.values())


def latencies_of(program: Program) -> Latencies:
    """The latencies of an accelerator for ``program``."""
    return latencies(program.config, program.narrow, program.overlaps, program.pointwise)


def load_cycles(program: Program, images: int, first: int = 0) -> int:
    """Clocks to take ``images`` maps for layer ``first``, at a beat per clock."""
    return images * map_beats(program.network.inputs[first], program.config.stream_pixels)


def total_cycles(program: Program, images: int, layers: tuple[int, int] | None = None) -> int:
    """Clocks of a run (of part of the network: ``layers``): its start and end, loading, its layers, and
    the way to memory and the beats of the feature map where it ends in one."""
    network = program.network
    first, last = layers or (0, len(network.layers) - 1)
    total = 2 + load_cycles(program, images, first)
    total += sum(layer.cycles for layer in run_cycles(program, images, (first, last)))
    if network.classes is None or last < len(network.layers) - 1:
        total += latencies_of(program).map_start
        total += images * map_beats(network.maps[last + 1], program.config.stream_pixels)
    return total


def estimates(program: Program) -> dict[str, Any]:
    """Figures for ``design.json``: plain JSON."""
    batch = program.config.batch
    cycles = total_cycles(program, batch)
    need = resources(program)
    packed = program.packed
    return {
        "cycles": cycles,
        "cycles_per_image": total_cycles(program, 1),
        "layers": [
            {"name": layer.name, "cycles": layer.cycles, "steps": layer.steps}
            for layer in run_cycles(program, batch)
        ],
        "dsp_mac": program.config.mac_dsps,
        "dsp_total": need.dsp,
        **({"wide_port": packed.port_bits} if packed else {}),  # bits, of a slice that is large enough
        "lut": need.lut,
        "ff": need.ff,
        "bram36": need.bram36,
        **per_cycle(program.operations * batch, cycles, asdict(need)),
        "convolutions_only": program.network.classes is None,
        "weight_bits": program.stored_bits,
        **({"spectrum_bits": program.spectrum_bits} if program.narrow else {}),
    }
