"""Row weights, product array and drain together, in the clocks in which the core lets them meet."""

import numpy as np
import pytest
from amaranth import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.step_table import step_table
from hw.contract.artifact import LayerWeights
from hw.contract.config import BANKS, drain_rows
from hw.contract.formats import SPECTRUM, Format, drain
from hw.contract.packed_products import LongestSums, PackedProducts
from hw.contract.spectrum import DUAL_REAL, WORDS
from hw.gateware.datapath.accumulator_drain import Drain
from hw.gateware.datapath.mac import MacLane
from hw.gateware.datapath.row_weights import Mode, RowWeights

WEIGHT_BITS, ACC_BITS, SHIFT = 8, 34, 9
PACKED = PackedProducts(WEIGHT_BITS, 11, LongestSums(64))
CELLS = [pytest.param(None, id="three"), pytest.param(PACKED, id="packed")]


def x_limits(packed):
    """Of a part of a spectrum word."""
    return Format(packed.spectrum_bits).limits if packed else SPECTRUM.limits


class Chain(wiring.Component):
    """The array of one lane from the weights of a step to drained words."""

    def __init__(self, rows, run_ahead=False, packed=None):
        group, self.run_ahead = drain_rows(rows), run_ahead
        x_bits = packed.spectrum_bits if packed else SPECTRUM.bits
        self.weights = RowWeights(rows, WEIGHT_BITS, group, run_ahead, packed)
        self.lane = MacLane(rows, WEIGHT_BITS, ACC_BITS, group, run_ahead, x_bits, packed)
        self.drain = Drain(rows, ACC_BITS, group, run_ahead, packed)
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
        ]
        if self.run_ahead:
            m.d.comb += [lane.loads.eq(w.loads), lane.holds.eq(w.holds), drain.held.eq(lane.held)]
        else:
            m.d.comb += [lane.first.eq(w.o_first), drain.sums.eq(lane.sums)]
        return m


