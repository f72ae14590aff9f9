"""Make what a layer adds part of its weights: the hardware adds channels up, and nothing else."""

from __future__ import annotations

import torch
from torch import nn

from hw.contract.network import Conv, Network
from pruning.layers import transform
from pruning.layers.models import takes_all
from pruning.layers.pointwise import PointwiseConv2d
from pruning.layers.spectral import SpectralConv2d
from pruning.layers.word_layers import to_word_layers_


@torch.no_grad()
def absorb_additions_(model: nn.Module, network: Network) -> None:
    """Give every layer of ``network`` that adds a map to its outputs weights that do it, in place.

    Channel n of that map reaches output n through a kernel of one pixel, 1.0, where the padding puts an
    unmoved map; other outputs not at all, and no training brings them back. The outputs of ``model`` do not
    change. Layers that take what they add already are kept.
    """
    layers = to_word_layers_(model, network)
    for layer in network.layers:
        if isinstance(layer, Conv) and layer.added and not takes_all(layers[layer.name]):
            old = layers[layer.name]
            form = PointwiseConv2d if layer.pointwise else SpectralConv2d
            whole = form(layer).to(old.weight)
            unmoved = identity(layer).to(old.weight)
            whole.weight.copy_(torch.cat([old.weight, unmoved], 1))
            whole.bias.copy_(old.bias)
            own = torch.eye(layer.out_channels, dtype=torch.bool, device=old.mask.device)
            kept = torch.cat([old.mask, own[:, :, None].expand(-1, -1, old.mask.shape[2])], 1)
            whole.mask.copy_(kept)
            whole.train(old.training)
            model.set_submodule(layer.name, whole)


def identity(layer: Conv) -> torch.Tensor:
    """Weights with which ``layer`` gives the map that it adds: (out, out, 32, 2), of a pointwise layer
    (out, out, 1, 1)."""
    kernel = torch.zeros(layer.out_channels, layer.out_channels, layer.kernel, layer.kernel)
    index = torch.arange(layer.out_channels)
    kernel[index, index, layer.padding, layer.padding] = 1
    return kernel if layer.pointwise else transform.kernel_spectrum(kernel)
