"""Fake-quant layers against the numpy rules and against the integer model."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.compile.limits import lowest_weights
from hw.contract import formats
from hw.contract.artifact import load
from hw.contract.network import Conv, Network, lenet, tiny
from hw.util.errors import ConfigError
from pruning import AdmmConfig, NetworkModel, prune_, quantise_, to_artifact
from pruning.quant.fake_quant import requantise, round_half_up
from pruning.quant.quantise import calibrate_, fake_quants_of
from sim import model as integer_model

whole = st.integers(-(2**23), 2**23)


@settings(deadline=None, max_examples=100)
@given(values=st.lists(whole, min_size=1, max_size=20), shift=st.integers(0, 20))
def test_requantise_is_the_numpy_rule(values, shift):
    exact = np.array(values, np.int64)
    for fmt in (formats.Format(8), formats.Format(8, signed=False), formats.PRODUCT_SUM):
        expected = fmt.saturate(formats.round_shift(exact, shift))
        mine = requantise(torch.tensor(values, dtype=torch.float32), shift, fmt)
        np.testing.assert_array_equal(mine.numpy(), expected)


@settings(deadline=None, max_examples=50)
@given(
    values=st.lists(whole, min_size=3, max_size=3),
    shifts=st.lists(st.integers(0, 20), min_size=3, max_size=3),
)
def test_requantise_by_channel_is_the_drain(values, shifts):
    expected = formats.drain(np.array(values, np.int64), np.array(shifts, np.uint8))
    mine = requantise(torch.tensor(values).float(), torch.tensor(shifts).float(), formats.PRODUCT_SUM)
    np.testing.assert_array_equal(mine.numpy(), expected)


def test_ties_round_up_and_gradients_pass_straight_through():
    x = torch.tensor([-1.5, -0.5, 0.5, 1.5, 2.5, 200.0, -200.0], requires_grad=True)
    y = round_half_up(x, formats.Format(8))
    assert y.tolist() == [-1, 0, 1, 2, 3, 127, -128]
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.tolist() == [1, 1, 1, 1, 1, 0, 0]
    (gradient,) = torch.autograd.grad(requantise(x, 2, formats.Format(8)).sum(), x)
    assert gradient.tolist() == [0.25] * 7


def quantised(
    network: Network,
    images: torch.Tensor,
    weight_bits: int = 8,
    layer_bits: Mapping[str, int] = MappingProxyType({}),
) -> NetworkModel:
    model = NetworkModel(network)
    with torch.no_grad():  # biases large enough that a wrong unit shows
        for layer in network.layers:
            model.get_submodule(layer.name).bias.uniform_(-0.3, 0.3)
    prune_(model, network, AdmmConfig()).finalise()
    quantise_(model, network, images, weight_bits=weight_bits, layer_bits=layer_bits)
    return model


@pytest.mark.parametrize("weight_bits", [8, 12, 16])
def test_fake_quant_is_close_to_the_float_network(tiny_batch, weight_bits):
    model = NetworkModel(tiny())
    prune_(model, tiny(), AdmmConfig()).finalise()
    with torch.no_grad():
        expected = model(tiny_batch)
        quantise_(model, tiny(), tiny_batch, weight_bits=weight_bits)
        error = (model(tiny_batch) - expected).abs().max()
    assert float(error) < 0.02 * float(expected.std())


WIDTHS = {"conv1": 7, "conv2": 3, "fc1": 5}
"""Of three of the layers of ``tiny()``; fc2 takes as many as the array."""


@pytest.mark.parametrize(("weight_bits", "layer_bits"), [(8, {}), (12, {}), (8, WIDTHS), (8, {"fc2": 2})])
def test_integer_model_agrees_with_fake_quant(tiny_batch, weight_bits, layer_bits):
    """The exported integers mean what fake-quant computes: only transform rounding may differ."""
    model = quantised(tiny(), tiny_batch, weight_bits, layer_bits)
    artifact = to_artifact(model, tiny())
    with torch.no_grad():
        fake_quantised = model(tiny_batch).numpy()
    scores = integer_model.run(artifact, (tiny_batch * 255).round().byte().numpy()) * artifact.score_scale
    assert np.abs(scores - fake_quantised).max() < 0.02 * fake_quantised.std()


@pytest.mark.parametrize("relu", [True, False])
def test_a_feature_map_agrees_within_one_step(tiny_batch, relu):
    """One convolution, signed or not; all its outputs share one scale."""
    network = Network("map", (2, 9, 11), (Conv("conv", 2, 5, 3, padding=1, relu=relu, pool=2),))
    model = quantised(network, tiny_batch)
    artifact = to_artifact(model, network)
    with torch.no_grad():
        fake_quantised = model(tiny_batch).numpy() / artifact.score_scale
    np.testing.assert_allclose(fake_quantised, np.round(fake_quantised), atol=1e-3)
    pixels = integer_model.run(artifact, (tiny_batch * 255).round().byte().numpy())
    difference = np.abs(pixels - fake_quantised)
    assert difference.max() <= 1.001 and difference.mean() < 0.05
    assert pixels.max() == (255 if relu else 127) or pixels.max() >= 128 - 64 * (not relu)


def leaky(leak: int) -> Network:
    """``tiny()`` with leaky ReLUs."""
    layers = [replace(layer, leak=leak) if layer.relu else layer for layer in tiny().layers]
    return replace(tiny(), layers=tuple(layers))


@pytest.mark.parametrize("leak", [1, 3])
def test_a_leaky_map_agrees_within_one_step_and_has_both_signs(tiny_batch, leak):
    """Pooled, beyond its edge too; and the model's own ReLU behind the layer does not lower it twice."""
    windows = {"pool": 2, "pool_size": 3, "pool_padding": 1}
    layers = (
        Conv("first", 2, 5, 3, padding=1, leak=leak),
        Conv("second", 5, 4, 3, padding=1, leak=leak, **windows),
    )
    network = Network("map", (2, 9, 11), layers)
    model = quantised(network, tiny_batch)
    artifact = to_artifact(model, network)
    seen = {}
    fake_quants_of(model, network)["first"].register_forward_hook(
        lambda m, x, y: seen.update(y=y, scale=m.out_scale)
    )
    with torch.no_grad():
        fake_quantised = model(tiny_batch).numpy() / artifact.score_scale
    first, second = (
        layer.output.astype(int)
        for layer in integer_model.trace(artifact, (tiny_batch * 255).round().byte().numpy()).values()
    )
    inner = torch.nn.functional.leaky_relu(seen["y"] / seen["scale"].view(-1, 1, 1), 0.5**leak).numpy()
    for pixels, found in ((first, inner), (second, fake_quantised)):
        np.testing.assert_allclose(found, np.round(found), atol=1e-3)
        difference = np.abs(pixels - found)
        assert difference.max() <= 1.001 and difference.mean() < 0.05 and pixels.max() > 60
    assert first.min() < -127 * 0.2 * 0.5**leak


