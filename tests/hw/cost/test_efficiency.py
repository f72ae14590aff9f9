"""Operations per clock of DSP slices, LUTs and RAMB36 blocks."""

import pytest

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import tiny
from hw.cost.cycles import estimates
from hw.cost.efficiency import COUNTS, per_cycle, rounded, sentence


def test_each_is_operations_over_clocks_and_its_own_count():
    found = per_cycle(6_000_000, 1000, {"dsp": 96, "lut": 40_000, "bram36": 2.5, "ff": 7})
    assert found == {"op_per_dsp_cycle": 62.5, "op_per_lut_cycle": 0.15, "op_per_bram36_cycle": 2400}
    assert sentence(found) == "62.50 per DSP slice and clock, 0.150 per LUT, 2400.00 per RAMB36 block"
    assert sentence(found, "operations").startswith("62.50 operations per DSP slice and clock, ")


def test_what_nobody_counted_and_what_there_is_none_of_has_no_figure():
    found = per_cycle(100, 3, {"dsp": 7, "bram36": 0.0})
    assert found == {"op_per_dsp_cycle": 100 / 21, "op_per_lut_cycle": None, "op_per_bram36_cycle": None}
    assert rounded(found) == {**found, "op_per_dsp_cycle": 4.7619}
    assert sentence({"op_per_dsp_cycle": 4.7619}) == sentence(found) == "4.76 per DSP slice and clock"


def test_estimates_of_a_design_carry_all_three():
    program = compile_program(random_artifact(tiny(), seed=5), AcceleratorConfig(rows=8, lanes=4, batch=4))
    found = estimates(program)
    needs = {"dsp": found["dsp_total"], "lut": found["lut"], "bram36": found["bram36"]}
    for name, kind in COUNTS.items():
        assert found[name] == pytest.approx(4 * tiny().operations / (found["cycles"] * needs[kind]))
    assert found["convolutions_only"] is False
