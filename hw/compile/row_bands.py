"""Layer fusion in row bands, so that a map too large for feature memory never lies in it whole.

A *segment* of consecutive convolutions is made row band by row band: some rows of its first layer, then the
rows of the next one that these make possible, and so on; then the next band. Of the maps within a segment
only as many rows are kept as a band needs, in a ring: row y lies where row y - ring lay. No row is made
twice. Maps between segments are kept whole, at the two ends of feature memory in turn.

A layer that is made in row bands is several instructions of the layer program. What that costs: each
instruction fills and empties the pipeline, and fetches its weights anew where they come from external memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hw.compile.feature_layout import FeatureLayout
from hw.util.errors import ConfigError


@dataclass(frozen=True)
class GroupRows:
    """How layer ``name`` goes over its maps from top to bottom, in *group rows* of R tile rows.

    groups: group rows of the whole layer. stride: input rows from one to the next. overlap: rows by which
    the windows of a group row reach beyond that. padding: rows above the input map. made: output rows of one.
    cost: clocks that another instruction of this layer takes. splits: whether it can be made in row bands.
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
class Instruction:
    """Group rows ``top`` to ``top + groups - 1`` of layer number ``layer``, the network's first being 0."""

    layer: int
    top: int
    groups: int


@dataclass(frozen=True)
class RowBandPlan:
    """Instructions in the order of a run, the maps where they lie, and the depth of the feature memory in
    lines."""

    instructions: tuple[Instruction, ...]
    maps: tuple[FeatureLayout, ...]
    lines: int


@dataclass(frozen=True)
class Segment:
    """Layers from ``first`` on, made in row bands: after band k there are ``targets[k][i]`` group rows of
    layer ``first + i``. rings: rows kept of the maps between them, 0 for all."""

    first: int
    targets: tuple[tuple[int, ...], ...]
    rings: tuple[int, ...] = ()

    @property
    def last(self) -> int:
        """Its last layer."""
        return self.first + len(self.targets[0]) - 1

    def instructions(self) -> list[Instruction]:
        """The segment's part of the layer program."""
        before, found = (0,) * len(self.targets[0]), []
        for target in self.targets:
            for i, (start, stop) in enumerate(zip(before, target, strict=True)):
                if stop > start:
                    found.append(Instruction(self.first + i, start, stop - start))
            before = target
        return found


def plan_row_bands(
    layers: Sequence[GroupRows], maps: Sequence[FeatureLayout], batch: int, limit: int
) -> RowBandPlan:
    """Instructions for ``layers``, and where their maps lie (one more than layers), which may take ``limit``
    lines, 0 for as many as whole maps need. Of all plans that fit, the one whose additional instructions cost
    least.

    Raises ``ConfigError`` when even row bands of one group row are too large.
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
    instructions = tuple(item for segment in segments for item in segment.instructions())
    return RowBandPlan(instructions, tuple(placed), lines)


def _segments(
    layers: Sequence[GroupRows], maps: Sequence[FeatureLayout], batch: int, limit: int
) -> list[Segment]:
    """The cheapest segments that fit: the best for the first layers, one layer more at a time."""
    best: list[tuple[int, list[Segment]] | None] = [(0, [])]
    for stop in range(1, len(layers) + 1):
        options = []
        for start, before in enumerate(best):
            if before and (segment := _segment(layers, maps, start, stop, batch, limit)):
                options.append((before[0] + _cost(segment, layers), [*before[1], segment]))
        best.append(min(options, key=lambda option: option[0]) if options else None)
    if not best[-1]:
        stuck = layers[max(i for i, before in enumerate(best) if before)].name
        raise ConfigError(
            f"{limit} memory_lines cannot hold the maps of layer {stuck!r}, not even made in row bands of "
            "one row of tile groups: raise memory_lines or line_pixels, or lower the batch"
        )
    return best[-1][1]


def _segment(
    layers: Sequence[GroupRows], maps: Sequence[FeatureLayout], start: int, stop: int, batch: int, limit: int
) -> Segment | None:
    """Layers ``start`` to ``stop - 1`` as one segment of as few row bands as fit, or None."""
    if stop - start == 1:
        segment = Segment(start, ((layers[start].groups,),))
        return segment if not limit or _lines(segment, maps, batch) <= limit else None
    if not limit or not all(layer.splits for layer in layers[start:stop]):
        return None
    if any(layout.packing > 1 for layout in maps[start + 1 : stop]):
        return None
    for count in range(2, layers[stop - 1].groups + 1):
        segment = _in_row_bands(layers[start:stop], maps[start + 1 : stop], start, count)
        if _lines(segment, maps, batch) <= limit:
            return segment
    return None


def _in_row_bands(
    layers: Sequence[GroupRows], between: Sequence[FeatureLayout], first: int, count: int
) -> Segment:
    """``layers`` in ``count`` row bands, with about as many group rows of the last layer in each."""
    targets, rings = [], [0] * len(between)
    before = (0,) * len(layers)
    for number in range(1, count + 1):
        target = [-(-layers[-1].groups * number // count)]
        for layer, reader, layout in zip(layers[-2::-1], layers[:0:-1], between[::-1], strict=True):
            wanted = reader.wanted_rows(target[0], layout.shape[1])
            target.insert(0, min(layer.groups, -(-wanted // layer.made)))
        targets.append(tuple(target))
        for i, (layer, reader, layout) in enumerate(zip(layers, layers[1:], between, strict=False)):
            kept = min(layout.shape[1], target[i] * layer.made) - reader.first_row(before[i + 1])
            rings[i] = max(rings[i], -(-kept // layer.made) * layer.made)
        before = tuple(target)
    whole = [0 if ring >= layout.shape[1] else ring for ring, layout in zip(rings, between, strict=True)]
    return Segment(first, tuple(targets), tuple(whole))


def _lines(segment: Segment, maps: Sequence[FeatureLayout], batch: int) -> int:
    """Lines of all maps that are in use while the segment is made."""
    rings = [
        replace(layout, ring=ring)
        for layout, ring in zip(maps[segment.first + 1 :], segment.rings, strict=False)
    ]
    used = (maps[segment.first], *rings, maps[segment.last + 1])
    return sum(layout.batch_lines(batch) for layout in used)


def _cost(segment: Segment, layers: Sequence[GroupRows]) -> int:
    """Clocks of the segment's instructions beyond one a layer."""
    return sum(layers[item.layer].cost for item in segment.instructions() if item.top)
