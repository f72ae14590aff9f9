"""A trainable torch module for any network the accelerator runs."""

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from hw.contract.network import Conv, Layer, Network

NORM = "_norm"
"""Behind a layer's name: the module of its batch norm."""


class Chain(nn.Module):
    """``network`` as ordinary ``nn.Conv2d`` and ``nn.Linear`` modules, named after its layers.

    With ``batch_norm`` every convolution has an ``nn.BatchNorm2d`` after it, named ``<layer>_norm``;
    :func:`pruning.quant.batch_norm_folding.fold_batch_norms_` makes it part of the convolution.

    ``forward`` takes images (B, C, H, W), real, and returns class scores (B, classes), or the last
    map. The forward pass asks nothing of the modules but their output, so pruning and quantisation
    can swap them for others.
    """

    def __init__(self, network: Network, batch_norm: bool = False) -> None:
        super().__init__()
        self.network = network
        for layer in network.layers:
            self.add_module(layer.name, _module(layer, bias=not batch_norm))
            if batch_norm and isinstance(layer, Conv):
                self.add_module(layer.name + NORM, nn.BatchNorm2d(layer.out_channels))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.network.layers:
            module = self.get_submodule(layer.name)
            x = module(x) if isinstance(layer, Conv) else module(x.flatten(1))
            if layer.name + NORM in self._modules:
                x = self.get_submodule(layer.name + NORM)(x)
            if layer.pool > 1:
                x = max_pool2d(x, layer.pool)
            x = relu(x) if layer.relu else x  # commutes with the maximum, which leaves it less to do
        return x


def norm_of(model: nn.Module, layer: Layer) -> nn.BatchNorm2d | None:
    """The batch norm after ``layer`` of a :class:`Chain`, if there is one."""
    norm = model._modules.get(layer.name + NORM)
    return norm if isinstance(norm, nn.BatchNorm2d) else None


def _module(layer: Layer, bias: bool) -> nn.Module:
    if isinstance(layer, Conv):
        return nn.Conv2d(
            layer.in_channels, layer.out_channels, layer.kernel, padding=layer.padding, bias=bias
        )
    return nn.Linear(layer.in_features, layer.out_features)
