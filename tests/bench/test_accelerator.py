"""The whole accelerator on Verilator: every result equals the integer model, every clock the cost model."""

import numpy as np
import pytest

from hw.design import DesignInfo
from hw.estimate import run_cycles, total_cycles
from hw.program import compile_program
from sim import model, rtl
from tests.bench.accelerators import accelerator, images

pytestmark = pytest.mark.verilator

CASES = [
    ("tiny", "adaptive", 8, 4, 4),
    ("tiny", "kernel", 4, 3, 2),
    ("map", "kernel", 8, 4, 2),
    ("kernels", "dense", 4, 2, 1),
    ("sections", "adaptive", 4, 10, 2),
]
SLOW = [("tiny", "dense", 16, 6, 5), ("map", "adaptive", 12, 7, 3), ("kernels", "kernel", 8, 5, 2)]
EVERY = CASES + [pytest.param(*case, marks=pytest.mark.slow) for case in SLOW]


@pytest.mark.parametrize(("network", "kind", "rows", "lanes", "batch"), EVERY)
def test_results_and_clocks(network, kind, rows, lanes, batch):
    folder, artifact = accelerator(network, kind, rows, lanes, batch)
    pictures = images(network, 2 * batch + 1)
    expected = model.run(artifact, pictures)

    # Undisturbed, back to back, the last run with a single image: the clocks are those of the model.
    free = rtl.simulate(folder, pictures)
    np.testing.assert_array_equal(free.scores, expected)
    program = compile_program(artifact, DesignInfo.load(folder).config)
    for counters, size in zip(free.counters, (batch, batch, 1), strict=True):
        predicted = run_cycles(program, size)
        assert [layer.cycles for layer in counters.layers] == [layer.cycles for layer in predicted]
        assert [layer.steps for layer in counters.layers] == [layer.steps for layer in predicted]
        assert abs(counters.cycles - total_cycles(program, size)) <= 0.02 * counters.cycles

    # Every port paused at random, one run cut off by a reset.
    stalled = rtl.simulate(folder, pictures, stalls=True, seed=3, reset_midway=True)
    np.testing.assert_array_equal(stalled.scores, expected)
