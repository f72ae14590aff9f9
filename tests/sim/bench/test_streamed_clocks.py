"""Streamed designs at random: the clocks that the Verilog counts are those of the cost model."""

import pytest

from tests.sim.bench.streamed_designs import count, errors, random_streamed

pytestmark = [pytest.mark.verilator, pytest.mark.slow]


@pytest.mark.parametrize("seed", [2, 5, 7, 12, 15, 21, 24, 29])
def test_clocks_of_a_random_design(tmp_path, seed):
    design = random_streamed(seed)
    for run in count(tmp_path / "design", design):
        total, layers = errors(design, run)
        assert abs(total) <= 0.02
        # Loading and sending are the host's as well; of a layer nothing is.
        assert all(abs(error) <= 0.002 for error in layers.values())
