"""The channel loader: what is written where."""

import numpy as np
import pytest

from hw.compile.channel_table import drain_group_beats, drain_group_bits
from hw.gateware.weights.channel_loader import ChannelLoader
from tests.hw.gateware.streamed import WIDE, channel_beats, program


@pytest.mark.parametrize(
    "array", [{"bus_bits": 32}, {"bus_bits": 64}, WIDE], ids=["five beats", "three", "one"]
)
def test_entries_are_written_in_order_whole_and_from_the_start_of_every_run(simulate, array):
    """Beats at a random pace; runs that end anywhere, in the middle of an entry too, and begin again."""
    compiled, rng = program(**array), np.random.default_rng(2)
    plan = compiled.stream
    dut = ChannelLoader(plan, drain_group_bits(compiled.config.drain, compiled.shift_bits))
    table = channel_beats(compiled)
    assert plan.drain_group_beats == drain_group_beats(len(dut.w_data), plan.bus_bits)
    assert plan.drain_group_beats == {32: 5, 64: 3}.get(plan.bus_bits, 1) and len(table) == plan.table_beats
    cuts = [*rng.integers(0, len(table), 12).tolist(), None]
    written = []

    async def bench(ctx):
        for cut in cuts:
            written.append({})
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            beats = table[:cut]
            while beats:
                valid = int(rng.random() < 0.7)
                ctx.set(dut.valid, valid)
                ctx.set(dut.beat, beats[0] if valid else int(rng.integers(1 << 30)))
                beats = beats[valid:]
                await ctx.tick()
                if ctx.get(dut.w_en):
                    assert ctx.get(dut.w_addr) not in written[-1], "an entry is written twice"
                    written[-1][ctx.get(dut.w_addr)] = ctx.get(dut.w_data)
            ctx.set(dut.valid, 0)
            await ctx.tick()
            assert not ctx.get(dut.w_en)

    simulate(dut, bench)
    groups = compiled.channel_table
    for cut, found in zip(cuts, written, strict=True):
        whole = len(groups) if cut is None else cut // plan.drain_group_beats
        assert found == dict(enumerate(groups[:whole]))
