"""The trust chain: direct convolution = float reference (to 1e-9) ~ integer model (within proven bounds)."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from hw.contract.artifact import Artifact, LayerWeights, random_artifact
from hw.contract.narrow import least_shift
from hw.contract.network import Conv, Dense, Network, lenet, tiny
from hw.contract.spectrum import DUAL_REAL, TILE, WORDS, unpack
from sim import reference
from sim.model import inverse, run, trace

SEED = 3
LARGEST_X_ERROR = 2.3
"""As proved in test_fft.py."""


def spatial(maps: np.ndarray, kernel: np.ndarray, padding: int, after: int | None = None) -> np.ndarray:
    """What a convolution layer means, independent of everything here: (n, out, h', w')."""
    zeros = padding, padding if after is None else after
    padded = np.pad(maps, ((0, 0), (0, 0), zeros, zeros))
    return np.array(
        [
            [sum(correlate(c, k, "valid", "direct") for c, k in zip(image, w, strict=True)) for w in kernel]
            for image in padded
        ]
    )


@given(kernel=st.integers(1, 7), step=st.sampled_from([(1, 1), (2, 1), (1, 2)]), data=st.data())
@settings(deadline=None, max_examples=100)
def test_an_unpruned_spectral_layer_is_the_spatial_convolution(kernel, step, data):
    (pool, stride), side = step, st.integers(0, kernel - 1)
    padding, after = data.draw(side, "padding"), data.draw(side | st.none(), "end padding")
    zeros = padding + (padding if after is None else after)
    least = max(1, kernel + pool - 1 - zeros)
    h, w = (data.draw(st.integers(least, least + 14), side) for side in ("height", "width"))
    layer = Conv("conv", 2, 3, kernel, padding, pool=pool, stride=stride, end_padding=after)
    rng = np.random.default_rng(SEED)
    maps, bias = rng.normal(size=(2, 2, h, w)), rng.normal(size=3)
    taps = rng.normal(size=(3, 2, kernel, kernel))
    shift = np.array([0, 3, 5], np.uint8)
    scale = 2.0 ** shift[:, None, None]  # of pixel and weight; the bias stands in accumulator units
    _, outputs = reference.conv(
        maps, layer, reference.weight_words(taps * scale[..., None]), 128 * bias * scale.ravel(), shift
    )
    expected = (spatial(maps, taps, padding, after) + bias[:, None, None])[:, :, ::stride, ::stride]
    rows, columns = (n // pool * pool for n in expected.shape[2:])  # pooling drops an odd last one
    np.testing.assert_allclose(outputs, expected[:, :, :rows, :columns], atol=1e-9)


@given(kernel=st.integers(1, 7), data=st.data())
@settings(deadline=None, max_examples=40)
def test_a_channel_with_one_pixel_as_its_kernel_is_added(kernel, data):
    """At the place of the padding, so that every output gets the pixel at its own place."""
    padding = data.draw(st.integers(0, kernel - 1), "padding")
    h, w = (data.draw(st.integers(1, 12), side) for side in ("height", "width"))
    options = {"end_padding": kernel - 1 - padding, "added": True, "sources": ("a", "b")}
    layer = Conv("conv", 2 + 3, 3, kernel, padding, **options)
    rng = np.random.default_rng(SEED)
    maps, scales = rng.normal(size=(2, 5, h, w)), rng.normal(size=3)
    taps = np.zeros((3, 5, kernel, kernel))
    taps[:, :2] = rng.normal(size=(3, 2, kernel, kernel))
    taps[range(3), range(2, 5), padding, padding] = scales
    _, outputs = reference.conv(maps, layer, reference.weight_words(taps), np.zeros(3), np.zeros(3, np.uint8))
    convolved = spatial(maps[:, :2], taps[:, :2], padding, layer.after)
    np.testing.assert_allclose(outputs, convolved + maps[:, 2:] * scales[:, None, None], atol=1e-9)


@given(st.sampled_from([(0, 0), (0, 4), (4, 0), (4, 4)]), st.integers(0, 4), st.booleans())
@settings(deadline=None, max_examples=20)
def test_an_integer_layer_with_one_tap_shifts_the_image(tap, padding, relu):
    """Taps at multiples of 4 have ±1 spectra, exact as integers: 8-bit pictures pass within one level."""
    taps = np.zeros((1, 1, 5, 5))
    taps[(0, 0, *tap)] = 64
    weight = np.rint(reference.weight_words(taps)).astype(np.int16)
    assert set(np.abs(weight).ravel()) <= {0, 64}
    network = Network("shift", (1, 13, 18), (Conv("conv", 1, 1, 5, padding, relu=relu),))
    weights = LayerWeights(weight, np.zeros(1, np.int32), np.array([6], np.uint8))
    artifact = Artifact(network, {"conv": weights})
    image = np.random.default_rng(SEED).integers(0, 256 if relu else 128, (1, 1, 13, 18))
    expected = spatial(image, taps / 64, padding)
    assert np.abs(run(artifact, image) - expected).max() <= 1


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("relu", [True, False])
def test_a_map_that_is_added_to_nothing_stays_within_a_level(kernel, relu):
    """Weights of 8 bits stand for 127/128 at one pixel of the kernel, wherever that is."""
    padding = kernel // 2
    taps = np.zeros((2, 4, kernel, kernel))
    taps[range(2), range(2, 4), padding, padding] = 127
    layers = (
        Conv("a", 2, 2, 1),
        Conv("sum", 4, 2, kernel, padding, relu, sources=("a", "images"), added=True),
    )
    network = Network("added", (2, 13, 14), layers)
    artifact = random_artifact(network, seed=SEED)
    weights = LayerWeights(
        np.rint(reference.weight_words(taps)).astype(np.int16), np.zeros(2, np.int32), np.full(2, 7, np.uint8)
    )
    artifact = replace(artifact, layers={**artifact.layers, "sum": weights})
    image = np.random.default_rng(SEED).integers(0, 256 if relu else 128, (3, 2, 13, 14), dtype=np.uint8)
    assert np.abs(run(artifact, image) - image * (127 / 128)).max() <= 1


def calm(artifact: Artifact, extra: int) -> Artifact:
    """The same with convolutions scaled down by 2**extra, so that few pixels saturate."""
    convolutions = {layer.name for layer in artifact.network.layers if isinstance(layer, Conv)}
    layers = {
        name: replace(w, shift=np.uint8(extra) * (name in convolutions) + w.shift)
        for name, w in artifact.layers.items()
    }
    return replace(artifact, layers=layers)


def excess(artifact: Artifact, layer: str) -> int:
    """Bits by which a layer's words exceed the spread that gives outputs of about ±128."""
    y = trace(artifact, images(artifact.network, 1))[layer].drained
    return max(0, round(np.log2(y.std() / 1400)))


