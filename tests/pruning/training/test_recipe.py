"""The LeNet job on a handful of real digits: files, resumption, determinism, refusals."""

import csv

import numpy as np
import pytest
import torch

from hw.contract import artifact
from hw.util.errors import ArtifactError, ConfigError
from pruning import data
from pruning.training import recipe
from pruning.training.augment import warp
from pruning.training.events import FOLDER
from pruning.training.recipe_file import Schedule
from pruning.training.run import run as follow
from pruning.training.settings import Training
from pruning.training.train import Phase, generator_for, train_epoch
from tests.pruning.training.test_events import in_log, read

EPOCHS = Schedule(1, 2, 1, 2)


@pytest.fixture(scope="module")
def few_digits() -> data.ImageSet:
    whole = data.load("mnist")
    return data.ImageSet(
        whole.train_images[::32],
        whole.train_labels[::32],
        whole.test_images[::20],
        whole.test_labels[::20],
        "few",
    )


@pytest.fixture
def train(monkeypatch, few_digits, tmp_path):
    monkeypatch.setattr(data, "load", lambda name, data_dir: few_digits)

    def run(name: str = "net", **options):
        places = {"out": tmp_path / name, "cache": tmp_path / f"{name}-cache"}
        rest = {key: options.pop(key) for key in ("resume", "progress", "tensorboard") if key in options}
        return follow(recipe.find("lenet", **{"epochs": EPOCHS, **options}), **places, **rest)

    return run


class Killed(Exception):
    pass


def killer(after: int):
    """A progress callback that kills the job in the ``after``-th epoch it hears the end of."""
    ended = []

    def progress(event):
        ended.append(event) if event.accuracy is not None else None
        if len(ended) == after:
            raise Killed

    return progress


def test_writes_everything_and_reports_progress(train, few_digits, tmp_path):
    events = []
    result = train(progress=events.append)
    loaded = artifact.load(tmp_path / "net" / "model.npz")
    assert loaded.digest == result.digest and result.artifact == tmp_path / "net" / "model.npz"
    assert loaded.sparsity["conv2"] == artifact.Sparsity("adaptive", 2, 8, 8)
    assert loaded.sparsity["conv1"] == artifact.Sparsity()
    assert loaded.provenance["accuracy"] == result.accuracy
    assert loaded.provenance["data"] == {"name": "few", "train": 125, "test": 50}
    assert set(result.accuracy) == {"dense", "pruned", "mirror"}
    table = {layer.name: layer for layer in result.layers}
    assert table["conv2"].kept_share == table["fc1"].kept_share == 0.25
    mask = loaded.layers["conv2"].mask
    assert 0.2 < mask.mean() <= 0.25
    rows = list(csv.DictReader((tmp_path / "net" / "training.csv").read_text().splitlines()))
    assert [row["phase"] for row in rows] == ["dense"] + ["admm"] * 2 + ["finetune"] + ["mirror"] * 2
    assert float(rows[-1]["accuracy"]) == result.accuracy["mirror"]
    done = [event.done for event in events]
    assert done == sorted(done) and done[-1] == 1


def test_a_killed_job_ends_as_if_it_had_not_been(train, tmp_path):
    """Killed five times, in every phase, between an epoch's end and its checkpoint."""
    expected = train("whole").digest
    for after in (1, 2, 2, 2, 2):  # an epoch that was cut off is done again
        with pytest.raises(Killed):
            train("killed", progress=killer(after), tensorboard=True)
        assert not (tmp_path / "killed" / "model.npz").exists()
    events = []
    assert train("killed", tensorboard=True, progress=events.append).digest == expected
    assert "(went on from checkpoint.pt), loss" in events[0].describe()
    assert read(tmp_path / "killed" / FOLDER) == in_log(tmp_path / "killed" / "training.csv")
    logs = [(tmp_path / name / "training.csv").read_text() for name in ("whole", "killed")]
    assert logs[0] == logs[1]


