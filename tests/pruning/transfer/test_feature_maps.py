"""Augmentations of images and of features: what is exact, and what is learned."""

import numpy as np
import pytest
import torch

from hw.contract.artifact import random_artifact
from hw.contract.network import Conv, Dense, Network
from hw.util.errors import ConfigError
from pruning.transfer import feature_maps
from pruning.transfer.augmentations import ALL, NAMES, Augmentation, chosen
from pruning.transfer.cut import cut_of
from pruning.transfer.feature_maps import FORMS, fit, r_squared, ridge
from sim.commands.embedding import embedded

FLIP, RIGHT = ALL[0], ALL[1]


def features_of_maps(count, shape, seed=0):
    return np.random.default_rng(seed).integers(20, 200, (count, int(np.prod(shape)))).astype(np.float32)


def pointwise():
    """Nothing in it knows right from left: no kernel; pooling windows fall on one another when flipped."""
    return Network(
        "pointwise",
        (3, 16, 16),
        (
            Conv("conv1", 3, 10, 1, pointwise=True, pool=2),
            Conv("conv2", 10, 7, 1, pointwise=True),
            Dense("fc", 7 * 64, 4, relu=False),
        ),
    )


# --- changes of images ----------------------------------------------------------------------------------


def test_images_move_by_whole_pixels_exactly():
    images = np.random.default_rng(1).integers(0, 256, (2, 3, 16, 16), np.uint8)
    assert np.array_equal(FLIP.images(images), images[..., ::-1])
    moved = RIGHT.images(images)
    assert np.array_equal(moved[..., 2:], images[..., :-2]) and not moved[..., :2].any()
    up = next(change for change in ALL if change.down < 0).images(images)
    assert np.array_equal(up[:, :, :-2], images[:, :, 2:]) and not up[:, :, -2:].any()


def test_rotation_goes_counterclockwise_zoom_enlarges_and_gain_spreads():
    images = np.zeros((1, 1, 32, 32), np.uint8)
    images[0, 0, 15:17, 28] = 200  # to the right of the centre
    rotate = Augmentation("rotate", degrees=10).images(images)[0, 0]
    assert (np.arange(32)[:, None] * rotate).sum() / rotate.sum() == pytest.approx(
        15.5 - 12.5 * 0.174, abs=0.4
    )
    images = np.zeros((1, 1, 32, 32), np.uint8)
    images[0, 0, 12:20, 12:20] = 100
    assert Augmentation("crop", zoom=1.5).images(images).sum() == pytest.approx(2.25 * images.sum(), rel=0.02)
    half = np.array([[[[100, 150], [150, 200]]]], np.uint8)
    assert Augmentation("contrast", gain=1.4).images(half).tolist() == [[[[80, 150], [150, 220]]]]


def test_names_choose_all_of_a_name():
    assert (
        chosen(()) == ALL
        and [change.name for change in chosen(("shift", "flip"))] == ["flip"] + ["shift"] * 4
    )
    with pytest.raises(ConfigError, match=f"no augmentation 'spin': choose from {', '.join(NAMES)}"):
        chosen(("spin",))


# --- flips that are exact -------------------------------------------------------------------------------


def test_where_no_kernel_knows_right_from_left_the_flip_of_features_is_exact():
    """To the integer: features of flipped images, through the network, are the flipped maps."""
    artifact = random_artifact(pointwise(), seed=2, kind="dense")
    images = np.random.default_rng(3).integers(0, 256, (6, 3, 16, 16), np.uint8)
    cut = cut_of(artifact)
    clean, run = (cut.vectors(embedded(artifact, part)) for part in (images, FLIP.images(images)))
    assert not np.array_equal(clean, run)
    assert np.array_equal(fit("move", cut, FLIP, clean, clean)(clean), run)


def test_where_kernels_do_it_is_a_guess():
    network = Network(
        "small", (1, 16, 16), (Conv("conv", 1, 8, 3, padding=1, pool=2), Dense("fc", 512, 2, relu=False))
    )
    artifact = random_artifact(network, seed=2, kind="dense")
    images = np.random.default_rng(3).integers(0, 256, (6, 1, 16, 16), np.uint8)
    cut = cut_of(artifact)
    clean, run = (cut.vectors(embedded(artifact, part)) for part in (images, FLIP.images(images)))
    assert not np.array_equal(fit("move", cut, FLIP, clean, clean)(clean), run)


