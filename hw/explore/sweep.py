"""The sweep: every design of the space, then more or less memory where that may help."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hw.contract.config import AcceleratorConfig
from hw.explore.device import Device
from hw.explore.objective import Objective, beats, best, front
from hw.explore.point import Point, evaluate
from hw.explore.space import MEMORY_HELPS, Design, Space, in_row_bands, larger, smaller
from hw.explore.workload import Workload
from hw.util.errors import ConfigError, DoesNotFit

Progress = Callable[[int, int, str], None]
"""(done, total, design)."""


@dataclass(frozen=True)
class Exploration:
    """What a sweep found. points: all that were compiled. front: see :func:`hw.explore.objective.front`.
    chosen: the best of these for ``objective`` that takes at most ``most_seconds`` a run."""

    workload: Workload
    device: Device
    space: Space
    objective: Objective
    most_seconds: float | None
    points: tuple[Point, ...]
    front: tuple[Point, ...]
    chosen: Point


def explore(
    workload: Workload,
    device: Device,
    space: Space,
    objective: Objective = Objective.latency,
    *,
    most_seconds: float | None = None,
    progress: Progress | None = None,
) -> Exploration:
    """Sweep ``space`` for ``workload`` on ``device``.

    Raises ``DoesNotFit`` when no design fits, or none is as fast as asked for, naming the closest.
    """
    search = _Search(workload, device, objective)
    designs = list(space.designs(workload, device, device.budget["dsp"]))
    for done, design in enumerate(designs):
        if progress:
            progress(done, len(designs), f"N={design.config.rows} P={design.config.lanes}")
        for point in search.add([design]):
            if not point.fits:
                search.shrink(point)
    search.grow()
    return _choose(workload, device, space, objective, most_seconds, search)


class _Search:
    """The designs compiled so far."""

    def __init__(self, workload: Workload, device: Device, objective: Objective) -> None:
        self.workload, self.device, self.objective = workload, device, objective
        self.front: list[Point] = []
        self._found: dict[Design, Point | None] = {}
        self.refusal = ""  # of the last design that could not be compiled

    @property
    def points(self) -> list[Point]:
        """All that could be compiled."""
        return [point for point in self._found.values() if point]

    def add(self, designs: Iterable[Design]) -> list[Point]:
        """Compile; the points of those that are new and make sense."""
        found = []
        for design in designs:
            if design not in self._found:
                self._found[design] = self._evaluate(design)
                if point := self._found[design]:
                    found.append(point)
                    if point.fits and point.cycles:
                        self.front = front([*self.front, point], self.objective)
        return found

    def _evaluate(self, design: Design) -> Point | None:
        """The point of a design, None for one whose line or memories are too small to compile."""
        try:
            return evaluate(
                self.workload,
                self.device,
                design.config,
                design.weight_bits,
                lambda point: point.fits and self._hopeful(point),
            )
        except ConfigError as error:
            self.refusal = str(error)
            return None

    def _hopeful(self, point: Point) -> bool:
        """Whether the front may still take this design, or one of the same array with less memory."""
        return not any(beats(other, point, self.objective) for other in self.front)

    def shrink(self, point: Point) -> None:
        """Try what may make ``point`` fit: less memory, where it is memory that is missing."""
        if not set(self.device.over(point.needs)) <= MEMORY_HELPS or not self._hopeful(point):
            return
        for held in [point, *self.add(smaller(point))]:
            if not held.fits:
                self.add(in_row_bands(held, self.device))

    def grow(self) -> None:
        """Give the best designs more memory, as long as that makes any of them better."""
        before: list[Point] = []
        while before != self.front:
            before = self.front
            for point in before:
                for held in self.add(larger(point, self.device)):
                    if not held.fits:
                        self.add(in_row_bands(held, self.device))


def _choose(
    workload: Workload,
    device: Device,
    space: Space,
    objective: Objective,
    most_seconds: float | None,
    search: _Search,
) -> Exploration:
    points = search.points
    fitting = [point for point in points if point.fits and point.cycles]
    if not fitting:
        raise DoesNotFit(_closest(workload, device, space, search))
    unbeaten = front(fitting, objective)
    fast = [point for point in unbeaten if most_seconds is None or point.seconds <= most_seconds]
    if not fast:
        fastest = best(fitting, Objective.latency)
        raise DoesNotFit(
            f"no design for {workload.network.name} that fits the {device.name} takes at most "
            f"{1e3 * (most_seconds or 0):g} ms: the fastest, N={fastest.config.rows} "
            f"P={fastest.config.lanes}, takes {1e3 * fastest.seconds:.3g} ms; raise --max-ms, prune "
            "harder, or choose a larger board"
        )
    return Exploration(
        workload=workload,
        device=device,
        space=space,
        objective=objective,
        most_seconds=most_seconds,
        points=tuple(points),
        front=tuple(unbeaten),
        chosen=best(fast, objective),
    )


def _closest(workload: Workload, device: Device, space: Space, search: _Search) -> str:
    """Why nothing fits: the design whose most exceeded resource is exceeded least."""
    name, points = workload.network.name, search.points
    if not points and search.refusal:
        return f"no design for {name} can be made: {search.refusal}"
    least = AcceleratorConfig(min(space.rows), min(space.lanes), 1).mac_dsps
    if not points and not device.bus_bits and least <= device.budget["dsp"]:
        return (
            f"weights of {name} are more than the {device.budget['bram36']:,} RAMB36 blocks of {device.name} "
            "hold, and there is no memory to read them from: choose another board, prune harder, or take a "
            "smaller network"
        )
    if not points:
        return (
            f"no array of N = {', '.join(map(str, space.rows))} fits the {device.budget['dsp']:,} DSP slices "
            f"of the {device.name} with the weights of {name} anywhere: allow fewer rows and lanes"
        )
    point = min(points, key=lambda point: max(device.use(point.needs).values()))
    config = point.config
    return (
        f"no design for {name} fits the {device.name}: the closest, N={config.rows} P={config.lanes}, needs "
        f"{device.excess(point.needs)}; choose a larger board, prune harder, or take a smaller network"
    )
