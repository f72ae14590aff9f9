"""Densities by loss per clock saved, against trying everything."""

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.errors import ConfigError
from pruning.allocate import Option, allocate, hull, slope


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
