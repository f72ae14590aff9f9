"""Where a patch lies: to the pixel where nothing is turned or bent, else as angle, scale and moves say."""

import math
from dataclasses import replace

import pytest
import torch

from hw.util.errors import ConfigError
from pruning.robustness import placement
from pruning.robustness.placement import Placements, drawn, place, side_of


def flat(count=1, **changes) -> Placements:
    """Nothing moved; fields by name, (count,)."""
    zero, one = torch.zeros(count), torch.ones(count)
    made = Placements(zero, zero, zero, one, zero, one, torch.zeros(count, 9, 2))
    return replace(made, **{name: torch.as_tensor(value).float() for name, value in changes.items()})


@pytest.fixture
def patch():
    return torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def images():
    return torch.rand(2, 3, 15, 21, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("x", "y", "left", "top"), [(-1, -1, 0, 0), (1, -1, 16, 0), (0, 0, 8, 5), (0.25, 1, 10, 10)]
)
def test_an_unmoved_patch_covers_exactly_its_pixels(images, patch, x, y, left, top):
    found = place(images, patch, flat(2, x=[x, x], y=[y, y]))
    expected = images.clone()
    expected[:, :, top : top + 5, left : left + 5] = patch
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_every_image_has_its_own_placement(images, patch):
    found = place(images, patch, flat(2, x=[-1, 1], y=[-1, 1]))
    torch.testing.assert_close(found[0, :, :5, :5], patch, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[1, :, -5:, -5:], patch, atol=1e-5, rtol=0)


def test_a_quarter_turn_is_one(images, patch):
    found = place(images[:1], patch, flat(x=[-1], y=[-1], angle=[math.pi / 2]))
    turned = patch.rot90(-1, (1, 2))
    torch.testing.assert_close(found[0, :, :5, :5], turned, atol=1e-5, rtol=0)


def test_twice_the_scale_is_four_times_the_pixels():
    black, white = torch.zeros(1, 1, 20, 30), torch.ones(1, 4, 4)
    areas = [float(place(black, white, flat(scale=[scale])).sum()) for scale in (1, 2)]
    assert areas == pytest.approx([16, 64], rel=0.05)


def test_light_and_contrast_stay_within_black_and_white():
    black, patch = torch.zeros(1, 1, 8, 8), torch.tensor([[[0.5, 0.9], [0.0, 0.2]]])
    found = place(black, patch, flat(light=[0.1], gain=[1.2], x=[-1], y=[-1]))[0, 0, :2, :2]
    torch.testing.assert_close(found, torch.tensor([[0.7, 1.0], [0.1, 0.34]]), atol=1e-5, rtol=0)


def test_points_of_the_cloth_move_as_drawn():
    """The middle of the patch is moved by a quarter of its half: a dot there goes as far to the right."""
    side = 8
    patch = torch.zeros(1, side, side)
    patch[0, 3:5, 3:5] = 1
    bend = torch.zeros(1, 9, 2)
    bend[0, 4, 0] = 0.25
    black = torch.zeros(1, 1, 16, 16)
    columns = torch.arange(16.0)
    before, after = (place(black, patch, flat(bend=moves))[0, 0] for moves in (torch.zeros(1, 9, 2), bend))
    middle = [float((found.sum(0) * columns).sum() / found.sum()) for found in (before, after)]
    half = (side + 2 * placement.MARGIN) / 2
    assert middle[0] == pytest.approx(7.5, abs=1e-3) and middle[1] - middle[0] == pytest.approx(
        0.25 * half, rel=0.2
    )
    rows = [float((found.sum(1) * columns).sum() / found.sum()) for found in (before, after)]
    assert rows[1] == pytest.approx(rows[0], abs=0.1)


def test_gradients_reach_the_patch_and_the_image(images, patch):
    patch, images = patch.requires_grad_(), images.requires_grad_()
    where = drawn(2, torch.Generator().manual_seed(4))
    place(images, patch, where).sum().backward()
    assert bool((patch.grad > 0).all())
    shown = images.grad
    assert float(shown.min()) == pytest.approx(0, abs=1e-5) and float(shown.max()) == 1


def test_what_is_drawn_is_within_its_bounds_and_reaches_them():
    found = drawn(4000, torch.Generator().manual_seed(0))
    bounds = {"x": (-1, 1), "y": (-1, 1), "angle": (-math.radians(20), math.radians(20))}
    bounds |= {"scale": (0.85, 1.15), "light": (-0.1, 0.1), "gain": (0.8, 1.2)}
    for name, (low, high) in bounds.items():
        values = getattr(found, name)
        reach = (high - low) / 100
        assert low <= values.min() < low + reach and high - reach < values.max() <= high, name
    assert float(found.bend.std()) == pytest.approx(placement.BEND, rel=0.02)
    part = found.of(slice(3, 5))
    assert len(part.bend) == 2 and torch.equal(part.angle, found.angle[3:5])


def test_a_side_is_the_root_of_the_area():
    assert [side_of(area, 32, 32) for area in (0.05, 0.1, 0.2)] == [7, 10, 14]


@pytest.mark.parametrize(
    ("area", "sentence"),
    [
        (0.0, "between 0 and 1, not 0"),
        (1.0, "not 1"),
        (float("nan"), "not nan"),
        (1e-4, "a side of 0"),
        (0.9, "4×90"),
    ],
)
def test_areas_that_are_none(area, sentence):
    with pytest.raises(ConfigError, match=sentence):
        side_of(area, 4 if area == 0.9 else 20, 90 if area == 0.9 else 20)
