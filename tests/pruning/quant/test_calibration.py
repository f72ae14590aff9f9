"""Images and models that would become an artifact of something else are refused, in one sentence."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import dropout, max_pool2d

from hw.contract.network import Conv, Network, tiny
from hw.util.errors import ConfigError, DataError, UnsupportedNetwork
from pruning import (
    AdmmConfig,
    MaskedLinear,
    NetworkModel,
    SpectralConv2d,
    convert,
    fold_batch_norms_,
    prune_,
    prune_modules_,
    quantise_,
    to_artifact,
)
from pruning.layers.word_layers import to_word_layers_
from pruning.quant.calibration import check_images


def with_value(images: torch.Tensor, value: float) -> torch.Tensor:
    images = images.clone()
    images.view(-1)[77] = value
    return images


@pytest.mark.parametrize(
    "change, sentence",
    [
        (
            lambda x: x * 255,
            "reach from 0 to 255, the hardware's pixels stand for 0 to 1 .*: scale the images",
        ),
        (lambda x: x - 0.5, "reach from -0.5 to 0.5, the hardware's pixels stand for 0 to 1"),
        (lambda x: x / 255, "hardly a step of 0.00392157: they are black or scaled twice"),
        (torch.zeros_like, "reach 0, hardly a step"),
        (lambda x: (x * 255).byte(), r"are torch.uint8, .*: give images.float\(\) \* 0.00392157"),
        (lambda x: x.numpy(), "must be a torch tensor, not ndarray"),
        (
            lambda x: x[:, :, :8],
            r"shape \(48, 2, 8, 11\) do not fit network 'tiny': it takes \(n, 2, 9, 11\)",
        ),
        (lambda x: x[:, :1], r"shape \(48, 1, 9, 11\) do not fit"),
        (lambda x: x[0], r"shape \(2, 9, 11\) do not fit"),
        (lambda x: x[:0], r"shape \(0, 2, 9, 11\) do not fit network 'tiny': .*, at least one"),
        (lambda x: with_value(x, math.nan), "reach from nan to nan"),
        (lambda x: with_value(x, math.inf), "reach from 0 to inf"),
    ],
)
def test_images_that_the_hardware_would_not_get_are_refused(change, sentence, tiny_batch):
    with pytest.raises(DataError, match=sentence):
        quantise_(NetworkModel(tiny()), tiny(), change(tiny_batch))


def test_images_of_another_scale_are_right_if_it_is_named(tiny_batch):
    check_images(tiny_batch * 255, tiny(), 1.0)
    check_images(tiny_batch, tiny(), 1 / 255)
    for scale in (0, -1, math.nan, math.inf):
        with pytest.raises(ConfigError, match="input_scale must be a positive number"):
            check_images(tiny_batch, tiny(), scale)
    with pytest.raises(ConfigError, match="batch must be at least 1, not 0"):
        quantise_(NetworkModel(tiny()), tiny(), tiny_batch, batch=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_images_of_any_float_are_the_same_images(dtype, tiny_batch):
    model = NetworkModel(tiny())
    ones = []
    for images in (tiny_batch, tiny_batch.to(dtype).double().mul(255).round().div(255).to(dtype)):
        made = copy.deepcopy(model)
        fake_quants = quantise_(made, tiny(), images)
        ones.append([(m.integers().shift.tolist(), m.scale.tolist()) for m in fake_quants.values()])
    assert ones[0] == ones[1]


# --- what an artifact would leave out ---------------------------------------------------------------


def test_batch_norms_are_not_dropped(tiny_batch):
    model = NetworkModel(tiny(), batch_norm=True).eval()
    with pytest.raises(
        ConfigError, match=r"still has a batch norm, 'conv1_norm'.*call fold_batch_norms_ first"
    ):
        quantise_(model, tiny(), tiny_batch)
    fold_batch_norms_(model, tiny())
    quantise_(model, tiny(), tiny_batch)
    model.add_module("fc2_norm", nn.BatchNorm1d(5))
    with pytest.raises(ConfigError, match="still has a batch norm, 'fc2_norm'"):
        to_artifact(model, tiny())


class Other(NetworkModel):
    """``tiny()``, and something that it does not have."""

    def __init__(self, where: str) -> None:
        super().__init__(tiny())
        self.where = where

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.where == "image":
            x = (x - 0.5) / 0.25
        x = self.conv1(x).relu()
        if self.where == "norm":
            x = nn.functional.batch_norm(x, x.mean((0, 2, 3)), x.var((0, 2, 3)))
        x = max_pool2d(x, 2)
        if self.where == "dropout":
            x = dropout(x, 0.5, True)
        x = self.conv2(x)
        x = x.tanh() if self.where == "tanh" else x
        if self.where == "order":
            x = x.permute(0, 2, 3, 1)
        x = self.fc1(x.flatten(1)).relu()
        return x[:, :5] if self.where == "skip" else self.fc2(x)


@pytest.mark.parametrize(
    "where, sentence",
    [
        ("image", "gives to layer 'conv1' is not the images"),
        ("norm", "gives to layer 'conv2' is not the output of layer 'conv1'"),
        ("dropout", "gives to layer 'conv2' is not the output of layer 'conv1'"),
        ("tanh", "gives to layer 'fc1' is not the output of layer 'conv2' after its ReLU and pooling"),
        ("order", "gives to layer 'fc1' is not the output of layer 'conv2'"),
        ("skip", "does not use its layer 'fc2'"),
    ],
)
def test_a_model_that_does_more_than_its_network_is_refused(where, sentence, tiny_batch):
    assert [layer.name for layer in tiny().layers] == ["conv1", "conv2", "fc1", "fc2"]
    with pytest.raises(UnsupportedNetwork, match=sentence):
        quantise_(Other(where), tiny(), tiny_batch)


def test_one_that_does_the_same_is_taken(tiny_batch):
    one, other = Other("nowhere"), NetworkModel(tiny())
    other.load_state_dict(one.state_dict())
    for model in (one, other):
        quantise_(model, tiny(), tiny_batch)
    assert to_artifact(one, tiny()).digest == to_artifact(other, tiny()).digest


def test_numbers_beside_the_layers_are_refused(tiny_batch):
    model = NetworkModel(tiny())
    model.register_buffer("calls", torch.tensor(3))  # counts: harmless
    quantise_(copy.deepcopy(model), tiny(), tiny_batch)
    model.temperature = nn.Parameter(torch.ones(1))
    with pytest.raises(ConfigError, match="numbers outside the layers of network 'tiny', 'temperature'"):
        quantise_(model, tiny(), tiny_batch)


def test_pruning_that_has_no_masks_yet_is_not_exported(tiny_batch):
    model = NetworkModel(tiny())
    pruner = prune_(model, tiny(), AdmmConfig())
    with pytest.raises(ConfigError, match=r"pruning of layer 'conv1' has begun .* call finalise\(\)"):
        quantise_(model, tiny(), tiny_batch)
    unfinished = pruner.state_dict()
    pruner.finalise()
    quantise_(copy.deepcopy(model), tiny(), tiny_batch)
    finished = pruner.state_dict()
    other = NetworkModel(tiny())
    continued = prune_(other, tiny(), AdmmConfig())
    continued.load_state_dict(finished)
    assert not any(layer.awaits_finalise for layer in continued.pruned.values())
    continued.load_state_dict(unfinished)
    assert all(layer.awaits_finalise for layer in continued.pruned.values())
    quantise_(model, tiny(), tiny_batch)
    fake_quant = model.get_submodule("conv2")
    fake_quant.layer.awaits_finalise = True
    with pytest.raises(ConfigError, match="pruning of layer 'conv2' has begun"):
        to_artifact(model, tiny())


def test_calibration_is_in_eval_mode_and_leaves_the_mode(tiny_batch):
    class Dropping(NetworkModel):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(dropout(x, 0.5, self.training))

    model = Dropping(tiny()).train()
    to_word_layers_(model, tiny())
    model.conv2.eval()
    quantise_(model, tiny(), tiny_batch)
    assert model.training and not model.conv2.layer.training and model.conv1.layer.training


# --- 16-bit floats ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("pruned", [False, True])
def test_a_model_of_16_bit_floats_gives_the_integers_of_its_32_bit_copy(dtype, pruned, tiny_batch):
    half = NetworkModel(tiny(), batch_norm=True).to(dtype).eval()
    artifacts = []
    for model in (half, copy.deepcopy(half).float()):
        if pruned:
            prune_(model, tiny(), AdmmConfig()).finalise()
        fold_batch_norms_(model, tiny())
        quantise_(model, tiny(), tiny_batch)
        artifacts.append(to_artifact(model, tiny()))
    assert artifacts[0].digest == artifacts[1].digest


def test_a_converted_module_of_16_bit_floats_trains_and_becomes_an_artifact():
    module = nn.Sequential(nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU()).half()
    network, model = convert(module, (1, 8, 8))
    pruner = prune_(model, network, AdmmConfig())
    images = torch.randint(0, 256, (4, 1, 8, 8)) / 255
    (model(images).sum() + pruner.penalty()).backward()
    pruner.finalise()
    fold_batch_norms_(model, network)
    quantise_(model, network, images)
    to_artifact(model, network)


def test_all_layers_are_widened_with_the_model():
    network = Network("one", (1, 8, 8), (Conv("conv", 1, 2, 3),))
    model = NetworkModel(network, batch_norm=True).half()
    (layer,) = to_word_layers_(model, network).values()
    assert isinstance(layer, SpectralConv2d) and not isinstance(layer, MaskedLinear)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    other = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).bfloat16()
    prune_modules_(other)
    assert {p.dtype for p in other.parameters()} == {torch.float32}


def test_double_precision_is_taken(tiny_batch):
    one = NetworkModel(tiny())
    other = copy.deepcopy(one).double()
    for model in (one, other):
        quantise_(model, tiny(), tiny_batch)
    with torch.no_grad():
        torch.testing.assert_close(other(tiny_batch), one(tiny_batch), rtol=0, atol=2e-3)
    to_artifact(other, tiny())