# --- learned maps ---------------------------------------------------------------------------------------


def test_ridge_recovers_a_linear_map_from_enough_and_is_cautious_with_few():
    rng = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(12, 5, generator=rng), torch.randn(5, generator=rng)
    for count in (200, 12):  # more images than features, and not: both ways to solve it
        x = torch.randn(count, 12, generator=rng)
        found, offset = ridge(x, x @ weight + bias)
        error = (found - weight).norm() / weight.norm()
        assert error < 0.01 if count == 200 else found.norm() < 2 * weight.norm()
        if count == 200:
            assert torch.allclose(offset, bias, atol=0.02)
    noise, _ = ridge(torch.randn(30, 12, generator=rng), torch.randn(30, 5, generator=rng))
    assert noise.norm() < 0.4, "nothing is learned of noise"


@pytest.mark.parametrize("form", FORMS)
def test_a_known_map_is_found(form, monkeypatch):
    """Features of changed images are the flipped maps, then a mixture of channels: forms that learn find it
    in images they did not see, and none is worse than the guess."""
    monkeypatch.setattr(feature_maps, "HIDDEN_PASSES", 10)
    shape = (6, 4, 4)
    network = Network(
        "net", (1, 8, 8), (Conv("conv", 1, 6, 3, padding=1, pool=2), Dense("fc", 96, 3, relu=False))
    )
    cut = cut_of(random_artifact(network, seed=1))
    mix = np.eye(6) + 0.15 * np.random.default_rng(4).normal(size=(6, 6))

    def change(features):
        flipped = features.reshape(-1, *shape)[..., ::-1]
        return np.einsum("oc,nchw->nohw", mix, flipped).reshape(len(features), -1).astype(np.float32)

    seen, unseen = features_of_maps(400, shape), features_of_maps(100, shape, seed=1)
    wanted = change(unseen)
    found = r_squared(fit(form, cut, FLIP, seen, change(seen))(unseen), wanted)
    guess = r_squared(fit("move", cut, FLIP, seen, seen)(unseen), wanted)
    least = {"channels": 0.98, "linear": 0.97, "low-rank": guess, "hidden": guess, "move": guess}[form]
    assert guess < 0.9 and found >= least - 1e-9


def test_features_stay_what_pixels_hold():
    cut = cut_of(random_artifact(pointwise(), seed=1))
    features = np.full((4, cut.features), 250, np.float32) + np.arange(4, dtype=np.float32)[:, None]
    found = fit("linear", cut, FLIP, features, features + 100)(features)
    assert found.max() == 255 and found.min() >= 0


def test_no_variance_is_explained_by_the_mean_and_all_of_it_by_the_truth():
    truth = features_of_maps(50, (7,))
    assert r_squared(truth, truth) == 1
    assert r_squared(np.repeat(truth.mean(0, keepdims=True), 50, 0), truth) == pytest.approx(0, abs=1e-6)


def test_mistakes_get_a_sentence():
    cut = cut_of(random_artifact(pointwise(), seed=1))
    features = np.zeros((1, cut.features), np.float32)
    with pytest.raises(ConfigError, match="no form 'cubic' of feature maps: choose from move, channels"):
        fit("cubic", cut, FLIP, features, features)
    with pytest.raises(ConfigError, match="1 images say nothing of flip: give at least 2"):
        fit("linear", cut, FLIP, features, features)


def test_numpy_takes_over_where_torch_gives_up(monkeypatch):
    """Its eigenvectors give the same ridge."""
    rng = torch.Generator().manual_seed(1)
    x, y = torch.randn(20, 30, generator=rng), torch.randn(20, 4, generator=rng)
    wanted = ridge(x, y)

    def fails(matrix):
        raise torch.linalg.LinAlgError("failed to converge")

    monkeypatch.setattr(torch.linalg, "eigh", fails)
    assert all(
        torch.allclose(found, known, atol=1e-5) for found, known in zip(ridge(x, y), wanted, strict=True)
    )
