"""Learning a patch: it misleads, one or several models, and never changes them."""

import numpy as np
import pytest
import torch
from torch import nn

from pruning.robustness.patch import Settings, learn, on_simplex, shown
from pruning.robustness.placement import drawn


class Brightness(nn.Module):
    """Two classes, dark and bright, by the mean of one channel; ``slope`` says how sure it is."""

    def __init__(self, channel: int, slope: float = 40.0) -> None:
        super().__init__()
        self.channel, self.slope = channel, nn.Parameter(torch.tensor(slope))

    def forward(self, x):
        bright = self.slope * (x[:, self.channel].mean((1, 2)) - 0.5)
        return torch.stack([-bright, bright], 1)


def dark(count=40, channels=2):
    """Images of class 0, close to the boundary."""
    rng = np.random.default_rng(0)
    return rng.integers(90, 120, (count, channels, 16, 16)).astype(np.uint8), np.zeros(count, np.int64)


def test_a_patch_becomes_what_misleads():
    images, labels = dark()
    model = Brightness(1)
    before = model.slope.detach().clone()
    found = learn([model], images, labels, 0.25, Settings(steps=60, batch=16))
    assert found.pixels.shape == (2, 8, 8) and found.weights == (1.0,)
    assert float(found.pixels[1].mean()) > 0.95, "white where the model looks"
    assert 0.3 < float(found.pixels[0].mean()) < 0.7, "and what it was where nobody does"
    assert found.losses[0][1] > 2 * found.losses[0][0]
    assert torch.equal(model.slope, before) and model.slope.grad is None


def test_min_max_weighs_the_model_that_resists():
    """One model is far from its boundary, the other close: the patch has to serve the first."""
    images, labels = dark()
    images[:, 0] -= 60
    found = learn(
        [Brightness(0, 30.0), Brightness(1, 30.0)], images, labels, 0.2, Settings(steps=150, batch=16)
    )
    assert sum(found.weights) == pytest.approx(1) and found.weights[0] > 0.9
    alike = learn([Brightness(1), Brightness(1)], images, labels, 0.2, Settings(steps=20, batch=16))
    assert alike.weights == pytest.approx((0.5, 0.5))


def test_the_same_seed_is_the_same_patch():
    images, labels = dark()
    made = [
        learn([Brightness(0)], images, labels, 0.1, Settings(steps=3, batch=8, seed=seed)).pixels
        for seed in (1, 1, 2)
    ]
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.2, 0.8], [0.2, 0.8]),
        ([1.0, 1.0], [0.5, 0.5]),
        ([3.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
        ([0.9, 0.7, -5.0], [0.6, 0.4, 0.0]),
        ([-2.0], [1.0]),
    ],
)
def test_the_nearest_point_of_a_simplex(values, expected):
    torch.testing.assert_close(on_simplex(torch.tensor(values)), torch.tensor(expected))


def test_images_with_a_patch_are_pixels_in_parts_as_in_one():
    images, _ = dark(7)
    where = drawn(7, torch.Generator().manual_seed(0))
    whole = shown(images, torch.ones(2, 5, 5), where)
    assert whole.dtype == np.uint8 and whole.shape == images.shape and whole.max() == 255
    np.testing.assert_array_equal(whole, shown(images, torch.ones(2, 5, 5), where, batch=3))
    untouched = (whole == images).mean()
    assert 0.7 < untouched < 0.95
