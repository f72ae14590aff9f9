"""Layers made in bands of rows, so that a map too large for feature memory never lies in it whole.

A *segment* of consecutive convolutions is made band by band: some rows of its first layer, then the rows of
the next one that these make possible, and so on; then the next band. Of the maps within a segment only as
many rows are kept as a band needs, in a ring: row y lies where row y - ring lay. No row is made twice.
Maps between segments are kept whole, at the two ends of feature memory in turn.

A layer that is made in bands is several entries of the layer program. What that costs: each entry fills and
empties the pipeline, and fetches its weights anew where they come from external memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hw.compile.feature_layout import FeatureLayout
from hw.util.errors import ConfigError


@dataclass(frozen=True)
class Rows:
    """How layer ``name`` goes over its maps from top to bottom, in *group rows* of R tile rows.

    groups: group rows of the whole layer. stride: input rows from one to the next. overlap: rows by which
    the windows of a group row reach beyond that. padding: rows above the input map. made: output rows of one.
    cost: clocks that another entry of this layer takes. splits: whether it can be made in bands.
    """

    name: str
    groups: int
    stride: int
    overlap: int
    padding: int
    made: int
    cost: int
    splits: bool = True

    def first_row(self, group: int) -> int:
        """The first input row that group row ``group`` and those below it read."""
        return max(0, group * self.stride - self.padding)

    def wanted_rows(self, groups: int, height: int) -> int:
        """Input rows, of ``height``, without which the first ``groups`` group rows cannot be made."""
        return min(height, groups * self.stride + self.overlap - self.padding)


@dataclass(frozen=True)
class Entry:
    """Group rows ``top`` to ``top + groups - 1`` of layer number ``layer``, the network's first being 0."""

    layer: int
    top: int
    groups: int


@dataclass(frozen=True)
class Layout:
    """Entries in the order of a run, the maps in place, and the depth of the feature memory in lines."""

    entries: tuple[Entry, ...]
    maps: tuple[FeatureLayout, ...]
    lines: int


@dataclass(frozen=True)
class Segment:
    """Layers from ``first`` on, made in bands: behind band k there are ``targets[k][i]`` group rows of layer
    ``first + i``. rings: rows kept of the maps between them, 0 for all."""

    first: int
    targets: tuple[tuple[int, ...], ...]
    rings: tuple[int, ...] = ()

    @property
    def last(self) -> int:
        """Its last layer."""
        return self.first + len(self.targets[0]) - 1

    def entries(self) -> list[Entry]:
        """The segment's part of the layer program."""
        before, out = (0,) * len(self.targets[0]), []
        for band in self.targets:
            for i, (start, stop) in enumerate(zip(before, band, strict=True)):
                if stop > start:
                    out.append(Entry(self.first + i, start, stop - start))
            before = band
        return out


def lay_out(layers: Sequence[Rows], maps: Sequence[FeatureLayout], batch: int, limit: int) -> Layout:
    """Entries and places for ``layers``, whose maps (one more than layers) may take ``limit`` lines, 0 for
    as many as whole maps need. Of all ways that fit, the one whose additional entries cost least.

    Raises ``ConfigError`` when even bands of one group row are too large.
    """
    segments = _segments(layers, maps, batch, limit)
    lines = max(_lines(segment, maps, batch) for segment in segments)
    placed = list(maps)
    boundaries = [segment.first for segment in segments] + [len(layers)]
    for number, i in enumerate(boundaries):
        placed[i] = replace(maps[i], base=0 if number % 2 == 0 else lines - maps[i].batch_lines(batch))
    for segment in segments:
        ends = placed[segment.first], placed[segment.last + 1]
        free = min(ends, key=lambda end: end.base).batch_lines(batch)
        for i, ring in enumerate(segment.rings, segment.first + 1):
            placed[i] = replace(maps[i], base=free, ring=ring)
            free += placed[i].batch_lines(batch)
    entries = tuple(entry for segment in segments for entry in segment.entries())
    return Layout(entries, tuple(placed), lines)


def _segments(layers: Sequence[Rows], maps: Sequence[FeatureLayout], batch: int, limit: int) -> list[Segment]:
    """The cheapest segments that fit: the best for the first layers, one layer more at a time."""
    best: list[tuple[int, list[Segment]] | None] = [(0, [])]
    for stop in range(1, len(layers) + 1):
        ways = []
        for start, way in enumerate(best):
            if way and (segment := _segment(layers, maps, start, stop, batch, limit)):
                ways.append((way[0] + _cost(segment, layers), [*way[1], segment]))
        best.append(min(ways, key=lambda way: way[0]) if ways else None)
    if not best[-1]:
        stuck = layers[max(i for i, way in enumerate(best) if way)].name
        raise ConfigError(
            f"{limit} memory_lines cannot hold the maps of layer {stuck!r}, not even made in bands of one "
            "row of tile groups: raise memory_lines or line_pixels, or lower the batch"
        )
    return best[-1][1]


def _segment(
    layers: Sequence[Rows], maps: Sequence[FeatureLayout], start: int, stop: int, batch: int, limit: int
) -> Segment | None:
    """Layers ``start`` to ``stop - 1`` as one segment of as few bands as fit, or None."""
    if stop - start == 1:
        segment = Segment(start, ((layers[start].groups,),))
        return segment if not limit or _lines(segment, maps, batch) <= limit else None
    if not limit or not all(layer.splits for layer in layers[start:stop]):
        return None
    if any(plan.sections > 1 for plan in maps[start + 1 : stop]):
        return None
    for bands in range(2, layers[stop - 1].groups + 1):
        segment = _in_bands(layers[start:stop], maps[start + 1 : stop], start, bands)
        if _lines(segment, maps, batch) <= limit:
            return segment
    return None


def _in_bands(layers: Sequence[Rows], between: Sequence[FeatureLayout], first: int, bands: int) -> Segment:
    """``layers`` in so many bands of about as many group rows of the last layer."""
    targets, rings = [], [0] * len(between)
    before = (0,) * len(layers)
    for band in range(1, bands + 1):
        target = [-(-layers[-1].groups * band // bands)]
        for layer, reader, plan in zip(layers[-2::-1], layers[:0:-1], between[::-1], strict=True):
            wanted = reader.wanted_rows(target[0], plan.shape[1])
            target.insert(0, min(layer.groups, -(-wanted // layer.made)))
        targets.append(tuple(target))
        for i, (layer, reader, plan) in enumerate(zip(layers, layers[1:], between, strict=False)):
            kept = min(plan.shape[1], target[i] * layer.made) - reader.first_row(before[i + 1])
            rings[i] = max(rings[i], -(-kept // layer.made) * layer.made)
        before = tuple(target)
    whole = [0 if ring >= plan.shape[1] else ring for ring, plan in zip(rings, between, strict=True)]
    return Segment(first, tuple(targets), tuple(whole))


def _lines(segment: Segment, maps: Sequence[FeatureLayout], batch: int) -> int:
    """Lines of all maps that are in use while the segment is made."""
    rings = [
        replace(plan, ring=ring) for plan, ring in zip(maps[segment.first + 1 :], segment.rings, strict=False)
    ]
    used = (maps[segment.first], *rings, maps[segment.last + 1])
    return sum(plan.batch_lines(batch) for plan in used)


def _cost(segment: Segment, layers: Sequence[Rows]) -> int:
    """Clocks of the segment's entries beyond one a layer."""
    entries = segment.entries()
    return sum(layers[entry.layer].cost for entry in entries if entry.top)
