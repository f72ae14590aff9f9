"""What limits a design: where its clocks go, and why the next faster one does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from hw.contract.config import AcceleratorConfig
from hw.cost.stages import WHAT, LayerWork, bound_by
from hw.explore.objective import Objective, score
from hw.explore.point import Point, evaluate
from hw.explore.space import MEMORY_HELPS, Design
from hw.explore.sweep import Exploration

TOLERANCE = 0.02
"""A design is called faster from this share on: closer ones the cost model does not tell apart."""

MOST_LARGER = 3
"""Arrays up to so many times the chosen one are searched for the next faster one."""


NO_SMALLER = ", and no smaller memory makes it fit"


@dataclass(frozen=True)
class Faster:
    """The smallest design that would be faster, had the device room for it.

    point: timed whatever it needs. shrunk: the fastest of its variants that do fit, with less memory.
    """

    point: Point
    shrunk: Point | None


def next_faster(found: Exploration) -> Faster | None:
    """The design of fewest DSP slices, no fewer than the chosen one's, that is faster by more than
    ``TOLERANCE``; None without any."""
    chosen, space = found.chosen, found.space
    config = chosen.config
    same = replace(
        space, weight_bits=(chosen.weight_bits,), batches=(config.batch,), products=(config.products,)
    )
    wanted = (1 + TOLERANCE) * found.chosen.images_per_second
    for design in same.designs(found.workload, found.device, MOST_LARGER * chosen.dsp):
        if design.config.mac_dsps < chosen.dsp:
            continue
        point = _timed(found, design, wanted)
        if point.cycles and point.images_per_second >= wanted:
            return Faster(point, _shrunk(found.points, point))
    return None


def _timed(found: Exploration, design: Design, wanted: float) -> Point:
    return evaluate(
        found.workload,
        found.device,
        design.config,
        design.weight_bits,
        lambda point: point.images_per_second >= wanted,
    )


def _shrunk(points: Iterable[Point], large: Point) -> Point | None:
    """The fastest design that fits, of those that differ from ``large`` in their memories alone."""

    def kind(point: Point) -> tuple[AcceleratorConfig, int]:
        memories = replace(point.config, line_pixels=0, memory_lines=0, weight_steps=0)
        return memories, point.weight_bits

    same = [point for point in points if point.fits and point.cycles and kind(point) == kind(large)]
    return min(same, key=lambda point: point.seconds, default=None)


def limits(found: Exploration, faster: Faster | None, work: list[LayerWork]) -> list[str]:
    """Sentences: what the budget is used for, why nothing faster fits, where the clocks go."""
    return [_budget(found), *_memory(found), _next(found, faster), _clocks(found.chosen, work)]


def binding(found: Exploration) -> tuple[str, float]:
    """The resource of which the chosen design uses the largest share, and that share in percent."""
    use = found.device.use(found.chosen.needs)
    name = max(use, key=lambda name: use[name])
    return name, use[name]


def dram_rate(found: Exploration) -> float:
    """Bytes per second that the chosen design takes from memory at most; 0 where it holds its weights."""
    config = found.chosen.config
    return found.device.bus_rate(config.bus_bits) if config.stream_weights else 0.0


def _budget(found: Exploration) -> str:
    device, needs = found.device, found.chosen.needs
    scarcest, share = binding(found)
    # Where UltraRAM takes what block RAM took, both are told.
    others = [name for name in ("bram36", "uram") if needs.get("uram") and name != scarcest]
    counts = [
        f"{device.labels[name]}: {needs[name]:,g} of {device.budget[name]:,}" for name in (scarcest, *others)
    ]
    return "; ".join([f"Scarcest are {counts[0]}, {share:.1f} %", *counts[1:]]) + "."


def _memory(found: Exploration) -> Iterator[str]:
    device, config = found.device, found.chosen.config
    if not config.stream_weights:
        return
    count = config.memories
    givers = f"{count} memory interfaces side by side are" if count > 1 else "the memory interface is"
    yield (
        f"Weights come at {dram_rate(found) / 1e9:.3g} GB/s, {config.bus_bits} bits a clock, of the "
        f"{device.sustained(count) / 1e9:.3g} GB/s that {givers} reckoned to sustain (peak "
        f"{device.peak(count) / 1e9:.3g} GB/s)."
    )


def _next(found: Exploration, faster: Faster | None) -> str:
    if faster is None:
        return (
            f"No array up to {MOST_LARGER} times as large is faster by more than {TOLERANCE:.0%}: the array "
            "is not what limits this design."
        )
    point, device = faster.point, found.device
    where = ", weights held," if not point.config.stream_weights else ","
    name = (
        f"The next faster design, N={point.config.rows} P={point.config.lanes}{where} would take {_ms(point)}"
    )
    if point.fits:
        ours, its = score(found.chosen, Objective.dsp), score(point, Objective.dsp)
        return (
            f"{name}. It fits, but does {its:.2f} operations per DSP slice and clock instead of {ours:.2f}."
        )
    if not faster.shrunk:
        memory = set(device.over(point.needs)) <= MEMORY_HELPS
        return f"{name}, but needs {device.excess(point.needs)}{NO_SMALLER if memory else ''}."
    return (
        f"{name}, but needs {device.excess(point.needs)}; with as little memory as fits it takes "
        f"{_ms(faster.shrunk)}."
    )


def _clocks(chosen: Point, work: list[LayerWork]) -> str:
    total = chosen.cycles or 0
    inside = sum(layer.cycles for layer in work)
    parts = [f"{WHAT[stage]} {100 * clocks / total:.0f} %" for stage, clocks in bound_by(work).items()]
    return (
        f"Of {total:,} clocks, layers bound by: {', '.join(parts)}; images in and results out "
        f"{100 * (total - inside) / total:.0f} %."
    )


def _ms(point: Point) -> str:
    return f"{1e3 * point.seconds:.3g} ms"
