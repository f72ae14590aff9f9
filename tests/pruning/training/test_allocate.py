"""Densities by loss per clock saved, against trying everything."""

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.util.errors import ConfigError
from pruning.training.allocate import Option, allocate, hull, refill, slope


@st.composite
def layers(draw):
    """Two to four layers of two to five options, dense first; losses rise as costs fall, or nearly."""
    found = {}
    for number in range(draw(st.integers(2, 4))):
        costs = sorted(draw(st.sets(st.integers(1, 100), min_size=2, max_size=5)), reverse=True)
        losses = [0, *draw(st.lists(st.integers(-2, 50), min_size=len(costs) - 1, max_size=len(costs) - 1))]
        found[f"conv{number}"] = [
            Option(f"{cost}", cost, loss) for cost, loss in zip(costs, losses, strict=True)
        ]
    return found


@settings(deadline=None, max_examples=300)
@given(options=layers(), share=st.floats(0, 1))
def test_nothing_that_costs_as_much_loses_less(options, share):
    least = sum(min(o.cost for o in found) for found in options.values())
    most = sum(found[0].cost for found in options.values())
    chosen = allocate(options, least + share * (most - least))
    cost = sum(o.cost for o in chosen.values())
    loss = sum(o.loss for o in chosen.values())
    assert cost <= least + share * (most - least) + 1e-9
    for other in product(*options.values()):
        if sum(o.cost for o in other) <= cost:
            assert sum(o.loss for o in other) >= loss


def total(chosen, what):
    return sum(getattr(option, what) for option in chosen.values())


@settings(deadline=None, max_examples=300)
@given(options=layers(), shares=st.lists(st.floats(0, 1), min_size=2, max_size=4))
def test_what_is_left_is_spent_and_larger_targets_lose_no_more(options, shares):
    least = sum(min(o.cost for o in found) for found in options.values())
    most = sum(found[0].cost for found in options.values())
    before = float("inf")
    for share in sorted(shares):
        target = least + share * (most - least)
        chosen = allocate(options, target)
        filled = refill(options, chosen, target)
        assert total(filled, "cost") <= target + 1e-9
        assert total(filled, "loss") <= min(before, total(chosen, "loss"))
        before = total(filled, "loss")
        for name, found in options.items():
            for option in found:
                saved = filled[name].loss - option.loss
                fits = total(filled, "cost") - filled[name].cost + option.cost <= target
                assert not (fits and saved > 0 and option.cost > filled[name].cost)


def test_a_large_step_leaves_room_for_small_layers():
    options = {
        "fc1": [Option("8", 800, 0), Option("4", 400, 1)],
        "conv1": [Option("8", 80, 0), Option("6", 60, 1), Option("5", 50, 0.05)],
    }
    chosen = allocate(options, 500)
    assert {name: option.scheme for name, option in chosen.items()} == {"fc1": "4", "conv1": "5"}
    filled = refill(options, chosen, 500)
    assert {name: option.scheme for name, option in filled.items()} == {"fc1": "4", "conv1": "8"}
    assert refill(options, chosen, 470) == chosen, "6 bits would fit, but lose more"


@given(options=layers())
def test_a_hull_gets_steeper_and_cheaper(options):
    for found in options.values():
        steps = hull(found)
        slopes = [slope(a, b) for a, b in pairwise(steps)]
        assert slopes == sorted(slopes)
        assert [o.cost for o in steps] == sorted({o.cost for o in steps}, reverse=True)


def test_a_target_nothing_reaches_is_one_sentence():
    options = {"conv1": [Option("dense", 100, 0), Option("adaptive-1:8", 30, 1)]}
    with pytest.raises(ConfigError, match="come to is 35, more than the target of 34: raise it"):
        allocate(options, 34, fixed=5)
    assert allocate(options, 35, fixed=5)["conv1"].scheme == "adaptive-1:8"
    assert allocate(options, 200)["conv1"].scheme == "dense"
