"""How long each stage of the machine works on a layer, which bounds the layer's clocks from below.

Fetch with the forward transform, array, output with the inverse transform and memory's delivery of weights
go on at the same time. The one with most work is what the layer waits for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from hw.compile.head_start import tile_groups
from hw.compile.layer_plan import LayerPlan
from hw.compile.program import Program
from hw.cost.cycles import load_cycles, run_cycles
from hw.cost.timeline import group_lines, passes


class Stages(NamedTuple):
    """Clocks of work. weights: beats of external memory, 0 where the design holds its weights."""

    fetch: int = 0
    array: int = 0
    output: int = 0
    weights: int = 0

    @property
    def busiest(self) -> str:
        """Name of the stage with most work; among equals the one nearest to the array."""
        order = ("array", "weights", "fetch", "output")
        return max(order, key=lambda name: getattr(self, name))


WHAT = {
    "fetch": "fetch and forward transform",
    "array": "array",
    "output": "inverse transform and output",
    "weights": "weights from external memory",
}
"""The stages for people."""


@dataclass(frozen=True)
class LayerWork:
    """A layer of a run. cycles: by the cost model. stages: work of its stages. lane_rows, lane_columns: R, Q.
    weights_stay, blocks_per_transform: the order of its loops. instructions: row bands it is made in."""

    name: str
    cycles: int
    stages: Stages
    lane_rows: int
    lane_columns: int
    weights_stay: bool
    blocks_per_transform: int
    instructions: int


def stages(plan: LayerPlan, program: Program, images: int) -> Stages:
    """The work of one instruction of the layer program."""
    table, groups = passes(plan, program.config), tile_groups(plan, images)
    beats = 0
    if program.config.stream_weights:
        stream = program.stream
        beats = stream.layer_beats[stream.numbers.index(plan.number)]
    return Stages(
        fetch=groups * plan.sets * group_lines(plan, images),
        array=groups * sum(item.first + item.rest for item in table),
        output=groups * sum(item.output for item in table),
        weights=beats,
    )


def least_cycles(program: Program, images: int) -> int:
    """Clocks that no run of ``images`` images goes below: loading, then every stage layer by layer, the
    fetch no more than a layer ahead of the output; and all weights."""
    fetched = computed = written = before = load_cycles(program, images)  # before: the layer before the last
    weights = 0
    for plan in program.layers:
        work = stages(plan, program, images)
        fetched = max(fetched, before) + work.fetch
        computed = max(max(computed, before) + work.array, fetched)
        before, written = written, max(written + work.output, computed)
        weights += work.weights
    return max(written, weights)


def layer_work(program: Program, images: int) -> list[LayerWork]:
    """Every layer of a run of ``images`` images."""
    found = []
    for number, layer in enumerate(run_cycles(program, images)):
        plans = [plan for plan in program.layers if plan.number == number]
        work = [stages(plan, program, images) for plan in plans]
        found.append(
            LayerWork(
                name=layer.name,
                cycles=layer.cycles,
                stages=Stages(*(sum(column) for column in zip(*work, strict=True))),
                lane_rows=plans[0].lane_rows,
                lane_columns=plans[0].lane_columns,
                weights_stay=any(plan.weights_stay for plan in plans),
                blocks_per_transform=min(plan.blocks_per_transform for plan in plans),
                instructions=len(plans),
            )
        )
    return found


def bound_by(work: list[LayerWork]) -> dict[str, int]:
    """Stage to the clocks of the layers it bounds, most first."""
    clocks = {stage: sum(layer.cycles for layer in work if layer.stages.busiest == stage) for stage in WHAT}
    return dict(sorted(((k, v) for k, v in clocks.items() if v), key=lambda item: -item[1]))


def layer_row(layer: LayerWork) -> dict[str, Any]:
    """Plain data of a layer: clocks, layout, order of loops, what bounds it, how busy each stage is: its work
    in percent of the clocks, more than 100 where it was done while the layer before was written."""
    return {
        "name": layer.name,
        "cycles": layer.cycles,
        "lane_rows": layer.lane_rows,
        "lane_columns": layer.lane_columns,
        "stays": "weights" if layer.weights_stay else "inputs",
        "blocks_per_transform": layer.blocks_per_transform,
        "entries": layer.instructions,
        "bound_by": layer.stages.busiest,
        "busy_percent": {
            stage: round(100 * getattr(layer.stages, stage) / layer.cycles, 1) for stage in WHAT
        },
    }
