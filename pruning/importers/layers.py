"""The layers made so far, and those that only move or average pixels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import gcd

import torch
from torch import Tensor, nn

from hw.contract.network import Conv, Dense
from hw.util import names
from hw.util.errors import UnsupportedNetwork
from pruning.importers.averages import Window, counts_less_at_borders, sums, windows
from pruning.importers.hardware import MOST_KERNEL, placed
from pruning.importers.image_scale import Scale
from pruning.importers.kernels import Selection, inside, selection
from pruning.importers.maps import Maps, size_of
from pruning.importers.refusals import refuse
from pruning.importers.values import Made, Value, of, trainable
from pruning.layers.models import NORM

RESERVED = {*dir(nn.Module()), "network", "images"}
"""Names that a layer of a :class:`NetworkModel` cannot have: its own attributes, and the input's."""


class Layers(Maps):
    """Layers in the order in which they run, and layers that give a map which is wanted as it is.

    Members: ``uncut``, where means are not kept in their range.
    """

    def __init__(self, name: str, shape: Sequence[int], batch: int) -> None:
        super().__init__(name, shape, batch)
        self._made: list[Made] = []
        self.uncut: list[str] = []

    # --- maps as they are wanted --------------------------------------------------------------------

    def settled(self, value: Value, position: str) -> Value:
        """``value`` as one map for which nothing waits, by layers that do what waited."""
        value = self.averaged(value)
        if value.plain and len(value.parts) == 1:
            return replace(value, shape=value.whole)
        return self._rows(value) or self.copied(value, position)

    def copied(self, value: Value, position: str) -> Value:
        """The same, always by a layer of its own: a convolution of one pixel, or what selects pixels."""
        if value.scale is not None:
            value = self.scaled(value, position)
            return value if value.plain else self.copied(value, position)
        value = self.averaged(value)
        if value.vector:
            return self._copied_vector(value, position)
        if value.index is None and value.padding is None:
            value = replace(value, shape=value.whole)
        channels, height, width = self.map_of(value, position)
        top, left, bottom, right = value.padding or (0, 0, 0, 0)
        inner = (height - top - bottom, width - left - right)
        index = None if value.index is None else value.index.view(channels, *inner)
        found = _all_of(channels) if index is None else selection(index, value.whole)
        if found is None:
            raise refuse(
                position,
                "the pixels of the map that it takes were moved (transposed, turned, repeated), and the "
                "hardware takes channels and every pixel or every second one",
                "leave that out and train again",
            )
        if value.padding is not None and not found.of_channels:
            value = replace(self.copied(replace(value, padding=None, shape=(channels, *inner)), position))
            value = replace(value, padding=(top, left, bottom, right), shape=(channels, height, width))
            return self.copied(value, position)
        weight, start = _selecting(found, value.whole[0])
        start = (top - start[0], left - start[1])
        made = self._copy(value, position, "copy", weight, start, found.stride, (height, width))
        return replace(made, last=value.last)

    def scaled(self, value: Value, position: str) -> Value:
        """``value`` with images that are scaled made by a layer that does it, in front of any padding."""
        if value.scale is None:
            return value
        inner = value.whole if value.index is None else value.numbers().shape
        scale = replace(
            value.scale, **{name: getattr(value.scale, name).reshape(inner) for name in ("factor", "offset")}
        )
        constants = scale.per_channel() if len(inner) == 3 else None
        if constants is None:
            raise self.per_pixel(scale)
        made = self.copied(replace(value, scale=None, padding=None, shape=tuple(inner)), position)
        layer = made.parts[0]
        layer.copies = False
        factor, offset = (numbers.to(layer.module.weight) for numbers in constants)
        layer.module.weight.mul_(factor.view(-1, 1, 1, 1))
        layer.bias().add_(offset)
        return replace(made, padding=value.padding, shape=value.shape if value.padding else made.shape)

    def averaged(self, value: Value, most: int = 0) -> Value:
        """``value`` with layers for average pooling that waits: for so much that what is left waits on a map
        of at most ``most`` rows and columns; 0: for all of it."""
        if value.average is None:
            return value
        average, size, found = value.average, value.average.size, []
        probe = torch.zeros(1, 1, *size, dtype=torch.double)
        for pool in average.pools:
            height, width = probe.shape[2:]
            steps = windows(pool, height, width) if max(height, width) > most else (pool,)
            if steps is None and (whole := windows(average, *size)):
                found = [*whole]  # as of a mean over rows, then one over columns
                break
            if steps is None and counts_less_at_borders(pool, height, width):
                raise refuse(
                    average.position,
                    f"average pooling of {height}×{width} maps whose windows count fewer pixels at the "
                    "borders, and a convolution has the same weights everywhere",
                    "count the zeros there, too (count_include_pad), leave out ceil_mode, and train again",
                )
            if steps is None:
                raise refuse(
                    average.position,
                    f"average pooling of {height}×{width} maps that is not of equal weights in windows of at "
                    f"most {MOST_KERNEL}×{MOST_KERNEL}, with strides of 1 or 2",
                    "use windows of 2×2, or the mean of all pixels",
                )
            found += steps
            probe = pool(probe)
        made = replace(value, average=None, index=None, padding=None, whole=(value.whole[0], *size))
        made = replace(made, shape=made.whole)
        while found and max(made.shape[1:]) > most:
            made = self._window(made, average.position, found.pop(0))
        rest = (partial(sums, window=step) if isinstance(step, Window) else step for step in found)
        left = replace(average, size=made.shape[1:], pools=tuple(rest)) if found else None
        self.uncut += () if found else average.uncut
        return replace(value, parts=made.parts, average=left, shared=made.shared)

    def per_pixel(self, scale: Scale) -> UnsupportedNetwork:
        """The error for images that are scaled otherwise from pixel to pixel, where a map is wanted."""
        size = size_of(tuple(scale.offset.shape))
        return refuse(
            scale.position,
            f"a constant of {size} that is not one number per channel of the {size} map",
            "use one number per channel, which becomes part of weights and bias",
        )

    def channels(self, value: Value) -> Tensor | None:
        """Which channels of ``whole`` a map with an order of its own has, -1: zeros; None: it has others."""
        if value.index is None or value.index.dim() != 3 or value.vector:
            return None
        found = selection(value.index, value.whole)
        return found.channels if found is not None and found.of_channels else None

    def _window(self, value: Value, position: str, window: Window) -> Value:
        channels, *size = value.whole
        weight = torch.zeros(channels, channels, *window.kernel)
        weight[torch.arange(channels), torch.arange(channels)] = window.weight
        top, left, bottom, right = window.pads
        padded = (size[0] + top + bottom, size[1] + left + right)
        result = tuple((n - k) // window.stride + 1 for n, k in zip(padded, window.kernel, strict=True))
        return self._copy(value, position, "average", weight, (top, left), window.stride, result)

    def _copy(
        self,
        value: Value,
        position: str,
        what: str,
        weight: Tensor,
        start: Sequence[int],
        stride: int,
        result: Sequence[int],
    ) -> Value:
        last = value.parts[-1]
        path = f"{'images' if last is None else last.spec.name}_{what}"
        return self.layer(position, path, value, weight, None, start, stride, result, copies=True)

    def _rows(self, value: Value) -> Value | None:
        """Other channels in the place of those of a layer that nobody else reads: by other weights."""
        made = value.parts[0]
        if value.shared or value.padding is not None or len(value.parts) > 1 or len(value.shape) != 3:
            return None
        if made is None or value.index is None or value.vector or made.added or made.norm is not None:
            return None
        order = self.channels(value)
        if order is None:
            return None
        own = made.module
        module = nn.Conv2d(
            own.in_channels, len(order), own.kernel_size, own.stride, own.padding, bias=False, device="meta"
        )
        module.weight = nn.Parameter(_picked(own.weight, order))
        if own.bias is not None:
            module.bias = nn.Parameter(_picked(own.bias, order))
        made.module, made.spec = module, replace(made.spec, out_channels=len(order))
        made.shape = (len(order), *made.shape[1:])
        return replace(of(made), shared=False, last=value.last)

    def _copied_vector(self, value: Value, position: str) -> Value:
        if len(value.shape) != 1 and max(value.shape) != len(value.numbers().flatten()):
            raise refuse(position, f"it takes features as {size_of(value.shape)}", "leave them flat")
        order = value.numbers().flatten().long()
        weight = torch.eye(value.whole[0])[order] * (order >= 0)[:, None]
        last = value.parts[-1]
        name = "images" if last is None else last.spec.name
        made = self.dense(f"{name}_copy", replace(value, index=None), weight, None, copies=True)
        return replace(made, shape=value.shape)

    # --- layers -------------------------------------------------------------------------------------

    def layer(
        self,
        position: str,
        path: str,
        value: Value,
        weight: Tensor,
        bias: Tensor | None,
        start: Sequence[int],
        stride: int,
        result: Sequence[int],
        *,
        copies: bool = False,
        groups: int = 1,
        taps: int = 0,
    ) -> Value:
        """A convolution of what ``value`` has in its parts: ``weight`` (out, in, rows, columns), the first
        window ``start`` rows above and columns left of the map, giving maps of ``result`` pixels.

        ``groups``: of the file; ``taps``: weights of an output there. What ``copies`` has neither.
        """
        size = value.whole[1:]
        kernel = weight.shape[2:]
        fits = placed(kernel, start, stride, size, result) if min(result) > 0 else None
        if fits is None:
            raise refuse(
                position,
                f"a {size_of(tuple(kernel))} kernel of stride {stride} makes {size_of(tuple(result))} of "
                f"{size_of(tuple(size))} pixels, and no square kernel of at most {MOST_KERNEL}×{MOST_KERNEL} "
                "with as much padding above as left, and as much below as right, does",
                "use a square kernel, with equal padding on all sides",
            )
        square, before, after = fits
        out, channels = weight.shape[:2]
        spec = Conv(
            self.called(path),
            channels,
            out,
            square,
            before,
            relu=False,
            stride=stride,
            end_padding=None if after == before else after,
            taps=taps,
            pointwise=square == 1,
        )
        module = nn.Conv2d(channels, out, square, stride, before, bias=bias is not None, device="meta")
        weight = inside(weight, square, before - start[0], before - start[1])
        made = Made(spec, module, value.parts, (size[0], size[1]), (out, *result), copies=copies)
        made.groups = gcd(out, channels) if copies else groups
        return self._add(made, weight, bias)

    def dense(
        self, path: str, value: Value, weight: Tensor, bias: Tensor | None, copies: bool = False
    ) -> Value:
        """A fully connected layer of what ``value`` has in its parts, (out, features)."""
        out, features = weight.shape
        spec = Dense(self.called(path), features, out, relu=False)
        if not value.vector:
            spec.output((value.whole[0], value.whole[1], value.whole[2]))
        module = nn.Linear(features, out, bias=bias is not None, device="meta")
        size = (1, 1) if value.vector else (value.whole[1], value.whole[2])
        return self._add(Made(spec, module, value.parts, size, (out,), copies=copies), weight, bias)

    def _add(self, made: Made, weight: Tensor, bias: Tensor | None) -> Value:
        made.module.weight = nn.Parameter(trainable(weight).detach().clone())
        if bias is not None:
            made.module.bias = nn.Parameter(trainable(bias).detach().clone())
        self._made.append(made)
        return of(made)

    def called(self, path: str) -> str:
        """``path`` as the name of a layer: ASCII letters, digits and underscores, and nobody else's."""
        name = names.closest(re.sub(r"\W+", "_", path), "layer")
        taken = {made.spec.name for made in self._made}
        while name in taken | RESERVED or {name + NORM, name.removesuffix(NORM)} & taken:
            name += "_"
        return name


def _all_of(channels: int) -> Selection:
    nothing = torch.zeros(channels, dtype=torch.long)
    return Selection(torch.arange(channels), nothing, nothing, 1)


def _selecting(found: Selection, channels: int) -> tuple[Tensor, tuple[int, int]]:
    """(weights of the smallest kernel that does it, the pixel that its first one starts at)."""
    there = (found.channels >= 0).nonzero()[:, 0]
    rows, columns = found.rows[there], found.columns[there]
    first = (int(rows.min()), int(columns.min())) if len(there) else (0, 0)
    rows, columns = rows - first[0], columns - first[1]
    size = (int(rows.max()) + 1, int(columns.max()) + 1) if len(there) else (1, 1)
    weight = torch.zeros(len(found.channels), channels, *size)
    weight[there, found.channels[there], rows, columns] = 1
    return weight, first


def _picked(value: Tensor, order: Tensor) -> Tensor:
    """Rows of ``value`` in that order, zeros for -1."""
    kept = (order >= 0).view(-1, *[1] * (value.dim() - 1)).to(value)
    return value.detach()[order.clamp(min=0).to(value.device)] * kept
