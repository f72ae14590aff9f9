"""Untrained networks for benchmarks: sparse as asked for, unevenly, and alive."""

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.contract.artifact import Sparsity
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Network, lenet
from hw.util.errors import ConfigError
from pruning.training.synthetic import synthetic
from sim import model

NETWORK = Network(
    "benchmark", (3, 24, 24), (Conv("a", 3, 16, 3, padding=1), Conv("b", 16, 16, 3, padding=1, pool=2))
)
SPARSITY = Sparsity("adaptive", 2, 8, 8)


def test_the_same_seed_gives_the_same_weights():
    first = synthetic(NETWORK, SPARSITY, seed=1)
    assert first.digest == synthetic(NETWORK, SPARSITY, seed=1).digest
    assert first.digest != synthetic(NETWORK, SPARSITY, seed=2).digest


def test_a_quarter_stays_and_words_take_unequally_many_steps():
    artifact = synthetic(NETWORK, SPARSITY, seed=1)
    kept = [float(artifact.layers[name].mask.mean()) for name in ("a", "b")]
    assert kept[0] > 0.9 and 0.15 < kept[1] <= 0.25
    steps = compile_program(artifact, AcceleratorConfig(8, 2, 1)).layers[1].steps
    lengths = np.diff(np.flatnonzero(steps.end_of_word), prepend=-1)
    assert lengths.max() >= 4 * lengths.min()


def test_activations_use_their_range():
    image = np.random.default_rng(3).integers(0, 256, (1, 3, 24, 24), np.uint8)
    for out in model.maps(synthetic(NETWORK, SPARSITY, seed=1), image):
        assert 0.2 < (out > 0).mean() and out.max() > 60 and (out == 255).mean() < 0.2


def test_fully_connected_layers_may_have_another_set():
    """Where the kind is for convolutions only; the first layer keeps what conv2 reads."""
    artifact = synthetic(lenet(), Sparsity("filter", 1, 2), fully_connected=Sparsity("column", 1, 4))
    conv1, conv2, fc1, _ = artifact.network.layers
    assert conv1.out_channels > 10 and conv2.out_channels <= 25
    assert artifact.layers["fc1"].mask.any(0).sum() <= 50 * 8 / 4 and fc1.out_features == 500


def test_pointwise_layers_are_pruned_weight_by_weight():
    """And take another set where it chooses among the words of a kernel; the integers compile."""
    network = Network(
        "points",
        (3, 24, 24),
        (
            *NETWORK.layers,
            Conv("c", 16, 24, 1, pointwise=True),
            Conv("d", 24, 8, 1, pointwise=True, stride=2),
        ),
    )
    kernel = Sparsity("kernel", 8, 32)
    artifact = synthetic(network, kernel, pointwise=SPARSITY, seed=1)
    assert artifact.sparsity["b"] == kernel and artifact.sparsity["c"] == artifact.sparsity["d"] == SPARSITY
    for name in ("c", "d"):
        mask = artifact.layers[name].mask
        assert mask.shape[2] == 1 and 0.15 < mask.mean() <= 0.25
    assert compile_program(artifact, AcceleratorConfig(8, 2, 1)).pointwise


def test_spectra_may_be_narrow():
    artifact = synthetic(NETWORK, SPARSITY, seed=1, spectrum_bits=10)
    assert artifact.spectrum_bits == compile_program(artifact, AcceleratorConfig(8, 2, 1)).spectrum_bits == 10
    assert artifact.layers["a"].word_shift.max() > 0


def test_layers_may_have_widths_of_their_own():
    """And the compiler takes them: what the hardware is tested with."""
    artifact = synthetic(NETWORK, SPARSITY, seed=1, weight_bits=10, layer_bits={"b": 4})
    assert (artifact.weight_bits, artifact.layer_bits) == (10, {"b": 4})
    tops = [np.abs(artifact.layers[name].weight).max() for name in ("a", "b")]
    assert tops == [511, 7]
    assert compile_program(artifact, AcceleratorConfig(8, 2, 1)).weight_bits == 10
    with pytest.raises(ConfigError, match=r"'b' must be 2 to 4 \(weight_bits\), not 5"):
        synthetic(NETWORK, SPARSITY, weight_bits=4, layer_bits={"b": 5})
