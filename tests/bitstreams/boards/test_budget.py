"""Budgets: a design that fits passes, one that does not is refused with every reason."""

import re
from dataclasses import replace

import pytest

from bitstreams import boards
from bitstreams.boards import budget
from hw.util.errors import ConfigError, DoesNotFit

VC709 = boards.find("vc709")


def test_exactly_the_budget_fits_and_one_more_does_not():
    assert set(budget.RESOURCES) == set(budget.REMEDIES)
    budget.check(VC709, VC709.budget)
    for name, have in VC709.budget.items():
        with pytest.raises(DoesNotFit) as caught:
            budget.check(VC709, {**VC709.budget, name: have + 1})
        message = str(caught.value)
        assert f"{have + 1:,} {budget.RESOURCES[name]} of {have:,}" in message
        assert budget.REMEDIES[name] in message


def test_names_every_exceeded_resource_and_only_those():
    with pytest.raises(DoesNotFit) as caught:
        budget.check(VC709, {"dsp": 4000, "lut": 10, "bram36": 1470.5})
    message = str(caught.value)
    assert "4,000 DSP slices of 3,600 and 1,470.5 RAMB36 blocks of 1,470" in message
    assert "LUT" not in message
    assert "\n" not in message


def test_ultraram_is_a_way_out_where_a_board_has_any():
    both = "take UltraRAM (--feature-memory ultra, --spectrum-memory ultra); lower --lanes or --batch"
    with pytest.raises(DoesNotFit, match=re.escape(both)):
        budget.check(boards.find("vcu118"), {"bram36": 3000})
    for board, needs in (("vc709", {"bram36": 3000}), ("vcu118", {"bram36": 3000, "uram": 128})):
        with pytest.raises(DoesNotFit, match=r"of [0-9,]+ on the v[a-z0-9]+: lower --lanes or --batch"):
            budget.check(boards.find(board), needs)
    block = "128 UltraRAM blocks of 0 on the vc709: take block RAM (--feature-memory block, --sp"
    with pytest.raises(DoesNotFit, match=re.escape(block)):
        budget.check(VC709, {"uram": 128})


def test_a_misspelt_resource_is_not_a_fit():
    with pytest.raises(ConfigError, match="dsps"):
        budget.check(VC709, {"dsps": 1})


def test_packed_products_need_wide_slices():
    budget.check_multiplier_port(VC709, {"wide_port": 25})
    budget.check_multiplier_port(VC709, {})
    budget.check_multiplier_port(boards.find("vcu118"), {"wide_port": 27})
    with pytest.raises(DoesNotFit, match="port of 26 bits, the DSP48E1 of the vc709 has 25: take narrower"):
        budget.check_multiplier_port(VC709, {"wide_port": 26})


def test_use_is_in_percent_and_infinite_without_any():
    assert budget.use(VC709, {"dsp": 900, "uram": 0}) == {"dsp": 25.0, "uram": 0.0}
    assert budget.use(replace(VC709, uram=0), {"uram": 1})["uram"] == float("inf")
