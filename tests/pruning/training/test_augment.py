"""Random changes of training images: what they may move, and what stays."""

import pytest
import torch

from pruning.training.augment import AUGMENTATIONS, CUT, SHIFT, shift_and_flip, shift_flip_and_cut


def pictures(count: int) -> torch.Tensor:
    """No pixel is 0, and no two of a picture are alike."""
    return torch.arange(1, 8 * 12 * 2 + 1).view(1, 2, 8, 12).repeat(count, 1, 1, 1).to(torch.uint8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_picture_is_moved_and_mirrored_as_one():
    x = pictures(200)
    moved = shift_and_flip(x, generator())
    ways = set()
    for picture in moved:
        back = (picture * 255).round().to(torch.uint8)
        flipped = bool((back[0].int().diff(dim=1) == -1).any())
        wanted = x[0].flip(2) if flipped else x[0]
        padded = torch.nn.functional.pad(wanted, (SHIFT,) * 4)
        places = [
            (top, left)
            for top in range(2 * SHIFT + 1)
            for left in range(2 * SHIFT + 1)
            if torch.equal(padded[:, top : top + 8, left : left + 12], back)
        ]
        assert len(places) == 1
        ways.add((flipped, *places[0]))
    assert {way[0] for way in ways} == {False, True} and {way[1] for way in ways} == set(range(2 * SHIFT + 1))


def test_a_square_is_cut_out_of_what_was_moved():
    x = torch.full((400, 2, 24, 20), 9, dtype=torch.uint8)
    cut, moved = shift_flip_and_cut(x, generator(1)), shift_and_flip(x, generator(1))
    sizes = set()
    for after, before in zip(cut, moved, strict=True):
        gone = (after != before).any(0) | (before == 0).all(0)  # zeros that moved in may have been cut, too
        assert torch.equal(after[:, ~gone], before[:, ~gone])
        rows, columns = (after != before).any(0).nonzero(as_tuple=True)
        if len(rows):
            height, width = int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1
            assert height <= CUT and width <= CUT
            assert bool((after[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] == 0).all())
            sizes.add((height, width))
    assert (CUT, CUT) in sizes and min(height for height, _ in sizes) <= CUT // 2, "it may reach beyond"


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_same_numbers_give_the_same_images(name):
    x = pictures(5)
    first, again = (AUGMENTATIONS[name](x, generator(7)) for _ in range(2))
    assert first.shape == x.shape and first.dtype == torch.float32 and torch.equal(first, again)
    assert 0 <= float(first.min()) and float(first.max()) <= 1
