"""Put a network together operation by operation, as a reader of some graph meets them.

Every operation joins the layer before it (:mod:`pruning.importers.joins`), waits for the layer after it or
changes nothing (:mod:`pruning.importers.maps`), or is refused with its place and a way out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hw.contract.network import Conv, Dense, Layer, Network
from hw.util import names
from pruning.importers.joins import Joins, Made, trainable
from pruning.importers.maps import size_of
from pruning.importers.refusals import refuse
from pruning.layers.models import NORM, NetworkModel

RESERVED = {*dir(nn.Module()), "network"}
"""Names that a layer of a :class:`NetworkModel` cannot have: its own attributes."""


class Converted(NamedTuple):
    """A network and the model that computes it, with the weights of what it was converted from."""

    network: Network
    model: NetworkModel


class Assembler(Joins):
    """A chain in the making, for ``batch`` inputs of ``shape`` (C, H, W).

    Methods are operations, in the order of the chain; ``position`` says in errors where one stands. All raise
    ``UnsupportedNetwork``. Tensors are copied, those of 16 bits as float32, in which networks are trained.
    """

    # --- layers -------------------------------------------------------------------------------------

    def convolution(
        self,
        position: str,
        path: str,
        weight: Tensor,
        bias: Tensor | None,
        *,
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        groups: int,
    ) -> None:
        """``weight`` (out, in / groups, rows, columns).

        ``padding``: of all sides, of rows and columns, or of top, left, bottom and right.
        """
        channels, height, width = self._map(position)
        padding, before = self._with_pending(padding)
        shape = (channels, height - before[0] - before[2], width - before[1] - before[3])
        rows, columns = weight.shape[2:]
        if groups != 1:
            raise refuse(
                position,
                f"a convolution in {groups} groups, and the hardware sums over all input channels",
                "use groups=1 (a depthwise convolution becomes a full one)",
            )
        if set(stride) != {1}:
            size = "×".join(str(s) for s in stride)
            raise refuse(
                position,
                f"a convolution of stride {size}, and the hardware has stride 1",
                "use stride 1 with 2×2 max pooling after it",
            )
        if set(dilation) != {1} and (rows, columns) != (1, 1):
            raise refuse(position, f"a dilated convolution ({dilation[0]})", "use a larger kernel, up to 7×7")
        if rows != columns or len(set(padding)) != 1:
            raise refuse(
                position,
                f"a {rows}×{columns} kernel with padding {tuple(padding)}, and the hardware takes square "
                "kernels with equal padding on all sides",
                "put zeros around the kernel to make it square and odd",
            )
        out, channels = weight.shape[:2]
        spec = Conv(self._name(path), channels, out, rows, padding[0], relu=False)
        self.shape = self._whole = spec.output(shape)
        self._padding = None
        module = nn.Conv2d(channels, out, rows, padding=padding[0], bias=bias is not None, device="meta")
        self._add(position, spec, module, weight, bias)

    def linear(self, position: str, path: str, weight: Tensor, bias: Tensor | None) -> None:
        """``weight`` (out, features)."""
        self._nothing_padded()
        *ones, has = self.shape
        if prod(ones) != 1:
            raise refuse(
                position,
                f"a fully connected layer along the last axis of a {size_of(self.shape)} map",
                "flatten the map in front of it (nn.Flatten)",
            )
        if weight.shape[1] != has:
            raise refuse(
                position,
                f"a fully connected layer of {weight.shape[1]} features gets {has}",
                "give it weights for as many",
            )
        if self._averaging is not None:
            pixels = self._averaging.to(weight.device)
            spread = weight.double().unflatten(1, (-1, pixels.shape[1])) @ pixels.T
            weight, self._averaging = spread.flatten(1).to(weight.dtype), None
        out, features = weight.shape
        self.shape, self._whole = (*ones, out), (out,)
        spec = Dense(self._name(path), features, out, relu=False)
        module = nn.Linear(features, out, bias=bias is not None, device="meta")
        self._add(position, spec, module, weight, bias)

    # --- the end ------------------------------------------------------------------------------------

    def finish(self) -> Converted:
        """The network and its model."""
        last = self._last
        self._nothing_padded()
        if last is not None and (self._averaging is not None or self.shape != self._whole):
            what = "average pooling" if self._averaging is not None else "flattening or reshaping"
            raise refuse(
                f"the end of {self.name!r}",
                f"{what} is only possible in front of a fully connected layer",
                "end the network in front of it, or put an nn.Linear after it",
            )
        network = Network(self.name, self.input, tuple(made.spec for made in self._made))
        with torch.device("meta"):  # neither memory nor random numbers for weights that are replaced
            model = NetworkModel(network)
        for made in self._made:
            model.set_submodule(made.spec.name, made.module)
            if made.norm is not None:
                model.add_module(made.spec.name + NORM, made.norm)
        return Converted(network, model)

    def _with_pending(self, padding: Sequence[int]) -> tuple[Sequence[int], tuple[int, int, int, int]]:
        """(``padding`` together with the one that waits, the one that waits), the latter of all sides."""
        if self._padding is None:
            return padding, (0, 0, 0, 0)
        own = tuple(padding) * (4 // len(padding))
        return [a + b for a, b in zip(own, self._padding, strict=True)], self._padding

    def _add(
        self,
        position: str,
        spec: Layer,
        module: nn.Conv2d | nn.Linear,
        weight: Tensor,
        bias: Tensor | None,
    ) -> None:
        module.weight = nn.Parameter(trainable(weight).detach().clone())
        if bias is not None:
            if bias.shape != weight.shape[:1]:
                raise refuse(
                    position,
                    f"a bias of {size_of(tuple(bias.shape)) or 'no axis'} for {len(weight)} outputs",
                    "give it one number per output",
                )
            module.bias = nn.Parameter(trainable(bias).detach().clone())
        self._made.append(Made(spec, module))

    def _name(self, path: str) -> str:
        """``path`` as the name of a layer: ASCII letters, digits and underscores, and nobody else's."""
        name = names.closest(re.sub(r"\W+", "_", path), "layer")
        taken = {made.spec.name for made in self._made}
        while name in taken | RESERVED or {name + NORM, name.removesuffix(NORM)} & taken:
            name += "_"
        return name
