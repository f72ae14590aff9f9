"""Modules become networks: equal outputs for whatever is a chain, one sentence for whatever is not."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from torch import nn

from hw.contract.network import VGG16_WIDTHS, Conv, Dense, Network, lenet, vgg16
from hw.util import names
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning import AdmmConfig, NetworkModel, convert, prune_
from pruning.quant.batch_norm_folding import fold_batch_norms_
from tests.pruning.importers.converting import assert_same, chains, stirred


@given(chains())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
def test_a_chain_computes_what_the_module_does(model):
    """As converted, and with its batch norms folded."""
    network, chain = convert(model, model.shape)
    images = torch.rand(3, *model.shape)
    model.eval(), chain.eval()
    with torch.no_grad():
        expected = model(images)
        assert_same(chain(images), expected)
        fold_batch_norms_(chain, network)
        assert_same(chain(images), expected)


# --- definitions as people write them -------------------------------------------------------------------


class Digits(nn.Module):
    """LeNet with functions and methods for everything that has no weights."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 20, 5), nn.Conv2d(20, 50, 5)
        self.fc1, self.fc2 = nn.Linear(800, 500), nn.Linear(500, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(self.conv2(x), kernel_size=(2, 2), stride=2).relu()
        x = x.view(x.size(0), -1)
        if x.shape[1] != 800:
            raise ValueError("not a digit")
        x = F.dropout(torch.relu(self.fc1(x)), training=self.training)
        return self.fc2(x)


class Vgg(nn.Module):
    """As torchvision nests it."""

    def __init__(self, stages, classes=10, pooled=7, hidden=32, narrower=1):
        super().__init__()
        layers, channels = [], 3
        for widths in stages:
            for width in widths:
                layers += [nn.Conv2d(channels, width // narrower, 3, padding=1)]
                layers += [nn.BatchNorm2d(width // narrower), nn.ReLU(inplace=True)]
                channels = width // narrower
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((pooled, pooled))
        self.classifier = nn.Sequential(
            nn.Linear(channels * pooled**2, hidden),
            nn.ReLU(True),
            nn.Dropout(),
            nn.Linear(hidden, classes),
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def test_lenet_becomes_lenet():
    network, chain = convert(Digits(), (1, 28, 28), name="lenet")
    assert network == lenet() and isinstance(chain, NetworkModel) and chain.network == network


@pytest.mark.parametrize(("size", "pooled"), [(32, 1), (224, 7)], ids=["cifar", "imagenet"])
def test_vgg16_with_batch_norms_becomes_vgg16(size, pooled):
    """Sixteen times narrower."""
    model = stirred(Vgg(VGG16_WIDTHS, pooled=pooled, narrower=16), 3)
    network, chain = convert(model, (3, size, size))
    for layer, same in zip(network.layers, vgg16().layers, strict=False):
        expected = replace(
            same, in_channels=max(3, same.in_channels // 16), out_channels=same.out_channels // 16
        )
        assert replace(layer, name=same.name) == expected
    assert network.maps[13] == (32, pooled, pooled) and network.name == "vgg"
    assert [layer.name for layer in network.layers[:3]] == ["features_0", "features_3", "features_7"]
    assert [layer.name for layer in network.layers[13:]] == ["classifier_0", "classifier_3"]
    assert isinstance(chain.features_3_norm, nn.BatchNorm2d)
    images = torch.rand(2, 3, size, size)
    with torch.no_grad():
        assert_same(chain.eval()(images), model.eval()(images))


@pytest.mark.parametrize("size", [14, 64, 16], ids=["nothing", "averages", "repeats"])
def test_the_average_pooling_of_torchvision_at_other_sizes(size):
    """7×7 outputs of 7×7, 8×8 (32 / 4 of two stages less) and 4×4 pixels."""
    stages = [[4]] if size == 14 else [[4], [4]] if size == 16 else [[4], [4], [4]]
    model = Vgg(stages)
    network, chain = convert(model, (3, size, size))
    pixels = network.maps[-3][1]
    assert network.layers[-2] == Dense("classifier_0", 4 * pixels**2, 32)
    images = torch.rand(2, 3, size, size)
    assert_same(chain.eval()(images), model.eval()(images))


def test_a_mean_over_pixels_is_average_pooling():
    class Global(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(2, 6, 3), nn.Linear(6, 4)

        def forward(self, x):
            return self.fc(F.relu(self.conv(x)).mean([-1, -2]))

    model = Global()
    network, chain = convert(model, (2, 9, 8))
    assert network.layers[1] == Dense("fc", 6 * 7 * 6, 4, relu=False)
    images = torch.rand(2, 2, 9, 8)
    assert_same(chain(images), model(images))


def test_an_in_place_relu_counts_even_when_its_result_is_dropped():
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 3, 3)

        def forward(self, x):
            x = self.conv(x)
            F.relu(x, inplace=True)
            return F.max_pool2d(x, 2)

    network, _ = convert(InPlace(), (1, 8, 8))
    assert network.layers == (Conv("conv", 1, 3, 3, pool=2),)


def test_the_model_is_left_alone():
    """Neither its weights nor its modes change, and the chain has copies."""
    model = stirred(Vgg([[4]]), 1).train()
    model.features[1].eval()
    modes = [m.training for m in model.modules()]
    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    chain = convert(model, (3, 16, 16)).model
    assert torch.equal(torch.get_rng_state(), state)
    assert chain.training and modes == [m.training for m in model.modules()]
    with torch.no_grad():
        for value in (*chain.parameters(), *chain.buffers()):
            value.zero_()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_batch_norms_learn_on_as_they_did():
    """Momentum and epsilon come along; a plain mean over batches stays one."""
    norms = [nn.BatchNorm2d(2, eps=0.1, momentum=0.3), nn.BatchNorm2d(2, momentum=None)]
    model = nn.Sequential(nn.Conv2d(1, 2, 3), norms[0], nn.Conv2d(2, 2, 3), norms[1])
    chain = convert(model, (1, 8, 8)).model
    found = [chain.get_submodule(name) for name in ("0_norm", "2_norm")]
    assert [(n.eps, n.momentum) for n in found] == [(0.1, 0.3), (1e-5, None)]


def test_names_that_a_chain_cannot_have_get_an_underscore():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = nn.Conv2d(1, 1, 3)
            self.a = nn.Sequential(nn.Conv2d(1, 1, 3))
            self.a_0 = nn.Conv2d(1, 1, 3)
            self.b = nn.Conv2d(1, 1, 3)
            self.b_norm = nn.Conv2d(1, 1, 3)

        def forward(self, x):
            return self.b_norm(self.b(self.a_0(self.a(self.network(x)))))

    model = Odd()
    network, chain = convert(model, (1, 16, 16))
    assert [layer.name for layer in network.layers] == ["network_", "a_0", "a_0_", "b", "b_norm_"]
    images = torch.rand(1, 1, 16, 16)
    assert_same(chain(images), model(images))


def test_a_single_layer_and_double_precision():
    model = nn.Conv2d(2, 3, 3).double()
    network, chain = convert(model, (2, 8, 8), name="one")
    assert network.layers == (Conv("conv2d", 2, 3, 3, relu=False),)
    images = torch.rand(1, 2, 8, 8, dtype=torch.double)
    assert torch.equal(chain(images), model(images))


def test_what_comes_out_can_be_pruned():
    network, chain = convert(Vgg([[4], [8]], pooled=2), (3, 16, 16))
    pruner = prune_(chain, network, AdmmConfig())
    pruner.step()
    pruner.finalise()
    assert 0.2 < pruner.layers["features_4"].mask.float().mean() <= 0.25


# --- refusals -------------------------------------------------------------------------------------------


def of(function, *modules):
    """A module whose forward is ``function(self, x)``, with ``modules`` as a, b, c."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            for name, module in zip("abc", modules, strict=False):
                setattr(self, name, module)

        def forward(self, x):
            return function(self, x)

    return Model()


def conv(**options):
    return nn.Conv2d(4, 4, **{"kernel_size": 3, **options})


def one(module):
    return nn.Sequential(nn.Sequential(conv(), module))


REFUSED = {
    "kernel": (one(conv(kernel_size=13, padding=6)), "conv2d in '0.1'", "a kernel of 13×13", "smaller ones"),
    "rectangle": (one(conv(kernel_size=(3, 5))), "'0.1'", "3×5 kernel", "square"),
    "uneven": (one(conv(padding=(0, 1))), "'0.1'", "makes 5×7 of 7×7 pixels", "equal padding"),
    "circular": (one(conv(padding=1, padding_mode="circular")), "pad in '0.1' (Conv2d)", "zero", "padding"),
    "pooling": (
        one(nn.MaxPool2d(3, 3)),
        "max_pool2d in '0.1' (MaxPool2d)",
        "3×3 with stride 3×3",
        "MaxPool2d(2)",
    ),
    "overlap": (one(nn.MaxPool2d(2, 1, 1)), "'0.1'", "2×2 with stride 1×1, padded", "MaxPool2d(2)"),
    "padded pooling": (one(nn.MaxPool2d(5, 5, padding=1)), "'0.1'", "padded", "MaxPool2d(2)"),
    "rounding up": (
        nn.Sequential(conv(), nn.MaxPool2d(5, 5, padding=2, ceil_mode=True)),
        "'1'",
        "rounding up",
    ),
    "all flat": (
        of(lambda m, x: m.a(x).flatten(), conv()),
        "flatten in Model",
        "2×4×7×7 to 392",
        "nn.Flatten",
    ),
    "not flat": (nn.Sequential(conv(), nn.Linear(7, 3)), "linear in '1'", "4×7×7 map", "nn.Flatten"),
    "unflattened": (
        nn.Sequential(nn.Flatten(), nn.Linear(324, 64), nn.Unflatten(1, (4, 4, 4)), conv()),
        "'3'",
        "in '3' (Conv2d): it takes 4×4×4, no map",
    ),
    "leaky": (
        nn.Sequential(nn.Flatten(), nn.Linear(324, 9), nn.LeakyReLU(), nn.Linear(9, 3)),
        "leaky_relu in '2' (LeakyReLU)",
        "powers of two",
    ),
    "hardtanh": (one(nn.Sequential(nn.Hardtanh(), conv())), "'0.1.0' (Hardtanh)", "only activation"),
    "sigmoid": (one(nn.Sequential(nn.Sigmoid(), conv())), "sigmoid in '0.1.0' (Sigmoid)", "ReLU and fine"),
    "softmax": (
        one(nn.Sequential(nn.Softmax(1), conv())),
        "softmax in '0.1.0' (Softmax)",
        "something follows",
    ),
    "group norm": (one(nn.GroupNorm(2, 4)), "group_norm in '0.1' (GroupNorm)", "batch norm"),
    "transposed convolution": (
        one(nn.ConvTranspose2d(4, 4, (2, 3), (2, 3))),
        "'0.1' (ConvTranspose2d)",
        "a transposed convolution of stride 2×3",
        "use the same for rows and columns",
    ),
    "3d": (one(nn.MaxPool3d(1)), "'0.1' (MaxPool3d)", "the hardware has no", "leave it to the host"),
    "local norm, and what follows": (
        nn.Sequential(conv(), nn.LocalResponseNorm(2), conv(), nn.GELU(), conv()),
        "2 things are in the way",
        "in '1' (LocalResponseNorm): a local response normalisation divides",
        "gelu in '3' (GELU)",
    ),
    "padding of what is fully connected": (
        nn.Sequential(conv(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.ZeroPad2d(1)),
        "'3' (ZeroPad2d)",
        "it pads what a fully connected layer makes",
        "leave it out",
    ),
    "rounding up averages": (
        nn.Sequential(conv(padding=2), nn.AvgPool2d(2, ceil_mode=True), conv()),
        "avg_pool2d in '1' (AvgPool2d)",
        "count fewer pixels at the borders",
        "leave out ceil_mode",
    ),
    "no statistics": (one(nn.BatchNorm2d(4, track_running_stats=False)), "'0.1'", "running statistics"),
    "doubled": (of(lambda m, x: m.a(x) + m.a.bias.sum(), conv()), "add in Model", "no constants"),
    "shared": (of(lambda m, x: m.a(m.a(x)), conv()), "conv2d in 'a'", "same weights", "deepcopy"),
    "computed weights": (
        of(lambda m, x: F.conv2d(x, m.a.weight * 2), conv()),
        "conv2d in Model",
        "computed in the forward pass",
    ),
    "values": (
        of(lambda m, x: m.a(x) if x.sum() > 0 else x, conv()),
        "cannot be traced",
        "values of the image",
    ),
    "an earlier result": (of(lambda m, x: (m.a(x), x)[1], conv()), "something else than"),
    "several results": (of(lambda m, x: (m.a(x), x), conv()), "something else than"),
    "no layers": (nn.Sequential(nn.Identity()), "'sequential' has no layers"),
    "wrong channels": (nn.Sequential(nn.Conv2d(3, 1, 3)), "does not take images of 4×9×9", "channels"),
}

TAKEN = {
    "stride": one(conv(stride=2)),
    "groups": one(conv(groups=4)),
    "dilation": one(conv(dilation=2)),
    "padding": one(conv(padding=3)),
    "even same": one(conv(kernel_size=4, padding="same")),
    "pooled twice": nn.Sequential(conv(), nn.MaxPool2d(2), nn.MaxPool2d(2)),
    "pooling first": nn.Sequential(nn.MaxPool2d(2), conv()),
    "average": nn.Sequential(conv(), nn.AvgPool2d(2), conv()),
    "large average": nn.Sequential(nn.Conv2d(4, 4, 1, padding=0), nn.AdaptiveAvgPool2d(1)),
    "average last": one(nn.AdaptiveAvgPool2d(1)),
    "average, relu": nn.Sequential(conv(), nn.AvgPool2d(7), nn.ReLU()),
    "flat at the end": nn.Sequential(conv(), nn.Flatten()),
    "norm after relu": nn.Sequential(conv(), nn.ReLU(), nn.BatchNorm2d(4)),
    "norm after pooling": nn.Sequential(conv(), nn.MaxPool2d(2), nn.BatchNorm2d(4)),
    "norm first": nn.Sequential(nn.BatchNorm2d(4), conv()),
    "second norm": nn.Sequential(conv(), nn.BatchNorm2d(4), nn.BatchNorm2d(4)),
    "residual": of(lambda m, x: x + m.b(x), conv(), conv(padding=1)),
    "joined": of(lambda m, x: torch.cat([m.a(x), m.b(x)], 1), conv(), conv()),
    "scaled": of(lambda m, x: m.a(x * 2 - 1), conv()),
    "relu first": nn.Sequential(nn.ReLU(), conv()),
    "overlapping maxima": nn.Sequential(conv(), nn.MaxPool2d(2, 1), conv()),
    "overlapping maxima, padded": nn.Sequential(conv(), nn.ReLU(), nn.MaxPool2d(2, 1, 1), conv()),
    "overlapping maxima of Darknet": nn.Sequential(
        conv(), nn.LeakyReLU(0.1), nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(2, 1), conv()
    ),
    **{
        f"maxima of {side}×{side}, padded by {edge}": nn.Sequential(
            conv(padding=3), nn.MaxPool2d(side, 1, edge), conv(kernel_size=1)
        )
        for side, edge in ((5, 0), (5, 2), (7, 1), (9, 4), (13, 6))
    },
    "leaky": one(nn.Sequential(nn.LeakyReLU(), conv())),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("case", TAKEN)
def test_what_takes_layers_that_copy_or_other_weights_computes_the_same(case):
    model = stirred(TAKEN[case], 4).eval()
    images = torch.rand(2, 4, 9, 9)
    network, found = convert(model, (4, 9, 9))
    with torch.no_grad():
        assert_same(found.eval()(images).flatten(1), model(images).flatten(1))
        fold_batch_norms_(found, network)
        assert_same(found(images).flatten(1), model(images).flatten(1))


FLAT = nn.Flatten(), nn.Linear(256, 2)
ORDER = ("the order of what it gives, 4×6×6",)
ENDS = {
    "sigmoid": (one(nn.Sigmoid()), torch.sigmoid, ("sigmoid in '0.1' (Sigmoid)",)),
    "softmax": (
        nn.Sequential(*FLAT, nn.LogSoftmax(1)),
        lambda y: y.log_softmax(1),
        ("log_softmax in '2' (LogSoftmax)",),
    ),
    "scores": (nn.Sequential(*FLAT, nn.ReLU()), torch.relu, ("the ReLU of its scores",)),
    "few scores": (
        nn.Sequential(*FLAT, nn.Hardtanh(0, 0.1)),
        lambda y: y.clamp(0, 0.1),
        ("the ReLU and the limit of 0.1 of its scores",),
    ),
    "leaky scores": (
        nn.Sequential(*FLAT, nn.LeakyReLU(0.25)),
        lambda y: nn.functional.leaky_relu(y, 0.25),
        ("the leaky ReLU of its scores",),
    ),
    "class": (
        of(lambda m, x: m.a(x.flatten(1)).softmax(1).argmax(1), nn.Linear(256, 2)),
        lambda y: y.argmax(1),
        ("softmax in Model", "argmax in Model"),
    ),
    "clip": (one(nn.Hardtanh()), lambda y: y.clamp(-1, 1), ("hardtanh in '0.1' (Hardtanh)",)),
    "transposed": (of(lambda m, x: m.a(x).transpose(2, 3), conv()), lambda y: y.transpose(2, 3), ORDER),
    "cut": (of(lambda m, x: m.a(x)[:, 1:], conv()), lambda y: y[:, 1:], ORDER),
    "flat": (
        nn.Sequential(conv(), nn.Flatten()),
        lambda y: y.flatten(1),
        ("the shape of what it gives, 4×6×6",),
    ),
}


def test_a_clip_behind_a_fully_connected_layer_is_part_of_it():
    model = nn.Sequential(nn.Flatten(), nn.Linear(256, 9), nn.Hardtanh(0, 0.2), nn.Linear(9, 3))
    network, found = convert(model, (4, 8, 8))
    images = torch.rand(4, 4, 8, 8)
    assert [layer.clip for layer in network.layers] == [0.2, None]
    assert float(model[:3](images).detach().max()) == pytest.approx(0.2)
    assert_same(found.eval()(images), model(images))


@pytest.mark.parametrize("case", ENDS)
def test_what_ends_a_network_is_left_to_the_host(case):
    model, rest, host = ENDS[case]
    images = torch.rand(2, 4, 8, 8)
    converted = convert(model, (4, 8, 8))
    assert converted.host == host and converted.note == f"left to the host: {', '.join(host)}"
    assert_same(rest(converted.model(images)).float(), model(images).float())


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("case", REFUSED)
def test_what_the_hardware_cannot_run_is_one_sentence_with_place_and_way_out(case, capfd):
    model, *parts = REFUSED[case]
    with pytest.raises(UnsupportedNetwork) as caught:
        convert(model, (4, 9, 9))
    sentence = str(caught.value)
    assert "\n" not in sentence
    for part in parts:
        assert part in sentence
    assert capfd.readouterr() == ("", ""), "the sentence is all that is said"


def test_slopes_become_fields_of_their_layers():
    """Of convolutions and fully connected layers, as written by torch's modules."""
    layers = (
        *(conv(), nn.BatchNorm2d(4), nn.LeakyReLU(0.125), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(36, 9), nn.PReLU(init=0.25), nn.Linear(9, 3)),
    )
    model, images = nn.Sequential(*layers).eval(), torch.rand(2, 4, 8, 8)
    network, converted = convert(model, (4, 8, 8))
    assert [(layer.relu, layer.leak) for layer in network.layers] == [(True, 3), (True, 2), (False, 0)]
    assert network.layers[0].pool == 2
    assert_same(converted(images), model(images))


def test_a_pruned_model_is_refused():
    model = NetworkModel(Network("n", (1, 8, 8), (Conv("conv", 1, 2, 3),)))
    prune_(model, model.network, AdmmConfig())
    with pytest.raises(UnsupportedNetwork, match=r"'conv' \(SpectralConv2d\).*convert the model first"):
        convert(model, (1, 8, 8))


@pytest.mark.parametrize("shape", [(8, 8), (1, 0, 8), (1, 1, 8, 8)])
def test_a_shape_that_is_none_is_refused(shape):
    with pytest.raises(ConfigError, match=r"must be \(channels, height, width\)"):
        convert(nn.Conv2d(1, 1, 3), shape)


def test_modules_of_any_name_become_names_of_layers():
    """Identifiers of Python may be of letters that no tool after them takes, and of any length."""

    class Сеть(nn.Sequential):
        pass

    model = Сеть()
    model.add_module("卷积", nn.Conv2d(1, 2, 3))
    model.add_module("слой", nn.Conv2d(2, 2, 3))
    model.add_module("x" * 90, nn.Conv2d(2, 2, 3))
    network, chain = convert(model.eval(), (1, 9, 9))
    assert names.valid(network.name) and all(names.valid(layer.name) for layer in network.layers)
    assert len({layer.name for layer in network.layers}) == 3
    images = torch.rand(2, 1, 9, 9)
    assert_same(chain.eval()(images), model(images))
    with pytest.raises(UnsupportedNetwork, match="has no usable name"):
        convert(model, (1, 9, 9), name="$(touch marker)")
