"""Narrow spectra in the contract: which widths and shifts there are, and what files hold of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.contract import narrow
from hw.contract.artifact import LayerWeights, load, random_artifact
from hw.contract.formats import Format, round_shift
from hw.contract.network import Conv, Dense, Network, tiny
from hw.util.errors import ArtifactError, ConfigError
from tests.hw.contract.test_artifact import fixed, rewrite

MAPS = Network("maps", (2, 9, 9), (Conv("a", 2, 3, 3), Conv("b", 3, 2, 3, relu=False)))


@given(st.integers(0, 32640), st.integers(8, 16))
@settings(deadline=None)
def test_the_least_shift_is_the_smallest_without_saturation(reach, bits):
    found = int(narrow.least_shift(np.array([float(reach)]), bits)[0])
    limit, most = Format(bits).limits[1], narrow.most_shift(bits)
    assert 0 <= found <= most
    assert found == 0 or round_shift(reach, found - 1) > limit
    assert round_shift(reach, found) <= limit or (found == most and round_shift(reach, found) == limit + 1)


def test_only_white_from_edge_to_edge_saturates_at_the_largest_shift():
    """32640 / 256 is 127.5, which rounds to one more than 8 bits hold."""
    assert [int(narrow.least_shift(np.array(32640.0), bits)) for bits in range(8, 17)] == list(
        range(8, -1, -1)
    )
    assert round_shift(32640, 8) == 128 and round_shift(32640, 7) == 255


@pytest.mark.parametrize(
    ("bits", "network", "sentence"),
    [
        (7, MAPS, "spectrum_bits must be 8 to 16, not 7"),
        (17, MAPS, "spectrum_bits must be 8 to 16, not 17"),
        (True, MAPS, "spectrum_bits must be a whole number of bits, not True"),
        (
            8,
            tiny(),
            "spectrum_bits must be 9 or more, not 8: the fully connected layer 'fc2' takes pixels of 0 to",
        ),
        (
            8,
            Network("fc", (1, 8, 8), (Dense("fc", 64, 2, relu=False),)),
            "the fully connected layer 'fc' takes",
        ),
    ],
)
def test_widths_out_of_range_are_refused(bits, network, sentence):
    with pytest.raises(ConfigError, match=sentence):
        narrow.check_spectrum_bits(bits, network, ConfigError)


def test_fully_connected_layers_of_signed_pixels_take_8_bits():
    layers = (Conv("a", 1, 2, 3, relu=False), Dense("fc", 72, 2, relu=False))
    narrow.check_spectrum_bits(8, Network("signed", (1, 8, 8), layers), ConfigError)


@pytest.mark.parametrize("bits", [8, 9, 11, 15])
def test_round_trip(bits, tmp_path):
    network = MAPS if bits == 8 else tiny()
    before = random_artifact(network, seed=7, spectrum_bits=bits)
    assert before.save(tmp_path / "model.npz") == before.digest
    after = load(tmp_path / "model.npz")
    assert (after.spectrum_bits, after.narrow, after.digest) == (bits, True, before.digest)
    for name, weights in before.layers.items():
        assert after.layers[name].word_shift.dtype == np.uint8
        np.testing.assert_array_equal(after.layers[name].word_shift, weights.word_shift)
        np.testing.assert_array_equal(after.layers[name].drain_shift, weights.drain_shift)


def test_spectra_of_16_bits_leave_no_trace_in_a_file(tmp_path):
    fixed().save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as file:
        assert not [name for name in file.files if "word_shift" in name]
        assert b"spectrum_bits" not in bytes(file["header"]) and b'"schema": 1' in bytes(file["header"])


def test_a_narrow_file_has_a_schema_of_its_own_and_nothing_else_will_do(tmp_path):
    random_artifact(MAPS, spectrum_bits=11).save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as file:
        assert b'"schema": 2' in bytes(file["header"])
    for changes in ({"spectrum_bits": 16}, {"schema": 1, "a.word_shift": None, "b.word_shift": None}):
        path = rewrite(tmp_path / "model.npz", tmp_path / "other.npz", sign=True, **changes)
        with pytest.raises(ArtifactError, match="bits, is none of schema"):
            load(path)
    path = rewrite(tmp_path / "model.npz", tmp_path / "other.npz", sign=True, **{"b.word_shift": None})
    with pytest.raises(ArtifactError, match=r"incomplete artifact, there is no 'b\.word_shift'"):
        load(path)


def test_the_digest_depends_on_width_and_shifts():
    eleven = random_artifact(MAPS, seed=1, spectrum_bits=11)
    moved = eleven.layers["b"].word_shift.copy()
    moved[31] ^= 1
    others = [
        eleven.digest,
        random_artifact(MAPS, seed=1).digest,
        _with(eleven, "b", word_shift=moved).digest,
        _with(eleven, spectrum_bits=10).digest,
    ]
    assert len(set(others)) == 4


def _with(artifact, layer=None, *, spectrum_bits=None, word_shift=None):
    from dataclasses import replace

    layers = dict(artifact.layers)
    if layer:
        layers[layer] = replace(layers[layer], word_shift=word_shift)
    return replace(artifact, layers=layers, spectrum_bits=spectrum_bits or artifact.spectrum_bits)


@pytest.mark.parametrize(
    ("bits", "layer", "shift", "sentence"),
    [
        (11, "conv1", np.zeros(31, np.uint8), r"conv1.word_shift is \(31,\), a spectrum has 32 words"),
        (11, "conv1", np.full(32, 6, np.uint8), "is 6..6, spectra of 11 bits shift words by 0..5: calibrate"),
        (16, "conv1", np.full(32, 1, np.uint8), "is 1..1, spectra of 16 bits shift words by 0: calibrate"),
        (11, "fc1", np.full(32, 1, np.uint8), "is 1..1, fully connected layers shift words by 0: calibrate"),
        (11, "conv1", np.full(32, -1), "is -1..-1, spectra of 11 bits"),
        (11, "conv1", np.zeros(32), "conv1.word_shift holds float64, not integers"),
    ],
)
def test_shifts_out_of_range_are_refused(bits, layer, shift, sentence):
    with pytest.raises(ArtifactError, match=sentence):
        _with(random_artifact(tiny(), spectrum_bits=bits), layer, word_shift=shift)


def test_the_drain_shifts_by_what_is_left():
    weights = LayerWeights(
        np.zeros((2, 1, 32, 2)), np.zeros(2), np.array([7, 1], np.uint8), np.arange(32) % 4
    )
    assert weights.drain_shift.shape == (32, 2)
    assert weights.drain_shift[:4].tolist() == [[7, 1], [6, 0], [5, -1], [4, -2]]


def test_random_artifacts_of_any_width_have_the_same_weights():
    wide, narrower = random_artifact(MAPS, seed=3), random_artifact(MAPS, seed=3, spectrum_bits=9)
    for name, weights in wide.layers.items():
        np.testing.assert_array_equal(weights.weight, narrower.layers[name].weight)
        np.testing.assert_array_equal(weights.shift, narrower.layers[name].shift)
    with pytest.raises(ArtifactError, match="spectrum_bits must be 8 to 16, not 5"):
        random_artifact(MAPS, spectrum_bits=5)
