"""Networks by name are those that people mean: layer by layer torch's, and what importers make of them."""

import pytest
import torch
from torch import nn

from hw.compile.map_placement import buffers_of
from hw.compile.program import signed_channels
from hw.contract.network import NETWORKS, find_network
from pruning import convert
from tests.census.branches import Unet, fire
from tests.census.mobile import inverted, separable
from tests.census.parts import Net, conv, scores


def mobilenet():
    layers, channels = conv(3, 32, 3, 2), 32
    for width, stride in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5]:
        layers, channels = [*layers, *separable(channels, width, stride)], width
    layers += [*separable(512, 1024, 2), *separable(1024, 1024)]
    return Net((3, 224, 224), *layers, *scores(1024, 1000))


def mobilenet_v2():
    six = nn.ReLU6
    layers = [
        *conv(3, 32, 3, 2, activation=six),
        *conv(32, 32, 3, 1, 32, six),
        *conv(32, 16, 1, activation=None),
    ]
    channels = 16
    for width, count, stride in [(24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1)]:
        for number in range(count):
            layers.append(inverted(channels, width, 1 if number else stride, 3, six, None, 6))
            channels = width
    return Net((3, 224, 224), *layers, *conv(320, 1280, 1, activation=six), *scores(1280, 1000))


def squeezenet():
    def pool():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    fires = [fire(64, 16, 64), fire(128, 16, 64), pool(), fire(128, 32, 128), fire(256, 32, 128), pool()]
    fires += [fire(256, 48, 192), fire(384, 48, 192), fire(384, 64, 256), fire(512, 64, 256)]
    last = [nn.Dropout(), nn.Conv2d(512, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Net((3, 224, 224), nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(), *fires, *last)


def alexnet():
    features = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    features += [nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    for channels, width in [(192, 384), (384, 256), (256, 256)]:
        features += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
    return Net(
        (3, 224, 224),
        *(*features, nn.MaxPool2d(3, 2), nn.Flatten(), nn.Linear(9216, 4096), nn.ReLU()),
        *(nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)),
    )


def tiny_yolo():
    layers, channels = [], 3
    for number, width in enumerate((16, 32, 64, 128, 256, 512, 1024, 1024)):
        layers += conv(channels, width)
        layers += [nn.MaxPool2d(2)] if number < 5 else []
        channels = width
    return Net((3, 416, 416), *layers, nn.Conv2d(channels, 125, 1))


class UnetFlat(Unet):
    """The census' network of one size, of its full width."""

    shape = (3, 128, 128)

    def __init__(self):
        super().__init__()
        first = [*conv(3, 32), *conv(32, 32)]
        dilated = [nn.Conv2d(c, 64, 3, padding=2, dilation=2) for c in (32, 64)]
        inner = [dilated[0], nn.ReLU(), dilated[1], nn.ReLU()]
        self.first, self.second, self.third = (
            nn.Sequential(*first),
            nn.Sequential(*inner),
            nn.Sequential(*conv(64, 32)),
        )
        self.last = nn.Sequential(*conv(64, 32), nn.Conv2d(32, 2, 1))


DEFINED = {
    "mobilenet": mobilenet,
    "mobilenet-v2": mobilenet_v2,
    "squeezenet": squeezenet,
    "alexnet": alexnet,
    "tiny-yolo": tiny_yolo,
    "unet-flat": UnetFlat,
}


def traced(model):
    """(outputs, rows, products of one image) of every convolution and fully connected layer, as they run."""
    found = []

    def note(module, inputs, output):
        products = output.numel() * module.weight[0].numel()
        found.append((output.shape[1], output.shape[2] if output.dim() == 4 else 1, products))

    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(note)
    model.eval()(torch.zeros(1, *model.shape, device="meta"))
    return found


@pytest.mark.parametrize("name", DEFINED)
def test_a_network_by_name_has_the_convolutions_of_its_definition(name):
    """Padding of two sizes and spread images give the same maps; what only moves pixels has no products."""
    with torch.device("meta"):
        model = DEFINED[name]()
    network = find_network(name)
    found = []
    for layer, shape in zip(network.layers, network.inputs, strict=True):
        if products := layer.operations(shape) // 2:
            rows = 1 if layer.dot else (layer.conv_size(shape[1]) - 1) // layer.stride + 1
            found.append((layer.outputs, rows, products))
    assert found == traced(model)
    assert network.input == model.shape


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_by_name_can_lie_in_memory(name):
    network = find_network(name)
    buffers_of(network)
    for number in range(len(network.layers)):
        signed_channels(network, number)


def forms(network):
    """What its layers are and read, but for names, groups, and what a host does."""
    return [
        (layer.inputs, layer.outputs, layer.relu, sources, layer.dot or _form(layer))
        for layer, sources in zip(network.layers, network.sources, strict=True)
    ]


def _form(layer):
    pool = (layer.window, layer.pool, layer.pool_padding, layer.pool_after)
    return layer.kernel, layer.stride, layer.padding, layer.after, pool, layer.added, layer.clip


def shifted(found, by):
    return [(*form[:3], tuple(source + by for source in form[3]), form[4]) for form in found]


COMPARED = {
    "alexnet": (slice(0, 13), 3, slice(1, 6), 2),
    "squeezenet": (slice(0, 16), 2, slice(1, 26), 1),
    "tiny-yolo": (slice(None), 0, slice(None), 0),
    "unet-flat": (slice(None), 0, slice(None), 0),
}
"""Modules that are converted; layers of theirs that a spread image does not need; those by name that are
compared; and how many maps more there are in front of these."""


@pytest.mark.parametrize("name", COMPARED)
def test_a_network_by_name_is_what_the_importer_makes(name):
    """But for the first layer, where the host spreads images, and for what follows the last map."""
    part, first, last, more = COMPARED[name]
    with torch.device("meta"):
        model = DEFINED[name]()
    shape, model = model.shape, model if part == slice(None) else nn.Sequential(*list(model)[part])
    model = model.to_empty(device="cpu")  # nobody computes with weights that are whatever lay in memory
    network = convert(model.eval(), shape).network
    expected = forms(find_network(name))[last]
    assert shifted(forms(network)[first : first + len(expected)], -more) == expected