def test_a_finished_job_keeps_the_weights_alone(train, tmp_path):
    """Neither moments of the optimiser nor ADMM's copies, which take four times as much on a disk."""
    train()
    path = tmp_path / "net" / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    weights = sum(value.nbytes for value in state["model"].values())
    assert state["optimiser"] is None and weights < path.stat().st_size < 1.2 * weights


def test_killed_at_random_batches_it_ends_as_if_it_had_not_been(train, tmp_path, monkeypatch):
    """A checkpoint after every batch; killed before the next one, anywhere in any phase."""
    monkeypatch.setattr("pruning.training.job.CHECKPOINT_SECONDS", -1)
    seed = 20261126
    print(f"seed {seed}")
    moments = np.random.default_rng(seed).integers(1, 5, 6)
    expected = train("whole", batch=16).digest
    for moment in moments:
        calls = iter(range(int(moment)))

        def progress(event, calls=calls):
            if next(calls, None) is None:
                raise Killed

        with pytest.raises(Killed):
            train("killed", batch=16, progress=progress)
    assert train("killed", batch=16).digest == expected
    logs = [(tmp_path / name / "training.csv").read_text() for name in ("whole", "killed")]
    assert logs[0] == logs[1]


def test_fake_quant_may_see_a_part_of_the_images_in_every_epoch(train, monkeypatch):
    counts = []
    step = train_epoch

    def counting(model, optimiser, data, phase, epoch, progress, **options):
        counts.append((phase.name, len(progress.order)))
        orders.append(progress.order)
        return step(model, optimiser, data, phase, epoch, progress, **options)

    orders: list[torch.Tensor] = []
    monkeypatch.setattr("pruning.training.job.train_epoch", counting)
    train(training=Training(mirror_images=50))
    assert counts == [("dense", 125), ("admm", 125), ("admm", 125), ("finetune", 125)] + 2 * [("mirror", 50)]
    assert len(set(orders[-1].tolist())) == 50 and not torch.equal(*orders[-2:])


def test_resuming_skips_what_is_done(train):
    train()
    events = []
    train(progress=events.append)
    assert not events
    train(progress=events.append, epochs=Schedule(1, 2, 2, 2))
    assert {event.phase for event in events} == {"admm", "finetune", "mirror"}, "the dense network is shared"
    events.clear()
    train(progress=events.append, resume=False, seed=1)
    assert events[0].phase == "dense", "another seed is another dense network"


def test_other_widths_go_on_from_the_pruned_network(train):
    """With what they would come to if they had pruned it themselves; without ``resume`` they do."""
    train()
    phases = []
    narrow = train(weight_bits=6, spectrum_bits=11, progress=lambda event: phases.append(event.phase))
    assert set(phases) == {"mirror"}
    phases.clear()
    alone = train(
        weight_bits=6, spectrum_bits=11, progress=lambda event: phases.append(event.phase), resume=False
    )
    assert set(phases) == {"admm", "finetune", "mirror"}
    assert narrow.digest == alone.digest and narrow.accuracy == alone.accuracy


@pytest.mark.parametrize("sparsity", ["uniform", "kernel"])
def test_other_sparsities_hold_their_sets(train, sparsity):
    layers = artifact.load(train(sparsity=sparsity).artifact).layers
    if sparsity == "kernel":
        for name in ("conv1", "conv2"):
            assert layers[name].mask.sum(-1).max() <= 8
        assert layers["fc1"].mask.mean() <= 0.25 * 8 / 32
    else:
        grouped = np.pad(layers["conv2"].mask, ((0, 0), (0, 4), (0, 0))).reshape(50, 3, 8, 32)
        assert grouped.sum(2).max() == 2 and grouped[:, 2].sum(1).max() == 1


def test_dense_is_a_row_like_any_other(train):
    """Trained as long as the others and quantised, and every word stays."""
    result = train(sparsity="dense")
    assert set(result.accuracy) == {"dense", "pruned", "mirror"}
    assert [layer.kept_share for layer in result.layers] == [1.0] * 4
    assert {one.kind for one in artifact.load(result.artifact).sparsity.values()} == {"dense"}


