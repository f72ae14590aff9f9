"""Where the clocks of a run go: the array's by layer, when every stage had which layer, lines of the feature
memory over time.

Clocks of a run and of its layers are those that the hardware counted where a design was simulated. Which
stage had which layer when, and what the array waited for in it, only the cost model knows layer by layer; the
hardware counts waits of the whole run (``run``), which stand beside their sum.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hw.contract.design import DesignInfo, Figures
from hw.cost.stages import WHAT
from hw.host.counters import Counters
from hw.host_interface.stream_format import map_beats
from hw.util import documents
from sim.rtl.verify import Verification

STAGES = ("fetch", "array", "output")


def stages(info: DesignInfo, result: Verification | None) -> dict[str, Any] | None:
    """Of a full batch; None for a design of an older version, whose description has not these figures.

    ``layers``: ``name``, ``clocks`` and ``steps`` (counted, else predicted), ``bound`` (in words), ``waits``
    of the array (``fetch``, ``output``, ``weights``), ``idle``, the clocks from its last step of the layer
    before that nothing accounts for, ``multipliers`` and ``lanes`` (shares that are filled), and ``spans``:
    by stage, of every instruction the first clock and the one after the last. ``run``: clocks of the whole
    run in the same parts, ``array``, ``fetch``, ``output``, ``weights`` and ``idle``. ``counted``: whether
    the hardware did. ``row_bands``: whether layers alternate. ``clocks``: of the run, ``load``, of them those
    in which the images come. ``memory``: :func:`hw.cost.memory_use.memory_use`, with the clocks ``begin`` and
    ``end`` of every map.
    """
    figures: Figures = documents.convert(dict(info.estimates), Figures, "the design's estimates")
    if (
        not figures.layers
        or not figures.cycles
        or any(layer.spans is None or layer.waits is None for layer in figures.layers)
    ):
        return None
    counted = result.batch if result else None
    clocks = counted.cycles if counted else figures.cycles
    owned = _owned([layer.spans.array if layer.spans else [] for layer in figures.layers])
    rows = []
    for number, layer in enumerate(figures.layers):
        spans = {stage: [list(span) for span in getattr(layer.spans, stage)] for stage in STAGES}
        waits = msgspec.to_builtins(layer.waits)
        steps = counted.layers[number].steps if counted else layer.executed
        idle = max(0, owned[number] - steps - sum(waits.values()))
        rows.append(
            {
                "name": info.network.layers[number].name,
                "clocks": counted.layers[number].cycles if counted else layer.cycles,
                "steps": steps,
                "bound": WHAT[layer.bound_by] if layer.bound_by else "",
                "waits": waits,
                "idle": idle,
                "multipliers": layer.multipliers_filled,
                "lanes": layer.lanes_filled,
                "spans": spans,
            }
        )
    run = _counted(counted) if counted else _summed(rows, clocks)
    return {
        "clocks": clocks,
        "counted": counted is not None,
        "row_bands": any(len(row["spans"]["array"]) > 1 for row in rows),
        "load": info.config.batch * map_beats(info.network.inputs[0], info.config.stream_pixels),
        "batch": info.config.batch,
        "layers": rows,
        "run": run,
        "memory": _memory(figures, rows, clocks),
    }


def _owned(spans: list[list[tuple[int, int]]]) -> list[int]:
    """Of every layer the clocks in which the array had it: from its last step of what it had before, which in
    row bands may be another layer, to the last one of an instruction, for all of them. spans: of the
    array."""
    found, before = [0] * len(spans), 0
    ends = sorted((end, number) for number, its in enumerate(spans) for _, end in its)
    for end, number in ends:
        found[number] += end - before
        before = end
    return found


def _counted(run: Counters) -> dict[str, int]:
    parts = {
        "array": run.mac_steps,
        "fetch": run.mac_wait_x,
        "output": run.mac_wait_drain + run.mac_wait_y,
        "weights": run.mac_wait_weights,
    }
    return {**parts, "idle": max(0, run.cycles - sum(parts.values()))}


def _summed(rows: list[dict[str, Any]], clocks: int) -> dict[str, int]:
    waits = {name: sum(row["waits"][name] for row in rows) for name in ("fetch", "output", "weights")}
    parts = {"array": sum(row["steps"] for row in rows), **waits}
    return {**parts, "idle": max(0, clocks - sum(parts.values()))}


def _memory(figures: Figures, rows: list[dict[str, Any]], clocks: int) -> dict[str, Any] | None:
    """Maps are there from the first clock of their layer's output (images: from the run's first one) to the
    last in which a layer that reads them fetches."""
    if figures.feature_memory is None or not figures.feature_memory.lines:
        return None
    maps = []
    for found in figures.feature_memory.maps:
        if found.made >= len(rows):
            continue
        begin = _first(rows[found.made], "output") if found.made >= 0 else 0
        end = _last(rows[found.last], "fetch") if found.last < len(rows) else clocks
        maps.append({**msgspec.to_builtins(found), "begin": begin, "end": max(begin, end)})
    return {"lines": figures.feature_memory.lines, "maps": maps}


def _first(row: dict[str, Any], stage: str) -> int:
    return min((begin for begin, _ in row["spans"][stage]), default=0)


def _last(row: dict[str, Any], stage: str) -> int:
    return max((end for _, end in row["spans"][stage]), default=0)
