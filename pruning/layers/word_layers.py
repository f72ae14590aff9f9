"""Swap a model's modules for their word forms, in place, guided by the network description."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import torch
from torch import nn

from hw.contract.network import Conv, Layer, Network
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning.layers.linear import MaskedLinear
from pruning.layers.models import Average
from pruning.layers.pointwise import PointwiseConv2d
from pruning.layers.spectral import SpectralConv2d

WordLayer = SpectralConv2d | PointwiseConv2d | MaskedLinear


def to_word_layers_(
    model: nn.Module, network: Network, only: Collection[str] | None = None
) -> Mapping[str, WordLayer]:
    """Replace every layer of ``network`` (or those named ``only``) in ``model``.

    Layers in word form already are kept; what a layer adds is none of it as long as the model adds it.
    ``model`` must have one module per layer under the layer's name; one of 16-bit floats becomes one of 32
    bits (:func:`widen_`). Returns them by name, in order. Raises ``ConfigError`` for a missing module,
    ``UnsupportedNetwork`` for one that differs.
    """
    widen_(model)
    found: dict[str, WordLayer] = {}
    for layer, shape in zip(network.layers, network.inputs, strict=True):
        if only is not None and layer.name not in only:
            continue
        module = submodule(model, layer.name)
        if isinstance(layer, Conv) and isinstance(module, Average):
            device = next(model.parameters()).device
            module = SpectralConv2d.of_average(layer, shape[1] * shape[2]).to(device)
        elif isinstance(layer, Conv) and isinstance(module, nn.Conv2d):
            form = PointwiseConv2d if layer.pointwise else SpectralConv2d
            module = form.from_conv(module, layer.pool, name=layer.name, relu=layer.relu, like=layer)
        elif not isinstance(layer, Conv) and isinstance(module, nn.Linear):
            module = MaskedLinear.from_linear(
                module,
                shape,
                name=layer.name,
                relu=layer.relu,
                leak=layer.leak,
                features=layer.inputs,
                clip=layer.clip,
            )
        if not isinstance(module, WordLayer) or not _computes(module.spec, layer):
            raise UnsupportedNetwork(
                f"layer {layer.name!r} is {layer} in the network but {module} in the model"
            )
        model.set_submodule(layer.name, module)
        found[layer.name] = module
    return found


def _computes(spec: Layer, layer: Layer) -> bool:
    """Whether a module of ``spec`` is that of ``layer``, wherever its inputs come from."""
    spec, layer = (replace(item, sources=("x",)) for item in (spec, layer))
    return spec == layer or (isinstance(layer, Conv) and spec == layer.alone)


def widen_(model: nn.Module) -> None:
    """Bring a model with 16-bit floats to 32, which changes no value.

    Spectra, scales and integers need more bits than they have; autocast gives training their speed.
    """
    if any(p.dtype in (torch.float16, torch.bfloat16) for p in model.parameters()):
        model.float()


def submodule(model: nn.Module, name: str) -> nn.Module:
    """The module of that name. Raises ``ConfigError`` if there is none."""
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise ConfigError(
            f"the model has no module {name!r}: name modules after the network's layers"
        ) from None