def images(network: Network, count: int) -> np.ndarray:
    return np.random.default_rng(SEED).integers(0, 256, (count, *network.input)).astype(np.uint8)


def conv_bound(layer: Conv, weights: LayerWeights, drained: np.ndarray) -> np.ndarray:
    """Proven distance, in pixels, of a layer's integer pixels from real arithmetic: (n, rows, columns, out).

    A word cut by s bits has half a unit of 2**s in place of half a unit; saturation moves nothing apart.
    Errors of X through the weights, the drain's rounding, both through the exact inverse; the inverse's
    constant on the words that really came; its rounding (6 of 128), the rounding to pixels.
    """
    parts = np.abs(weights.weight.astype(float))
    dual = list(DUAL_REAL)
    gain = np.repeat(parts.sum(axis=(1, 3))[..., None], 2, axis=2)  # (out, 32, 2)
    gain[:, dual] = parts[:, :, dual].sum(axis=1)
    x_error = LARGEST_X_ERROR - 0.5 + 0.5 * 2.0 ** weights.word_shift[:, None]
    word_error = x_error * gain / 2.0 ** weights.shift[:, None, None] + 0.5
    basis = np.eye(WORDS * 2).reshape(-1, WORDS, 2)
    exact = (64 * np.fft.ifft2(unpack(basis)).real).reshape(64, 64).T
    ours = (inverse((basis * (1 << 30)).astype(np.int64)) / (1 << 30)).reshape(64, 64).T
    s = layer.tile_stride
    kept = [TILE * y + x for y in range(s) for x in range(s)]
    through = np.abs(exact[kept]) @ word_error.reshape(-1, 64).T  # (pixel, out)
    constant = np.abs(drained.reshape(*drained.shape[:-2], 64)) @ np.abs(ours - exact)[kept].T
    return (through.max(axis=0) + constant.max(axis=-1) + 6) / 128 + 0.5


