"""The constant channel (:mod:`pruning.importers.image_scale`), for every layer that reads images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import torch
from torch import nn

from hw.contract.network import Shape
from hw.util import names
from pruning.importers.placing import identity
from pruning.importers.values import Made


def reads_constant(made: Made, images: Shape) -> bool:
    """Whether a layer has weights for the constant channel behind ``images``."""
    return made.reads == (None,) and not made.spec.dot and made.spec.inputs == images[0] + 1


def with_constant(layers: Sequence[Made], images: Shape) -> list[Made]:
    """``layers``, all of which read the constant channel behind those of ``images``; it is nothing to those
    that have no weights for it."""
    found: list[Made] = []
    taken = {made.spec.name for made in layers}
    for made in layers:
        if None in made.added:
            copy = _copy(images, taken)
            found.append(copy)
            made.added = (copy,)
        if None in made.reads:
            if not reads_constant(made, images):
                _extend(made, images)
        found.append(made)
    return found


def _extend(made: Made, images: Shape) -> None:
    """Zeros as weights of the constant channel."""
    each = prod if made.spec.dot else _channels
    sizes = [each(images if source is None else _map(source)) for source in made.reads]
    more = prod(images[1:]) if made.spec.dot else 1
    parts = []
    for source, part in zip(made.reads, made.module.weight.detach().split(sizes, 1), strict=True):
        parts.append(part)
        if source is None:
            parts.append(part.new_zeros(len(part), more, *part.shape[2:]))
    made.module.weight = nn.Parameter(torch.cat(parts, 1))
    if not made.spec.dot:
        made.spec = replace(made.spec, in_channels=made.spec.in_channels + 1)
    else:
        made.spec = replace(made.spec, in_features=made.spec.in_features + more)


def _copy(images: Shape, taken: set[str]) -> Made:
    """The images without the constant channel."""
    name = names.closest("images_copy", "copy")
    while name in taken:
        name += "_"
    taken.add(name)
    made = identity(name, None, images)
    _extend(made, images)
    return made


def _map(source: Made) -> Shape:
    return source.shape[0], source.shape[1], source.shape[2]


def _channels(shape: Shape) -> int:
    return shape[0]