def test_filters_that_go_disappear_from_the_network(train):
    """Half of the channels of both convolutions, and of conv2's those that no column of fc1 reads."""
    loaded = artifact.load(train(sparsity="filter").artifact)
    conv1, conv2, fc1, fc2 = loaded.network.layers
    assert conv1.out_channels == conv2.in_channels == 10 and 15 < conv2.out_channels <= 25
    assert fc1.in_features == conv2.out_channels * 16 and fc1.out_features == fc2.in_features == 500
    assert loaded.layers["conv2"].mask.mean() > 0.9
    assert loaded.layers["fc1"].mask.sum() <= 500 * 50 * 8 / 4
    assert loaded.sparsity["conv1"] == artifact.Sparsity("filter", 16, 32)
    assert loaded.sparsity["fc1"] == artifact.Sparsity("column", 8, 32)


@pytest.mark.parametrize("optimiser", ["proximal", "reweighted", "magnitude"])
def test_other_optimisers_resume_and_log_under_their_names(train, tmp_path, optimiser):
    """Killed in the second epoch of pruning; ends as one that was not."""
    options = {"optimiser": optimiser, "epochs": Schedule(1, 2, 1, 1)}
    expected = train("whole", **options)
    with pytest.raises(Killed):
        train("killed", progress=killer(3), **options)
    assert train("killed", **options).digest == expected.digest
    rows = list(csv.DictReader((tmp_path / "killed" / "training.csv").read_text().splitlines()))
    assert [row["phase"] for row in rows] == ["dense", optimiser, optimiser, "finetune", "mirror"]
    assert artifact.load(expected.artifact).provenance["recipe"] == f"lenet adaptive, {optimiser}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": "magic"}, "'magic'"),
        ({"optimiser": "magic"}, "'magic': choose admm"),
        ({"weight_bits": 20}, "not 20"),
        ({"batch": 0}, "not 0"),
        ({"seed": -1}, "not -1"),
        ({"block": 0}, "not 0"),
    ],
)
def test_nonsense_is_refused_before_training(train, options, message):
    with pytest.raises(ConfigError, match=message):
        train(**options, progress=killer(0))


def test_a_job_that_ran_out_of_room_goes_on_where_it_was(train, tmp_path, little_room):
    expected = train("whole").digest
    small = (tmp_path / "whole" / "checkpoint.pt").stat().st_size
    before = little_room(2 * small)  # a checkpoint of ADMM at work does not fit, one of dense training does
    with pytest.raises(ArtifactError, match=r"cannot write .*checkpoint\.pt: File too large"):
        train("net")
    little_room(before)
    phases = []
    assert train("net", progress=lambda event: phases.append(event.phase)).digest == expected
    assert phases[0] == "admm"


def test_bad_files_are_one_sentence(train, tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ArtifactError, match=r"checkpoint\.pt is not a usable checkpoint .* delete it"):
        train()
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="cannot write"):
        train("file")


def test_augmented_digits_are_inputs_the_hardware_can_get():
    """Whole steps of 1/255, reproducible, moved but not gone."""
    images = torch.zeros(64, 1, 28, 28, dtype=torch.uint8)
    images[..., 10:18, 10:18] = 200
    moved = warp(images, generator_for(0, 1, 2)) * 255
    torch.testing.assert_close(moved, moved.round(), rtol=0, atol=1e-3)
    assert moved.shape == (64, 1, 28, 28) and 0 <= moved.min() and moved.max() <= 255
    centres = (moved.sum(2)[:, 0] * torch.arange(28)).sum(1) / moved.sum((1, 2, 3))
    assert 0.5 < centres.std() < 3 and moved.sum((1, 2, 3)).min() > 0.6 * 64 * 200
    assert torch.equal(moved, warp(images, generator_for(0, 1, 2)) * 255)
    assert not torch.equal(moved, warp(images, generator_for(0, 1, 3)) * 255)


def test_learning_rate_falls_along_a_cosine():
    phase = Phase("dense", 10, 0.1)
    rates = [phase.lr_at(done / 10) for done in range(11)]
    assert rates[0] == pytest.approx(0.1) and rates[-1] == pytest.approx(0.002)
    assert rates == sorted(rates, reverse=True) and rates[5] == pytest.approx(0.051)
