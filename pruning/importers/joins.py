"""What joins the layer before it: batch norm, factors and offsets, ReLU, pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import torch
from torch import Tensor, nn

from hw.contract.network import Layer
from pruning.importers.maps import Maps, size_of
from pruning.importers.refusals import refuse, unsupported
from pruning.quant.batch_norm_folding import fold_batch_norm_


@dataclass
class Made:
    """A layer so far."""

    spec: Layer
    module: nn.Conv2d | nn.Linear
    norm: nn.BatchNorm2d | None = None

    @property
    def pool(self) -> int:
        return self.spec.pool


class Joins(Maps):
    """The layers of a chain so far, and every operation that becomes part of the last one."""

    def __init__(self, name: str, shape: Sequence[int], batch: int) -> None:
        super().__init__(name, shape, batch)
        self._made: list[Made] = []

    def affine(
        self, position: str, operation: str, factor: Tensor | float = 1.0, offset: Tensor | float = 0.0
    ) -> None:
        """Multiply the map by ``factor`` and add ``offset``: they become part of weights and bias.

        Both as they are put together with a batch of maps. A factor goes through ReLU and maximum unless
        it is negative, an offset through the maximum alone.
        """
        made, constants = (
            self._last,
            [torch.as_tensor(value, dtype=torch.double) for value in (factor, offset)],
        )
        times, plus = map(self.per_channel, constants)
        if times is None or plus is None:
            size = size_of(tuple(constants[times is not None].shape))
            raise refuse(
                position,
                f"a constant of {size} that is not one number per channel of the {size_of(self.shape)} map",
                "use one number per channel, which becomes part of weights and bias",
            )
        if bool((times == 1).all()) and bool((plus == 0).all()):
            return
        if made is None or self._averaging is not None or self._padding is not None:
            raise unsupported(position, operation)
        rising, still = bool((times >= 0).all()), bool((plus == 0).all())
        passes = (rising and still) if made.spec.relu else (rising or made.pool == 1)
        if not passes or not bool((times.isfinite() & plus.isfinite()).all()):
            raise unsupported(position, operation)
        weight = made.module.weight if made.norm is None else made.norm.weight
        bias = self._bias(made) if made.norm is None else made.norm.bias
        weight.mul_(times.to(weight).view(-1, *[1] * (weight.dim() - 1)))
        bias.mul_(times.to(bias)).add_(plus.to(bias))

    def batch_norm(
        self,
        position: str,
        *,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor | None,
        variance: Tensor | None,
        eps: float,
        momentum: float | None,
    ) -> None:
        """By running statistics; all tensors (channels,). Behind a fully connected layer it is folded."""
        made = self._last
        if mean is None or variance is None:
            raise refuse(
                position,
                "a batch norm without running statistics has no fixed factors",
                "train with track_running_stats=True",
            )
        lengths = {tuple(vector.shape) for vector in (weight, bias, mean, variance) if vector is not None}
        if lengths != {self.shape[:1]}:
            raise refuse(
                position,
                f"a batch norm of {' or '.join(sorted(size_of(length) for length in lengths))} numbers after "
                f"{self.shape[0]} channels",
                "give it one mean, variance, factor and offset per channel",
            )
        after = made is not None and self._averaging is None and len(mean) == len(made.module.weight)
        after = after and self._padding is None
        if made is None or not after or made.norm or made.spec.relu or made.pool > 1:
            raise refuse(
                position,
                "a batch norm can only become part of the convolution or fully connected layer directly in "
                "front of it",
                "put it there, before ReLU and pooling, and train again",
            )
        norm = nn.BatchNorm2d(len(mean), eps, momentum).to(trainable(mean))
        with torch.no_grad():
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
            if weight is not None:
                norm.weight.copy_(weight)
            if bias is not None:
                norm.bias.copy_(bias)
            if isinstance(made.module, nn.Conv2d):
                made.norm = norm
            else:
                fold_batch_norm_(norm, made.module.weight, self._bias(made))

    def relu(self, position: str) -> None:
        """Behind a layer, its batch norm or its pooling."""
        made = self._last
        if made is None:
            raise refuse(
                position, "a ReLU in front of the first layer", "leave it to what prepares the images"
            )
        if self._averaging is not None and not made.spec.relu:
            raise refuse(position, "a ReLU after average pooling", "put it in front of the pooling")
        made.spec = replace(made.spec, relu=True)

    def leaky(self, position: str, operation: str, slope: Tensor | float) -> None:
        """A ReLU of that slope below zero, as it is put together with a batch of maps."""
        falls = self.per_channel(torch.as_tensor(slope, dtype=torch.double))
        if falls is not None and (bool((falls == 1).all()) or (self._last and self._last.spec.relu)):
            return
        if falls is None or bool((falls != 0).any()):
            raise unsupported(position, operation)
        self.relu(position)

    def clip(self, position: str, operation: str, low: Tensor | float, high: Tensor | float) -> None:
        """Raise the map to ``low``, lower it to ``high``: bounds as they are put together with a batch."""
        least, most = (self.per_channel(torch.as_tensor(bound, dtype=torch.double)) for bound in (low, high))
        if least is None or most is None or not bool((most == inf).all()):
            raise unsupported(position, operation)
        made = self._last
        if made is not None and made.spec.relu and bool((least <= 0).all()):
            return
        if bool((least == 0).all()):
            self.relu(position)
        elif not bool((least == -inf).all()):
            raise unsupported(position, operation)

    def max_pool(
        self,
        position: str,
        *,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        ceil: bool,
    ) -> None:
        """2×2 of stride 2 after a convolution."""
        _, height, width = self._map(position)
        if {*kernel, *stride} == {1} and set(padding) == {0}:
            return
        self._nothing_padded()
        odd = ceil and (height % 2 or width % 2)
        if {*kernel, *stride} != {2} or set(padding) != {0} or set(dilation) != {1} or odd:
            size, step = ("×".join(str(n) for n in pair) for pair in (kernel, stride))
            edge = ", padded" if set(padding) != {0} else ", dilated" if set(dilation) != {1} else ""
            edge += ", rounding up" if odd else ""
            raise refuse(
                position,
                f"max pooling of {size} with stride {step}{edge}, and the hardware has 2×2 with stride 2",
                "use nn.MaxPool2d(2)",
            )
        made = self._last
        if made is None or made.pool > 1:
            what = "in front of the first convolution" if made is None else "of what was pooled already"
            raise refuse(
                position, f"max pooling {what}", "every convolution can have one 2×2 pooling: put one between"
            )
        made.spec = replace(made.spec, pool=2)
        self.shape = self._whole = (self.shape[0], height // 2, width // 2)

    @property
    def _last(self) -> Made | None:
        return self._made[-1] if self._made else None

    @staticmethod
    def _bias(made: Made) -> nn.Parameter:
        """The layer's bias; one of zeros if it had none."""
        if made.module.bias is None:
            made.module.bias = nn.Parameter(made.module.weight.new_zeros(len(made.module.weight)))
        return made.module.bias


def trainable(value: Tensor) -> Tensor:
    """Quantisation and training of 16-bit floats are nobody's: their values as float32."""
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