def random_words(seed, rows, lengths, packed=None):
    """Words as steps of (x (8, 2), select (N,), weight (N, 2))."""
    rng = np.random.default_rng(seed)
    low, high = x_limits(packed)
    for length in lengths:
        yield [
            (
                rng.integers(low, high + 1, (BANKS, 2)),
                rng.integers(BANKS, size=rows),
                rng.integers(-127 if packed else -128, 128, (rows, 2)),
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


def run(simulate, words, rows, served, packed=None):
    """Drained words (served, 2) of every word; words follow each other without a gap."""
    dut, width = Chain(rows, packed=packed), drain_rows(rows)
    weights, lane, out = dut.weights, dut.lane, dut.drain
    steps = [(i, t == 0, step) for i, word in enumerate(words) for t, step in enumerate(word)]
    ends = np.cumsum([len(word) for word in words]) - 1
    to_sums = weights.latency + lane.latency
    served_at = {
        int(end) + to_sums - out.lead + j: (i, j)
        for i, end in enumerate(ends)
        for j in range(served // width)
    }
    assert len(served_at) == len(words) * served // width, "a word is served while another one still is"
    found = np.zeros((len(words), served, 2), int)

    async def testbench(ctx):
        ctx.set(out.shift, [SHIFT] * width)
        for now in range(max(served_at) + out.latency + 1):
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
            ctx.set(out.group, served_at.get(now, (0, 0))[1])
            if now - out.latency in served_at:
                i, j = served_at[now - out.latency]
                found[i, width * j : width * (j + 1)] = [(ctx.get(w.re), ctx.get(w.im)) for w in out.o_words]
            await ctx.tick()

    simulate(dut, testbench)
    return found


@pytest.mark.parametrize("packed", CELLS)
@pytest.mark.parametrize("rows", [4, 8, 12, 32, pytest.param(64, marks=pytest.mark.slow)])
def test_words_as_short_as_their_drain_back_to_back(simulate, rows, packed):
    """Every sum is there for one clock only: a group a clock early or late would miss it."""
    groups = rows // drain_rows(rows)
    words = list(random_words(rows, rows, [groups] * 4 + [groups + 1, groups + 3, groups], packed))
    found = run(simulate, words, rows, rows, packed)
    np.testing.assert_array_equal(found, [expected(word) for word in words])


@pytest.mark.parametrize("rows", [8, 32])
def test_short_blocks_may_have_shorter_words(simulate, rows):
    """Words of one step, when only the first group is drained."""
    served = drain_rows(rows)
    words = list(random_words(rows + 1, rows, [1] * 6 + [2, 1]))
    found = run(simulate, words, rows, served)
    np.testing.assert_array_equal(found, [expected(word)[:served] for word in words])


def random_layer(rows, channels, seed, packed):
    """The steps of one block whose rows run ahead, with spectra (channels, 32, 2) and weights, of every mode.

    The rows' numbers of products differ as much as they can: some words have rows with none.
    """
    rng = np.random.default_rng(seed)
    mask = np.zeros((rows, channels, WORDS), dtype=bool)
    mask[:, :, :7] = rng.random((rows, channels, 7)) < 0.25
    weight = (rng.integers(1, 128, (*mask.shape, 2)) * rng.choice([-1, 1], (*mask.shape, 2))) * mask[
        ..., None
    ]
    table = step_table(LayerWeights(weight, np.zeros(rows, int), np.zeros(rows, int)), rows, dot=False)
    assert table.run_ahead and table.run_ahead.of_next.any()
    low, high = x_limits(packed)
    return table, rng.integers(low, high + 1, (channels, WORDS, 2)), weight


def word_sums(x, weight, word, packed):
    """Drained words (N, 2): ``x`` of dual-real words has its parts exchanged, as the X buffer stores it but
    for packed products."""
    a, b = x[:, word].T
    if word in DUAL_REAL and packed:
        a, b = b, a
    c, d = weight[:, :, word].transpose(2, 0, 1)
    if word in DUAL_REAL:
        total = np.stack([c @ b, d @ a], -1)
    else:
        total = np.stack([c @ a - d @ b, d @ a + c @ b], -1)
    return drain(total, np.full((len(total), 1), SHIFT))


@pytest.mark.parametrize(
    "rows, channels",
    [(4, 24), (8, 24), (12, 20), (32, 24), pytest.param(64, 24, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("bubbles", [0, 0.3])
@pytest.mark.parametrize("packed", CELLS)
def test_rows_that_run_ahead(simulate, rows, channels, packed, bubbles):
    """Every word of a compiled block, drained as soon as it may be, with and without bubbles."""
    table, x, weight = random_layer(rows, channels, rows, packed)
    dut, width, rng = Chain(rows, True, packed), drain_rows(rows), np.random.default_rng(rows)
    weights, lane, out, ahead = dut.weights, dut.lane, dut.drain, table.run_ahead
    issue, now, free = {}, 0, 0
    for t in range(len(table)):
        while rng.random() < bubbles or (table.end_of_word[t] and now < free):
            now += 1
        issue[now] = t
        if table.end_of_word[t]:
            free = now + rows // width
        now += 1
    after = weights.latency + lane.latency - out.lead
    ends = {clock: int(table.word[t]) for clock, t in issue.items() if table.end_of_word[t]}
    served_at = {clock + after + j: (word, j) for clock, word in ends.items() for j in range(rows // width)}
    found = {word: np.zeros((rows, 2), int) for word in ends.values()}
    read_word = np.where(ahead.of_next, ahead.next_word[:, None], table.word[:, None])

    async def testbench(ctx):
        ctx.set(out.shift, [SHIFT] * width)
        every_row = first = (1 << rows) - 1
        for now in range(max(served_at) + out.latency + 1):
            t = issue.get(now)
            ctx.set(weights.valid, t is not None)
            garbage = int(rng.integers(len(table)))
            step = garbage if t is None else t
            noise = int.from_bytes(rng.bytes(8), "little") & every_row
            ctx.set(weights.first, noise if t is None else first)
            modes = [Mode.DUAL if word in DUAL_REAL else Mode.COMPLEX for word in read_word[step]]
            ctx.set(weights.modes, modes)
            ctx.set(
                weights.weights,
                [
                    {"select": int(s), "re": int(c), "im": int(d), "end": int(e)}
                    for s, (c, d), e in zip(
                        table.select[step], table.weight[step], ahead.end[step], strict=True
                    )
                ],
            )
            if t is not None:
                first = sum(int(e) << n for n, e in enumerate(ahead.end[t]))
            at_array = issue.get(now - weights.latency)
            if at_array is not None:
                channel = np.minimum(table.groups[at_array] * BANKS + np.arange(BANKS), channels - 1)
                ctx.set(lane.x, [{"re": int(a), "im": int(b)} for a, b in x[channel, read_word[at_array]]])
            ctx.set(out.group, served_at.get(now, (0, 0))[1])
            if now - out.latency in served_at:
                word, j = served_at[now - out.latency]
                words = [(ctx.get(w.re), ctx.get(w.im)) for w in out.o_words]
                found[word][width * j : width * (j + 1)] = words
            await ctx.tick()

    simulate(dut, testbench)
    assert sorted(found) == list(range(7))
    for word, sums in found.items():
        np.testing.assert_array_equal(sums, word_sums(x, weight, word, packed))


class Sums(wiring.Component):
    """Product array and drain of a lane, everything around them a port."""

    def __init__(self, rows, acc_bits, run_ahead, packed=None):
        group, self.between = drain_rows(rows), "held" if run_ahead else "sums"
        x_bits = packed.spectrum_bits if packed else SPECTRUM.bits
        self.parts = (
            MacLane(rows, WEIGHT_BITS, acc_bits, group, run_ahead, x_bits, packed),
            Drain(rows, acc_bits, group, run_ahead, packed),
        )
        members = [part.signature.members.items() for part in self.parts]
        super().__init__({name: m for part in members for name, m in part if name != self.between})

    def elaborate(self, platform):
        m = Module()
        m.submodules.lane, m.submodules.drain = lane, drain = self.parts
        m.d.comb += getattr(drain, self.between).eq(getattr(lane, self.between))
        for part in self.parts:
            for name, member in part.signature.members.items():
                if name != self.between:
                    ends = [getattr(part, name), getattr(self, name)]
                    m.d.comb += Value.cast(ends[member.flow == Out]).eq(Value.cast(ends[member.flow == In]))
        return m


@pytest.mark.slow
@pytest.mark.parametrize("rows", [16, 64])
@pytest.mark.parametrize("run_ahead", [False, True])
def test_cost_and_fan_out(fan_out, rows, run_ahead):
    """The figures of docs/decisions/0006 and 0011 (``-s`` prints them). Merged copies would show here."""
    cells, loads = fan_out(Sums(rows, ACC_BITS, run_ahead))
    luts = sum(count for name, count in cells.items() if name.startswith(("LUT", "INV", "SRL")))
    most = max(loads)
    print(f"N = {rows}, run ahead {run_ahead}: {luts} LUT, {cells['FDRE']} FF, {loads[most]} drives {most}")
    assert cells["DSP48E1"] == 3 * rows
    assert luts < (300 if run_ahead else 250) * rows
    assert most <= 2 * ACC_BITS + 4


@pytest.mark.slow
@pytest.mark.parametrize("run_ahead", [False, True])
def test_packed_rows_cost_no_more_logic_than_those_of_three_slices(fan_out, run_ahead):
    """Two slices a row, of spectra of 11 bits, and the drain included (``-s`` prints the figures)."""
    found = {}
    for name, packed in (("three", None), ("packed", PackedProducts(WEIGHT_BITS, 11, LongestSums(512)))):
        cells, _ = fan_out(Sums(8, ACC_BITS, run_ahead, packed))
        luts = sum(count for kind, count in cells.items() if kind.startswith(("LUT", "INV", "SRL")))
        found[name] = cells["DSP48E1"], luts
        print(f"N = 8, run ahead {run_ahead}, {name}: {cells['DSP48E1']} DSP, {luts} LUT, {cells['FDRE']} FF")
    assert (found["three"][0], found["packed"][0]) == (24, 16)
    assert found["packed"][1] <= found["three"][1]
