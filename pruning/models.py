"""A trainable torch module for any network the accelerator runs."""

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from hw.network import Conv, Layer, Network


class Chain(nn.Module):
    """``network`` as ordinary ``nn.Conv2d`` and ``nn.Linear`` modules, named after its layers.

    ``forward`` takes images (B, C, H, W), real, and returns class scores (B, classes), or the last
    map. The forward pass asks nothing of the modules but their output, so pruning and quantisation
    can swap them for others.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        for layer in network.layers:
            self.add_module(layer.name, _module(layer))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.network.layers:
            module = self.get_submodule(layer.name)
            x = module(x) if isinstance(layer, Conv) else module(x.flatten(1))
            if isinstance(layer, Conv) and layer.pool > 1:
                x = max_pool2d(x, layer.pool)
            x = relu(x) if layer.relu else x  # commutes with the maximum, which leaves it less to do
        return x


def _module(layer: Layer) -> nn.Module:
    if isinstance(layer, Conv):
        return nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel, padding=layer.padding)
    return nn.Linear(layer.in_features, layer.out_features)