BOUNDED = [(extra, 16) for extra in (0, 3, 6)] + [(6, 11), (3, 9), (6, 8), (9, 8)]
"""Bits by which a layer is made calmer, and bits of its spectra."""


@pytest.mark.parametrize("kind", ["adaptive", "kernel", "dense"])
@pytest.mark.parametrize(("extra", "bits"), BOUNDED)
def test_a_layer_stays_within_its_proven_bound(kind, extra, bits):
    network = Network("one", (5, 14, 17), (Conv("conv", 5, 6, 3, 1, relu=False),))
    artifact = calm(random_artifact(network, seed=SEED, kind=kind, spectrum_bits=bits), extra)
    batch = images(network, 4)
    result = trace(artifact, batch)["conv"]
    error = np.abs(result.output - reference.run(artifact, batch))
    bound = conv_bound(network.layers[0], artifact.layers["conv"], result.drained)
    assert (error <= bound.max(axis=(0, 1, 2))[:, None, None]).all()


@pytest.mark.parametrize(("bits", "most"), [(13, 0.29), (11, 0.3), (9, 0.4), (8, 0.65)])
def test_narrow_spectra_that_do_not_saturate_lose_what_their_roundings_explain(bits, most):
    """Every word cut by as much as keeps its largest part on these images: the rms error in pixels."""
    network = Network("one", (20, 12, 12), (Conv("conv", 20, 50, 5, relu=False),))
    artifact = random_artifact(network, seed=SEED)
    artifact = calm(artifact, excess(artifact, "conv"))
    batch = images(network, 2)
    reach = np.abs(trace(artifact, batch)["conv"].spectra).max(axis=(0, 1, 2, 3, 5)).astype(float)
    weights, shift = artifact.layers["conv"], least_shift(reach, bits)
    weights = replace(weights, word_shift=shift, bias=weights.bias >> int(shift[0]))
    artifact = replace(artifact, layers={"conv": weights}, spectrum_bits=bits)
    error = run(artifact, batch) - reference.run(artifact, batch)
    assert np.sqrt((error**2).mean()) < most


def test_a_calm_layer_is_off_by_little_more_than_rounding():
    """What the widths were chosen for: an rms error of a third of a level (rounding alone gives 0.29)."""
    network = Network("one", (20, 12, 12), (Conv("conv", 20, 50, 5, relu=False),))
    artifact = random_artifact(network, seed=SEED)
    artifact = calm(artifact, excess(artifact, "conv"))
    batch = images(network, 2)
    error = run(artifact, batch) - reference.run(artifact, batch)
    assert np.sqrt((error**2).mean()) < 0.4
    assert np.abs(error).max() < 2


def test_the_error_of_a_network_is_a_small_part_of_its_scores():
    network = lenet()
    artifact = random_artifact(network, seed=SEED)
    artifact = calm(artifact, excess(artifact, "conv1"))
    batch = images(network, 8)
    scores, truth = run(artifact, batch), reference.run(artifact, batch)
    rounded = reference.run(artifact, batch, rounded=True)
    assert truth.std() > 1000, "a network without signal would prove nothing"
    assert np.sqrt(((scores - truth) ** 2).mean()) < 0.03 * truth.std()
    assert np.sqrt(((scores - rounded) ** 2).mean()) < 0.03 * truth.std()


@pytest.mark.parametrize("last_relu", [True, False])
def test_rounded_reference_and_model_agree_on_dense_layers(last_relu):
    """No transform, no constant: on integer pixels the rounded reference must be exact but for the drain."""
    network = Network("mlp", (3, 4, 5), (Dense("a", 60, 70, relu=last_relu), Dense("b", 70, 9, relu=False)))
    artifact = random_artifact(network, seed=SEED)
    layers = {k: replace(w, shift=np.zeros_like(w.shift)) for k, w in artifact.layers.items()}
    artifact = replace(artifact, layers=layers)
    batch = images(network, 5)
    np.testing.assert_array_equal(reference.run(artifact, batch, rounded=True), run(artifact, batch))


def test_reference_takes_images_of_one_channel_and_returns_maps():
    network = Network("map", tiny().input, tiny().layers[:2])
    result = reference.run(random_artifact(network), images(network, 2))
    assert result.shape == (2, 10, 4, 5)
    assert reference.run(random_artifact(lenet()), images(lenet(), 1)[:, 0]).shape == (1, 10)
