"""Torch modules of networks, plain and in the spectral domain, layer by layer against torch's own
operations."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from hw.contract.network import Conv, Dense, Network
from hw.host_interface.stream_format import spread as spread_pixels
from hw.util.errors import ConfigError
from pruning import NetworkModel
from pruning.layers.models import spread
from pruning.layers.word_layers import to_word_layers_
from pruning.quant.quantise import quantise_

BASE = Conv("conv", 4, 6, 3, padding=1)

CASES = {
    "stride": replace(BASE, stride=2),
    "stride and 7x7": replace(BASE, kernel=7, padding=3, stride=2),
    "more padding at the end": replace(BASE, padding=0, end_padding=2),
    "less padding at the end": replace(BASE, kernel=4, padding=2, end_padding=1),
    "2x2": replace(BASE, pool=2),
    "2x2, rounding up": replace(BASE, pool=2, pool_end_padding=1),
    "3x3 of stride 2": replace(BASE, pool=2, pool_size=3, pool_padding=1),
    "3x3 of stride 1": replace(BASE, pool_size=3, pool_padding=1, relu=False),
    "all of it": replace(BASE, kernel=4, padding=2, end_padding=1, pool=2, pool_size=3, pool_padding=1),
    "groups": replace(BASE, groups=2),
    "depthwise": replace(BASE, in_channels=6, groups=6, stride=2),
    "clipped": replace(BASE, clip=0.3),
    "leaky": replace(BASE, leak=2),
    "leaky, 3x3": replace(BASE, leak=3, pool=2, pool_size=3, pool_padding=1),
}


def by_torch(layer: Conv, weight: torch.Tensor, bias: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """``layer`` in torch's own operations."""
    x = F.pad(x, (layer.padding, layer.after, layer.padding, layer.after))
    y = F.conv2d(x, weight, bias, stride=layer.stride, groups=layer.groups)
    ends = (layer.pool_padding, layer.pool_after) * 2
    y = F.max_pool2d(F.pad(y, ends, value=-torch.inf), layer.window, layer.pool)
    if layer.leak:
        return F.leaky_relu(y, 2.0**-layer.leak)
    if layer.relu:
        y = y.clamp(0, layer.clip) if layer.clip else y.relu()
    return y


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [(13, 16), (6, 5)])
def test_a_layer_is_what_torch_makes_of_it(name, size):
    """The plain module, and the same in tiles; gradients reach the weights."""
    layer = CASES[name]
    network = Network("one", (layer.in_channels, *size), (layer,))
    model, x = NetworkModel(network), torch.randn(3, layer.in_channels, *size)
    weight, bias = (p.detach().clone() for p in (model.conv.weight, model.conv.bias))
    expected = by_torch(layer, weight, bias, x)
    assert expected.shape[1:] == network.maps[-1]
    torch.testing.assert_close(model(x), expected, rtol=1e-5, atol=1e-5)
    to_word_layers_(model, network)
    found = model(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    found.sum().backward()
    gradient = model.conv.weight.grad
    connected = torch.from_numpy(layer.connected)
    assert gradient[connected].abs().sum() > 0 and not gradient[~connected].any()


@pytest.mark.parametrize("size", [1, 4, 7, 8])
def test_an_average_is_one_word_of_each_channel(size):
    average = Conv("average", 5, 5, 8, relu=False, end_padding=8 - size, groups=5, average=True)
    network = Network("mean", (5, size, size), (average, Dense("fc", 5, 3, relu=False)))
    model, x = NetworkModel(network), torch.rand(4, 5, size, size)
    with torch.no_grad():
        expected = model.fc(x.mean((2, 3)))
        torch.testing.assert_close(model(x), expected)
        layers = to_word_layers_(model, network)
        torch.testing.assert_close(model(x), expected, rtol=1e-5, atol=1e-5)
    assert layers["average"].mask.nonzero().tolist() == [[i, i, 0] for i in range(5)]


def test_fully_connected_layers_may_begin_with_the_mean_of_a_map():
    network = Network("head", (3, 4, 4), (Conv("conv", 3, 6, 1), Dense("fc", 96, 5, relu=False)))
    model, x = NetworkModel(network, average=True), torch.rand(2, 3, 4, 4)
    assert model.fc.weight.shape == (5, 6)
    with torch.no_grad():
        expected = model(x)
        torch.testing.assert_close(expected, model.fc(model.conv(x).relu().mean((2, 3))))
        to_word_layers_(model, network)
        assert model.fc.weight.shape == (5, 96)
        torch.testing.assert_close(model(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 3, 8, 12), (1, 2, 7, 9)])
def test_images_are_spread_as_the_host_does_it(shape):
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    for apart in (1, 2, 4):
        host = torch.from_numpy(spread_pixels(pixels.numpy(), apart))
        assert torch.equal(spread(pixels.float(), apart), host.float())
        assert host.shape[1] == shape[1] * apart**2
        for y, x in ((0, 0), (5, 6), (shape[2] - 1, shape[3] - 1)):
            channel = (y % apart) * apart + x % apart
            assert torch.equal(host[:, channel, y // apart, x // apart], pixels[:, 0, y, x])


def test_channels_that_reach_the_clip_saturate_there():
    network = Network("six", (2, 9, 9), (Conv("a", 2, 4, 3, clip=0.25), Conv("b", 4, 3, 1)))
    model, x = NetworkModel(network).eval(), torch.randint(0, 256, (20, 2, 9, 9)) / 255
    with torch.no_grad():
        model.a.bias[0], model.a.weight[1] = 1.0, 0.0  # one channel always reaches it, one never does
        model.a.bias[1] = 0.1
        expected = model(x)
        quantise_(model, network, x, weight_bits=12)
        top = model.a.out_scale * 255
        assert float(top[0]) == pytest.approx(0.25) and 0.1 <= float(top[1]) < 0.25
        assert float((model(x) - expected).abs().max()) < 0.01 * float(expected.abs().max())


def test_outputs_of_fully_connected_layers_that_reach_the_clip_saturate_there():
    layers = (Dense("a", 25, 4, clip=0.25), Dense("b", 4, 3, relu=False))
    network = Network("six", (1, 5, 5), layers)
    assert Network.from_json(network.to_json()) == network and "clip" not in network.to_json()["layers"][1]
    model, x = NetworkModel(network).eval(), torch.randint(0, 256, (20, 1, 5, 5)) / 255
    with torch.no_grad():
        model.a.bias[0], model.a.bias[1] = 1.0, 0.1
        model.a.weight[1] *= 0.01
        hidden = model.a(x.flatten(1)).clamp(0, 0.25)
        expected = model(x)
        assert torch.allclose(expected, model.b(hidden)) and float(hidden[:, 0].min()) == 0.25
        quantise_(model, network, x, weight_bits=12)
        top = model.a.out_scale * 255
        assert float(top[0]) == pytest.approx(0.25) and 0.1 <= float(top[1]) < 0.25
        assert float((model(x) - expected).abs().max()) < 0.01 * float(expected.abs().max())


@pytest.mark.parametrize(
    ("names", "batch_norm", "named"),
    [(("half",), False, "half"), (("a", "a_norm"), True, "a_norm"), (("a_norm", "a"), True, "a")],
)
def test_a_layer_that_is_called_as_something_of_torch_is_refused(names, batch_norm, named):
    network = Network("net", (3, 8, 8), tuple(Conv(name, 3, 3, 3, padding=1) for name in names))
    with pytest.raises(ConfigError, match=f"layer '{named}' of network 'net'"):
        NetworkModel(network, batch_norm=batch_norm)
