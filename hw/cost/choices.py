"""What the compiler chose for every layer, and why: plain data for ``design.json``, and log records.

Sentences, with the figures of the cost model that decided.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from hw.compile.block_sets import group_work
from hw.compile.lane_layout import ranked
from hw.compile.layer_plan import LayerPlan
from hw.compile.program import Program
from hw.cost.cycles import activities
from hw.cost.stages import LayerWork, layer_row, layer_work
from hw.cost.timeline import Activity

LOG = logging.getLogger(__name__)


def choices(program: Program) -> list[dict[str, Any]]:
    """Per layer, of a full batch: ``name``, ``cycles``, ``steps``, the choices themselves
    (:func:`hw.cost.stages.layer_row`), and ``why`` for ``lanes``, ``order``, ``words`` and ``bands``.
    ``multipliers_filled``: share of the steps' row slots that hold a non-zero weight; ``lanes_filled``: of
    the lanes that hold a tile. ``executed``, ``spans`` and ``waits``: the steps of the run and the rest
    of :class:`hw.cost.timeline.Activity`, spans of every instruction of a layer, the others of all of them.
    """
    plans = {plan.number: plan for plan in program.layers}
    # Of a layer in row bands, instructions of one tile group have no order to choose.
    staying = plans | {plan.number: plan for plan in program.layers if plan.weights_stay}
    rows = []
    active = activities(program, program.config.batch)
    for number, work in enumerate(layer_work(program, program.config.batch)):
        plan = plans[number]
        why = {
            "lanes": _lanes(program, staying[number]),
            "order": _order(program, staying[number], work.instructions),
            "words": _words(plan),
            "bands": _row_bands(program, plan, work),
        }
        row = layer_row(work) | {
            "sections": plan.packing,
            "images_side_by_side": plan.images,
            "rows_run_ahead": plan.steps.run_ahead is not None,
            "steps": len(plan.steps),
            "multipliers_filled": round(plan.steps.occupancy, 6),
            "lanes_filled": round(plan.lanes_filled(program.config.lanes), 6),
            "executed": sum(did.steps for did in active[number]),
            "spans": {
                stage: [list(getattr(did, stage)) for did in active[number]]
                for stage in ("fetch", "array", "output")
            },
            "waits": {stage: sum(did.waits[stage] for did in active[number]) for stage in Activity().waits},
        }
        rows.append(row | {"why": {key: text for key, text in why.items() if text}})
    return rows


def log_choices(program: Program, rows: Iterable[Mapping[str, Any]] | None = None) -> None:
    """Log where maps and weights of ``program`` lie, and the reasons for every layer: of the ``rows`` that
    :func:`choices` gave, or gives where somebody reads records."""
    if not LOG.isEnabledFor(logging.INFO):
        return
    config = program.config
    where = f"external memory, {config.bus_bits} bits a beat" if config.stream_weights else "the design"
    LOG.info("feature memory: %s lines of %d pixels", f"{program.memory_lines:,}", config.line_pixels)
    LOG.info("weights: %s steps, %s bits, in %s", f"{program.steps:,}", f"{program.stored_bits:,}", where)
    for row in choices(program) if rows is None else rows:
        why = "; ".join(f"{choice}: {text}" for choice, text in row["why"].items())
        LOG.info("layer %s, %s clocks a batch. %s", row["name"], f"{row['cycles']:,}", why)


def _lanes(program: Program, plan: LayerPlan) -> str:
    config, layer = program.config, plan.layer
    if layer.dot:
        return f"a lane for each of {config.batch} images"
    work = group_work(program.network, config, plan.steps)
    # Of a graph, maps that several layers would have in different ways are not packed.
    packs = program.network.chain or plan.packing > 1
    first, *others = ranked(layer, plan.source.shape, config.lanes, config.line_pixels, work, packs)
    chosen = f"{first.layout.rows} × {first.layout.columns} takes {first.clocks:,} clocks"
    packed = ", its rows side by side in a line" if first.layout.packed else ""
    if first.layout.images > 1:
        chosen = f"{first.layout.rows} × {first.layout.columns} takes {first.clocks:,} clocks an image"
        packed = f", for {first.layout.images} images side by side"
    if not others:
        return f"{chosen}{packed}; a line of {config.line_pixels} pixels admits no other layout"
    other = others[0]
    return f"{chosen}{packed}, {other.layout.rows} × {other.layout.columns} would take {other.clocks:,}"


def _order(program: Program, plan: LayerPlan, instructions: int) -> str:
    if plan.weights_stay:
        fetched = "once" if instructions == 1 else f"{instructions} times, once a band"
        sets, size = plan.sets, plan.blocks_per_transform
        again = f", the transform made {sets} times" if sets > 1 else ""
        if size > 1:
            again += f", for {size} blocks of outputs at a time"
        return f"weights stay: fetched {fetched}, not for each of {plan.layer_groups} tile groups{again}"
    if program.config.stream_weights:
        return "inputs stay: there is one tile group, so weights are fetched once in either order"
    return "inputs stay: weights lie on chip, so a tile group is transformed once for all blocks of outputs"


def _words(plan: LayerPlan) -> str:
    if plan.steps.run_ahead:
        return "rows run ahead, with an address for every bank: fewer clocks than with one for all"
    return "one address for all banks: masks are regular, or others would not pay"


def _row_bands(program: Program, plan: LayerPlan, work: LayerWork) -> str:
    if work.instructions == 1:
        return ""
    return f"{work.instructions} bands, so that the maps fit {program.config.memory_lines:,} lines"
