"""What a word layer takes from an ``nn.Conv2d``: the network's layer, and all kernels."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from hw.contract.network import Conv
from hw.util.errors import UnsupportedNetwork


def spec_of(
    conv: nn.Conv2d,
    pool: int = 1,
    *,
    name: str = "conv",
    relu: bool = True,
    like: Conv | None = None,
    pointwise: bool = False,
) -> Conv:
    """The layer that ``conv`` is.

    ``pool`` is the max pooling that follows (1 or 2), of 2×2; ``like``: a layer with what else may be
    said of padding and pooling. Raises ``UnsupportedNetwork`` for strides above 2, dilations, rectangular
    kernels and non-zero padding modes, and for a pointwise layer with a kernel of more than 1×1.
    """
    k, p = conv.kernel_size, conv.padding
    supported = (
        conv.stride in ((1, 1), (2, 2))
        and conv.dilation == (1, 1)
        and conv.padding_mode == "zeros"
        and len(set(k)) == 1
        and isinstance(p, tuple)
        and len(set(p)) == 1
    )
    if not supported:
        raise UnsupportedNetwork(
            f"layer {name!r}: {conv} has no spectral form; it takes stride 1 or 2, no dilation, a "
            "square kernel and equal zero padding on all sides"
        )
    spec = Conv(
        name,
        conv.in_channels,
        conv.out_channels,
        k[0],
        int(p[0]),
        relu,
        pool,
        conv.stride[0],
        groups=conv.groups,
        pointwise=pointwise,
    )
    if like is None:
        return spec
    return replace(
        spec,
        end_padding=like.end_padding,
        pool_size=like.pool_size,
        pool_padding=like.pool_padding,
        pool_end_padding=like.pool_end_padding,
        taps=like.taps,
        clip=like.clip,
        leak=like.leak,
    )


def whole_kernel(conv: nn.Conv2d, spec: Conv) -> torch.Tensor:
    """(out, in, k, k): the weights of ``conv``, zeros between channels that are not of one group."""
    kernel = conv.weight.new_zeros(*conv.weight.shape[:1], conv.in_channels, *conv.weight.shape[2:])
    kernel[torch.from_numpy(spec.connected).to(kernel.device)] = conv.weight.flatten(0, 1)
    return kernel
