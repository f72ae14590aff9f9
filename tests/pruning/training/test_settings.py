"""What decides a job's result: smoothed labels count where they are set, and the device never does."""

import math

import msgspec
import pytest
import torch

from hw.contract.network import tiny
from hw.util.errors import ConfigError
from pruning.layers.gradient import optimiser_for
from pruning.layers.models import NetworkModel
from pruning.training import recipe
from pruning.training.device import CPU, device_of
from pruning.training.distributed import World
from pruning.training.job_state import keys
from pruning.training.settings import Training
from pruning.training.train import Labelled, Pass, Phase, balance, train_epoch


def test_keys_of_older_checkpoints_stay():
    """A job that smooths nothing goes on with what was saved before there was smoothing."""
    plain = recipe.find("lenet").settings(60_000)
    own, shared = keys(plain, {}, {})
    assert all("label_smoothing" not in key["training"] for key in (own, *shared.values()))
    assert set(own["training"]) == set(Training.__struct_fields__) - {
        "label_smoothing",
        "average",
        "balanced",
    }
    smooth = recipe.find("vgg16-cifar-half-long").settings(50_000)
    own, shared = keys(smooth, {}, {})
    assert all(key["training"]["label_smoothing"] == 0.1 for key in (own, *shared.values()))


def test_all_classes_count_alike_where_they_should():
    """The weighted loss of a step is that of a set in which every class has as many images, and an image
    counts 1 on average; a class without images changes nothing."""
    labels = torch.tensor([0, 1, 1, 1, 1, 1], dtype=torch.uint8)
    weights = balance(labels, 3)
    assert weights.tolist() == pytest.approx([3.0, 0.6, 1.0])
    assert float(weights[labels.long()].mean()) == pytest.approx(1)
    torch.manual_seed(1)
    images = torch.randint(0, 256, (6, *tiny().input), dtype=torch.uint8)
    model = NetworkModel(tiny()).eval()
    with torch.no_grad():
        entropy = -model(images.float() / 255).log_softmax(1)[torch.arange(6), labels.long()]
    optimiser = optimiser_for(model, "sgd", 0.0)
    progress = Pass(6, torch.Generator().manual_seed(2))
    weights = balance(labels, tiny().classes)
    loss = train_epoch(
        model,
        optimiser,
        Labelled(images, labels),
        Phase("dense", 1, 0.0),
        0,
        progress,
        batch=6,
        augment="none",
        class_weights=weights,
    )
    assert math.isclose(loss, float(entropy[:1].mean() + entropy[1:].mean()) / 2, rel_tol=1e-5)
    assert recipe.find("pneumonia").training.balanced and not recipe.find("lenet").training.balanced


@pytest.mark.parametrize("value", ["1.0", "-0.1"])
def test_labels_cannot_be_smoothed_away(tmp_path, value):
    path = tmp_path / "own.toml"
    path.write_text(f'network = "lenet"\ndata = "mnist"\n[training]\nlabel_smoothing = {value}\n')
    with pytest.raises(ConfigError, match="label_smoothing must be at least 0 and below 1, not"):
        recipe.find(str(path))


def test_smoothed_labels_share_with_all_classes():
    """The loss of a step is (1 - s) · cross entropy + s · its mean over all classes."""
    torch.manual_seed(1)
    images = torch.randint(0, 256, (6, *tiny().input), dtype=torch.uint8)
    data = Labelled(images, torch.tensor([0, 1, 2, 3, 4, 0], dtype=torch.uint8))
    model = NetworkModel(tiny()).eval()
    with torch.no_grad():
        logs = model(images.float() / 255).log_softmax(1)
    entropy = -float(logs[torch.arange(6), data.labels.long()].mean())
    spread = -float(logs.mean())

    def loss(share: float) -> float:
        progress = Pass(6, torch.Generator().manual_seed(2))
        optimiser = optimiser_for(model, "sgd", 0.0)
        phase = Phase("dense", 1, 0.0)
        return train_epoch(
            model, optimiser, data, phase, 0, progress, batch=6, augment="none", label_smoothing=share
        )

    assert math.isclose(loss(0.0), entropy, rel_tol=1e-5)
    assert math.isclose(loss(0.2), 0.8 * entropy + 0.2 * spread, rel_tol=1e-5)


# --- the device ---------------------------------------------------------------------------------------


def test_the_processor_is_there():
    assert device_of("cpu", World()) == CPU == device_of("cpu", World(1, 2))


@pytest.mark.parametrize("name", ["abacus", "meta", "cuda:77", ""])
def test_what_is_not_there_is_refused(name):
    with pytest.raises(ConfigError, match=r"torch cannot compute on the device .*leave --device out"):
        device_of(name, World())


def test_a_device_is_none_of_the_settings():
    """So that a job may go on on another one."""
    settings = recipe.find("vgg16-cifar-long").settings(50_000)
    assert "device" not in msgspec.json.encode(settings.key()).decode()


def test_the_command_line_refuses_a_device_before_it_trains(run, tmp_path):
    pytest.importorskip("mlxtend")
    result = run("prune", "lenet", "--device", "abacus", "--out", tmp_path / "lenet")
    assert result.code == 2 and "the device 'abacus'" in result.err
