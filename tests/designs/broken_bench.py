"""The cocotb test of random designs: a few broken-off runs, by every way the design has."""

import cocotb

from tests.sim.bench.broken_off import ENDINGS, break_off


@cocotb.test()
async def runs_that_are_broken_off(dut):
    """As in ``tests/sim/bench/test_endings.py``, one of each way."""
    await break_off(dut, len(ENDINGS))
