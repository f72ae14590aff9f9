"""By how many bits each word of a narrow spectrum is cut: as few as the calibration images allow.

A word's shift is the smallest, one for all input channels of a layer, with which no part of the word
saturates on the calibration images, as the model has them before it is quantised. Integer pixels are rounded
and integer transforms, too, so a word at its limit may be cut by a step there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn

from hw.contract import narrow
from hw.contract.formats import SPECTRUM_FRACTION
from pruning.layers.spectral import SpectralConv2d
from pruning.layers.word_layers import WordLayer
from pruning.quant.calibration import evaluating


@torch.no_grad()
def spectrum_ranges(
    model: nn.Module, layers: Mapping[str, WordLayer], images: torch.Tensor, batch: int
) -> dict[str, torch.Tensor]:
    """(in, 32) per layer with a transform: the largest |part| of every word of its input's spectra, of real
    activations.

    Runs ``model`` in eval mode, on the layers' device.
    """
    ranges: dict[str, torch.Tensor] = {}
    first = next(iter(layers.values())).weight

    def watch(name: str) -> Callable[..., None]:
        def hook(layer: SpectralConv2d, inputs: tuple[torch.Tensor, ...]) -> None:
            size = layer.spectrum(inputs[0]).abs().amax(1).T
            ranges[name] = torch.maximum(ranges[name], size) if name in ranges else size

        return hook

    convolutions = {name: layer for name, layer in layers.items() if layer.spec.transformed}
    handles = [layer.register_forward_pre_hook(watch(name)) for name, layer in convolutions.items()]
    try:
        with evaluating(model):
            for part in images.split(batch):
                model(part.to(first))
    finally:
        for handle in handles:
            handle.remove()
    return ranges


def choose_shift(ranges: torch.Tensor, in_scale: torch.Tensor, bits: int) -> torch.Tensor:
    """(32,) shifts for spectra of ``bits``, from :func:`spectrum_ranges` of a layer (in, 32) and the real
    value ``in_scale`` (in,) of a step of every input channel."""
    reach = (2**SPECTRUM_FRACTION * ranges / in_scale[:, None]).amax(0)
    return torch.from_numpy(narrow.least_shift(reach.double().cpu().numpy(), bits)).to(reach)
