"""The order in which layers read maps: what is read together lies side by side in memory.

A map has one neighbour on each side, and maps with a sign do not lie between others. Sources of a layer
change places, with its weights; where that does not help, a layer reads a copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, permutations
from math import prod

import torch
from torch import nn

from hw.contract.network import Conv, Shape
from hw.util import names
from pruning.importers.values import Made

MOST_ORDERS = 5
"""Sources of which all orders are tried."""


def placed_side_by_side(layers: Sequence[Made], images: Shape) -> list[Made]:
    """``layers`` with sources in an order that memory can have, and the copies that it takes in between."""
    found: list[Made] = []
    taken = {made.spec.name for made in layers}
    neighbours = _Neighbours()
    for made in layers:
        if len(made.sources) > 1:
            order = min(_orders(made), key=lambda order: len(neighbours.strangers(order)))
            strangers = neighbours.strangers(order)
            _reorder(made, order, images)
            copies = {}
            for number in sorted(strangers):
                source = order[number]
                base = "images" if source is None else source.spec.name
                name = names.closest(f"{base}_copy", "copy")
                while name in taken:
                    name += "_"
                taken.add(name)
                copies[number] = identity(name, source, images)
                found.append(copies[number])
            whole = [copies.get(number, source) for number, source in enumerate(order)]
            count = len(made.reads)
            made.reads, made.added = tuple(whole[:count]), tuple(whole[count:])
            neighbours.add(whole)
        found.append(made)
    return found


class _Neighbours:
    """Which map lies after which one."""

    def __init__(self) -> None:
        self.after: dict[Made | None, Made | None] = {}
        self.before: dict[Made | None, Made | None] = {}

    def strangers(self, order: Sequence[Made | None]) -> set[int]:
        """Which of these maps cannot lie side by side with the others, by number."""
        found: set[int] = set()
        while True:
            more = {
                number
                for number in range(len(order))
                if number not in found and self._clash(order, number, found)
            }
            if not more:
                return found
            found.add(max(more))

    def _clash(self, order: Sequence[Made | None], number: int, copies: set[int]) -> bool:
        own = order[number]
        if own in [order[n] for n in range(number) if n not in copies]:
            return True
        last = number == len(order) - 1
        if (
            not last
            and own in self.after
            and (number + 1 in copies or self.after[own] is not order[number + 1])
        ):
            return True
        if (
            number
            and own in self.before
            and (number - 1 in copies or self.before[own] is not order[number - 1])
        ):
            return True
        if last or number + 1 in copies or own in self.after:
            return False
        end, seen = order[number + 1], 0  # lies after it, unless it lies in front of it already
        while end in self.after and seen <= len(self.after):
            end, seen = self.after[end], seen + 1
        return end is own

    def add(self, order: Sequence[Made | None]) -> None:
        for left, right in pairwise(order):
            self.after[left], self.before[right] = right, left


def _orders(made: Made) -> Iterator[tuple[Made | None, ...]]:
    """Of its sources, those in which maps with a sign follow one another; the given one first. What averages
    gives its channels in the order in which it reads them."""
    if made.spec.average:
        yield made.sources
        return
    reads = made.reads
    first_signed = sorted(reads, key=lambda source: not _signed(source))
    tried = [reads, tuple(first_signed), tuple(sorted(reads, key=_signed))]
    if len(reads) <= MOST_ORDERS:
        tried += permutations(reads)
    for order in tried:
        signs = [_signed(source) for source in (*order, *made.added)]
        if _one_run(signs):
            yield (*order, *made.added)


def _one_run(signs: Sequence[bool]) -> bool:
    """Whether those that are true follow one another."""
    return sum(now and not before for before, now in pairwise((False, *signs))) <= 1


def one_run_of_signs(sources: Sequence[Made | None]) -> bool:
    """Whether layers make all of these maps, and those that have a sign follow one another."""
    return None not in sources and _one_run([_signed(source) for source in sources])


def _signed(source: Made | None) -> bool:
    return source is not None and source.spec.signed


def _shape(source: Made | None, images: Shape) -> Shape:
    if source is None:
        return images
    return source.shape[0], source.shape[1], source.shape[2]


def _reorder(made: Made, order: Sequence[Made | None], images: Shape) -> None:
    """Weights for sources in another order."""
    reads = order[: len(made.reads)]
    if all(a is b for a, b in zip(reads, made.reads, strict=True)):
        return
    each = [prod(_shape(s, images)) if made.spec.dot else _shape(s, images)[0] for s in made.reads]
    blocks = dict(zip(made.reads, made.module.weight.split(each, 1), strict=True))
    made.module.weight = nn.Parameter(torch.cat([blocks[source] for source in reads], 1).detach().clone())


def identity(name: str, source: Made | None, images: Shape) -> Made:
    """A layer that copies the map of ``source`` (None: the images)."""
    channels, height, width = _shape(source, images)
    module = nn.Conv2d(channels, channels, 1, bias=False, device="meta")
    module.weight = nn.Parameter(torch.eye(channels).view(channels, channels, 1, 1))
    spec = Conv(name, channels, channels, 1, relu=not _signed(source), taps=0, pointwise=True)
    size = (height, width)
    return Made(spec, module, (source,), size, (channels, *size), copies=True, groups=channels)
