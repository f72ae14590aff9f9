"""Choose every scale from training images and swap word layers for fake-quant ones.

The array has no multiplier after it (``docs/numbers.md``, "Scales"): one step of output channel n
is worth s_n·2^shift[n] (without a transform: ·2^7 more), and the next layer's weights absorb
that. So layers are calibrated in order:

* s_n makes the channel's largest folded weight the largest integer, unless its bias would then not fit its
  field (:mod:`pruning.quant.scales`);
* shift[n] is the smallest with which the channel's largest activation still fits 8 bits, so the
  range is used to at least a half;
* with narrow spectra, each word of a convolution's input gets the smallest shift with which it does not
  saturate (:mod:`pruning.quant.word_shift`);
* the last layer gets one scale and one shift for all outputs, or its scores could not be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import nn

from hw.contract.artifact import MAX_WEIGHT_BITS, MIN_WEIGHT_BITS
from hw.contract.formats import SPECTRUM
from hw.contract.narrow import check_spectrum_bits
from hw.contract.network import Network
from hw.util.errors import ConfigError
from pruning.layers.word_layers import WordLayer, submodule, to_word_layers_
from pruning.quant import scales
from pruning.quant.additions import absorb_additions_
from pruning.quant.calibration import activation_ranges, any_images, check_complete, check_images
from pruning.quant.fake_quant import FakeQuant, FakeQuantConv2d, FakeQuantLinear, FakeQuantPointwise
from pruning.quant.given import Given, tops
from pruning.quant.word_shift import choose_shift, spectrum_ranges

IMAGE_SCALE = 1 / 255
"""Real value of one step of an 8-bit image whose training values are 0..1."""


@torch.no_grad()
def quantise_(
    model: nn.Module,
    network: Network,
    images: torch.Tensor | None,
    *,
    given: Mapping[str, Given] = MappingProxyType({}),
    weight_bits: int = 8,
    layer_bits: Mapping[str, int] = MappingProxyType({}),
    spectrum_bits: int = SPECTRUM.bits,
    quantile: float = 1.0,
    input_scale: float = IMAGE_SCALE,
    batch: int = 250,
) -> Mapping[str, FakeQuant]:
    """Calibrate on ``images`` (n, C, H, W, real, integer × ``input_scale``) and swap in place.

    ``given``: what a quantised file says of its layers (``given`` of what :func:`pruning.from_onnx` returns),
    which counts more than the images. ``images`` may be None where it says the range of every map.
    ``layer_bits``: widths of the layers that take less than ``weight_bits``. ``spectrum_bits``: of each part
    of a spectrum word, 8 to 16 (9 where a layer without a transform reads unsigned pixels). ``quantile`` of a
    channel's activations in a batch counts as its largest (1: the largest). Computes in 32-bit floats.
    Returns the fake-quant layers by name, in order. Raises ``ConfigError`` for parameters out of range,
    weights or activations that are not finite, batch norms that are left and pruning that is not finalised;
    ``DataError`` for images that the hardware would not get; ``UnsupportedNetwork`` for a model that is not
    its network.
    """
    check_weight_bits(weight_bits)
    check_layer_bits(network, layer_bits, weight_bits)
    calibrated = calibrate_(
        model,
        network,
        images,
        given=given,
        quantile=quantile,
        input_scale=input_scale,
        batch=batch,
        spectrum_bits=spectrum_bits,
    )
    return calibrated.fake_quantise_(weight_bits, layer_bits)


@dataclass(frozen=True)
class Calibrated:
    """A model of word layers and all that its scales depend on but the widths.

    ranges: (out,) per layer, :func:`pruning.quant.calibration.activation_ranges`. spectra: where spectra of
    ``spectrum_bits`` are narrow, :func:`pruning.quant.word_shift.spectrum_ranges`. given: of the file.
    """

    model: nn.Module
    network: Network
    layers: Mapping[str, WordLayer]
    ranges: Mapping[str, torch.Tensor]
    input_scale: float
    spectrum_bits: int = SPECTRUM.bits
    spectra: Mapping[str, torch.Tensor] = field(default_factory=dict)
    given: Mapping[str, Given] = field(default_factory=dict)

    @torch.no_grad()
    def fake_quantise_(self, weight_bits: int, layer_bits: Mapping[str, int]) -> Mapping[str, FakeQuant]:
        """Put fake-quant layers of these widths around the layers, in place of any before; the layers stay.

        Every scale depends on the widths of its layer and of those before.
        """
        found: dict[str, FakeQuant] = {}
        device = next(iter(self.ranges.values())).device
        network = self.network
        map_scales = [torch.full((network.maps[0][0],), self.input_scale, device=device)]
        map_scales[0][list(network.constant_channels)] = IMAGE_SCALE  # it is 1, whatever images are
        for i, (name, layer) in enumerate(self.layers.items()):
            in_scale = torch.cat([map_scales[number] for number in network.sources[i]])
            last = name == network.layers[-1].name
            if layer.spec.dot:
                in_scale = per_feature(in_scale, layer.spec.inputs, network.inputs[i])
            bits = layer_bits.get(name, weight_bits)
            found[name] = self._fake_quant(layer, in_scale, bits, last)
            if isinstance(made := found[name], FakeQuantConv2d) and layer.spec.kernel > 1:
                made.constant = network.constant_inputs(i)
            map_scales.append(found[name].out_scale)
        for name, wrapped in found.items():  # only now: where a scale is refused, the model stays what it was
            self.model.set_submodule(name, wrapped)
        return found

    def _fake_quant(self, layer: WordLayer, in_scale: torch.Tensor, bits: int, last: bool) -> FakeQuant:
        name, top = layer.spec.name, self.ranges[layer.spec.name]
        says = self.given.get(name, Given())
        if layer.spec.dot:
            exact, unit = says.ranged and not last, FakeQuantLinear.bias_unit
            scale, shift = scales.choose(
                layer, in_scale, top, bits, unit, last=last, exact=exact, step=says.step
            )
            return FakeQuantLinear(
                layer, in_scale, scale, shift, bits, scores=last, spectrum_bits=self.spectrum_bits
            )
        spectra = self.spectra.get(name)
        cut = None if spectra is None else choose_shift(spectra, in_scale, self.spectrum_bits)
        form = FakeQuantConv2d if layer.spec.transformed else FakeQuantPointwise
        unit = form.unit_of(cut)
        scale, shift = scales.choose(layer, in_scale, top, bits, unit, last=last, exact=says.ranged)
        return form(layer, in_scale, scale, shift, bits, spectrum_bits=self.spectrum_bits, word_shift=cut)


@torch.no_grad()
def calibrate_(
    model: nn.Module,
    network: Network,
    images: torch.Tensor | None,
    *,
    given: Mapping[str, Given] = MappingProxyType({}),
    quantile: float = 1.0,
    input_scale: float = IMAGE_SCALE,
    batch: int = 250,
    spectrum_bits: int = SPECTRUM.bits,
) -> Calibrated:
    """The first half of :func:`quantise_`: bring ``model`` to word layers and measure their activations."""
    if not 0 < quantile <= 1:
        raise ConfigError(f"quantile must be above 0 and at most 1, not {quantile}")
    if batch < 1:
        raise ConfigError(f"batch must be at least 1, not {batch}")
    check_spectrum_bits(spectrum_bits, network, ConfigError)
    narrow = spectrum_bits < SPECTRUM.bits
    if images is None and narrow:
        raise ConfigError(
            f"spectra of {spectrum_bits} bits are shifted as images ask for: give calibration images, or "
            f"spectra of {SPECTRUM.bits} bits"
        )
    measuring = any_images(network, input_scale) if images is None else images
    check_images(measuring, network, input_scale)
    check_complete(model, network)
    absorb_additions_(model, network)
    layers = to_word_layers_(model, network)
    model.float()
    told = tops(network, layers, given, input_scale, whole=images is None)
    ranges = activation_ranges(model, network, layers, measuring, quantile, batch) | told
    spectra = spectrum_ranges(model, layers, measuring, batch) if narrow else {}
    return Calibrated(model, network, layers, ranges, input_scale, spectrum_bits, spectra, dict(given))


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


def fake_quants_of(model: nn.Module, network: Network) -> dict[str, FakeQuant]:
    """The fake-quant layers of a quantised ``model``. Raises ``ConfigError`` if it is not quantised."""
    found = {}
    for layer in network.layers:
        found[layer.name] = submodule(model, layer.name)
        if not isinstance(found[layer.name], FakeQuant):
            raise ConfigError(f"layer {layer.name!r} is not quantised: call quantise_ first")
    return found
