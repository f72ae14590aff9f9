"""What a layer's weights are in groups of channels, and how many there are in what it stands for.

Until a network is complete, weights are those of all channels, with zeros between groups: so sources may
change places, and outputs. What are groups in the end is seen here.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from pruning.importers.values import Made

LEAST_GROUPS = 4
"""Layers in groups are not pruned: of fewer groups, 2 of 8 words of all channels are less than what is within
them."""


def group(made: Made) -> None:
    """Leave zeros between groups of channels out of a convolution, in place, and what is no news of its
    ``taps``."""
    spec = made.spec
    if spec.dot or spec.average:
        return
    weight = made.module.weight.detach()
    groups = most_groups(weight, made.groups)
    if groups > 1:
        spec, own = replace(spec, groups=groups), made.module
        module = nn.Conv2d(
            own.in_channels,
            own.out_channels,
            own.kernel_size,
            own.stride,
            own.padding,
            groups=groups,
            bias=own.bias is not None,
            device="meta",
        )
        module.weight, module.bias = nn.Parameter(within(weight, groups)), own.bias
        made.module = module
    usual = spec.taps == spec.kernel**2 * spec.convolved // groups
    made.spec = replace(spec, taps=None) if usual else spec


def most_groups(weight: Tensor, groups: int) -> int:
    """Of at most so many ``groups``, each of as many channels, the most outside of which ``weight`` (out, in,
    ...) is zero; 1 where these are few."""
    used = (weight != 0).flatten(2).any(2).nonzero()
    out, channels = weight.shape[:2]
    for count in range(groups, LEAST_GROUPS - 1, -1):
        fits = groups % count == out % count == channels % count == 0
        if fits and torch.equal(used[:, 0] // (out // count), used[:, 1] // (channels // count)):
            return count
    return 1


def within(weight: Tensor, groups: int) -> Tensor:
    """(out, in / groups, ...) of (out, in, ...): what is within the groups."""
    parts = weight.unflatten(0, (groups, -1)).unflatten(2, (groups, -1))
    return torch.stack([parts[i, :, i] for i in range(groups)]).flatten(0, 1).clone()
