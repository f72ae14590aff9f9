"""Reorder channels before pruning, so that alike ones share a block of the array.

The output channels of a layer may come in any order if the next layer's inputs follow: the network
stays the same. With ``adaptive`` sparsity a block of output channels shares its step counts, so
blocks of channels with like energy waste fewer steps. On LeNet the words kept by one projection at
2:8 then hold 78 instead of 76 % of conv2's energy and 75 instead of 66 % of fc1's. (Sorting the
*input* channels into groups gained nothing measurable there.)
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from hw.contract.network import Network
from pruning.layers.models import norm_of
from pruning.layers.spectral import SpectralConv2d
from pruning.layers.word_layers import submodule


@torch.no_grad()
def sort_channels_(model: nn.Module, network: Network) -> None:
    """Sort the outputs of every layer but the last by the energy of their weights, largest first.

    Permutes the weights of convolutions, fully connected and word layers in place; the outputs of the
    model do not change. Call it before pruning. Outputs stay where they are that a map is added to, or that
    are added to others; those of maps that several layers read; and those of layers in groups, or read by
    one.
    """
    for number, spec in enumerate(network.layers[:-1], 1):
        place = _place(network, number)
        if place is None:
            continue
        layer, following = submodule(model, spec.name), submodule(model, place.reader)
        order = energy(layer).argsort(descending=True, stable=True)
        layer.weight.copy_(layer.weight[order])
        if layer.bias is not None:
            layer.bias.copy_(layer.bias[order])
        if (norm := norm_of(model, spec)) is not None:
            for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                values.copy_(values[order])
        read = following.weight[:, place.first :][:, : place.count]
        inputs = read.unflatten(1, (len(order), -1))  # a channel's pixels stay together
        read.copy_(inputs[:, order].flatten(1, 2))


class _Place(NamedTuple):
    """Of a map in the weights of its only reader: ``count`` inputs from ``first`` on; None: all of them."""

    reader: str
    first: int
    count: int | None


def _place(network: Network, number: int) -> _Place | None:
    """Where map ``number`` is read, if its channels may come in any order."""
    readers = network.readers(number)
    if len(readers) != 1:
        return None
    layer, reader = network.layers[number - 1], network.layers[readers[0]]
    sources = network.sources[readers[0]]
    if layer.added or layer.sparse or reader.sparse:
        return None
    if len(sources) == 1:
        return _Place(reader.name, 0, None)
    if reader.dot or (reader.added and sources[-1] == number):
        return None
    before = sources[: sources.index(number)]
    return _Place(reader.name, sum(network.maps[source][0] for source in before), layer.outputs)


def energy(layer: nn.Module) -> torch.Tensor:
    """(out,): the squared norm of every output channel's weights, of spectra that of their kernels."""
    weight = layer.weight.detach()
    if isinstance(layer, SpectralConv2d):
        return layer.energy(weight).sum((1, 2))
    return weight.square().flatten(1).sum(1)
