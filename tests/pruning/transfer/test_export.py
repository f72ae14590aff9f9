"""A head in place of a model's last layer: its integers, its words, its digest."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hw.compile.compiler import compile_program
from hw.compile.onto import onto
from hw.contract.artifact import load, random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Dense, Network, lenet, tiny
from hw.util.errors import ConfigError, DataError
from pruning.transfer.cut import cut_of
from pruning.transfer.export import kept_weights, with_head
from pruning.transfer.head import Head
from sim import model
from sim.commands.embedding import embedded, scored

RNG = np.random.default_rng(7)


def base(kind="dense"):
    return random_artifact(tiny(), seed=5, kind=kind)


def images(count=20):
    return RNG.integers(0, 256, (count, *tiny().input), np.uint8)


def head_of(artifact, classes, seed=0):
    rng = torch.Generator().manual_seed(seed)
    weight = torch.randn(classes, cut_of(artifact).features, generator=rng)
    if classes <= tiny().classes:
        weight *= kept_weights(artifact, classes)
    return Head(weight / 1000, torch.randn(classes, generator=rng))


def adapted(artifact, classes=3, seed=0, about=None):
    pixels = images()
    features = cut_of(artifact).vectors(embedded(artifact, pixels))
    return with_head(artifact, head_of(artifact, classes, seed), features, about or {}), pixels


@pytest.mark.parametrize("kind", ["dense", "adaptive"])
def test_scores_are_those_of_the_quantised_head_on_the_bases_features(kind):
    """In integers, for all values: products, bias, shift; and near those of the real head."""
    artifact = base(kind)
    made, pixels = adapted(artifact)
    layer, shape = tiny().layers[-1], tiny().inputs[-1]
    weights = made.layers[layer.name]
    channel, word, part = layer.word_index(shape)
    matrix = weights.weight[:, channel, word, part].astype(np.int64)
    maps = embedded(artifact, pixels)
    features = cut_of(artifact).vectors(maps)
    sums = features.astype(np.int64) @ matrix.T + weights.bias
    shift = weights.shift.astype(np.int64)
    wanted = np.clip((sums + (1 << shift >> 1)) >> shift, -(2**17), 2**17 - 1)
    found = model.run(made, pixels)
    assert np.array_equal(found, wanted) and np.array_equal(found, scored(made, maps))
    real = head_of(artifact, 3).scores(features)
    assert np.abs(real - found[:, :3] * made.score_scale).max() < 0.06 * np.abs(real).max(), (
        "8 bits of weights"
    )


def test_outputs_without_a_class_never_win():
    made, pixels = adapted(base(), classes=2)
    scores = model.run(made, pixels)
    assert (scores[:, 2:] == -(2**17)).all() and (scores[:, :2] > -(2**17)).all()


@pytest.mark.parametrize("kind", ["dense", "adaptive"])
def test_the_array_takes_the_same_steps(kind):
    """Word for word: a design whose weights come from memory runs base and result."""
    artifact = base(kind)
    made, _ = adapted(artifact, classes=4)
    name = tiny().layers[-1].name
    assert np.array_equal(made.layers[name].mask, artifact.layers[name].mask)
    config = AcceleratorConfig(rows=4, lanes=2, batch=2, stream_weights=True)
    programs = [compile_program(each, config) for each in (artifact, made)]
    assert programs[0].accumulator_bits == programs[1].accumulator_bits
    for plans in zip(*(program.layers for program in programs), strict=True):
        before, after = (plan.steps for plan in plans)
        for array in ("word", "groups", "select", "end_of_word", "end_of_pass"):
            assert np.array_equal(getattr(before, array), getattr(after, array))
    assert onto(programs[0], made).digest == made.digest, "the bitstream of the base takes it"


def test_everything_else_is_the_bases(tmp_path):
    artifact = replace(
        base(),
        provenance={"recipe": "r", "accuracy": {"integer": 99.0}, "command": "spec2 prune", "seconds": 1.0},
    )
    made, _ = adapted(artifact, about={"classes": 3})
    for layer in tiny().layers[:-1]:
        assert made.layers[layer.name] is artifact.layers[layer.name]
    assert made.network == artifact.network and made.weight_bits == artifact.weight_bits
    assert made.provenance["base"] == artifact.digest and made.provenance["head"] == {"classes": 3}
    assert not {"accuracy", "command", "seconds"} & set(made.provenance), "these were the base's"
    made.save(tmp_path / "model.npz")
    assert load(tmp_path / "model.npz").digest == made.digest


def test_the_digest_is_that_of_base_and_head(tmp_path):
    """Another head has another one, another base too; where files lie changes nothing."""
    artifact = base()
    pixels = images()
    features = cut_of(artifact).vectors(embedded(artifact, pixels))
    first, again = (with_head(artifact, head_of(artifact, 3), features, {}) for _ in range(2))
    other = with_head(artifact, head_of(artifact, 3, seed=1), features, {})
    another = with_head(replace(artifact, provenance={"seed": 1}), head_of(artifact, 3), features, {})
    assert first.digest == again.digest
    assert len({artifact.digest, first.digest, other.digest, another.digest}) == 4
    (tmp_path / "a").mkdir()
    assert first.save(tmp_path / "a" / "x.npz") == again.save(tmp_path / "model.npz")


def test_a_width_of_its_own_stays():
    artifact = random_artifact(tiny(), seed=5, kind="dense", layer_bits={"fc2": 4})
    made, _ = adapted(artifact)
    assert made.bits_of("fc2") == 4 and np.abs(made.layers["fc2"].weight).max() <= 8


# --- refusals -------------------------------------------------------------------------------------------


def test_more_classes_than_outputs_and_fewer_than_two_are_refused():
    for classes in (6, 1):
        with pytest.raises(
            ConfigError, match=rf"there are {classes} classes, and network 'tiny' has 5 outputs"
        ):
            adapted(base(), classes=classes)


def test_models_without_a_last_fully_connected_layer_are_refused():
    flat = Network("flat", (1, 8, 8), (Conv("conv", 1, 4, 3, padding=1),))
    with pytest.raises(ConfigError, match="'flat' ends in a feature map, and a head takes the place"):
        cut_of(random_artifact(flat, seed=0))
    single = Network("single", (1, 8, 8), (Dense("fc", 64, 4, relu=False),))
    with pytest.raises(ConfigError, match="'single' is a single layer"):
        cut_of(random_artifact(single, seed=0))


def test_maps_of_another_shape_are_refused():
    cut = cut_of(random_artifact(lenet(), seed=0))
    assert cut.map_shape == (500, 1, 1) and cut.shape == (8, 8, 8), "a vector has no neighbours"
    with pytest.raises(DataError, match="are not what 'lenet' hands on"):
        cut.vectors(np.zeros((3, 50, 4, 4), np.uint8))
