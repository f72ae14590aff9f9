"""The channel loader: which beats are the table, which weights, and what is written where."""

from dataclasses import replace

import numpy as np
import pytest

from hw.compile.channel_table import drain_group_beats, drain_group_bits
from hw.gateware.weights.channel_loader import ChannelLoader
from tests.hw.gateware.streamed import WIDE, channel_beats, layer_beats, program


@pytest.mark.parametrize(
    "array", [{"bus_bits": 32}, {"bus_bits": 64}, WIDE], ids=["five beats", "three", "one"]
)
def test_the_first_beats_of_every_run_are_entries_and_the_others_weights(simulate, array):
    """Beats at a random pace; runs that end anywhere, in the middle of an entry too, and begin again."""
    compiled, rng = program(**array), np.random.default_rng(2)
    plan = compiled.stream
    dut = ChannelLoader(plan, drain_group_bits(compiled.config.drain, compiled.shift_bits))
    table, weights = channel_beats(compiled), layer_beats(compiled)[0][:20]
    assert plan.drain_group_beats == drain_group_beats(len(dut.w_data), plan.bus_bits)
    assert plan.drain_group_beats == {32: 5, 64: 3}.get(plan.bus_bits, 1) and len(table) == plan.table_beats
    cuts = [*rng.integers(0, len(table) + 10, 12).tolist(), None]
    passed, written = [], []

    async def bench(ctx):
        for cut in cuts:
            passed.append([])
            written.append({})
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            beats = [*table, *weights][:cut]
            while beats:
                valid = int(rng.random() < 0.7)
                ctx.set(dut.valid, valid)
                ctx.set(dut.beat, beats[0] if valid else int(rng.integers(1 << 30)))
                if ctx.get(dut.weights):
                    passed[-1].append(beats[0])
                    assert valid
                beats = beats[valid:]
                await ctx.tick()
                if ctx.get(dut.w_en):
                    assert ctx.get(dut.w_addr) not in written[-1], "an entry is written twice"
                    written[-1][ctx.get(dut.w_addr)] = ctx.get(dut.w_data)
            ctx.set(dut.valid, 0)
            await ctx.tick()
            assert not ctx.get(dut.w_en)

    simulate(dut, bench)
    entries = compiled.channel_table
    for cut, came, found in zip(cuts, passed, written, strict=True):
        whole = len(entries) if cut is None else min(len(entries), cut // plan.drain_group_beats)
        assert found == dict(enumerate(entries[:whole]))
        assert came == (weights if cut is None else weights[: max(0, cut - len(table))])


def test_a_table_of_one_entry(simulate):
    plan = replace(program(**WIDE).stream, drain_groups=1, drain_group_beats=1)
    dut, seen = ChannelLoader(plan, 37), []

    async def bench(ctx):
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.valid, 1)
        ctx.set(dut.beat, 5)
        for _ in range(4):
            seen.append((ctx.get(dut.weights), ctx.get(dut.w_en)))
            await ctx.tick()

    simulate(dut, bench)
    assert seen == [(0, 0), (1, 1), (1, 0), (1, 0)]