@pytest.mark.parametrize("network", [tiny(), leaky(2)], ids=["relu", "leaky"])
def test_gradients_are_near_the_float_ones(tiny_batch, network):
    model = NetworkModel(network)
    prune_(model, network, AdmmConfig()).finalise()
    probe = torch.randn(len(tiny_batch), 5)

    def gradients() -> dict[str, torch.Tensor]:
        model.zero_grad()
        (model(tiny_batch) * probe).sum().backward()
        return {n.replace(".layer.", "."): p.grad.clone() for n, p in model.named_parameters()}

    exact = gradients()
    quantise_(model, network, tiny_batch)
    for name, fake_quantised in gradients().items():
        cosine = torch.nn.functional.cosine_similarity(fake_quantised.flatten(), exact[name].flatten(), dim=0)
        assert float(cosine) > 0.9, name


def test_scales_use_the_integers_they_have(tiny_batch):
    model = quantised(tiny(), tiny_batch)
    fake_quants = fake_quants_of(model, tiny())
    for name, fake_quant in fake_quants.items():
        largest = fake_quant.integers().weight
        top = np.abs(largest.astype(int)).max(axis=(1, 2, 3))
        assert top.max() == 127 and (name == "fc2" or (top == 127).all())
    seen = {}
    fake_quants["conv1"].register_forward_hook(lambda m, x, y: seen.update(y=y / m.out_scale.view(-1, 1, 1)))
    model(tiny_batch)
    tops = seen["y"].amax((0, 2, 3))
    assert ((tops >= 127) & (tops <= 255.01)).all()


