"""Where the maps of a graph lie in feature memory, and for how long.

Maps that a layer reads together lie side by side, as the channels of one map would: a *buffer*. A map is
alive from the layer that makes it to the last one that reads it. Maps whose lives overlap do not share lines;
of several ways to place them the one with the shallowest memory is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hw.compile.feature_layout import FeatureLayout
from hw.contract.network import Network
from hw.util.errors import ConfigError, UnsupportedNetwork

Buffer = tuple[int, ...]
"""Numbers of maps, in the order of their channels."""


@dataclass(frozen=True)
class Placement:
    """layouts: of every map, by number. sources: of what every layer reads, as one map. lines: the depth of
    the feature memory."""

    layouts: tuple[FeatureLayout, ...]
    sources: tuple[FeatureLayout, ...]
    lines: int


def buffers_of(network: Network) -> list[Buffer]:
    """Every map in one buffer, alone or with those that some layer reads beside it.

    Raises ``UnsupportedNetwork`` where a map would have to lie in two places.
    """
    after: dict[int, int] = {}
    before: dict[int, int] = {}
    for layer, maps in zip(network.layers, network.sources, strict=True):
        for left, right in pairwise(maps):
            if after.setdefault(left, right) != right or before.setdefault(right, left) != left:
                raise UnsupportedNetwork(
                    f"layer {layer.name!r}: of the maps that it reads one lies beside another map "
                    "already, for another layer: put a 1×1 convolution between, which copies it"
                )
    found = []
    for first in range(len(network.maps)):
        if first not in before:
            buffer = [first]
            while buffer[-1] in after:
                buffer.append(after[buffer[-1]])
            found.append(tuple(buffer))
    if sum(map(len, found)) < len(network.maps):
        raise UnsupportedNetwork(
            f"network {network.name!r}: maps that are read together go round in a circle: put a 1×1 "
            "convolution between two of them, which copies one"
        )
    return found


@dataclass(frozen=True)
class _Part:
    """Lines of a buffer that are taken from layer ``born`` (-1: by the images) to layer ``last``."""

    first: int
    lines: int
    born: int
    last: int


@dataclass(frozen=True)
class _Item:
    """A buffer to place."""

    buffer: Buffer
    lines: int
    parts: tuple[_Part, ...]

    @property
    def born(self) -> int:
        return min(part.born for part in self.parts)


def place(
    network: Network, buffers: Sequence[Buffer], layouts: Sequence[FeatureLayout], batch: int, limit: int
) -> Placement:
    """Place the maps of ``buffers``, which lie like ``layouts`` (one for each buffer, of all its channels),
    for ``batch`` images in at most ``limit`` lines (0: in as many as it takes).

    Raises ``ConfigError`` where they take more.
    """
    items = [_item(network, *pair, batch) for pair in zip(buffers, layouts, strict=True)]
    bases, lines = _shallowest(items)
    if limit and lines > limit:
        raise ConfigError(
            f"{limit} memory_lines cannot hold the maps of network {network.name!r}, which take {lines}: "
            "it has branches, so its layers are not made in row bands: raise memory_lines or line_pixels, or "
            "lower the batch"
        )
    placed: dict[int, FeatureLayout] = {}
    for item, layout in zip(items, layouts, strict=True):
        first = bases[item.buffer]
        for number in item.buffer:
            shape = network.maps[number]
            placed[number] = replace(layout, shape=shape, base=first, pitch=layout.lines)
            first += shape[0] * layout.channel_lines
    sources = [
        replace(placed[maps[0]], shape=shape)
        for maps, shape in zip(network.sources, network.inputs, strict=True)
    ]
    return Placement(tuple(placed[number] for number in range(len(network.maps))), tuple(sources), lines)


def lives(network: Network) -> list[tuple[int, int]]:
    """Of every map: the layer that makes it (-1: none does) and the last one that reads it."""
    end = len(network.layers)
    return [(number - 1, max(network.readers(number), default=end)) for number in range(len(network.maps))]


def _item(network: Network, buffer: Buffer, layout: FeatureLayout, batch: int) -> _Item:
    own = [lives(network)[number] for number in buffer]
    if (
        layout.stacks(batch) > 1
    ):  # maps of one stack after those of another: every one lies all over the buffer
        whole = _Part(0, layout.batch_lines(batch), min(b for b, _ in own), max(last for _, last in own))
        return _Item(buffer, whole.lines, (whole,))
    parts, first = [], 0
    for number, (born, last) in zip(buffer, own, strict=True):
        lines = network.maps[number][0] * layout.channel_lines
        parts.append(_Part(first, lines, born, last))
        first += lines
    return _Item(buffer, first, tuple(parts))


def _shallowest(items: Sequence[_Item]) -> tuple[dict[Buffer, int], int]:
    """(first line of every buffer, depth) of the best of some ways to place them."""
    least = max(
        sum(part.lines for item in items for part in item.parts if part.born <= time <= part.last)
        for time in range(-1, max(part.last for item in items for part in item.parts) + 1)
    )
    orders: list[Callable[[_Item], tuple[int, ...]]] = [
        lambda item: (item.born,),
        lambda item: (-item.lines, item.born),
        lambda item: (-max(part.last - part.born for part in item.parts), -item.lines),
    ]
    found = []
    for order in orders:
        ordered = sorted(items, key=order)
        for alternates in (False, True):
            bases = _first_fit(ordered, least if alternates else 0)
            depth = max(bases[item.buffer] + item.lines for item in items)
            found.append((depth, bases))
    depth, bases = min(found, key=lambda pair: pair[0])
    return bases, depth


def _first_fit(items: Iterable[_Item], depth: int) -> dict[Buffer, int]:
    """Every item as low as it fits beside those before it; with a ``depth`` every second one as high as it
    fits below that, if it does."""
    placed: list[tuple[_Item, int]] = []
    for number, item in enumerate(items):
        edges = {0} | {
            base + other.first + other.lines - own.first
            for others, base in placed
            for other in others.parts
            for own in item.parts
            if base + other.first + other.lines >= own.first
        }
        if depth and number % 2:
            tops = {depth - item.lines} | {
                base + other.first - own.first - own.lines
                for others, base in placed
                for other in others.parts
                for own in item.parts
            }
            high = [top for top in tops if 0 <= top <= depth - item.lines and _free(item, top, placed)]
            if high:
                placed.append((item, max(high)))
                continue
        placed.append((item, min(edge for edge in edges if _free(item, edge, placed))))
    return {item.buffer: base for item, base in placed}


def _free(item: _Item, base: int, placed: Sequence[tuple[_Item, int]]) -> bool:
    """Whether no line of ``item`` from ``base`` on is taken while it is."""
    return not any(
        own.born <= other.last
        and other.born <= own.last
        and base + own.first < at + other.first + other.lines
        and at + other.first < base + own.first + own.lines
        for others, at in placed
        for other in others.parts
        for own in item.parts
    )
