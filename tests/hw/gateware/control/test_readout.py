"""Readout against a list of words: which words are written when, and the word-valid mask that follows."""

from collections import Counter

import numpy as np
from amaranth.hdl import Fragment, ResetInserter, Signal

from hw.gateware.control.readout import Readout
from hw.gateware.datapath.lane import Lane
from tests.hw.gateware.programs import program


def words_of(rng, groups, passes):
    """Steps that complete a word, as {clock: (word, end of pass, half, drain clocks)}."""
    found, clock = {}, 3
    for number in range(passes):
        words = np.sort(rng.choice(32, int(rng.integers(1, 6)), replace=False)).tolist()
        count = groups if number % 2 else int(rng.integers(1, groups + 1))
        for word in words:
            found[clock] = (word, word == words[-1], number % 2, count)
            clock += count + int(rng.integers(3))
    return found


def test_words_and_their_masks(simulate):
    compiled, rng = program("tall"), np.random.default_rng(4)
    lane = Lane(compiled)
    Fragment.get(lane, None)  # Amaranth warns of blocks that are never elaborated
    dut, groups = Readout(compiled, lane), compiled.config.rows // compiled.config.drain
    steps = words_of(rng, groups, 12)
    write_at = lane.array_latency + lane.drain.latency - lane.y.lead
    writes, masks, full, mask = {}, {}, set(), [0, 0]
    fresh = True
    for clock, (word, end, half, count) in steps.items():
        for group in range(count):
            now = clock + write_at + group
            writes[now] = (half, group, word)
            mask[half] = (0 if fresh else mask[half]) | 1 << word
            fresh = end and group == count - 1
            masks[now + lane.y.lead + 1] = tuple(mask)
        if end:
            full.add(clock + lane.array_latency + count - 1 + lane.pass_latency)
    shown = (0, 0)

    async def bench(ctx):
        nonlocal shown
        for now in range(max(masks) + 3):
            word, end, half, count = steps.get(now, (int(rng.integers(32)), 0, 0, 1))
            ctx.set(dut.issued, int(now in steps or rng.random() < 0.5))
            ctx.set(dut.end_of_word, int(now in steps))
            ctx.set(dut.word, word)
            ctx.set(dut.end_of_pass, int(end))
            ctx.set(dut.half, half)
            ctx.set(dut.entries, count - 1)
            assert ctx.get(dut.y_en) == (now in writes)
            if now in writes:
                assert (ctx.get(dut.y_half), ctx.get(dut.y_group), ctx.get(dut.y_word)) == writes[now]
            assert ctx.get(dut.pass_full) == (now in full)
            shown = masks.get(now, shown)
            assert tuple(ctx.get(half) for half in dut.word_valid) == shown
            await ctx.tick()

    simulate(dut, bench)
    assert len(full) == 12 and len(writes) > 30


def test_a_word_that_a_reset_cuts_off_is_neither_written_nor_told(simulate):
    """Wherever it is on its way: a pass that is told of after an abort is a Y half full of nothing."""
    compiled, reset = program("tall"), Signal()
    lane = Lane(compiled)
    Fragment.get(lane, None)
    dut = Readout(compiled, lane)
    written = lane.array_latency + lane.drain.latency - lane.y.lead
    told = lane.array_latency + lane.pass_latency
    on_its_way = range(1, max(written, told) + 1)
    cut = Counter()

    async def bench(ctx):
        ctx.set(dut.word, 5)
        for age in (*on_its_way, None):
            for now in range(2 * max(on_its_way)):
                for port in (dut.issued, dut.end_of_word, dut.end_of_pass):
                    ctx.set(port, int(now == 0))
                ctx.set(reset, int(now == age))
                # In the clock of the reset what is under way still shows.
                gone = age is not None and now > age
                assert ctx.get(dut.y_en) == (now == written and not gone), (age, now)
                assert ctx.get(dut.pass_full) == (now == told and not gone), (age, now)
                cut["write"] += now == written and gone
                cut["full"] += now == told and gone
                await ctx.tick()

    simulate(ResetInserter(reset)(dut), bench)
    assert min(cut["write"], cut["full"]) > lane.array_latency
