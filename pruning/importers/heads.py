"""Fully connected layers, what a network ends in, and what of it is left to the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile
from math import prod

import torch
from torch import Tensor

from hw.contract.network.large_images import average
from hw.util.errors import UnsupportedNetwork
from pruning.importers import hardware
from pruning.importers.enlarging import Enlarging
from pruning.importers.image_scale import folded
from pruning.importers.kernels import scattered
from pruning.importers.maps import check_bias, size_of
from pruning.importers.placing import one_run_of_signs
from pruning.importers.refusals import refuse
from pruning.importers.values import Made, Value
from pruning.layers.models import Average

EXACT = 1e-9
"""By which the weights of a mean may differ from one in sum, and are taken as one."""


class Heads(Enlarging):
    """Fully connected layers, and the last map as the hardware gives it."""

    def linear(self, value: Value, position: str, path: str, weight: Tensor, bias: Tensor | None) -> Value:
        """``weight`` (out, features)."""
        self.ready(value)
        check_bias(position, weight, bias)
        *ones, has = value.seen
        if prod(ones) != 1:
            raise refuse(
                position,
                f"a fully connected layer along the last axis of a {size_of(value.shape)} map",
                "flatten the map in front of it (nn.Flatten)",
            )
        if weight.shape[1] != has:
            raise refuse(
                position,
                f"a fully connected layer of {weight.shape[1]} features gets {has}",
                "give it weights for as many",
            )
        if value.padding is not None:
            value = self.settled(value, position)
        value = self.averaged(value, hardware.DENSE_SIDE).unrolled()
        if value.scale is not None:
            factor, offset = value.scale.factor.flatten(), value.scale.offset.flatten()
            weight, bias, _ = folded(factor, offset, weight, bias, outside=False)
            value = replace(value, scale=None)
        if value.index is not None:
            weight = scattered(weight, value.index.flatten(), prod(value.whole))
        if value.average is not None:
            value, weight = self._of_pixels(value, weight)
        made = self.dense(path, replace(value, index=None), weight, bias)
        return replace(made, shape=(*ones, made.whole[0]))

    def _of_pixels(self, value: Value, weight: Tensor) -> tuple[Value, Tensor]:
        """``value``, for which averages wait, and ``weight`` (out, features) of these, as what is read: means
        that a layer makes, or the pixels themselves."""
        waiting, pixels = value.average, value.average.matrix().to(weight.device)
        mean = pixels.shape[1] == 1 and torch.allclose(pixels, pixels.mean(), rtol=1e-9, atol=0)
        mean = mean and value.whole[0] > 1 and one_run_of_signs(value.parts)
        if mean and hardware.takes_mean(waiting.size, len(weight)):
            name = self.called(f"{value.parts[-1].spec.name}_average")
            spec = average(name, value.whole[0], waiting.size[0])
            made = Made(spec, Average(), value.parts, waiting.size, value.whole, range=waiting.range)
            self._made.append(made)
            factor = float(pixels.sum())
            weight = weight if abs(factor - 1) < EXACT else (weight.double() * factor).to(weight.dtype)
            return replace(value, average=None, parts=(made,)), weight
        self.uncut += waiting.uncut
        spread = weight.double().unflatten(1, (-1, pixels.shape[1])) @ pixels.T
        whole = (value.whole[0], *waiting.size)
        return replace(value, average=None, whole=whole), spread.flatten(1).to(weight.dtype)

    def leave(self, value: Value, position: str, error: UnsupportedNetwork) -> Value:
        """An operation to the host: ``error`` says why, should something follow."""
        self.ready(value)
        return replace(value, ends=(*value.ends, position), blocked=error)

    def follow(self, values: Sequence[Value], position: str, *, moves: bool) -> Value | None:
        """An operation behind one that is left to the host, to the host as well; None where it is behind
        none, or reads another map than that one did. ``moves``: it changes the shape alone."""
        left = next((value for value in values if value.blocked is not None), None)
        if left is None or not all(_is_same(value, left) for value in values):
            return None
        ends: list[str] = []
        for value in values:  # what several of them begin with was done once
            alike = takewhile(lambda pair: pair[0] == pair[1], zip(ends, value.ends, strict=False))
            ends += value.ends[len(list(alike)) :]
        return replace(left, ends=tuple(ends) if moves else (*ends, position))

    def move(
        self, value: Value, position: str, operation: str, function: Callable[[Tensor], Tensor]
    ) -> Value:
        moved = super().move(value, position, operation, function)
        if moved.shape:
            return moved
        error = refuse(position, "it takes one number out of many", "leave it, and what follows, to the host")
        return self.leave(value, position, error)

    def last(self, value: Value) -> tuple[Value, tuple[str, ...]]:
        """(what the last layer makes, sentences of what is left to the host)."""
        position, notes = f"the end of {self.name!r}", list(value.ends)
        if value.last:
            notes.insert(0, "the order of rows, columns and channels (it gives channels first)")
            value = replace(value, last=False)
        value = self.scaled(value, position)
        value, shape = replace(value, blocked=None, ends=()), value.shape
        if value.padding is not None:
            value = self.settled(value, position)
        if value.average is not None:
            value = self._average(value, position)
        if len(value.parts) > 1:
            order = self.channels(value)
            whole = value if order is not None or value.index is None else replace(value, index=None)
            seen = whole.whole if whole.index is None else whole.shape
            value = replace(self.settled(replace(whole, shape=seen), position), index=value.index)
            value = value if order is None else replace(value, index=None)
        made = value.parts[0]
        if (grown := self.grown(replace(value, blocked=None))) is not None:
            notes.insert(0, grown.words(value.index, value.whole))
        elif value.index is not None:
            notes.insert(0, f"the order of what it gives, {size_of(value.whole)}")
        elif prod(shape) == prod(value.whole) and shape != value.whole and not value.vector:
            notes.insert(0, f"the shape of what it gives, {size_of(value.whole)}")
        if made is not None and made.spec.dot and made.spec.relu:
            limit = "" if made.spec.clip is None else f" and the limit of {made.spec.clip:g}"
            notes.insert(0, f"the {'leaky ' if made.spec.leak else ''}ReLU{limit} of its scores")
            made.spec = replace(made.spec, relu=False, leak=0, clip=None)
        elif made is not None and made.spec.dot and made.range is not None:
            low, high = made.range
            notes.insert(0, f"the range of {low:.4g} to {high:.4g} of its scores")
        return value, tuple(notes)

    def _average(self, value: Value, position: str) -> Value:
        """One mean for every channel is a fully connected layer; other averages are convolutions."""
        if max(value.whole[1:]) > 1:
            return self.averaged(value)
        last, channels = value.parts[-1], value.shape[0]
        name = f"{'images' if last is None else last.spec.name}_average"
        flat = replace(value, shape=(channels,))
        return self.linear(flat, position, name, torch.eye(channels), None)


def _is_same(value: Value, left: Value) -> bool:
    """Whether both are the same map, whatever was left to the host of them."""
    waits = value.average is left.average and value.scale is left.scale and value.padding == left.padding
    if not waits or (value.parts, value.whole, value.last) != (left.parts, left.whole, left.last):
        return False
    return value is left or torch.equal(value.numbers().flatten(), left.numbers().flatten())
