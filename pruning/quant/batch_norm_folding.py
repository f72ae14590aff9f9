"""Make batch norms part of the convolutions in front of them: the hardware has none."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hw.contract.network import Network
from pruning.layers.models import NORM, norm_of
from pruning.layers.word_layers import to_word_layers_


@torch.no_grad()
def fold_batch_norms_(model: nn.Module, network: Network) -> None:
    """Scale every convolution's weights and shift its bias by its norm, and drop the norm, in place.

    Uses the running statistics: the outputs of ``model.eval()`` do not change, but for rounding. Swaps
    the layers for word layers, which all have a bias. S. Ioffe and C. Szegedy, arXiv:1502.03167,
    section 3.1.
    """
    layers = to_word_layers_(model, network)
    for layer in network.layers:
        norm = norm_of(model, layer)
        if norm is None:
            continue
        fold_batch_norm_(norm, layers[layer.name].weight, layers[layer.name].bias)
        delattr(model, layer.name + NORM)


@torch.no_grad()
def fold_batch_norm_(norm: nn.BatchNorm2d, weight: Tensor, bias: Tensor) -> None:
    """Make ``norm`` part of the ``weight`` (out, ...) and ``bias`` (out,) in front of it, in place."""
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight *= factor.view(-1, *[1] * (weight.dim() - 1))
    bias.copy_((bias - norm.running_mean) * factor + norm.bias)
