"""A study: which figures there are, that each is of the images it says, and that none is measured twice."""

import json

import numpy as np
import pytest

from hw.contract.artifact import random_artifact
from hw.contract.network import Conv, Dense, Network
from hw.util.errors import ArtifactError, ConfigError
from pruning.robustness import patch, plan, study
from pruning.robustness.journal import JOURNAL, Journal
from pruning.robustness.plan import Sets, Settings

NETWORK = Network(
    "seen", (1, 12, 12), (Conv("conv", 1, 8, 3, padding=1, pool=2), Dense("fc", 288, 4, relu=False))
)
SETTINGS = Settings(areas=(0.1, 0.2), names=("noise",), patch=patch.Settings(steps=2, batch=4), seed=3)


def artifacts(count):
    return {f"m{seed}": random_artifact(NETWORK, seed=seed) for seed in range(count)}


def sets():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (2, 10, 1, 12, 12)).astype(np.uint8), rng.integers(0, 4, (2, 10))
    return Sets((images[0], labels[0]), (images[1], labels[1]))


class Measured:
    """Stands in for a model that is run: the mean pixel of what it was given, of each model another part."""

    def __init__(self, fail_at=None):
        self.runs, self.fail_at = [], fail_at

    def __call__(self, artifact, images):
        if len(self.runs) == self.fail_at:
            raise KeyboardInterrupt
        self.runs.append((artifact.digest, images.copy()))
        return float(images.mean()) * 100 / 255


def run(folder, models, measured, settings=SETTINGS, told=None):
    journal = Journal(folder / JOURNAL, study.key_of(sets(), settings))
    return study.study(models, sets(), measured, settings, journal, told)


def test_every_model_is_measured_under_everything(tmp_path):
    models, measured = artifacts(3), Measured()
    found = run(tmp_path, models, measured)
    assert found["areas"] == [0.1, 0.2] and found["across_area"] == 0.2
    assert found["corruptions"] == [{"name": "noise", "unit": "σ of white", "amounts": [0.04, 0.08, 0.12]}]
    per_model = 1 + 3 + 2 + 2 + 2  # clean, noise, grey, own, shared
    assert len(measured.runs) == 3 * per_model + 3 * 2  # and across, in one area, on two others
    for name, row in found["models"].items():
        assert row["digest"] == models[name].digest
        assert [len(row[kind]) for kind in ("grey", "own", "shared")] == [2, 2, 2]
        assert row["clean"] == pytest.approx(float(sets().test[0].mean()) * 100 / 255)
    diagonal = [found["across"][name][i] for i, name in enumerate(models)]
    assert diagonal == [row["own"][1] for row in found["models"].values()]
    assert [sum(weights) for weights in found["weights"]] == pytest.approx([1, 1])
    own = [row["own"][1] for row in found["models"].values()]
    assert len(set(own)) == 3, "each model has a patch of its own"
    assert len({row["shared"][1] for row in found["models"].values()}) == 1, "and all the same one"


def test_patches_lie_alike_on_the_images_of_all_models(tmp_path):
    """In the order of the runs of either: clean, noise, then per area grey and patches."""
    models, measured = artifacts(2), Measured()
    run(tmp_path, models, measured)
    first, second = (
        [images for digest, images in measured.runs if digest == its.digest] for its in models.values()
    )
    alike = [bool((one == other).all()) for one, other in zip(first, second, strict=True)]
    own = 5
    assert [i for i, same in enumerate(alike) if not same] == [own]
    clean = sets().test[0]
    where = [images[own] != clean for images in (first, second)]
    assert 0.05 < where[0].mean() < 0.3 and (where[0] != where[1]).mean() < 0.02


def test_a_study_that_is_broken_off_goes_on(tmp_path):
    models = artifacts(2)
    whole = run(tmp_path / "whole", models, Measured())
    first, second = Measured(fail_at=9), Measured()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", models, first)
    told = []
    assert run(tmp_path / "parts", models, second, told=lambda *step: told.append(step)) == whole
    everything = Measured()
    run(tmp_path / "again", models, everything)
    assert len(first.runs) + len(second.runs) == len(everything.runs)
    learned = plan.BACKWARD * SETTINGS.patch.steps * SETTINGS.patch.batch
    patches = 2 * (1 + 1 + 2)  # two areas; on one model, on the other, on both
    images = len(everything.runs) * len(sets().test[0]) + patches * learned
    assert told and all(0 <= done <= total == images for done, total, _ in told)
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    nothing = Measured()
    run(tmp_path / "parts", models, nothing)
    assert nothing.runs == []


def test_another_model_is_added_and_its_figures_alone_are_measured(tmp_path):
    run(tmp_path, artifacts(1), Measured())
    measured = Measured()
    found = run(tmp_path, artifacts(2), measured)
    of_first = [images for digest, images in measured.runs if digest == artifacts(1)["m0"].digest]
    assert len(of_first) == 2 + 1  # under both shared patches, and under the other's
    assert "across" in found


def test_one_model_alone_shares_nothing(tmp_path):
    found = run(tmp_path, artifacts(1), Measured())
    assert not {"across", "weights", "across_area"} & set(found) and "shared" not in found["models"]["m0"]


@pytest.mark.parametrize(
    "other",
    [
        Settings(areas=(0.1, 0.2), names=("noise",), patch=patch.Settings(steps=3, batch=4), seed=3),
        Settings(areas=(0.1, 0.2), names=("noise",), patch=patch.Settings(steps=2, batch=4), seed=4),
    ],
)
def test_figures_of_other_settings_are_not_taken(tmp_path, other):
    run(tmp_path, artifacts(1), Measured())
    measured = Measured()
    run(tmp_path, artifacts(1), measured, other)
    assert len(measured.runs) == 1 + 3 + 2 + 2
    images = sets()
    changed = Sets(images.learn, (images.test[0], (images.test[1] + 1) % 4))
    assert study.key_of(changed, SETTINGS) != study.key_of(images, SETTINGS) != study.key_of(images, other)


def test_refusals():
    maps = random_artifact(Network("maps", (1, 12, 12), (Conv("conv", 1, 8, 3),)), seed=0)
    with pytest.raises(ConfigError, match="net ends in a feature map"):
        study.check({"net": maps}, sets(), SETTINGS)
    with pytest.raises(ConfigError, match="there is no area"):
        study.check(artifacts(1), sets(), Settings(areas=()))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("nothing", "journal.json"),
        ({"key": 3}, "key"),
        ({"key": "k", "figures": {"a": 101}}, "100"),
        (
            {"key": "k", "patches": {"p": {"pixels": [[[1, 2]]], "weights": [], "losses": []}}},
            "no square patch",
        ),
        ({"key": "k", "patches": {"p": {"pixels": [[[256]]], "weights": [], "losses": []}}}, "255"),
    ],
)
def test_a_journal_that_is_none_is_refused(tmp_path, content, sentence):
    path = tmp_path / JOURNAL
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ArtifactError, match=sentence):
        Journal(path, "k")
