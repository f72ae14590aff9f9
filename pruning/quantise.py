"""Choose every scale from training images and swap word layers for integer mirrors.

The array has no multiplier behind it (``docs/numbers.md``, "Scales"): one step of output channel n
is worth s_n·2^shift[n] (a fully connected layer: ·2^7 more), and the next layer's weights absorb
that. So layers are calibrated in order:

* s_n makes the channel's largest folded weight the largest integer;
* shift[n] is the smallest with which the channel's largest activation still fits 8 bits, so the
  range is used to at least a half;
* the last layer gets one scale and one shift for all outputs, or its scores could not be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import nn

from hw.artifact import MAX_WEIGHT_BITS, MIN_WEIGHT_BITS
from hw.errors import ConfigError
from hw.formats import MAX_DRAIN_SHIFT, POST_SHIFT, PRODUCT_SUM, Format, activation_format
from hw.network import Conv, Network
from pruning.fakequant import Mirror, MirrorConv2d, MirrorLinear
from pruning.word_layers import WordLayer, submodule, to_word_layers_

IMAGE_SCALE = 1 / 255
"""Real value of one step of an 8-bit image whose training values are 0..1."""

SCORE_HEADROOM = 4
"""Class scores reach 1/4 of their 18 bits on the calibration images."""


@torch.no_grad()
def quantise_(
    model: nn.Module,
    network: Network,
    images: torch.Tensor,
    *,
    weight_bits: int = 8,
    layer_bits: Mapping[str, int] = MappingProxyType({}),
    quantile: float = 1.0,
    input_scale: float = IMAGE_SCALE,
    batch: int = 250,
) -> Mapping[str, Mirror]:
    """Calibrate on ``images`` (n, C, H, W, real, integer × ``input_scale``) and swap in place.

    ``layer_bits``: widths of the layers that take less than ``weight_bits``. ``quantile`` of a channel's
    activations in a batch counts as its largest (1: the largest).
    Returns the mirrors by layer name, in order. Raises ``ConfigError`` for parameters out of range.
    """
    check_weight_bits(weight_bits)
    check_layer_bits(network, layer_bits, weight_bits)
    calibrated = calibrate_(model, network, images, quantile=quantile, input_scale=input_scale, batch=batch)
    return calibrated.mirror_(weight_bits, layer_bits)


@dataclass(frozen=True)
class Calibrated:
    """A model of word layers and all that its scales depend on but the widths.

    ranges: (out,) per layer, :func:`activation_ranges`.
    """

    model: nn.Module
    network: Network
    layers: Mapping[str, WordLayer]
    ranges: Mapping[str, torch.Tensor]
    input_scale: float

    @torch.no_grad()
    def mirror_(self, weight_bits: int, layer_bits: Mapping[str, int]) -> Mapping[str, Mirror]:
        """Put mirrors of these widths in the layers' places, or in those of other mirrors; the layers stay.

        Every scale depends on the widths of its layer and of those before.
        """
        mirrors: dict[str, Mirror] = {}
        device = next(iter(self.ranges.values())).device
        in_scale = torch.full((self.network.input[0],), self.input_scale, device=device)
        for (name, layer), shape in zip(self.layers.items(), self.network.shapes, strict=False):
            last = name == self.network.layers[-1].name
            if not isinstance(layer.spec, Conv):
                in_scale = per_feature(in_scale, layer.spec.in_features, shape)
            bits = layer_bits.get(name, weight_bits)
            mirrors[name] = _mirror(layer, in_scale, self.ranges[name], bits, last)
            in_scale = mirrors[name].out_scale
            self.model.set_submodule(name, mirrors[name])
        return mirrors


@torch.no_grad()
def calibrate_(
    model: nn.Module,
    network: Network,
    images: torch.Tensor,
    *,
    quantile: float = 1.0,
    input_scale: float = IMAGE_SCALE,
    batch: int = 250,
) -> Calibrated:
    """The first half of :func:`quantise_`: bring ``model`` to word layers and measure their activations."""
    if not 0 < quantile <= 1:
        raise ConfigError(f"quantile must be above 0 and at most 1, not {quantile}")
    layers = to_word_layers_(model, network)
    ranges = activation_ranges(model, layers, images, quantile, batch)
    return Calibrated(model, network, layers, ranges, input_scale)


def check_weight_bits(bits: int) -> None:
    """Raise ``ConfigError`` for a width that an artifact does not store."""
    if not MIN_WEIGHT_BITS <= bits <= MAX_WEIGHT_BITS:
        raise ConfigError(f"weight_bits must be {MIN_WEIGHT_BITS} to {MAX_WEIGHT_BITS}, not {bits}")


def check_layer_bits(network: Network, layer_bits: Mapping[str, int], weight_bits: int) -> None:
    """Raise ``ConfigError`` for a layer that is none, and for a width that an artifact does not store."""
    known = {layer.name for layer in network.layers}
    for name, bits in layer_bits.items():
        if name not in known:
            raise ConfigError(
                f"layer_bits names {name!r}, but network {network.name!r} has no such layer: "
                f"choose from {', '.join(layer.name for layer in network.layers)}"
            )
        if not MIN_WEIGHT_BITS <= bits <= weight_bits:
            raise ConfigError(
                f"layer_bits of {name!r} must be {MIN_WEIGHT_BITS} to {weight_bits} (weight_bits), not {bits}"
            )


def per_feature(in_scale: torch.Tensor, features: int, shape: tuple[int, int, int]) -> torch.Tensor:
    """Channel scales repeated over the pixels of a flattened map; a vector has one scale per feature."""
    return in_scale if len(in_scale) == features else in_scale.repeat_interleave(shape[1] * shape[2])


def activation_ranges(
    model: nn.Module, layers: Mapping[str, WordLayer], images: torch.Tensor, quantile: float, batch: int
) -> dict[str, torch.Tensor]:
    """(out,) per layer: the largest over all batches of the ``quantile`` of |activation| (after ReLU)."""
    ranges: dict[str, torch.Tensor] = {}

    def watch(name: str) -> Callable[..., None]:
        def hook(layer: WordLayer, _: object, y: torch.Tensor) -> None:
            size = y.relu() if layer.spec.relu else y.abs()
            size = size.transpose(0, 1).flatten(1)  # (out, samples)
            rank = max(1, round(quantile * size.shape[1]))
            top = size.amax(1) if rank == size.shape[1] else size.kthvalue(rank, dim=1).values
            ranges[name] = torch.maximum(ranges[name], top) if name in ranges else top

        return hook

    handles = [layer.register_forward_hook(watch(name)) for name, layer in layers.items()]
    try:
        for part in images.split(batch):
            model(part)
    finally:
        for handle in handles:
            handle.remove()
    return ranges


def _mirror(layer: WordLayer, in_scale: torch.Tensor, top: torch.Tensor, bits: int, last: bool) -> Mirror:
    conv = isinstance(layer.spec, Conv)
    scores = last and not conv
    scale = weight_scale(layer, in_scale, bits)
    # A channel that never fires gets a range all the same, or one stray activation would saturate.
    top = top.clamp(min=max(float(top.max()) / 1000, 1e-12))
    if last:
        scale, top = scale.max().expand_as(scale), top.max().expand_as(top)
    steps = top / scale  # the largest output, in units of s_n
    if scores:
        limit: float = PRODUCT_SUM.limits[1] / SCORE_HEADROOM
    else:
        limit = activation_format(layer.spec.relu).limits[1] * (1 if conv else 2**POST_SHIFT)
    shift = (steps / limit).log2().ceil().clamp(0, MAX_DRAIN_SHIFT)
    if conv:
        return MirrorConv2d(layer, in_scale, scale, shift, bits)
    return MirrorLinear(layer, in_scale, scale, shift, bits, scores=scores)


def weight_scale(layer: WordLayer, in_scale: torch.Tensor, bits: int) -> torch.Tensor:
    """(out,): real value of a weight step, so that the largest folded weight is the largest integer."""
    spread = in_scale.view(-1, 1, 1) if isinstance(layer.spec, Conv) else in_scale
    kept = layer.weight * layer.gate(layer.mask) * spread
    top = kept.abs().flatten(1).amax(1)
    # An output channel with no weights at all still needs a unit for its bias.
    top = torch.where(top > 0, top, layer.bias.abs().clamp(min=1e-6))
    return top / Format(bits).limits[1]


def mirrors_of(model: nn.Module, network: Network) -> dict[str, Mirror]:
    """The mirrors in a quantised ``model``. Raises ``ConfigError`` if it is not quantised."""
    found = {}
    for layer in network.layers:
        found[layer.name] = submodule(model, layer.name)
        if not isinstance(found[layer.name], Mirror):
            raise ConfigError(f"layer {layer.name!r} is not quantised: call quantise_ first")
    return found
