"""``PointwiseConv2d``: a 1×1 convolution as the array runs it without a transform.

One real weight for each pair of channels serves all words of a tile, since words are pairs of pixels
(:class:`hw.contract.network.Conv`, ``pointwise``). So a kernel has one word to prune, and nothing here knows
of tiles.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from hw.contract.network import Conv
from pruning.layers.convolutions import spec_of, whole_kernel


class PointwiseConv2d(nn.Module):
    """A convolution with one weight, and one word of a mask, for each pair of channels; stride 1 or 2.

    Parameters: a :class:`hw.contract.network.Conv` that is ``pointwise``. What the layer adds is not added
    here, unless the weights do it (:func:`pruning.quant.additions.absorb_additions_`).

    Members: ``weight`` (out, in, 1, 1), ``bias`` (out,), ``mask`` (out, in, 1) bool. Weights outside the mask
    take no part and receive no gradient.

    ``forward`` takes (B, in, H, W) and returns (B, out, H', W'), as ``nn.Conv2d``, in front of all pooling.
    """

    weight: nn.Parameter
    bias: nn.Parameter
    mask: torch.Tensor
    metric: torch.Tensor
    awaits_finalise = False
    """Whether pruning has begun and the mask is not that of its end yet."""

    def __init__(self, spec: Conv) -> None:
        super().__init__()
        self.spec = spec
        n, c = spec.out_channels, spec.in_channels
        bound = 1 / math.sqrt(c)
        self.weight = nn.Parameter(torch.empty(n, c, 1, 1).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n).uniform_(-bound, bound))
        self.register_buffer("mask", torch.from_numpy(spec.connected)[:, :, None].clone())
        self.register_buffer("metric", torch.ones(()), persistent=False)

    @classmethod
    def from_conv(
        cls,
        conv: nn.Conv2d,
        pool: int = 1,
        *,
        name: str = "conv",
        relu: bool = True,
        like: Conv | None = None,
    ) -> PointwiseConv2d:
        """The same convolution; parameters and errors are those of
        :func:`pruning.layers.convolutions.spec_of`."""
        spec = spec_of(conv, pool, name=name, relu=relu, like=like, pointwise=True)
        layer = cls(spec).to(conv.weight)
        with torch.no_grad():
            layer.weight.copy_(whole_kernel(conv, spec))
            layer.bias.copy_(conv.bias if conv.bias is not None else torch.zeros_like(layer.bias))
        return layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, C, H, W) -> (B, N, H', W')
        return self.convolved(x, self.weight * self.gate(self.mask), self.bias)

    def convolved(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """``x`` by other weights, all of which count."""
        return F.conv2d(x, weight, bias, self.spec.stride)

    def gate(self, mask: torch.Tensor) -> torch.Tensor:
        """A word mask (out, in, 1) in a shape that broadcasts to ``weight``."""
        return mask[..., None]

    def energy(self, weight: torch.Tensor) -> torch.Tensor:
        """(out, in, 1): squared weights; -1 between channels that are not connected."""
        connected = torch.from_numpy(self.spec.connected).to(weight.device)
        return weight.square().sum(-1).masked_fill(~connected[:, :, None], -1.0)

    def words(self, weight: torch.Tensor) -> torch.Tensor:
        """``weight`` in the layout of an artifact, (out, in, 1, 2): the second part is zero."""
        return torch.cat([weight, torch.zeros_like(weight)], -1)

    def extra_repr(self) -> str:
        s = self.spec
        return f"{s.in_channels}, {s.out_channels}, stride={s.stride}"
