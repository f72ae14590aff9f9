"""What joins the layer before it: batch norm, factors and offsets, ReLU, pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, prod

import torch
from torch import Tensor, nn

from pruning.importers import hardware
from pruning.importers.image_scale import unscaled
from pruning.importers.layers import Layers
from pruning.importers.maps import channels_of, size_of
from pruning.importers.refusals import refuse, unsupported
from pruning.importers.values import Made, Value, trainable
from pruning.quant.batch_norm_folding import fold_batch_norm_

MOST_SCALED = 1 << 24
"""Values of images whose factors and offsets are kept, one by one, for what reads them."""


class Joins(Layers):
    """Operations that become part of the layer in front of them, if nobody else reads its map as it is; else
    of a layer of one pixel that copies it."""

    def affine(
        self,
        value: Value,
        position: str,
        operation: str,
        factor: Tensor | float = 1.0,
        offset: Tensor | float = 0.0,
    ) -> Value:
        """Multiply the map by ``factor`` and add ``offset``: they become part of weights and bias.

        Both as they are put together with a batch of maps. A factor goes through ReLU and maximum unless
        it is negative, an offset through the maximum alone. Of images, and where a flattened map has other
        numbers from pixel to pixel, both wait for a reader.
        """
        constants = [torch.as_tensor(number, dtype=torch.double) for number in (factor, offset)]
        images = value.parts == (None,) and value.average is None
        if images and (waiting := self._scaling(value, position, *constants)) is not None:
            return waiting
        times, plus = (self.per_channel(value, constant) for constant in constants)
        flat = len(value.shape) == 1 and not value.vector
        if flat and (times is None or plus is None or value.index is not None or value.scale is not None):
            if (waiting := self._scaling(value, position, *constants)) is not None:
                return waiting
        if times is None or plus is None:
            size = size_of(tuple(constants[times is not None].shape))
            raise refuse(
                position,
                f"a constant of {size} that is not one number per channel of the {size_of(value.shape)} map",
                "use one number per channel, which becomes part of weights and bias",
            )
        if bool((times == 1).all()) and bool((plus == 0).all()):
            return value
        if not bool((times.isfinite() & plus.isfinite()).all()):
            raise unsupported(position, operation)
        made, rising, still = self._own(value), bool((times >= 0).all()), bool((plus == 0).all())
        if made is not None:
            passes = (rising and still) if made.spec.relu else (rising or made.spec.window == 1)
            made = made if passes and not made.added and made.spec.clip is None else None
        if made is None:
            shape = value.shape
            value = replace(self.copied(value, position), shape=shape)
            made = value.parts[0]
        made.copies, made.range = False, None
        weight = made.module.weight if made.norm is None else made.norm.weight
        bias = made.bias() if made.norm is None else made.norm.bias
        weight.mul_(times.to(weight).view(-1, *[1] * (weight.dim() - 1)))
        bias.mul_(times.to(bias)).add_(plus.to(bias))
        return value

    def _scaling(self, value: Value, position: str, factor: Tensor, offset: Tensor) -> Value | None:
        """``value``, as it is or scaled before, times ``factor`` and plus ``offset``, for which both wait.
        None where padding waits, and for what differs from image to image."""
        self.ready(value)
        if value.padding is not None or prod(value.shape) > MOST_SCALED:
            return None
        times, plus = (self.per_value(value, constant) for constant in (factor, offset))
        if times is None or plus is None or not bool((times.isfinite() & plus.isfinite()).all()):
            return None
        scale = (value.scale or unscaled(value.shape, position)).then(times, plus)
        return replace(value, scale=None if scale.nothing else scale)

    def batch_norm(
        self,
        value: Value,
        position: str,
        *,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor | None,
        variance: Tensor | None,
        eps: float,
        momentum: float | None,
    ) -> Value:
        """By running statistics; all tensors (channels,). Behind a fully connected layer it is folded."""
        if mean is None or variance is None:
            raise refuse(
                position,
                "a batch norm without running statistics has no fixed factors",
                "train with track_running_stats=True",
            )
        lengths = {tuple(vector.shape) for vector in (weight, bias, mean, variance) if vector is not None}
        if lengths != {value.shape[:1]}:
            raise refuse(
                position,
                f"a batch norm of {' or '.join(sorted(size_of(length) for length in lengths))} numbers after "
                f"{value.shape[0]} channels",
                "give it one mean, variance, factor and offset per channel",
            )
        value = self.channels_first(value, position)
        of_channels = len(value.shape) > 1 or value.shape == value.whole[:1]
        if value.parts == (None,) or not of_channels or value.shape[0] != channels_of(value):
            factor = (variance.double() + eps).rsqrt() * (1 if weight is None else weight.double())
            plus = (0 if bias is None else bias.double()) - mean.double() * factor
            axes = (-1, *[1] * (len(value.shape) - 1))
            return self.affine(value, position, "batch_norm", factor.view(axes), plus.view(axes))
        made, shape = self._own(value), value.shape
        if made is None or made.norm or made.spec.relu or made.spec.window > 1 or made.added:
            value = replace(self.copied(value, position), shape=shape)
            made = value.parts[0]
        norm = nn.BatchNorm2d(len(mean), eps, momentum).to(trainable(mean))
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        if weight is not None:
            norm.weight.copy_(weight)
        if bias is not None:
            norm.bias.copy_(bias)
        made.copies, made.range = False, None
        if made.spec.dot:
            fold_batch_norm_(norm, made.module.weight, made.bias())
        else:
            made.norm = norm
        return value

    def relu(self, value: Value, position: str) -> Value:
        """Behind a layer, its batch norm or its pooling; nothing to what has no sign."""
        self.ready(value)
        if not value.signed:
            return value
        value, shape = self.averaged(self.scaled(value, position)), value.shape
        if value.shared:
            value = replace(self.copied(value, position), shape=shape)
        for made in value.parts:
            if made is not None:
                top = made.spec.clip if made.range is None else made.range[1]
                made.spec = replace(made.spec, relu=True, leak=0, clip=top)
        return value

    def clip(
        self, value: Value, position: str, operation: str, low: Tensor | float, high: Tensor | float
    ) -> Value:
        """Raise the map to ``low``, lower it to ``high``: bounds as they are put together with a batch."""
        least, most = (
            self.per_channel(value, torch.as_tensor(bound, dtype=torch.double)) for bound in (low, high)
        )
        if least is None or most is None:
            raise unsupported(position, operation)
        top = float(most.flatten()[0])
        if 0 < top < inf and bool((most == top).all()):
            if value.signed and not bool((least == 0).all()):
                raise unsupported(position, operation)
            return self._clipped(self.relu(value, position), position, top)
        if not bool((most == inf).all()):
            raise unsupported(position, operation)
        if not value.signed and bool((least <= 0).all()):
            return value
        if bool((least == 0).all()):
            return self.relu(value, position)
        if not bool((least == -inf).all()):
            raise unsupported(position, operation)
        return value

    def _clipped(self, value: Value, position: str, top: float) -> Value:
        """Nothing above ``top``, of maps without a sign."""
        value, shape = self.averaged(self.scaled(value, position)), value.shape
        if value.shared or any(made is None for made in value.parts):
            value = replace(self.copied(value, position), shape=shape)
            for made in value.parts:
                made.spec = replace(made.spec, relu=True)
        for made in value.parts:
            if made is not None:
                before = made.spec.clip
                made.spec = replace(made.spec, relu=True, clip=top if before is None else min(before, top))
        return value

    def max_pool(
        self,
        value: Value,
        position: str,
        *,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        ceil: bool,
    ) -> Value:
        """``padding``: of rows and columns, or at the top, left, bottom and right."""
        _, height, width = self.map_of(self.channels_first(value, position), position)
        times = hardware.halvings(kernel, stride)
        top, left, bottom, right = tuple(padding) * (4 // len(padding))
        if steps := hardware.maxima_of_three(kernel, stride, (top, left, bottom, right), dilation):
            for before in steps:
                result = tuple(n + 2 * before - 2 for n in self.map_of(value, position)[1:])
                fields = {"pool": 1, "pool_size": 3, "pool_padding": before, "pool_end_padding": before}
                value = self._pooled(value, position, fields, result)
            return value
        if ceil and times:
            bottom, right = ((-(n + pad)) % 2**times for n, pad in ((height, top), (width, left)))
        padded = bool(top or left or bottom or right)
        if times is None or (padded and value.signed):
            result = tuple(
                _windows(n + low + high, side, step, low + n, ceil)
                for n, low, high, side, step in zip(
                    (height, width), (top, left), (bottom, right), kernel, stride, strict=True
                )
            )
            fields = None
            if set(dilation) == {1} and min(result) > 0:
                fields = hardware.window(kernel, stride, (top, left), (height, width), result)
            if fields is not None:
                return self._pooled(value, position, fields, result)
        if times is None or set(dilation) != {1} or (padded and value.signed):
            size, step = ("×".join(str(n) for n in pair) for pair in (kernel, stride))
            edge = ", dilated" if set(dilation) != {1} else ", padded" if any(padding) else ""
            edge += ", rounding up" if ceil and padded else ""
            raise refuse(
                position,
                f"max pooling of {size} with stride {step}{edge}, and the hardware has 2×2 with stride 2 "
                "and 3×3 with stride 1 or 2",
                "use nn.MaxPool2d(2)",
            )
        if padded:  # zeros are no larger than anything that has no sign
            value = self.pad(value, position, "pad", (top, left, bottom, right), 0)
        for _ in range(times):
            value = self._halved(value, position)
        return value

    def whole_max_pool(self, value: Value, position: str, result: Sequence[int] = (1, 1)) -> Value:
        """Maxima over equal parts of the map, ``result`` rows and columns of them."""
        size = self.map_of(value, position)[1:]
        parts = [length // count for length, count in zip(size, result, strict=True)]
        if any(length % count for length, count in zip(size, result, strict=True)):
            raise refuse(
                position,
                f"maxima of {size_of(tuple(result))} parts of {size_of(size)} maps, which are no equal parts",
                "use nn.MaxPool2d(2)",
            )
        return self.max_pool(
            value, position, kernel=parts, stride=parts, padding=(0, 0), dilation=(1, 1), ceil=False
        )

    def maximum(self, value: Value, position: str, shape: Sequence[int]) -> Value:
        """The largest of every map's pixels, to ``shape``, batch first."""
        kept = value.last and len(shape) == 4
        value = replace(value, shape=value.whole if len(value.shape) == 2 else value.shape, last=False)
        value = self.whole_max_pool(value, position)
        return replace(value, shape=value.whole if kept else tuple(shape[1:]), last=kept)

    def _halved(self, value: Value, position: str) -> Value:
        """2×2 pooling of stride 2."""
        _, height, width = self.map_of(value, position)
        if min(height, width) < 2:
            raise refuse(position, f"pooling of {height}×{width} maps leaves nothing", "leave it out")
        return self._pooled(value, position, {"pool": 2}, (height // 2, width // 2))

    def _pooled(self, value: Value, position: str, fields: dict[str, int], result: tuple[int, ...]) -> Value:
        """Maxima that are these ``fields`` of a layer, and leave ``result`` rows and columns."""
        self.ready(value)
        channels = self.map_of(value, position)[0]
        made = [made for made in value.parts if made is not None]
        joins = value.plain and not value.shared and len(made) == len(value.parts)
        if not joins or not all(
            hardware.takes_pool(maker.spec, bool(maker.added), fields, maker.size) for maker in made
        ):
            value = self.copied(value, position)
            made = [value.parts[0]]
        for maker in made:
            maker.spec = replace(maker.spec, **fields)
            maker.shape = (maker.shape[0], *result)
        shape = (channels, *result)
        return replace(value, whole=shape, shape=shape)

    # --- between them -------------------------------------------------------------------------------

    def ready(self, value: Value) -> None:
        """Raise the error of an operation that is left to the host, and was not the last one."""
        if value.blocked is not None:
            raise value.blocked

    def _own(self, value: Value) -> Made | None:
        """The layer that makes the map, if nobody else reads it and nothing waits."""
        self.ready(value)
        alone = value.plain and not value.shared and len(value.parts) == 1
        return value.parts[0] if alone else None


def _windows(length: int, side: int, step: int, within: int, ceil: bool) -> int:
    """Windows of ``side`` pixels, ``step`` apart, in ``length`` with its padding; rounding up (``ceil``) none
    begins behind pixel ``within``."""
    count = (length - side) // step + 1
    more = ceil and (length - side) % step and count * step < within
    return count + bool(more)
