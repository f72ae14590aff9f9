"""Bits per layer: what a scan measures, what is chosen, and jobs that find widths and are killed."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as amend

from hw.contract import artifact
from hw.contract.network import lenet, tiny
from pruning import MagnitudeConfig, NetworkModel, data, prune_, quantise_, to_artifact
from pruning.quant.quantise import calibrate_
from pruning.training import recipe
from pruning.training.job import Job
from pruning.training.recipe_file import Schedule
from pruning.training.run import run as follow
from pruning.training.sensitivity import Scanning, scan_bits
from pruning.training.settings import Bits
from pruning.training.widths import FILE_NAME, find_widths
from sim import model as integer_model

WEIGHT_BITS = 8
NAMES = [layer.name for layer in tiny().layers]


@pytest.fixture
def pixels(tiny_batch):
    return (tiny_batch * 255).round().byte()


def pruned() -> NetworkModel:
    torch.manual_seed(3)
    model = NetworkModel(tiny())
    prune_(model, tiny(), recipe.find("lenet").targets()).finalise()
    return model


def test_a_scan_narrows_one_layer_at_a_time(pixels, tiny_batch):
    """Every loss is that of a fresh model with these widths, and the model's own words stay as they were."""
    widths, heard = (8, 4, 2), []
    calibrated = calibrate_(pruned(), tiny(), tiny_batch)
    found = scan_bits(
        calibrated, pixels, WEIGHT_BITS, widths, batch=16, report=lambda *event: heard.append(event)
    )
    assert heard == [(n, 12, NAMES[n // 3]) for n in range(12)]

    def probabilities(layer_bits):
        model = pruned()
        quantise_(model, tiny(), tiny_batch, weight_bits=WEIGHT_BITS, layer_bits=layer_bits)
        with torch.no_grad():
            return model(tiny_batch).double().softmax(1)

    whole = probabilities({})
    for name in NAMES:
        assert found[name][0] == 0
        for bits, loss in zip(widths[1:], found[name][1:], strict=True):
            divergence = (whole * (whole / probabilities({name: bits})).log()).sum(1).mean()
            assert loss == pytest.approx(float(divergence), rel=1e-2, abs=1e-7)
        assert found[name][1] < found[name][2]
    assert len({losses[-1] for losses in found.values()}) == len(NAMES), "no layer is measured twice"
    calibrated.fake_quantise_(WEIGHT_BITS, {})
    with torch.no_grad():
        assert torch.equal(calibrated.model(tiny_batch).double().softmax(1), whole)


CALIBRATED = calibrate_(pruned(), tiny(), torch.rand(4, *tiny().input))
"""Only its masks count where losses are made up."""

losses = st.lists(st.floats(0, 3), min_size=5, max_size=5).map(lambda row: [0.0, *row])


@settings(deadline=None, max_examples=200)
@given(
    table=st.lists(losses, min_size=4, max_size=4), means=st.lists(st.floats(3, 8), min_size=1, max_size=4)
)
def test_means_are_kept_and_larger_ones_lose_no_more(table, means):
    """Over the words that the masks keep; the least mean and the largest have widths, too."""
    words = {name: int(layer.mask.sum()) for name, layer in CALIBRATED.layers.items()}
    assert len(set(words.values())) == 4, "layers differ in size, or any average would do"
    before = float("inf")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "pruning.training.widths.scan_bits", lambda *_, **__: dict(zip(words, table, strict=True))
        )
        for mean in sorted([3, *means, 8]):
            found = find_widths(CALIBRATED, torch.zeros(1), Bits(mean), 8)
            spent = sum(found[name] * count for name, count in words.items())
            assert spent <= mean * sum(words.values()) and set(found) == set(words)
            assert all(3 <= bits <= 8 for bits in found.values())
            lost = sum(row[8 - found[name]] for name, row in zip(words, table, strict=True))
            assert lost <= before
            before = lost
    assert before == 0, "8 bits are no limit"


def test_what_loses_most_keeps_its_bits_and_the_file_says_why(pixels, monkeypatch, tmp_path):
    seen = {}

    def scan(calibrated, images, weight_bits, widths, report):
        seen.update(images=len(images), widths=list(widths))
        return {name: [(weight_bits - w) * (9 if name == "conv2" else 0.1) for w in widths] for name in NAMES}

    monkeypatch.setattr("pruning.training.widths.scan_bits", scan)
    found = find_widths(CALIBRATED, pixels, Bits(5.0, 4, 20), 7, tmp_path)
    assert seen == {"images": 20, "widths": [7, 6, 5, 4]}
    assert found["conv2"] == 7 and min(found.values()) == 4
    log = json.loads((tmp_path / FILE_NAME).read_text())
    assert log["chosen"] == found and log["bits"] == {"mean": 5.0, "least": 4, "images": 20}
    words = log["words"]
    assert log["mean"] == pytest.approx(sum(found[n] * words[n] for n in words) / sum(words.values()))
    row = log["layers"]["conv2"][1]
    assert row == {"scheme": "6", "cost": 6 * words["conv2"], "loss": 9}


# --- jobs ---------------------------------------------------------------------------------------------

EPOCHS = Schedule(1, 1, 1, 2)
BITS = Bits(5.0, images=40)


class Killed(Exception):
    pass


@pytest.fixture
def train(monkeypatch, tmp_path):
    whole = data.load("mnist")
    few = data.ImageSet(
        *(part[::64] for part in (whole.train_images, whole.train_labels)),
        *(part[::40] for part in (whole.test_images, whole.test_labels)),
        "few",
    )
    monkeypatch.setattr(data, "load", lambda name, data_dir: few)

    def run(name="net", progress=None, cache="cache", **options):
        made = recipe.find("lenet", epochs=EPOCHS, batch=16, **options)
        return follow(made, out=tmp_path / name, cache=tmp_path / cache, progress=progress)

    return run


def test_a_job_finds_widths_and_its_model_has_them(train, tmp_path):
    events = []
    result = train(bits=BITS, progress=events.append)
    made = artifact.load(result.artifact)
    log = json.loads((tmp_path / "net" / FILE_NAME).read_text())
    assert {name: made.bits_of(name) for name in made.layers} == log["chosen"]
    assert made.weight_bits == max(log["chosen"].values()) and made.layer_bits
    kept = {layer.name: layer.kept for layer in result.layers}
    assert log["words"] == kept
    spent = sum(made.bits_of(name) * count for name, count in kept.items())
    assert spent <= 5 * sum(kept.values())
    for name, weights in made.layers.items():
        # Fake-quant has trained on after the largest weight had been given the largest integer.
        half = 2 ** (made.bits_of(name) - 2)
        assert half <= np.abs(weights.weight.astype(int)).max() < 2 * half + 1
    scans = [event for event in events if isinstance(event, Scanning)]
    assert len(scans) == 4 * 6 and "fc1 minds few bits (13 of 24)" in scans[12].describe()
    done = [event.done for event in events]
    assert done == sorted(done)


def test_a_job_killed_in_the_scan_and_in_fake_quant_ends_as_if_it_had_not_been(train, tmp_path, monkeypatch):
    """A checkpoint after every batch. Widths are found again after the scan was cut off, never later."""
    expected = train("whole", bits=BITS, cache="its own")
    measured = (tmp_path / "whole" / FILE_NAME).read_text()
    monkeypatch.setattr("pruning.training.job.CHECKPOINT_SECONDS", -1)

    def killer(kind, moment):
        heard = []

        def progress(event):
            counts = isinstance(event, Scanning) if kind == "scan" else getattr(event, "phase", "") == kind
            heard.extend([event] if counts else [])
            if len(heard) == moment:
                raise Killed

        return progress

    for kind, moment in (("finetune", 3), ("scan", 1), ("scan", 17), ("mirror", 1)):
        with pytest.raises(Killed):
            train("killed", bits=BITS, progress=killer(kind, moment))
    assert (tmp_path / "killed" / FILE_NAME).read_text() == measured
    monkeypatch.setattr("pruning.training.job.find_widths", None)
    for moment in (2, 6):
        with pytest.raises(Killed):
            train("killed", bits=BITS, progress=killer("mirror", moment))
    assert train("killed", bits=BITS).digest == expected.digest


def test_given_widths_are_the_models_and_do_not_stick_to_the_dense_network(train):
    widths = {"conv2": 4, "fc1": 3}
    made = artifact.load(train("given", layer_bits=widths).artifact)
    assert made.weight_bits == 8 and made.layer_bits == widths
    assert artifact.load(train("none").artifact).layer_bits == {}
    found = artifact.load(train("found", bits=BITS).artifact)
    assert found.layer_bits != widths


def test_the_integer_model_of_a_job_computes_what_its_fake_quant_does(tmp_path):
    """Only the rounding inside the transforms may differ, in layers of any width."""
    whole = data.load("mnist")
    parts = (whole.train_images, whole.train_labels, whole.test_images, whole.test_labels)
    images = data.ImageSet(*(part[::64] for part in parts), "few")
    job = Job(recipe.find("lenet", epochs=EPOCHS, batch=8, bits=BITS).settings(63), images, tmp_path)
    job.train(False, tmp_path)
    made = job.artifact("lenet")
    assert made.layer_bits
    with torch.no_grad():
        fake_quantised = job.model.eval()(torch.from_numpy(images.test_images) / 255).numpy()
    scores = integer_model.run(made, images.test_images) * made.score_scale
    assert np.abs(scores - fake_quantised).max() < 0.05 * fake_quantised.std()


def test_checkpoints_from_before_widths_by_layer_stay_valid():
    """Whoever adds a setting decides what becomes of the checkpoints that do not know it."""
    plain = recipe.find("lenet").settings(50_000)
    known = {"network", "config", "epochs", "seed", "batch", "weight_bits", "training"}
    assert set(plain.key()) == known
    given, found = replace(plain, layer_bits={"conv2": 5}), replace(plain, bits=BITS)
    assert given.key() == plain.key() | {"layer_bits": {"conv2": 5}}
    assert found.key() == plain.key() | {"bits": {"mean": 5.0, "least": 3, "images": 40}}


def test_dense_and_pruned_networks_are_the_same_whatever_the_widths(tmp_path):
    pixels, label = np.zeros((1, 1, 28, 28), np.uint8), np.zeros(1, np.uint8)
    images = data.ImageSet(pixels, label, pixels, label, "none")
    plain = recipe.find("lenet").settings(50_000)
    widths = [{"bits": BITS}, {"weight_bits": 7}, {"layer_bits": {"conv2": 5}}, {"spectrum_bits": 11}]
    epochs, training, rates = plain.epochs, plain.training, plain.training.rates
    fake_quant = [
        {"epochs": amend(epochs, mirror=9)},
        {"training": amend(training, rates=amend(rates, mirror=9.0))},
        {"training": amend(training, mirror_images=9)},
    ]
    own, shared = Job(plain, images, tmp_path).keys()
    assert own["network"] == lenet().to_json() and set(shared) == {"dense", "pruned"}
    for change in widths + fake_quant:
        other, same = Job(replace(plain, **change), images, tmp_path).keys()
        assert same == shared and own != other, change
    others = [
        {"config": replace(plain.config, rho=plain.config.rho * 2)},
        {"epochs": amend(epochs, finetune=9)},
        {"epochs": amend(epochs, pruning=9)},
        {"training": amend(training, rates=amend(rates, finetune=9.0))},
        {"training": amend(training, pruning_batch=9)},
    ]
    for change in others:
        _, different = Job(replace(plain, **change), images, tmp_path).keys()
        assert different["dense"] == shared["dense"] and different["pruned"] != shared["pruned"], change
    _, seeded = Job(replace(plain, seed=9), images, tmp_path).keys()
    assert all(seeded[name] != shared[name] for name in shared)


def test_widths_survive_the_loss_of_channels(tiny_batch):
    model = NetworkModel(tiny())
    sets = {"conv1": artifact.Sparsity("filter", 1, 2)}
    prune_(model, tiny(), MagnitudeConfig(None, sets)).finalise()
    quantise_(model, tiny(), tiny_batch, layer_bits={"conv1": 4, "conv2": 6})
    made = to_artifact(model, tiny(), sparsity=sets)
    assert made.network != tiny() and made.layer_bits == {"conv1": 4, "conv2": 6}


def test_fewer_bits_are_further_from_the_float_network(tiny_batch):
    model = pruned()
    calibrated = calibrate_(model, tiny(), tiny_batch)
    with torch.no_grad():
        exact = model(tiny_batch)
    errors = []
    for bits in (12, 8, 5, 3):
        calibrated.fake_quantise_(bits, {})
        with torch.no_grad():
            errors.append(float((model(tiny_batch) - exact).square().mean()))
    assert errors == sorted(errors)
