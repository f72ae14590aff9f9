"""A lane from windows to pixels, at the clocks that its latencies promise and no later.

Row n of the array passes on channel n, or 8 + n: what comes out is the tile that went in, through both
transforms. Words are taken from the last one down, so that the first one read is the last one written, on
either side.
"""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.formats import drain
from hw.contract.network import Conv, Network
from hw.contract.packed_products import PRODUCTS
from hw.contract.spectrum import DUAL_REAL, TILE, WORDS
from hw.gateware.datapath.lane import Lane
from hw.gateware.datapath.row_weights import Mode, RowWeights
from sim.model import fft, ifft, post

ROWS, DRAIN = 8, 4
GROUPS = ROWS // DRAIN
NETWORK = Network(
    "lane",
    (2 * ROWS, 8, 8),
    (
        Conv("signed", 2 * ROWS, ROWS, 3, padding=1, relu=False),
        Conv("pooled", ROWS, ROWS, 3, padding=1, pool=2),
        Conv("strided", ROWS, ROWS, 3, padding=1, stride=2, leak=3),
    ),
)
POINTWISE = Network("point", (2 * ROWS, 8, 8), (Conv("point", 2 * ROWS, ROWS, 1, pointwise=True),))
CASES = [(NETWORK, entry) for entry in range(len(NETWORK.layers))] + [(POINTWISE, 0)]
SHIFTS = [0, 1, 0, 2]
"""Of the rows of a drain group."""

BIASES = [0, 900, -700, 1500, 128, -2000, 64, 333]

LAST_CLOCK = TILE - 1


class Chain(wiring.Component):
    """A lane behind the row weights."""

    def __init__(self, compiled):
        config = compiled.config
        self.weights = RowWeights(config.rows, compiled.weight_bits, config.drain, packed=compiled.packed)
        self.lane = Lane(compiled)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.weights, m.submodules.lane = weights, lane = self.weights, self.lane
        m.d.comb += [
            lane.selects.eq(weights.selects),
            lane.factors.eq(weights.factors),
            lane.first.eq(weights.o_first),
        ]
        return m


class Plan:
    """What is set in which clock: ``at(clock, port, value)``; a port goes back to zero behind it."""

    def __init__(self):
        self.clocks = {}

    def at(self, clock, port, value):
        self.clocks.setdefault(clock, []).append((port, value))

    async def play(self, ctx, clocks, watch):
        assert max(self.clocks) < clocks
        for now in range(clocks):
            for port, _ in self.clocks.get(now - 1, ()):
                ctx.set(port, 0)
            for port, value in self.clocks.get(now, ()):
                ctx.set(port, value)
            watch(ctx, now)
            await ctx.tick()


def fill(plan, lane, clock, tiles, half):
    """Tiles (c, 8, 8), of channel group ``half``; returns the clock in which the array may be told."""
    for channel, tile in enumerate(tiles):
        start = clock + TILE * channel
        plan.at(start, lane.start, 1)
        plan.at(start, lane.channel, ROWS * half + channel)
        plan.at(start, lane.half, half)
        for y, row in enumerate(tile):
            for x, pixel in enumerate(row):
                plan.at(start + 1 + y, lane.window[x], int(pixel))
    return clock + TILE * (len(tiles) - 1) + LAST_CLOCK + lane.fill_latency


def step(plan, dut, clock, word, x_half, y_half, pointwise=False):
    """One word of a pass, its read request in ``clock``; returns the clock of its last group's number."""
    lane, weights = dut.lane, dut.weights
    plan.at(clock, lane.x_half, x_half)
    plan.at(clock, lane.x_words[0], word)
    for bank in range(ROWS):
        plan.at(clock, lane.x_groups[bank], x_half)
    at = clock + lane.x.latency - weights.latency
    dual = word in DUAL_REAL and not pointwise
    for port, value in ((weights.valid, 1), (weights.first, 1), (weights.modes[0], Mode.DUAL if dual else 0)):
        plan.at(at, port, value)
    for n in range(ROWS):
        for name, value in (("select", n), ("re", 1), ("im", int(dual))):
            plan.at(at, weights.weights[n][name], value)
    first = clock + lane.array_latency
    for j in range(GROUPS):
        plan.at(first + j, lane.group, j)
        if word == 0 or pointwise:
            for i, bias in enumerate(BIASES[DRAIN * j : DRAIN * (j + 1)]):
                plan.at(first + j + lane.drain.table_latency, lane.bias[i], bias)
        at = first + j + lane.drain.latency - lane.y.lead
        for port, value in ((lane.y_en, 1), (lane.y_half, y_half), (lane.y_group, j), (lane.y_word, word)):
            plan.at(at, port, value)
    return first + GROUPS - 1


