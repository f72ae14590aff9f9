"""Put a network together operation by operation, as a reader of some graph meets them.

Every operation joins the layer before it (ReLU, pooling, batch norm), waits for the layer behind it (average
pooling), changes nothing (flattening), or is refused with its place and a way out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hw import names
from hw.errors import ConfigError
from hw.network import Conv, Dense, Layer, Network, Shape
from hw.words import TILE
from pruning.fold import fold_
from pruning.importers.refusals import refuse
from pruning.models import NORM, Chain

RESERVED = {*dir(nn.Module()), "network"}
"""Names that a layer of a :class:`Chain` cannot have: its own attributes."""


class Converted(NamedTuple):
    """A network and the model that computes it, with the weights of what it was converted from."""

    network: Network
    model: Chain


@dataclass
class _Made:
    """A layer so far."""

    spec: Layer
    module: nn.Conv2d | nn.Linear
    norm: nn.BatchNorm2d | None = None

    @property
    def pool(self) -> int:
        return self.spec.pool if isinstance(self.spec, Conv) else 1


class Assembler:
    """A chain in the making, for inputs of ``shape`` (C, H, W).

    Methods are operations, in the order of the chain; ``place`` says in errors where one stands. All raise
    ``UnsupportedNetwork``. Tensors are copied.

    Members: ``shape``, of what the operations so far compute for one image: (C, H, W), or (features,).
    """

    def __init__(self, name: str, shape: Sequence[int]) -> None:
        if len(shape) != 3 or min(shape) < 1:
            raise ConfigError(f"the input shape must be (channels, height, width), not {tuple(shape)}")
        self.name, self.input = name, (shape[0], shape[1], shape[2])
        self.shape: tuple[int, ...] = self.input
        self._made: list[_Made] = []
        self._averaging: Tensor | None = None
        """(pixels of the map, pixels after average pooling), until the layer behind takes it over."""

    # --- layers -------------------------------------------------------------------------------------

    def convolution(
        self,
        place: str,
        path: str,
        weight: Tensor,
        bias: Tensor | None,
        *,
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        groups: int,
    ) -> None:
        """``weight`` (out, in / groups, rows, columns); ``padding`` of any sides, in any order."""
        shape = self._map(place)
        rows, columns = weight.shape[2:]
        if groups != 1:
            raise refuse(
                place,
                f"a convolution in {groups} groups, and the hardware sums over all input channels",
                "use groups=1 (a depthwise convolution becomes a full one)",
            )
        if set(stride) != {1}:
            size = "×".join(str(s) for s in stride)
            raise refuse(
                place,
                f"a convolution of stride {size}, and the hardware has stride 1",
                "use stride 1 with 2×2 max pooling behind it",
            )
        if set(dilation) != {1}:
            raise refuse(place, f"a dilated convolution ({dilation[0]})", "use a larger kernel, up to 7×7")
        if rows != columns or len(set(padding)) != 1:
            raise refuse(
                place,
                f"a {rows}×{columns} kernel with padding {tuple(padding)}, and the hardware takes square "
                "kernels with equal padding on all sides",
                "put zeros around the kernel to make it square and odd",
            )
        out, channels = weight.shape[:2]
        spec = Conv(self._name(path), channels, out, rows, padding[0], relu=False)
        self.shape = spec.output(shape)
        module = nn.Conv2d(channels, out, rows, padding=padding[0], bias=bias is not None, device="meta")
        self._add(spec, module, weight, bias)

    def linear(self, place: str, path: str, weight: Tensor, bias: Tensor | None) -> None:
        """``weight`` (out, features)."""
        if len(self.shape) != 1:
            raise refuse(
                place,
                f"a fully connected layer along the last axis of a {_size(self.shape)} map",
                "flatten the map in front of it (nn.Flatten)",
            )
        if self._averaging is not None:
            pixels = self._averaging.to(weight.device)
            spread = weight.double().unflatten(1, (-1, pixels.shape[1])) @ pixels.T
            weight, self._averaging = spread.flatten(1).to(weight.dtype), None
        out, features = weight.shape
        self.shape = (out,)
        module = nn.Linear(features, out, bias=bias is not None, device="meta")
        self._add(Dense(self._name(path), features, out, relu=False), module, weight, bias)

    # --- what joins the layer before ----------------------------------------------------------------

    def add_bias(self, bias: Tensor) -> bool:
        """Add ``bias``, which broadcasts to the output of the layer before; False if it is no bias of it."""
        made = self._last
        trailing = (1,) * (len(self.shape) - 1)
        if made is None or self._averaging is not None or made.norm or made.spec.relu or made.pool > 1:
            return False
        out = len(made.module.weight)
        if bias.numel() != out or tuple(bias.shape[-len(self.shape) :]) != (out, *trailing):
            return False
        with torch.no_grad():
            self._bias(made).add_(bias.flatten())
        return True

    def batch_norm(
        self,
        place: str,
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
                place,
                "a batch norm without running statistics has no fixed factors",
                "train with track_running_stats=True",
            )
        behind = made is not None and self._averaging is None and len(mean) == len(made.module.weight)
        if made is None or not behind or made.norm or made.spec.relu or made.pool > 1:
            raise refuse(
                place,
                "a batch norm can only become part of the convolution or fully connected layer directly in "
                "front of it",
                "put it there, before ReLU and pooling, and train again",
            )
        norm = nn.BatchNorm2d(len(mean), eps, momentum).to(mean)
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
                fold_(norm, made.module.weight, self._bias(made))

    def relu(self, place: str) -> None:
        """Behind a layer, its batch norm or its pooling."""
        made = self._last
        if made is None:
            raise refuse(place, "a ReLU in front of the first layer", "leave it to what prepares the images")
        if self._averaging is not None and not made.spec.relu:
            raise refuse(place, "a ReLU behind average pooling", "put it in front of the pooling")
        made.spec = replace(made.spec, relu=True)

    def max_pool(
        self,
        place: str,
        *,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        ceil: bool,
    ) -> None:
        """2×2 of stride 2 behind a convolution."""
        _, height, width = self._map(place)
        odd = ceil and (height % 2 or width % 2)
        if {*kernel, *stride} != {2} or set(padding) != {0} or set(dilation) != {1} or odd:
            size, step = ("×".join(str(n) for n in pair) for pair in (kernel, stride))
            edge = ", padded" if set(padding) != {0} else ", dilated" if set(dilation) != {1} else ""
            edge += ", rounding up" if odd else ""
            raise refuse(
                place,
                f"max pooling of {size} with stride {step}{edge}, and the hardware has 2×2 with stride 2",
                "use nn.MaxPool2d(2)",
            )
        made = self._last
        if made is None or made.pool > 1:
            what = "in front of the first convolution" if made is None else "of what was pooled already"
            raise refuse(
                place, f"max pooling {what}", "every convolution can have one 2×2 pooling: put one between"
            )
        made.spec = replace(made.spec, pool=2)
        self.shape = (self.shape[0], height // 2, width // 2)

    # --- what changes nothing, or waits for the layer behind ------------------------------------------

    def average(self, place: str, pool: Callable[[Tensor], Tensor]) -> None:
        """Any average pooling: ``pool`` does it to (n, 1, H, W).

        One that does nothing to maps of this size is dropped, any other waits for a fully connected layer.
        """
        _, height, width = self._map(place, averaged=True)
        pixels = height * width
        probe = torch.arange(pixels, dtype=torch.double).sin().view(1, 1, height, width)  # no two alike
        pooled = pool(probe)
        if pooled.shape == probe.shape and torch.equal(pooled, probe):
            return
        if max(height, width) > TILE:
            raise refuse(
                place,
                f"average pooling of {height}×{width} maps, and the fully connected layer that it becomes "
                f"part of takes maps of at most {TILE}×{TILE}",
                "use 2×2 max pooling in front of it",
            )
        matrix = pool(torch.eye(pixels, dtype=torch.double).view(pixels, 1, height, width)).flatten(1)
        self._averaging = matrix if self._averaging is None else self._averaging @ matrix
        self.shape = (self.shape[0], *pooled.shape[2:])

    def reshape(self, place: str, shape: Sequence[int], batch: int) -> None:
        """To ``shape``, batch first, of as many elements. Only flattening makes sense."""
        rest = tuple(shape[1:])
        if shape[0] != batch or (len(rest) != 1 and rest != self.shape):
            raise refuse(
                place,
                f"a reshape of {_size((batch, *self.shape))} to {_size(tuple(shape))}, and the hardware "
                "knows maps and flattened maps",
                "flatten everything but the batch (nn.Flatten)",
            )
        self.shape = rest

    # --- the end ------------------------------------------------------------------------------------

    def finish(self) -> Converted:
        """The network and its model."""
        last = self._last
        if last is not None and (self._averaging is not None or len(self.shape) != self._rank(last)):
            what = "average pooling" if self._averaging is not None else "flattening"
            raise refuse(
                f"the end of {self.name!r}",
                f"{what} is only possible in front of a fully connected layer",
                "end the network in front of it, or put an nn.Linear behind it",
            )
        network = Network(self.name, self.input, tuple(made.spec for made in self._made))
        with torch.device("meta"):  # neither memory nor random numbers for weights that are replaced
            model = Chain(network)
        for made in self._made:
            model.set_submodule(made.spec.name, made.module)
            if made.norm is not None:
                model.add_module(made.spec.name + NORM, made.norm)
        return Converted(network, model)

    @property
    def _last(self) -> _Made | None:
        return self._made[-1] if self._made else None

    @staticmethod
    def _rank(made: _Made) -> int:
        """Axes of a layer's output, without the batch."""
        return 3 if isinstance(made.spec, Conv) else 1

    def _map(self, place: str, averaged: bool = False) -> Shape:
        """The shape, which must be that of a map, and of an averaged one only if that is allowed."""
        if len(self.shape) != 3:
            raise refuse(place, "it stands behind a flattened map", "put it in front of the flattening")
        if self._averaging is not None and not averaged:
            raise refuse(
                place,
                "it stands behind average pooling, which is only possible in front of a fully connected "
                "layer",
                "use 2×2 max pooling instead",
            )
        return self.shape[0], self.shape[1], self.shape[2]

    def _add(self, spec: Layer, module: nn.Conv2d | nn.Linear, weight: Tensor, bias: Tensor | None) -> None:
        module.weight = nn.Parameter(weight.detach().clone())
        if bias is not None:
            module.bias = nn.Parameter(bias.detach().clone())
        self._made.append(_Made(spec, module))

    @staticmethod
    def _bias(made: _Made) -> nn.Parameter:
        """The layer's bias; one of zeros if it had none."""
        if made.module.bias is None:
            made.module.bias = nn.Parameter(made.module.weight.new_zeros(len(made.module.weight)))
        return made.module.bias

    def _name(self, path: str) -> str:
        """``path`` as the name of a layer: ASCII letters, digits and underscores, and nobody else's."""
        name = names.closest(re.sub(r"\W+", "_", path), "layer")
        taken = {made.spec.name for made in self._made}
        while name in taken | RESERVED or {name + NORM, name.removesuffix(NORM)} & taken:
            name += "_"
        return name


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(str(n) for n in shape)
