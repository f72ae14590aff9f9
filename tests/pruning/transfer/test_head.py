"""Training of a head: what an epoch sees, and that it learns."""

import numpy as np
import pytest
import torch

from hw.util.errors import ConfigError
from pruning.transfer.examples import METHODS, NOISE, examples
from pruning.transfer.head import train

RNG = np.random.default_rng(3)
CENTRES = RNG.integers(60, 180, (3, 20)).astype(np.float32)


def clouds(count, spread=40, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    features = CENTRES[labels] + rng.normal(0, spread, (count, 20))
    return np.clip(np.floor(features), 0, 255).astype(np.float32), labels


def epoch(method, features, labels, changed=(), seed=0):
    return examples(method, features, labels.tolist(), 3, changed).draw(torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns(method):
    """A head of few images tells others apart, and the same seed gives the same head."""
    features, labels = clouds(30)
    changed = [features[:, ::-1].copy()] if method in ("images", "maps") else []
    heads = [train(examples(method, features, labels.tolist(), 3, changed), steps=200) for _ in range(2)]
    assert heads[0].accuracy(*clouds(300, seed=1)) > 85
    assert torch.equal(heads[0].weight, heads[1].weight)


def test_an_epoch_sees_an_image_or_one_of_its_changes():
    features, labels = clouds(600)
    x, targets = epoch("maps", features, labels, [features + 1000, features + 2000])
    version = ((x - torch.from_numpy(features)) / 1000).round()
    assert torch.equal(x, torch.from_numpy(features) + 1000 * version)
    counts = torch.bincount(version[:, 0].long(), minlength=3)
    assert counts.min() > 150, "all of them are drawn, the image itself too"
    assert targets.argmax(1).tolist() == labels.tolist()
    again, _ = epoch("maps", features, labels, [features + 1000, features + 2000], seed=1)
    assert not torch.equal(x, again)


def test_noise_is_a_share_of_the_deviation():
    features, labels = clouds(600)
    x, _ = epoch("noise", features, labels)
    ratio = (x - torch.from_numpy(features)).std(0) / torch.from_numpy(features).std(0)
    assert torch.allclose(ratio, torch.full_like(ratio, NOISE), atol=0.06)


def test_mixup_mixes_labels_as_it_mixes_images():
    labels = np.arange(200) % 3
    constant = labels[:, None].repeat(4, 1).astype(np.float32)  # a feature is its label
    x, targets = epoch("mixup", constant, labels)
    assert torch.allclose(x[:, 0], targets @ torch.tensor([0.0, 1.0, 2.0]), atol=1e-5)
    assert torch.allclose(targets.sum(1), torch.ones(200)) and float(targets.max(1).values.min()) < 0.9


def test_weights_without_a_word_stay_zero():
    features, labels = clouds(30)
    keep = (torch.arange(60) % 7 > 2).view(3, 20)
    head = train(examples("none", features, labels.tolist(), 3), keep=keep, steps=100)
    assert torch.equal(head.weight != 0, keep)


def test_features_that_hardly_change_do_not_get_the_largest_weights():
    """All weights share one step: the others would be rounded away."""
    features, labels = clouds(60)
    features[:, :10] = 100 + (features[:, :10] - 100) / 50
    weight = train(examples("none", features, labels.tolist(), 3), steps=200).weight.abs()
    assert weight[:, :10].max() < 4 * weight[:, 10:].max(), "deviations differ 60 times"


def test_rare_classes_count_as_much():
    """Features without information: with one image in ten of class 1, neither class is preferred."""
    labels = (np.arange(200) % 10 == 0).astype(int)
    features = (np.full((200, 4), 100) + np.arange(200)[:, None] // 10 % 2).astype(np.float32)
    head = train(examples("none", features, labels.tolist(), 2), steps=400)
    scores = head.scores(np.full((1, 4), 100.5, np.float32))[0]
    assert abs(scores[1] - scores[0]) < 0.3 < np.log(9)


def test_an_unknown_method_is_refused():
    with pytest.raises(
        ConfigError, match="no augmentation of features 'magic': choose from none, images, maps"
    ):
        examples("magic", *clouds(6), 3)
