"""Row weights, product array and drain together, in the clocks in which the core lets them meet."""

import numpy as np
import pytest
from amaranth import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import BANKS, drain_rows
from hw.formats import SPECTRUM, drain
from hw.gateware.drain import Drain
from hw.gateware.mac import MacLane, Mode, RowWeights

WEIGHT_BITS, ACC_BITS, SHIFT = 8, 34, 9


class Chain(wiring.Component):
    """The array of one lane from the weights of a step to drained words."""

    def __init__(self, rows):
        group = drain_rows(rows)
        self.weights = RowWeights(rows, WEIGHT_BITS, group)
        self.lane = MacLane(rows, WEIGHT_BITS, ACC_BITS, group)
        self.drain = Drain(rows, ACC_BITS, group)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.weights, m.submodules.lane, m.submodules.drain = w, lane, drain = (
            self.weights,
            self.lane,
            self.drain,
        )
        m.d.comb += [
            lane.selects.eq(w.selects),
            lane.factors.eq(w.factors),
            lane.first.eq(w.o_first),
            drain.sums.eq(lane.sums),
        ]
        return m


def random_words(seed, rows, lengths):
    """Words as steps of (x (8, 2), select (N,), weight (N, 2))."""
    rng = np.random.default_rng(seed)
    low, high = SPECTRUM.limits
    for length in lengths:
        yield [
            (
                rng.integers(low, high + 1, (BANKS, 2)),
                rng.integers(BANKS, size=rows),
                rng.integers(-128, 128, (rows, 2)),
            )
            for _ in range(length)
        ]


def expected(word):
    """Drained words (N, 2) of complex products."""
    total = 0
    for x, select, weight in word:
        a, b = x[select].T
        c, d = weight.T
        total = total + np.stack([a * c - b * d, a * d + b * c], -1)
    return drain(total, np.full((len(total), 1), SHIFT))


def run(simulate, words, rows, served):
    """Drained words (served, 2) of every word; words follow each other without a gap."""
    dut, width = Chain(rows), drain_rows(rows)
    weights, lane, out = dut.weights, dut.lane, dut.drain
    steps = [(i, t == 0, step) for i, word in enumerate(words) for t, step in enumerate(word)]
    ends = np.cumsum([len(word) for word in words]) - 1
    to_sums = weights.latency + lane.latency
    turns = {
        int(end) + to_sums - out.lead + j: (i, j)
        for i, end in enumerate(ends)
        for j in range(served // width)
    }
    assert len(turns) == len(words) * served // width, "a word's turn begins while another one's lasts"
    found = np.zeros((len(words), served, 2), int)

    async def testbench(ctx):
        ctx.set(out.shift, [SHIFT] * width)
        for now in range(max(turns) + out.latency + 1):
            ctx.set(weights.valid, now < len(steps))
            if now < len(steps):
                _, first, (_, select, weight) = steps[now]
                ctx.set(weights.first, first)
                ctx.set(weights.modes[0], Mode.COMPLEX)
                ctx.set(
                    weights.weights,
                    [
                        {"select": int(s), "re": int(c), "im": int(d)}
                        for s, (c, d) in zip(select, weight, strict=True)
                    ],
                )
            if 0 <= now - weights.latency < len(steps):
                x = steps[now - weights.latency][2][0]
                ctx.set(lane.x, [{"re": int(a), "im": int(b)} for a, b in x])
            ctx.set(out.group, turns.get(now, (0, 0))[1])
            if now - out.latency in turns:
                i, j = turns[now - out.latency]
                found[i, width * j : width * (j + 1)] = [(ctx.get(w.re), ctx.get(w.im)) for w in out.o_words]
            await ctx.tick()

    simulate(dut, testbench)
    return found


@pytest.mark.parametrize("rows", [4, 8, 12, 32, pytest.param(64, marks=pytest.mark.slow)])
def test_words_as_short_as_their_drain_back_to_back(simulate, rows):
    """Every sum is there for one clock only: a group a clock early or late would miss it."""
    groups = rows // drain_rows(rows)
    words = list(random_words(rows, rows, [groups] * 4 + [groups + 1, groups + 3, groups]))
    found = run(simulate, words, rows, rows)
    np.testing.assert_array_equal(found, [expected(word) for word in words])


@pytest.mark.parametrize("rows", [8, 32])
def test_short_blocks_may_have_shorter_words(simulate, rows):
    """Words of one step, when only the first group is drained."""
    served = drain_rows(rows)
    words = list(random_words(rows + 1, rows, [1] * 6 + [2, 1]))
    found = run(simulate, words, rows, served)
    np.testing.assert_array_equal(found, [expected(word)[:served] for word in words])


class Sums(wiring.Component):
    """Product array and drain of a lane, everything around them a port."""

    def __init__(self, rows, acc_bits):
        group = drain_rows(rows)
        self.parts = MacLane(rows, WEIGHT_BITS, acc_bits, group), Drain(rows, acc_bits, group)
        members = [part.signature.members.items() for part in self.parts]
        super().__init__({name: m for part in members for name, m in part if name != "sums"})

    def elaborate(self, platform):
        m = Module()
        m.submodules.lane, m.submodules.drain = lane, drain = self.parts
        m.d.comb += drain.sums.eq(lane.sums)
        for part in self.parts:
            for name, member in part.signature.members.items():
                if name != "sums":
                    ends = [getattr(part, name), getattr(self, name)]
                    m.d.comb += Value.cast(ends[member.flow == Out]).eq(Value.cast(ends[member.flow == In]))
        return m


@pytest.mark.slow
@pytest.mark.parametrize("rows", [16, 64])
def test_cost_and_fan_out(fan_out, rows):
    """The figures of docs/decisions/0011 (``-s`` prints them). Merged copies would show here."""
    cells, loads = fan_out(Sums(rows, ACC_BITS))
    luts = sum(count for name, count in cells.items() if name.startswith(("LUT", "INV", "SRL")))
    most = max(loads)
    print(f"{rows} rows: {luts} LUT, {cells['FDRE']} FF, {cells['DSP48E1']} DSP; {loads[most]} drives {most}")
    assert cells["DSP48E1"] == 3 * rows
    assert luts < 250 * rows
    assert most <= 2 * ACC_BITS + 4
