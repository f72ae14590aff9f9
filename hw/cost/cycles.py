"""The cost model: clocks of a run from the layer program, without simulating anything.

A layer takes the clocks from the moment in which the output stage goes on to it until it goes on to the
next one; the other stages are ahead of it (:mod:`hw.cost.timeline`). Stated tolerance against the counters of
the RTL: 2 % (``tests/sim/bench``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from hw.compile.layer_plan import LayerPlan
from hw.compile.program import Program
from hw.contract.instructions import instructions_of
from hw.contract.latencies import Latencies, latencies
from hw.cost.efficiency import per_cycle
from hw.cost.memory_use import memory_use
from hw.cost.resources import resources
from hw.cost.timeline import Activity, Timeline
from hw.cost.weight_arrival import WeightArrival
from hw.host_interface.stream_format import map_beats


@dataclass(frozen=True)
class LayerCycles:
    """Clocks of one layer, and the array's steps for it."""

    name: str
    cycles: int
    steps: int


def run_cycles(program: Program, images: int, layers: tuple[int, int] | None = None) -> list[LayerCycles]:
    """Clocks of every layer of a run of ``images`` images (1 to ``config.batch``), or of its ``layers`` from
    the first to the last. Raises ``DataError`` for layers that are made in row bands with others."""
    found: dict[int, LayerCycles] = {}
    for plan, begins, steps, timeline in _instructions(program, images, layers):
        before = found.get(plan.number, LayerCycles(plan.layer.name, 0, 0))
        cycles = before.cycles + timeline.output - begins
        found[plan.number] = LayerCycles(plan.layer.name, cycles, before.steps + steps)
    return list(found.values())


def activities(program: Program, images: int) -> list[list[Activity]]:
    """Of every layer of a run of ``images`` images: what the stages did for each of its instructions."""
    found: list[list[Activity]] = [[] for _ in program.network.layers]
    for plan, _, _, timeline in _instructions(program, images):
        found[plan.number].append(timeline.activity)
    return found


def _instructions(
    program: Program, images: int, layers: tuple[int, int] | None = None
) -> Iterator[tuple[LayerPlan, int, int, Timeline]]:
    """The instructions of a run, each with the clock in which the output stage went on to it, the array's
    steps, and the timeline behind it."""
    config = program.config
    first, last = instructions_of(program.network, program.numbers, layers)
    weights = WeightArrival(program.stream, first, config.memories) if config.stream_weights else None
    start = 1 + load_cycles(program, images, program.numbers[first])
    timeline = Timeline(config, latencies_of(program), start, weights)
    for i, plan in enumerate(program.layers[first : last + 1], first):
        begins = timeline.output
        steps = timeline.run(plan, images, program.head_starts[i])
        yield plan, begins, steps, timeline


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
        **({"uram": need.uram} if need.uram else {}),
        **per_cycle(program.operations * batch, cycles, asdict(need)),
        "convolutions_only": program.network.classes is None,
        "weight_bits": program.stored_bits,
        "feature_memory": memory_use(program),
        **({"spectrum_bits": program.spectrum_bits} if program.narrow else {}),
    }
