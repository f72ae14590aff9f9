"""Networks that were never trained but are sparse like trained ones: for benchmarks of the hardware.

Kernels are random and low-pass, input and output channels differ in weight, as in trained networks; the
masks are those of the real projection, the integers those of the real quantisation. So step counts vary
over words and groups, and activations use their range.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import nn

from hw.contract.artifact import Artifact, Sparsity
from hw.contract.formats import SPECTRUM
from hw.contract.network import Network
from pruning.layers.models import NetworkModel
from pruning.optimisers import MagnitudeConfig, prune_
from pruning.quant.export import to_artifact
from pruning.quant.quantise import quantise_

SPREAD = 0.5
"""Standard deviation of the logarithm of a channel's weight."""

LOW_PASS = torch.tensor([1.0, 2.0, 1.0]) / 4
"""Along rows and columns of every kernel: binomial, the smallest blur there is."""


@torch.no_grad()
def synthetic(
    network: Network,
    sparsity: Sparsity,
    *,
    fully_connected: Sparsity | None = None,
    pointwise: Sparsity | None = None,
    seed: int = 0,
    weight_bits: int = 8,
    layer_bits: Mapping[str, int] = MappingProxyType({}),
    spectrum_bits: int = SPECTRUM.bits,
    first_dense: bool = True,
    layers: Mapping[str, Sparsity | None] = MappingProxyType({}),
) -> Artifact:
    """An artifact of ``network`` with ``sparsity`` in every layer (but the first if ``first_dense``).

    ``fully_connected``, ``pointwise``: the sets of those layers, where they are to be others.
    ``layer_bits``: widths of the layers that take less than ``weight_bits``. ``spectrum_bits``: of each part
    of a spectrum word. ``layers``: sets of single layers, whatever the others say. Calibrated on one image of
    blurred noise.
    Raises ``ConfigError`` for a sparsity that makes no sense and for widths there cannot be.
    """
    generator = torch.Generator().manual_seed(seed)
    model = NetworkModel(network)
    for layer in network.layers:
        if (module := model.get_submodule(layer.name)).state_dict():
            _fill(module, generator)
    chosen: dict[str, Sparsity | None] = {
        layer.name: fully_connected for layer in network.layers if fully_connected and layer.dot
    }
    chosen |= {layer.name: pointwise for layer in network.layers if pointwise and layer.pointwise}
    chosen |= {layer.name: None for layer in network.layers if layer.sparse}
    if first_dense:
        chosen[network.layers[0].name] = None
    chosen |= layers
    config = MagnitudeConfig(sparsity, chosen)
    prune_(model, network, config).finalise()
    images = _image(network, generator)
    quantise_(
        model,
        network,
        images,
        weight_bits=weight_bits,
        layer_bits=layer_bits,
        spectrum_bits=spectrum_bits,
    )
    sets = {layer.name: config.sparsity(layer.name) for layer in network.layers}
    return to_artifact(model, network, sparsity=sets, provenance={"synthetic": True, "seed": seed})


def _fill(module: nn.Module, generator: torch.Generator) -> None:
    """Random weights of a size that keeps activations where they are."""
    weight = module.weight
    value = torch.randn(weight.shape, generator=generator)
    if value.dim() == 4:
        value = F.conv2d(value.flatten(0, 1)[:, None], torch.outer(LOW_PASS, LOW_PASS)[None, None], padding=1)
        value = value.view_as(weight)
    for axis in (0, 1):
        size = [1] * value.dim()
        size[axis] = value.shape[axis]
        value *= (SPREAD * torch.randn(size, generator=generator)).exp()
    weight.copy_(value * (2 / value.square().flatten(1).sum(1).mean()).sqrt())
    module.bias.copy_(0.05 * torch.randn(module.bias.shape, generator=generator))


def _image(network: Network, generator: torch.Generator) -> torch.Tensor:
    """(1, c, h, w), 0..1: noise with most of its energy at low frequencies, as in pictures."""
    c, h, w = network.input
    coarse = torch.rand((1, c, -(-h // 8), -(-w // 8)), generator=generator)
    smooth = F.interpolate(coarse, size=(h, w), mode="bilinear", align_corners=False)
    noise = torch.rand((1, c, h, w), generator=generator)
    return (0.8 * smooth + 0.2 * noise).clamp(0, 1)