def expected(tiles, layer, missing=()):
    """Pixels of every row's tile, the integer model's."""
    if layer.pointwise:
        sums = tiles.reshape(ROWS, WORDS, 2).astype(np.int64) + np.array(BIASES)[:, None, None]
    else:
        sums = fft.forward(tiles).astype(np.int64)
        sums[:, 0, 0] += BIASES
    words = drain(sums, np.array(SHIFTS * GROUPS)[:, None, None])
    words[:, list(missing)] = 0
    outputs = words.reshape(ROWS, TILE, TILE) if layer.pointwise else ifft.inverse(words)
    pixels = [post.reduce(post.requantise(one, layer), layer) for one in outputs]
    return np.array(pixels).view(np.uint8), outputs[:, 0, 0]


@pytest.mark.parametrize("products", PRODUCTS)
@pytest.mark.parametrize(("network", "entry"), CASES)
def test_a_tile_of_every_channel_reaches_its_row(simulate, network, entry, products):
    """Two passes, of either half; the first one's half is filled again as soon as it may be."""
    compiled = compile_program(
        random_artifact(network, kind="dense", weight_bits=6),
        AcceleratorConfig(ROWS, 1, 1, line_pixels=8, products=products),
    )
    assert (compiled.config.drain, compiled.run_ahead) == (DRAIN, False)
    dut, rng, layer, schedule = Chain(compiled), np.random.default_rng(entry), network.layers[entry], Plan()
    lane = dut.lane
    low, high = (-128, 128) if entry == 1 else (0, 256)
    tiles = rng.integers(low, high, (2, ROWS, TILE, TILE))
    missing = (5, 17)
    size, columns = TILE // layer.step, layer.tile_outputs
    tokens = []

    def send(clock, row, half):
        for port, value in ((lane.token, 1), (lane.token_row, row), (lane.token_half, half)):
            schedule.at(clock, port, value)
        tokens.append((clock, row, half))

    told = [fill(schedule, lane, 4 + half * TILE * ROWS, tiles[half], half) for half in range(2)]
    clock = 0
    for half in range(2):
        clock = max(clock + 4, told[half] + 2)  # at the earliest
        for word in reversed(range(WORDS)):
            last = step(schedule, dut, clock, word, half, half, layer.pointwise)
            clock += GROUPS
        # From the group's number, by way of the counter of halves and the controller, to the token.
        first = last + lane.pass_latency + 3
        for n in range(ROWS):  # the last one to be read is in the first group to be written
            send(first + TILE * n, ROWS - 1 - n, half)
    # The controller frees half 1, a clock ahead of what the lane sees; two later a step may ask for its word.
    freed = tokens[-1][0] - 1 - lane.reuse_lead
    for n, word in enumerate(reversed(range(WORDS))):
        step(schedule, dut, freed + 2 + GROUPS * n, word, 0, 1, layer.pointwise)
    clocks = freed + 2 + GROUPS * WORDS + 60
    rows, raw, leaving = {}, {}, None

    def watch(ctx, now):
        nonlocal leaving
        if leaving is not None:
            rows[now] = (leaving, [ctx.get(lane.out_pixels[i]) for i in range(columns)])
            raw[now] = ctx.get(lane.raw)
        leaving = ctx.get(lane.out_row) if ctx.get(lane.valid) else None

    async def bench(ctx):
        for stage in (lane.reads, lane.adds, lane.writes):
            ctx.set(stage, entry)
        ctx.set(lane.shift, SHIFTS)
        ctx.set(lane.word_valid, [(1 << WORDS) - 1, (1 << WORDS) - 1 & ~sum(1 << word for word in missing)])
        await schedule.play(ctx, clocks, watch)

    simulate(dut, bench)
    wanted = [expected(tiles[0], layer), expected(tiles[1], layer, missing)]
    assert len(tokens) == 2 * ROWS and len(rows) == len(tokens) * size
    for start, row, half in tokens:
        pixels, firsts = wanted[half]
        for y in range(columns):
            at = start + lane.output_latency + layer.step * y + layer.step - 1
            assert rows[at] == (y, pixels[row, y, :columns].tolist()), (row, half, y)
        assert raw[start + lane.output_latency + layer.step - 1] == firsts[row]