def test_every_layer_uses_the_integers_of_its_own_width(tiny_batch, tmp_path):
    """And the file says which: the widest layer's, and those of the others."""
    model = quantised(tiny(), tiny_batch, 8, WIDTHS)
    tops = [
        np.abs(fake_quant.integers().weight.astype(int)).max()
        for fake_quant in fake_quants_of(model, tiny()).values()
    ]
    assert tops == [63, 3, 15, 127]
    to_artifact(model, tiny()).save(tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    assert loaded.weight_bits == 8 and loaded.layer_bits == WIDTHS
    narrow = quantised(tiny(), tiny_batch, 8, WIDTHS | {"fc2": 6, "conv1": 6})
    exported = to_artifact(narrow, tiny())
    assert exported.weight_bits == 6 and exported.layer_bits == {"conv2": 3, "fc1": 5}


@pytest.mark.parametrize(("spectrum_bits", "lowest"), [(16, -128), (11, -127)])
def test_weights_that_training_moves_stay_what_packed_products_take(tiny_batch, spectrum_bits, lowest):
    """With narrow spectra each has a negative, however far the optimiser goes: the model can be packed."""
    model = NetworkModel(tiny())
    layers = quantise_(model, tiny(), tiny_batch, spectrum_bits=spectrum_bits)
    with torch.no_grad():
        for layer in layers.values():
            for parameter in layer.layer.parameters():
                parameter.copy_(-parameter.abs() - 2 * parameter.abs().max())
    made = to_artifact(model, tiny())
    assert {weights.weight.min() for weights in made.layers.values()} == {lowest}
    assert bool(lowest_weights(made)) == (spectrum_bits == 16)


def test_new_fake_quant_layers_are_those_of_a_fresh_model(tiny_batch):
    """Calibrated once, with other widths each time; nothing of the widths before is left."""
    models = [NetworkModel(tiny()) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    calibrated = calibrate_(models[0], tiny(), tiny_batch)
    for widths in (WIDTHS, {"conv2": 2}, {}):
        calibrated.fake_quantise_(8, widths)
    calibrated.fake_quantise_(10, WIDTHS)
    quantise_(models[1], tiny(), tiny_batch, weight_bits=10, layer_bits=WIDTHS)
    one, other = (to_artifact(model, tiny()) for model in models)
    assert one.digest == other.digest


def test_last_layer_has_one_scale():
    network = lenet()
    model = quantised(network, torch.rand(8, 1, 28, 28).mul(255).round() / 255)
    last = fake_quants_of(model, network)["fc2"]
    assert len(set(last.scale.tolist())) == len(set(last.shift.tolist())) == 1
    assert to_artifact(model, network).score_scale == pytest.approx(
        float(last.scale[0]) * 2 ** int(last.shift[0])
    )


def test_dead_and_empty_channels_survive(tiny_batch):
    """A channel that never fires, and one whose every word is pruned away."""
    model = NetworkModel(tiny())
    with torch.no_grad():
        model.conv1.bias[3] = -100.0
        model.fc1.bias[:] = 0.2
    prune_(model, tiny(), AdmmConfig()).finalise()
    with torch.no_grad():
        model.conv2.mask[4] = False
        model.conv2.bias[4] = 0.5
        expected = model(tiny_batch)
        quantise_(model, tiny(), tiny_batch)
        assert float((model(tiny_batch) - expected).abs().max()) < 0.05 * float(expected.std())
    assert to_artifact(model, tiny()).layers["conv2"].mask[4].sum() == 0


def test_mistakes_are_one_sentence(tiny_batch):
    with pytest.raises(ConfigError, match="weight_bits must be 2 to 16, not 1"):
        quantise_(NetworkModel(tiny()), tiny(), tiny_batch, weight_bits=1)
    with pytest.raises(ConfigError, match="layer_bits names 'conv9', but network 'tiny' has no such layer"):
        quantise_(NetworkModel(tiny()), tiny(), tiny_batch, layer_bits={"conv9": 8})
    for bits in (1, 7):
        with pytest.raises(ConfigError, match=rf"'fc1' must be 2 to 6 \(weight_bits\), not {bits}"):
            quantise_(NetworkModel(tiny()), tiny(), tiny_batch, weight_bits=6, layer_bits={"fc1": bits})
    with pytest.raises(ConfigError, match="quantile"):
        quantise_(NetworkModel(tiny()), tiny(), tiny_batch, quantile=0)
    with pytest.raises(ConfigError, match="'conv1' is not quantised"):
        to_artifact(NetworkModel(tiny()), tiny())
