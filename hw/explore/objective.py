"""What makes one design better than another, and the front of those that nothing beats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from hw.explore.point import Point


class Objective(StrEnum):
    """What a sweep looks for."""

    latency = "latency"
    throughput = "throughput"
    dsp = "dsp"


_SCORES: dict[Objective, Callable[[Point], float]] = {
    Objective.latency: lambda point: -point.seconds,
    Objective.throughput: lambda point: point.images_per_second,
    Objective.dsp: lambda point: point.efficiency,
}


def score(point: Point, objective: Objective) -> float:
    """What ``objective`` maximises: minus the seconds of a run, images per second, or dense-equivalent
    operations per DSP slice and clock."""
    return _SCORES[objective](point)


def best(points: Sequence[Point], objective: Objective) -> Point:
    """The best of ``points`` (at least one); among equals the cheapest."""
    return max(points, key=lambda point: (score(point, objective), *_cheapness(point)))


def speed(point: Point, objective: Objective) -> float:
    """The axis of the front beside DSP slices: what of speed ``objective`` cares about, larger is better."""
    return score(point, Objective.latency if objective is Objective.latency else Objective.throughput)


def beats(point: Point, other: Point, objective: Objective) -> bool:
    """Whether ``point`` is at least as fast as ``other`` (where that was not timed: as it can be), with no
    more DSP slices and no narrower weights.

    Weights count because accuracy is not known here.
    """
    return (
        speed(point, objective) >= speed(other, objective)
        and point.dsp <= other.dsp
        and point.weight_bits >= other.weight_bits
    )


def front(points: Sequence[Point], objective: Objective) -> list[Point]:
    """Of the points that were timed those that no other one beats, fastest first; of equal ones the
    cheapest."""
    order = sorted(
        (point for point in points if point.cycles),
        key=lambda point: (speed(point, objective), -point.dsp, point.weight_bits, *_cheapness(point)),
        reverse=True,
    )
    kept: list[Point] = []
    for point in order:  # whatever beats it stands before it
        if not any(beats(other, point, objective) for other in kept):
            kept.append(point)
    return kept


def _cheapness(point: Point) -> tuple[float, ...]:
    needs = point.needs
    return -needs["dsp"], -needs["bram36"], -needs["lut"], -needs["ff"]
