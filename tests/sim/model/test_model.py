"""Fetch, MAC, drain, post and whole networks of the integer model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.contract import formats
from hw.contract.artifact import Artifact, LayerWeights, random_artifact
from hw.contract.network import Conv, Dense, Network, lenet, tiny
from hw.contract.spectrum import DUAL_REAL, WORDS
from hw.util.errors import DataError
from sim.model import accelerator, accumulator_drain, fetch, forward, inverse, mac, post, run, trace

SEED = 2


def images(network: Network, count: int, seed: int = SEED) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *network.input)).astype(np.uint8)


def one_conv(shape, **options) -> Artifact:
    layer = Conv("conv", shape[0], **options)
    return random_artifact(Network("one", shape, (layer,)), seed=SEED)


# --- the parts ---------------------------------------------------------------------------------


@given(
    st.lists(st.integers(-(1 << 47), (1 << 47) - 1), min_size=1, max_size=20),
    st.integers(0, formats.MAX_DRAIN_SHIFT),
)
@settings(deadline=None)
def test_drain_in_float64_equals_the_integer_rule(values, shift):
    sums = np.array(values, dtype=np.int64)
    expected = formats.drain(sums, np.array(shift))
    np.testing.assert_array_equal(
        accumulator_drain.drain(sums.astype(np.float64), np.array(shift, np.uint8)), expected
    )


@pytest.mark.parametrize("shift", [1, 5, 31])
def test_drain_rounds_half_up_on_both_sides_of_zero(shift):
    half = 1 << (shift - 1)
    sums = np.array([-3 * half, -half - 1, -half, half - 1, half, 3 * half], dtype=float)
    np.testing.assert_array_equal(
        accumulator_drain.drain(sums, np.array(shift, np.uint8)), [-1, -1, 0, 0, 1, 2]
    )


def test_products_are_complex_or_part_by_part():
    rng = np.random.default_rng(SEED)
    x = rng.integers(-(1 << 15), 1 << 15, (WORDS, 2, 3, 5))
    weight = rng.integers(-(1 << 15), 1 << 15, (4, 3, WORDS, 2)).astype(np.int16)
    sums = mac.spectral_sums(mac.spectral_matrices(weight), x)
    for b in range(WORDS):
        for n in range(4):
            re = im = np.zeros(5, dtype=np.int64)
            for c in range(3):
                a, s = x[b, 0, c], x[b, 1, c]
                wr, wi = (int(v) for v in weight[n, c, b])
                re = re + a * wr - (0 if b in DUAL_REAL else s * wi)
                im = im + (s * wi if b in DUAL_REAL else a * wi + s * wr)
            np.testing.assert_array_equal(sums[b, 0, n], re, err_msg=f"word {b}")
            np.testing.assert_array_equal(sums[b, 1, n], im, err_msg=f"word {b}")


def test_the_most_negative_weight_is_not_wrapped_by_its_negation():
    weight = np.full((1, 1, WORDS, 2), -(1 << 15), dtype=np.int16)
    x = np.ones((WORDS, 2, 1, 1), dtype=int)
    sums = mac.spectral_sums(mac.spectral_matrices(weight), x)
    assert sums[1, 0, 0, 0] == 0 and sums[1, 1, 0, 0] == -(1 << 16)


def test_the_widest_sum_is_exact():
    """512 channels of full-scale 16-bit words and weights, all of one sign: odd, so a lost bit shows."""
    channels = 512
    weight = np.full((1, channels, WORDS, 2), (1 << 15) - 1, dtype=np.int16)
    x = np.full((WORDS, 2, channels, 1), (1 << 15) - 1, dtype=int)
    sums = mac.spectral_sums(mac.spectral_matrices(weight), x)
    one = ((1 << 15) - 1) ** 2
    assert int(sums[1, 1, 0, 0]) == 2 * channels * one and int(sums[0, 0, 0, 0]) == channels * one


def test_dot_mode_multiplies_pixels_in_word_order():
    rng = np.random.default_rng(SEED)
    layer, shape = Dense("fc", 2 * 3 * 5, 4), (2, 3, 5)
    maps = rng.integers(0, 256, (2, 3, 5, 6)).astype(np.uint8)
    matrix = rng.integers(-128, 128, (4, 30))
    weight = np.zeros(layer.weight_shape(shape), dtype=np.int16)
    weight[:, *layer.word_index(shape)] = matrix
    sums = mac.dot_sums(mac.dot_matrix(weight), fetch.dot_words(maps, Dense("fc", 1, 1)))
    np.testing.assert_array_equal(sums, matrix @ maps.reshape(30, 6).astype(int))


@given(st.integers(1, 7), st.data())
@settings(deadline=None, max_examples=40)
def test_windows_cover_the_padded_map(kernel, data):
    padding, after = (data.draw(st.integers(0, kernel - 1)) for _ in range(2))
    pool, stride = data.draw(st.sampled_from([(1, 1), (2, 1), (1, 2)]))
    least = max(1, kernel + pool - 1 - padding - after)
    h, w = (data.draw(st.integers(least, least + 20)) for _ in "hw")
    layer = Conv("conv", 2, 1, kernel, padding, pool=pool, stride=stride, end_padding=after)
    maps = np.random.default_rng(SEED).integers(1, 256, (2, h, w, 1)).astype(np.uint8)
    padded = fetch.pad(maps, layer)
    rows, columns = layer.tiles((2, h, w))

    def pixel(c: int, y: int, x: int) -> int:
        y, x = y - padding, x - padding
        return int(maps[c, y, x, 0]) if 0 <= y < h and 0 <= x < w else 0

    for i in range(rows):
        tile_row = fetch.windows(padded, layer, i)
        assert tile_row.shape == (8, 8, 2, columns, 1)
        for j, (y, x) in [(j, yx) for j in range(columns) for yx in ((0, 0), (7, 7), (3, 5))]:
            expected = pixel(1, i * layer.tile_stride + y, j * layer.tile_stride + x)
            assert tile_row[y, x, 1, j, 0] == expected, (i, j, y, x)


def test_requantise_rounds_half_up_and_saturates():
    outputs = np.array([-(1 << 25), -193, -192, -65, -64, 63, 64, 127 * 128 + 63, 255 * 128 + 64, 1 << 24])
    none, relu = (Conv("conv", 1, 1, 3, relu=relu) for relu in (False, True))
    assert post.requantise(outputs, none).tolist() == [-128, -2, -1, -1, 0, 0, 1, 127, 127, 127]
    assert post.requantise(outputs, relu).tolist() == [0, 0, 0, 0, 0, 0, 1, 127, 255, 255]


@pytest.mark.parametrize("leak", [1, 3, 7])
def test_a_leaky_relu_rounds_once_and_saturates_after_its_slope(leak):
    step = 1 << 7 + leak  # of outputs below zero that are a pixel apart
    half = step // 2
    outputs = np.array(
        [-129 * step, -128 * step, -step - half - 1, -step - half, -half - 1, -half, -1, 0, 63, 64]
    )
    for layer in (Conv("conv", 1, 1, 3, leak=leak), Dense("fc", 1, 1, leak=leak)):
        pixels = post.requantise(np.append(outputs, [127 * 128 + 63, 255 * 128]), layer)
        assert pixels.tolist() == [-128, -128, -2, -1, -1, 0, 0, 0, 0, 1, 127, 127]
        assert pixels.dtype == np.int8


def test_pool_takes_the_maximum_of_each_square():
    pixels = np.random.default_rng(SEED).integers(-128, 128, (6, 6, 3)).astype(np.int8)
    pooled = post.reduce(pixels, Conv("pooled", 1, 1, 3, pool=2))
    assert pooled.shape == (3, 3, 3)
    for y in range(3):
        for x in range(3):
            square = pixels[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
            np.testing.assert_array_equal(pooled[y, x], square.max(axis=(0, 1)))


def test_a_stride_takes_the_first_of_each_square():
    pixels = np.random.default_rng(SEED).integers(-128, 128, (6, 6, 3)).astype(np.int8)
    strided = post.reduce(pixels, Conv("strided", 1, 1, 3, stride=2))
    np.testing.assert_array_equal(strided, pixels[[0, 2, 4]][:, [0, 2, 4]])
    np.testing.assert_array_equal(post.reduce(pixels, Conv("plain", 1, 1, 3)), pixels)


# --- whole networks ----------------------------------------------------------------------------


def tile_by_tile(layer: Conv, weights: LayerWeights, image: np.ndarray) -> np.ndarray:
    """A convolution in plain loops over int64 tiles: no batching, no planes, no float64."""
    c, h, w = image.shape
    s, k = layer.tile_stride, layer.padding
    rows, columns = layer.tiles((c, h, w))
    padded = np.zeros((c, rows * s + 16 + h, columns * s + 16 + w), dtype=np.int64)
    padded[:, k : k + h, k : k + w] = image
    full = np.zeros((layer.out_channels, rows * s, columns * s), dtype=np.int64)
    wre, wim = np.moveaxis(weights.weight.astype(np.int64), -1, 0)
    dual = list(DUAL_REAL)
    for i in range(rows):
        for j in range(columns):
            x = forward(padded[:, i * s : i * s + 8, j * s : j * s + 8])
            re, im = x[..., 0], x[..., 1]
            acc_re, acc_im = wre * re - wim * im, wre * im + wim * re
            acc_re[..., dual], acc_im[..., dual] = (wre * re)[..., dual], (wim * im)[..., dual]
            acc = np.stack((acc_re.sum(axis=1), acc_im.sum(axis=1)), axis=-1)
            acc[:, 0, 0] += weights.bias
            y = formats.drain(acc, weights.shift[:, None, None])
            full[:, i * s : i * s + s, j * s : j * s + s] = inverse(y)[:, :s, :s]
    pixels = formats.activation_format(layer.signed).saturate(formats.round_shift(full, formats.POST_SHIFT))
    out, oh, ow = layer.output((c, h, w))
    if layer.stride > 1:
        return pixels[:, : oh * layer.stride : layer.stride, : ow * layer.stride : layer.stride]
    p = layer.pool
    return pixels[:, : oh * p, : ow * p].reshape(out, oh, p, ow, p).max(axis=(2, 4))


@pytest.mark.parametrize(
    "shape, options",
    [
        ((1, 28, 28), dict(out_channels=3, kernel=5, pool=2)),
        ((3, 9, 11), dict(out_channels=4, kernel=3, padding=1, pool=2)),
        ((9, 8, 8), dict(out_channels=2, kernel=3, padding=2, relu=False)),
        ((2, 13, 7), dict(out_channels=5, kernel=7, padding=3)),
        ((2, 20, 3), dict(out_channels=2, kernel=1, relu=False)),
        ((2, 11, 15), dict(out_channels=2, kernel=4, padding=3, pool=2)),
        ((1, 7, 7), dict(out_channels=1, kernel=7)),
        ((3, 13, 20), dict(out_channels=2, kernel=3, padding=1, stride=2, relu=False)),
        ((3, 12, 19), dict(out_channels=2, kernel=3, padding=0, end_padding=1, stride=2)),
        ((2, 17, 18), dict(out_channels=2, kernel=7, padding=3, end_padding=2, stride=2)),
        ((2, 9, 21), dict(out_channels=3, kernel=2, padding=1, end_padding=0)),
    ],
)
def test_a_convolution_equals_the_loop_over_tiles(shape, options):
    artifact = one_conv(shape, **options)
    layer = artifact.network.layers[0]
    batch = images(artifact.network, 2)
    expected = [tile_by_tile(layer, artifact.layers["conv"], image) for image in batch]
    np.testing.assert_array_equal(run(artifact, batch), expected)


@pytest.mark.parametrize("network", [tiny(), lenet()], ids=lambda n: n.name)
def test_images_do_not_influence_one_another(network, monkeypatch):
    """Also: neither the chunk nor the block size changes anything."""
    artifact, batch = random_artifact(network, seed=SEED), images(network, 7)
    together = run(artifact, batch)
    np.testing.assert_array_equal(together, [run(artifact, batch[i : i + 1])[0] for i in range(7)])
    monkeypatch.setattr(accelerator, "CHUNK_WORDS", 3 * WORDS * 50)
    monkeypatch.setattr(accelerator, "BLOCK_BYTES", 3 * 784 * 20)
    np.testing.assert_array_equal(run(artifact, batch), together)


def test_dense_layers_are_matrix_products():
    """A network of fully connected layers alone, against their definition."""
    network = Network(
        "mlp", (3, 4, 5), (Dense("a", 60, 70), Dense("b", 70, 9, relu=False), Dense("c", 9, 4, relu=False))
    )
    artifact, x = random_artifact(network, seed=SEED), images(network, 6).reshape(6, -1).astype(int)
    for layer, shape in zip(network.layers, network.inputs, strict=True):
        w = artifact.layers[layer.name]
        matrix = w.weight[:, *layer.word_index(shape)].astype(int)
        y = formats.drain(x @ matrix.T + w.bias, w.shift)
        x = formats.activation_format(layer.signed).saturate(formats.round_shift(y, formats.POST_SHIFT))
    np.testing.assert_array_equal(run(artifact, images(network, 6)), y)


@pytest.mark.parametrize("relu", [True, False])
def test_a_network_may_end_in_a_feature_map(relu):
    artifact = one_conv((2, 9, 9), out_channels=3, kernel=3, relu=relu)
    result = run(artifact, images(artifact.network, 2))
    assert result.shape == (2, 3, 7, 7)
    assert result.dtype == (np.uint8 if relu else np.int8)
    assert relu or result.min() < 0


def test_trace_agrees_with_run_and_chains():
    network = tiny()
    artifact, batch = random_artifact(network, seed=SEED), images(network, 3)
    layers = trace(artifact, batch)
    assert list(layers) == ["conv1", "conv2", "fc1", "fc2"]
    np.testing.assert_array_equal(layers["fc2"].output, run(artifact, batch))
    first = layers["conv1"]
    assert first.spectra.shape == (3, 2, 2, 2, WORDS, 2)
    np.testing.assert_array_equal(first.spectra[2, 1, 0, 1, 5], forward(padded_tile(batch[2, 1], 6, 0))[5])
    for name, layer in layers.items():
        outputs = inverse(layer.drained)
        if name.startswith("fc"):  # the inverse transform of a dot-mode word is flat
            assert (outputs == outputs[..., :1, :1]).all()
    second = layers["conv2"]
    np.testing.assert_array_equal(layers["fc1"].spectra[:, 0, 0, :, 5, 1], second.output[:, :, 1, 3])
    pixels = post.requantise(inverse(second.drained), network.layers[1])[:, 0, 0, :, :4, :5]
    np.testing.assert_array_equal(second.output, pixels)


def padded_tile(channel: np.ndarray, y: int, x: int) -> np.ndarray:
    return np.pad(channel, ((1, 16), (1, 16)))[y : y + 8, x : x + 8]


def test_three_axes_are_one_channel():
    artifact = random_artifact(lenet(), seed=SEED)
    batch = images(lenet(), 2)
    np.testing.assert_array_equal(run(artifact, batch[:, 0]), run(artifact, batch))


def test_progress_counts_up_to_the_end():
    steps = []
    run(random_artifact(tiny()), images(tiny(), 5), progress=lambda done, total: steps.append((done, total)))
    assert steps == sorted(steps) and steps[-1] == (20, 20)


@pytest.mark.parametrize(
    "bad, message",
    [
        (np.zeros((4, 27, 28), np.uint8), r"\(4, 1, 27, 28\) do not fit network 'lenet'.*\(n, 1, 28, 28\)"),
        (np.zeros((28, 28), np.uint8), r"shape \(28, 28\)"),
        (np.zeros((2, 3, 28, 28), np.uint8), r"shape \(2, 3, 28, 28\)"),
        (np.zeros((0, 28, 28), np.uint8), "no images"),
        (np.zeros((1, 28, 28)), "float64.*cast to uint8"),
        (np.zeros((1, 28, 28), bool), "bool"),
        (np.full((1, 28, 28), 256), "from 256 to 256"),
        (np.full((1, 28, 28), -1), "from -1 to -1"),
        (np.full((1, 28, 28), None), "object"),
    ],
)
def test_bad_images_are_refused(bad, message):
    artifact = random_artifact(lenet())
    for function in (run, trace):
        with pytest.raises(DataError, match=message):
            function(artifact, bad)


def test_integers_in_range_of_any_type_are_taken():
    artifact, batch = random_artifact(tiny()), images(tiny(), 2)
    np.testing.assert_array_equal(run(artifact, batch.astype(np.int64)), run(artifact, batch))
