"""A trainable torch module for any network the accelerator runs."""

import math
from collections import deque
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, max_pool2d, pad, pixel_unshuffle, relu

from hw.contract.network import Conv, Layer, Network
from hw.util.errors import ConfigError
from pruning.layers import tiles

NORM = "_norm"
"""Behind a layer's name: the module of its batch norm."""


class Average(nn.Module):
    """The mean of every channel, (B, C, H, W) to (B, C, 1, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


class NetworkModel(nn.Module):
    """``network`` as ordinary ``nn.Conv2d`` and ``nn.Linear`` modules, named after its layers.

    With ``batch_norm`` every convolution has an ``nn.BatchNorm2d`` after it, named ``<layer>_norm``;
    :func:`pruning.quant.batch_norm_folding.fold_batch_norms_` makes it part of the convolution. What a layer
    adds to its outputs is added here, after the norm, until
    :func:`pruning.quant.additions.absorb_additions_` makes it part of the layer's weights. With ``average``
    fully connected layers behind a map have a weight per channel, for the mean of its pixels; as a word layer
    each pixel has its own.

    ``forward`` takes images (B, C, H, W), real, and returns class scores (B, classes), or the last
    map. The forward pass asks nothing of the modules but their output, so pruning and quantisation
    can swap them for others. Raises ``ConfigError`` for a layer that is called as
    something else of the module is.
    """

    def __init__(self, network: Network, batch_norm: bool = False, average: bool = False) -> None:
        super().__init__()
        self.network = network
        for layer, shape in zip(network.layers, network.inputs, strict=True):
            if hasattr(self, layer.name) or hasattr(self, layer.name + NORM):
                raise ConfigError(
                    f"layer {layer.name!r} of network {network.name!r} has a name that a module of torch, "
                    "or a batch norm beside it, has already: call it otherwise"
                )
            channels = shape[0] if average and layer.inputs == math.prod(shape) else layer.inputs
            self.add_module(layer.name, _module(layer, channels, bias=not batch_norm))
            if batch_norm and isinstance(layer, Conv) and not layer.average:
                self.add_module(layer.name + NORM, nn.BatchNorm2d(layer.out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return deque(self.maps(x), maxlen=1)[0]

    def maps(self, images: Tensor) -> Iterator[Tensor]:
        """What one layer after the other makes of ``images``."""
        maps = {0: first_map(images, self.network)}
        for i, layer in enumerate(self.network.layers):
            given, added = self.given(i, maps)
            module = self.get_submodule(layer.name)
            y = _convolve(module, layer, given) if isinstance(layer, Conv) else _connect(module, given)
            x = self.finished(i, y, added, given.shape[2:])
            maps = {n: map_ for n, map_ in maps.items() if max(self.network.readers(n)) > i}
            maps[i + 1] = x
            yield x

    def given(self, i: int, maps: Mapping[int, Tensor]) -> tuple[Tensor, Tensor | None]:
        """What the module of layer ``i`` gets of ``maps`` (by number), and what is added to what it makes."""
        layer, given = self.network.layers[i], [maps[number] for number in self.network.sources[i]]
        added = given.pop() if layer.added and not takes_all(self.get_submodule(layer.name)) else None
        return given[0] if len(given) == 1 else torch.cat(given, 1), added

    def finished(self, i: int, y: Tensor, added: Tensor | None, size: torch.Size) -> Tensor:
        """The map of layer ``i`` from what its module made, ``y``, of a map of ``size`` (H, W)."""
        layer = self.network.layers[i]
        if layer.name + NORM in self._modules:
            y = self.get_submodule(layer.name + NORM)(y)
        if added is not None:
            y = y + added
        module = self.get_submodule(layer.name)
        if layer.overlaps or layer.pool > 1:
            y = pooled(module, layer, y, size)
        # Commutes with the maximum, which leaves it less to do. What saturates has clipped what it could.
        return relu(y) if layer.clip is not None and saturates(module) else activated(layer, y)


def first_map(images: Tensor, network: Network) -> Tensor:
    """Map 0 of real images (B, C, H, W), of 0 to 1: what the host makes of them
    (:func:`hw.host_interface.stream_format.first_map`)."""
    if network.constant:
        images = torch.cat([images, torch.ones_like(images[:, :1])], 1)
    return spread(images, network.spread)


def spread(images: Tensor, apart: int) -> Tensor:
    """:func:`hw.host_interface.stream_format.spread` of real images."""
    if apart == 1:
        return images
    return pixel_unshuffle(pad(images, (0, -images.shape[3] % apart, 0, -images.shape[2] % apart)), apart)


def takes_all(module: nn.Module) -> bool:
    """Whether a module of a layer with additions takes what is added as channels of its input."""
    spec = getattr(module, "spec", None)
    return bool(spec is not None and spec.added)


def saturates(module: nn.Module) -> bool:
    """Whether a module computes as the hardware does, whose clips are its saturations."""
    return getattr(module, "saturates", False)


def activated(layer: Layer, x: Tensor) -> Tensor:
    """``x`` after the ReLU of ``layer``, if it has one."""
    if layer.clip is not None:
        return x.clamp(0, layer.clip)
    if layer.leak:
        return leaky_relu(x, 0.5**layer.leak)
    return relu(x) if layer.relu else x


def pooled(module: nn.Module, layer: Layer, x: Tensor, size: torch.Size) -> Tensor:
    """Max pooling of what ``module`` made of a map of ``size`` (H, W): word layers with a transform whose
    windows overlap leave their tiles as they are."""
    if not isinstance(layer, Conv) or not layer.overlaps:
        return max_pool2d(x, layer.pool)
    if hasattr(module, "spec") and layer.transformed:
        return tiles.pooled(x, layer, size)
    before, after = layer.pool_padding, layer.pool_after
    return max_pool2d(pad(x, (before, after, before, after), value=-math.inf), layer.window, layer.pool)


def norm_of(model: nn.Module, layer: Layer) -> nn.BatchNorm2d | None:
    """The batch norm after ``layer`` of a :class:`NetworkModel`, if there is one."""
    norm = model._modules.get(layer.name + NORM)
    return norm if isinstance(norm, nn.BatchNorm2d) else None


def _module(layer: Layer, inputs: int, bias: bool) -> nn.Module:
    if isinstance(layer, Conv) and layer.average:
        return Average()
    if isinstance(layer, Conv):
        return nn.Conv2d(
            layer.convolved,
            layer.out_channels,
            layer.kernel,
            stride=layer.stride,
            padding=layer.padding,
            groups=layer.groups,
            bias=bias,
        )
    return nn.Linear(inputs, layer.out_features)


def _connect(module: nn.Module, x: Tensor) -> Tensor:
    """A fully connected layer of a map or vector; of the mean of every channel where it has no more
    weights."""
    averages = isinstance(module, nn.Linear) and x.dim() == 4 and module.in_features < x[0].numel()
    return module(x.mean((2, 3)) if averages else x.flatten(1))


def _convolve(module: nn.Module, layer: Conv, x: Tensor) -> Tensor:
    """``nn.Conv2d`` pads all sides alike: other padding below and right is made up for."""
    if layer.after == layer.padding or not isinstance(module, nn.Conv2d):
        return module(x)
    more = max(0, layer.after - layer.padding)
    height, width = ((layer.conv_size(n) - 1) // layer.stride + 1 for n in x.shape[2:])
    return module(pad(x, (0, more, 0, more)))[:, :, :height, :width]
