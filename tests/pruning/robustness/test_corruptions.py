"""Corruptions: each does what it says, by as much as it says."""

import numpy as np
import pytest

from hw.util.errors import ConfigError
from pruning.robustness import corruptions
from pruning.robustness.corruptions import ALL, NAMES, SEVERITIES, chosen

BY_NAME = {kind.name: kind for kind in ALL}


def pictures(channels=3, count=6):
    """Smooth pictures with an edge, of middle brightness: nothing saturates."""
    y, x = np.mgrid[:32, :24]
    shades = [90 + 2 * y + x + 30 * (x > 12) + 3 * n for n in range(count * channels)]
    return np.clip(shades, 0, 255).reshape(count, channels, 32, 24).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("kind", ALL, ids=NAMES)
def test_severities_change_pictures_more_and_more(kind, channels):
    images = pictures(channels)
    before = images.copy()
    assert len(kind.amounts) == SEVERITIES
    changes = []
    for severity in range(1, SEVERITIES + 1):
        found = kind.images(images, severity, seed=3)
        assert found.shape == images.shape and found.dtype == np.uint8
        changes.append(float(np.abs(found.astype(int) - images).mean()))
    assert 0 < changes[0] < changes[1] < changes[2]
    np.testing.assert_array_equal(images, before)


def test_noise_is_as_strong_as_it_says_and_another_one_on_every_image():
    grey = np.full((4, 3, 32, 32), 128, np.uint8)
    noise = BY_NAME["noise"].images(grey, 2, seed=0).astype(float) - 128
    assert noise.std() == pytest.approx(0.08 * 255, rel=0.03) and abs(noise.mean()) < 1
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.1


def test_the_same_seed_is_the_same_noise_however_many_images_follow():
    images = pictures(count=5)
    noise = BY_NAME["noise"]
    np.testing.assert_array_equal(noise.images(images, 1, 7)[:2], noise.images(images[:2], 1, 7))
    assert (noise.images(images, 1, 7) != noise.images(images, 1, 8)).any()


def test_contrast_is_around_the_mean_of_each_image():
    images = np.stack([np.full((1, 8, 8), 40), np.full((1, 8, 8), 200)]).astype(np.uint8)
    images[:, :, 0] += 20
    found = BY_NAME["contrast"].images(images, 2, 0).astype(float)
    for before, after in zip(images, found, strict=True):
        assert after.mean() == pytest.approx(before.mean(), abs=0.5)
        assert np.ptp(after) == pytest.approx(0.4 * 20, abs=1)


def test_a_blur_keeps_channels_apart_and_flat_pictures_flat():
    images = np.zeros((1, 3, 16, 16), np.uint8)
    images[0, 1] = 255
    np.testing.assert_array_equal(BY_NAME["blur"].images(images, 3, 0), images)
    images[0, 0, 8, 8] = 255
    found = BY_NAME["blur"].images(images, 2, 0)[0]
    weights = np.exp(-(np.arange(-8, 8) ** 2) / 2)
    assert found[0, 8, 8] == pytest.approx(255 / weights.sum() ** 2, abs=1)
    assert found[0, 8, 9] == found[0, 7, 8] > 0 == found[2].max()


def test_colours_come_back_from_jpeg_in_their_channels():
    images = np.zeros((1, 3, 16, 16), np.uint8)
    images[0, 0] = 200
    found = BY_NAME["jpeg"].images(images, 1, 0)[0].astype(int)
    assert found[0].mean() == pytest.approx(200, abs=4) and found[1:].max() < 12


def test_names():
    assert tuple(kind.name for kind in chosen(())) == NAMES
    assert [kind.name for kind in chosen(("jpeg", "noise"))] == ["noise", "jpeg"]
    with pytest.raises(ConfigError, match=f"no corruption 'fog': choose from {', '.join(NAMES)}"):
        corruptions.chosen(("noise", "fog"))
