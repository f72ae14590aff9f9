"""Budgets: a design that fits passes, one that does not is refused with every reason."""

from dataclasses import replace

import pytest

from bitstreams import boards
from hw.errors import ConfigError, DoesNotFit

VC709 = boards.find("vc709")


def test_finds_boards_whatever_the_case_and_names_the_known_ones():
    assert boards.find("VCU118").part == "xcvu9p-flga2104-2L-e"
    with pytest.raises(ConfigError, match=r"vc700.*vc707, vc709, vcu118"):
        boards.find("vc700")


@pytest.mark.parametrize("board", boards.BOARDS.values(), ids=lambda board: board.name)
def test_board_data_are_plausible(board):
    assert set(board.budget) == set(boards.RESOURCES) == set(boards.REMEDIES)
    assert board.ff == 2 * board.lut  # both families have two flip-flops per LUT
    assert board.dsp > 1000 and board.bram36 > 1000 and board.source
    assert (board.uram > 0) == (board.family == "xcup")


def test_exactly_the_budget_fits_and_one_more_does_not():
    boards.check(VC709, VC709.budget)
    for name, have in VC709.budget.items():
        with pytest.raises(DoesNotFit) as caught:
            boards.check(VC709, {**VC709.budget, name: have + 1})
        message = str(caught.value)
        assert f"{have + 1:,} {boards.RESOURCES[name]} of {have:,}" in message
        assert boards.REMEDIES[name] in message


def test_names_every_exceeded_resource_and_only_those():
    with pytest.raises(DoesNotFit) as caught:
        boards.check(VC709, {"dsp": 4000, "lut": 10, "bram36": 1470.5})
    message = str(caught.value)
    assert "4,000 DSP slices of 3,600 and 1,470.5 RAMB36 blocks of 1,470" in message
    assert "LUT" not in message
    assert "\n" not in message


def test_a_misspelt_resource_is_not_a_fit():
    with pytest.raises(ConfigError, match="dsps"):
        boards.check(VC709, {"dsps": 1})


def test_use_is_in_percent_and_infinite_without_any():
    assert boards.use(VC709, {"dsp": 900, "uram": 0}) == {"dsp": 25.0, "uram": 0.0}
    assert boards.use(replace(VC709, uram=0), {"uram": 1})["uram"] == float("inf")
