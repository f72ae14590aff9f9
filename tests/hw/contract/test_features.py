"""Features: what their integers are, and the file that holds them."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from hw.contract.artifact import random_artifact
from hw.contract.features import About, Features, LayerFeatures, features_of, load, save
from hw.contract.features.content import MOST_PIXELS
from hw.contract.network import tiny
from hw.util.errors import ArtifactError, ConfigError, DataError, DigestMismatch
from sim import model

ARTIFACT = random_artifact(tiny(), seed=5)
IMAGES = np.random.default_rng(3).integers(0, 256, (5, *tiny().input), np.uint8)
LABELS = np.arange(5)[::-1]


def features(layer="conv2", form="average", labels=LABELS) -> Features:
    kind = features_of(ARTIFACT, layer, form)
    about = About(**asdict(kind), model=ARTIFACT.digest, images="ab" * 32, count=5, source="integer model")
    return Features(about, model.features(ARTIFACT, IMAGES, layer, form), labels)


def written(path, found: Features):
    save(path, found.about, np.array_split(found.vectors, 2), found.labels)
    return path


def test_an_average_is_the_sum_of_integers_and_a_count():
    """Of signed pixels, too; nothing is divided or rounded."""
    (expected,) = [layer for n, layer in enumerate(model.maps(ARTIFACT, IMAGES)) if n == 1]
    assert expected.dtype == np.int8 and expected.shape[2:] == (4, 5)
    found = features()
    assert found.vectors.dtype == np.int32 and found.about.pixels == 20 and found.about.signed
    wanted = [[sum(int(p) for p in channel.ravel()) for channel in image] for image in expected]
    assert found.vectors.tolist() == wanted
    assert np.array_equal(found.real * 20, found.vectors)


def test_flat_features_and_maps_are_the_pixels_themselves():
    layers = list(model.maps(ARTIFACT, IMAGES))
    for number, layer in enumerate(tiny().layers[:2]):
        for form in ("flat", "maps"):
            found = features(layer.name, form)
            assert found.vectors.dtype == layers[number].dtype and found.about.pixels == 1
            assert np.array_equal(found.vectors.ravel(), layers[number].ravel())
            assert found.real.shape == (5, layers[number][0].size)


@pytest.mark.parametrize("form", ["average", "flat", "maps"])
def test_a_fully_connected_layer_makes_its_outputs_in_every_form(form):
    """Without the rest of the 8×8 channels that hold them, and class scores with what a step of them is."""
    *_, fc1, scores = model.maps(ARTIFACT, IMAGES)
    assert fc1[0].size == 128 and tiny().layers[2].outputs == 70
    found = features("fc1", form)
    assert (
        np.array_equal(found.vectors.reshape(5, 70), fc1.reshape(5, -1)[:, :70]) and found.about.step is None
    )
    found = features("fc2", form)
    assert found.vectors.dtype == np.int32 and np.array_equal(found.vectors.reshape(5, -1), scores)
    assert found.about.scores and found.about.step == ARTIFACT.score_scale


@pytest.mark.parametrize("form", ["average", "flat", "maps"])
@pytest.mark.parametrize("labels", [LABELS, None], ids=["labels", "no labels"])
def test_a_file_holds_what_was_written(tmp_path, form, labels):
    given = features("conv1", form, labels)
    found = load(written(tmp_path / "f.npz", given))
    assert found.about == given.about and found.vectors.dtype == given.vectors.dtype
    assert np.array_equal(found.vectors, given.vectors)
    assert found.labels is None if labels is None else found.labels.tolist() == labels.tolist()
    with np.load(tmp_path / "f.npz") as file:  # for those who have numpy and nothing else
        assert np.array_equal(file["features"], given.vectors)


def test_a_layer_that_is_none_is_refused_with_the_names_of_all():
    with pytest.raises(ConfigError, match="has no layer 'conv9': choose from conv1, conv2, fc1, fc2"):
        features_of(ARTIFACT, "conv9")


def test_features_of_another_model_are_refused():
    features().check_model(ARTIFACT)
    with pytest.raises(DigestMismatch, match="are those of model"):
        features().check_model(random_artifact(tiny(), seed=6))


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"shape": (9, 4, 4)}, r"array 'features' is \(5, 10\), not \(5, 9\)"),
        ({"count": 4}, r"array 'labels' is \(5,\), not \(4,\)"),
        ({"form": "median"}, "invalid enum value"),
        ({"signed": 1}, "expected bool"),
        ({"model": "AB" * 32}, "64 hexadecimal digits"),
        ({"count": 0}, "features of 0 images"),
        ({"layer": "a b"}, "no usable name"),
        ({"kind": "index"}, "says kind 'index'"),
        ({"schema": 2}, "schema 2"),
        ({"more": 1}, "unknown field 'more'"),
        ({"step": float("nan")}, "the header is damaged"),
    ],
)
def test_a_header_that_is_wrong_is_a_sentence(tmp_path, change, names):
    good = features()
    header = {"kind": "features", "schema": 1, **asdict(good.about), **change}
    blob = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(tmp_path / "f.npz", header=blob, features=good.vectors, labels=LABELS)
    with pytest.raises(ArtifactError, match=f"is no file of features, or is damaged .*{names}"):
        load(tmp_path / "f.npz")


@pytest.mark.parametrize(
    ("arrays", "names"),
    [
        ({"features": np.zeros((5, 10), np.int64)}, "features are int64"),
        ({"labels": LABELS.astype(np.uint8)}, "labels are uint8"),
        ({"features": np.zeros((6, 10), np.int32)}, "features' is"),
    ],
)
def test_arrays_that_are_wrong_are_a_sentence(tmp_path, arrays, names):
    good = features()
    header = json.dumps({"kind": "features", "schema": 1, **asdict(good.about)}).encode()
    arrays = {"features": good.vectors, **arrays}
    np.savez(tmp_path / "f.npz", header=np.frombuffer(header, np.uint8), **arrays)
    with pytest.raises(ArtifactError, match=names):
        load(tmp_path / "f.npz")


def test_a_file_of_another_kind_is_a_sentence(tmp_path):
    ARTIFACT.save(tmp_path / "model.npz")
    (tmp_path / "text.npz").write_text("text")
    for name, reason in (
        ("model.npz", "no array 'features'"),
        ("text.npz", "no archive"),
        ("x", "spec2 features"),
    ):
        with pytest.raises(ArtifactError, match=reason):
            load(tmp_path / name)


def test_sums_keep_to_32_bits():
    kind = LayerFeatures("n", "c", "average", (1, 1, MOST_PIXELS), False, False, None)
    assert kind.of(np.full((1, 1, 1, MOST_PIXELS), 255, np.uint8)).item() == 255 * MOST_PIXELS < 2**31
    with pytest.raises(DataError, match="more than 32 bits"):
        replace(kind, shape=(1, 1, MOST_PIXELS + 1))
