"""From an artifact back to torch: its integers in fake-quant layers, to differentiate through.

The opposite of :mod:`pruning.quant.export`. An artifact does not say what a step of a map is worth,
and nothing depends on it: here every map has steps of one, but for the image's, and the scores', which the
artifact knows.
"""

from __future__ import annotations

from typing import cast

import torch

from hw.contract.artifact import Artifact, LayerWeights
from hw.contract.formats import POST_SHIFT, SPECTRUM
from hw.contract.network import Conv, Dense, Network
from pruning.layers.linear import MaskedLinear
from pruning.layers.models import NetworkModel
from pruning.layers.pointwise import PointwiseConv2d
from pruning.layers.spectral import SpectralConv2d
from pruning.layers.word_layers import WordLayer
from pruning.quant.fake_quant import FakeQuant, FakeQuantConv2d, FakeQuantLinear, FakeQuantPointwise
from pruning.quant.quantise import IMAGE_SCALE, per_feature


@torch.no_grad()
def from_artifact(artifact: Artifact) -> NetworkModel:
    """The network of ``artifact`` in fake-quant layers that hold its integers, in evaluation mode.

    It takes images (B, C, H, W), real, 0 to 1, and gives class scores in floating point, or the integers of a
    last map. It differs from the hardware where :mod:`pruning.quant.fake_quant` does, and by what 32-bit
    floats cannot hold of a sum; ``double()`` holds all. :func:`pruning.quant.export.to_artifact` makes the
    same arrays of it.
    """
    network = artifact.network
    model = NetworkModel(network)
    steps = [torch.full((network.maps[0][0],), IMAGE_SCALE)]
    for i, layer in enumerate(network.layers):
        arrays = artifact.layers[layer.name]
        last = layer is network.layers[-1]
        step = torch.full((layer.outputs,), artifact.score_scale if last and layer.dot else 1.0)
        given = torch.cat([steps[number] for number in network.sources[i]])
        made = _fake_quant(artifact, network, i, arrays, given, step)
        model.set_submodule(layer.name, made)
        steps.append(made.out_scale)
    return model.eval()


def _fake_quant(
    artifact: Artifact,
    network: Network,
    i: int,
    arrays: LayerWeights,
    given: torch.Tensor,
    step: torch.Tensor,
) -> FakeQuant:
    """Layer ``i``. given: real value of a step of every input channel; step: (out,), of every output."""
    layer = network.layers[i]
    last = layer is network.layers[-1]
    form, after = _form(layer, last)
    word = _word_layer(layer, network, i)
    if layer.dot:
        given = per_feature(given, layer.inputs, network.inputs[i])
    shift = torch.from_numpy(arrays.shift).float()
    scale = step / 2 ** (shift + after)
    narrow = artifact.spectrum_bits < SPECTRUM.bits and not layer.dot
    cut = torch.from_numpy(arrays.word_shift) if narrow else None
    integers = torch.from_numpy(arrays.weight).float()
    if isinstance(word, MaskedLinear):
        integers, per_input = integers[:, word.channel, word.word, word.part], given
    else:
        integers = integers if layer.transformed else integers[..., :1]
        per_input = given.view(-1, 1, 1)
    word.mask.copy_(torch.from_numpy(arrays.mask))
    word.weight.copy_(integers * scale.view(-1, *[1] * (integers.dim() - 1)) / per_input)
    word.bias.copy_(torch.from_numpy(arrays.bias).double() * scale.double() / form.unit_of(cut))
    options = {"scores": last} if layer.dot else {"word_shift": cut}
    bits = artifact.bits_of(layer.name)
    return form(word, given, scale, shift, bits, spectrum_bits=artifact.spectrum_bits, **options)


def _form(layer: Conv | Dense, last: bool) -> tuple[type[FakeQuant], int]:
    """The fake-quant layer of ``layer``, and by how much it shifts beside the drain."""
    if layer.dot:
        return FakeQuantLinear, 0 if last else POST_SHIFT
    return (FakeQuantConv2d, 0) if layer.transformed else (FakeQuantPointwise, POST_SHIFT)


def _word_layer(layer: Conv | Dense, network: Network, i: int) -> WordLayer:
    if layer.dot:
        return MaskedLinear(cast(Dense, layer), network.inputs[i])
    convolution = cast(Conv, layer)
    return SpectralConv2d(convolution) if layer.transformed else PointwiseConv2d(convolution)
