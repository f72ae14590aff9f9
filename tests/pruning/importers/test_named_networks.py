"""Networks by name are those that people mean: layer by layer torch's, and what importers make of them."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from hw.compile.map_placement import buffers_of
from hw.compile.program import signed_channels
from hw.contract.config import AcceleratorConfig
from hw.contract.network import NETWORKS, Dense, find_network
from hw.cost.cycles import total_cycles
from hw.explore.lengths import Density
from hw.explore.workload import UniformWorkload
from pruning import convert, from_onnx, resnet18
from tests.census.branches import Unet, fire
from tests.census.mobile import inverted, separable
from tests.census.parts import Net, conv, scores
from tests.pruning.importers.converting import stirred
from tests.pruning.importers.onnx_graphs import export


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
    """What its layers are and read, but for their names."""
    return [
        (replace(layer, name="layer", sources=("maps",), **({} if layer.dot else _said(layer))), sources)
        for layer, sources in zip(network.layers, network.sources, strict=True)
    ]


def _said(layer):
    """What may be left out where it is the usual."""
    return {
        "end_padding": layer.after,
        "pool_size": layer.window,
        "pool_end_padding": layer.pool_after,
    }


@pytest.mark.parametrize("name", DEFINED)
def test_a_network_by_name_is_what_the_importer_makes(name):
    """But for class scores behind the means in which SqueezeNet ends."""
    with torch.device("meta"):
        model = DEFINED[name]()
    model = model.to_empty(device="cpu")  # nobody computes with weights that are whatever lay in memory
    expected, network = find_network(name), convert(model.eval(), model.shape).network
    found = forms(network)
    if name == "squeezenet":
        assert network.layers[-1] == Dense(network.layers[-1].name, 1000, 1000, relu=False)
        found.pop()
        layer, sources = found[-2]
        assert layer.relu  # means of what has no sign: of 8 bits, not of 7 and a sign
        found[-2] = (replace(layer, relu=False), sources)
    assert found == forms(expected)
    assert (network.input, network.spread) == (expected.input, expected.spread)


def clocks(network):
    """Of an image, 2 of 8 words kept, on an array of 64 × 20 whose weights come from outside."""
    config = AcceleratorConfig(64, 20, 1, stream_weights=True, bus_bits=1024, memories=2)
    return total_cycles(UniformWorkload(network, Density()).program(config, 8), 1)


def test_a_file_of_resnet_18_is_the_network_by_name(tmp_path):
    """As torchvision has it, from torch's exporter: as many clocks, as many operations, the same numbers."""
    torch.manual_seed(5)
    model = stirred(resnet18(), 5).eval()
    model.shape = (3, 224, 224)
    found, named = from_onnx(export(model, tmp_path / "resnet18.onnx")), find_network("resnet18")
    assert clocks(found.network) <= 1.01 * clocks(named)
    assert found.network.operations == named.operations
    assert [layer.average for layer in found.network.layers[-2:]] == [True, False]
    images = torch.randint(0, 256, (2, *model.shape)) / 255
    with torch.no_grad():
        scores = model(images)
        assert float((found.model.eval()(images) - scores).abs().max()) < 1e-4 * float(scores.abs().max())
