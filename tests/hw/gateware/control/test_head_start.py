"""Head start: when the fetch may go on, against a count in Python."""

import random

import pytest

from hw.compile.head_start import counts_all, passes_counted
from hw.gateware.control.head_start import HeadStartGate
from tests.hw.gateware.programs import program

TAIL = 9
"""Shorter than a core's, so that much happens in few clocks."""


class Counter:
    """What the output stage has completed, and what the fetch waits for."""

    def __init__(self, compiled):
        self.compiled, self.plans, self.heads = compiled, compiled.layers, compiled.head_starts
        self.passes, self.settling = 0, []
        self.wanted = self.left = 0

    def tick(self, now, counted):
        """A clock; in it a pass that counts ends."""
        self.passes += self.settling.count(now)
        if counted:
            self.settling.append(now + TAIL)

    def begin(self, reads):
        self.wanted, self.left = self.heads[reads].first, self.compiled.config.rows

    def segment_ends(self, reads, channel, group):
        """Whether a segment ends with this line; goes on to the next one."""
        head = self.heads[reads]
        self.left -= channel
        ends = group or (head.of_channels and channel and not self.left)
        if group or not self.left:
            self.left = self.compiled.config.rows
        return ends


@pytest.mark.parametrize("name", ["plain", "graph", "tall", "stacks", "sets"])
def test_opens_when_so_many_passes_are_complete_and_not_before(simulate, name):
    compiled, dice = program(name), random.Random(name)
    dut, count, batch = HeadStartGate(compiled, TAIL), Counter(compiled), compiled.config.batch
    layers = range(len(compiled.layers))
    opened = {"caught up": 0, "enough": 0, "closed": 0}

    async def bench(ctx):
        now = 0
        for reads in layers[1:]:
            writes = reads - 1
            plan = compiled.layers[writes]
            ctx.set(dut.writes, writes)
            ctx.set(dut.reads, reads)
            await ctx.tick().repeat(3)
            ctx.set(dut.starts, 1)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.starts, 0)
            ctx.set(dut.start, 0)
            count.passes, same = 0, 0  # same: clocks in which both worked on the same layer
            count.begin(reads)
            ended, asked, seen = 0, 1, [0, 0]  # clocks since the last segment; passes of the last clocks
            for clock in range(300):  # passes end in the first 200; in 230 the output stage goes on as well
                late = ctx.get(dut.writes) == reads
                more = ended < passes_counted(plan, batch)
                ends, last = more and clock < 200 and dice.random() < 0.2, dice.random() < 0.5
                ctx.set(dut.pass_ends, int(ends))
                ctx.set(dut.last_set, int(last))
                enough = asked > 1 and seen[-1] >= count.wanted
                may = same or enough
                assert ctx.get(dut.open) == bool(may), f"layer {reads}, clock {now}"
                opened["caught up" if same else "enough" if enough else "closed"] += 1
                # The fetch asks for lines only while it may.
                channel = bool(may) and dice.random() < 0.7
                group = channel and dice.random() < 0.1
                ctx.set(dut.channel_ends, int(channel))
                ctx.set(dut.group_ends, int(group))
                segment = count.segment_ends(reads, channel, group)
                of_channel, of_group = (
                    ctx.get(dut.channel_pauses) and channel,
                    ctx.get(dut.group_pauses) and group,
                )
                assert bool(of_channel or of_group) == bool(segment and not same)
                if segment and not same:
                    count.wanted += compiled.head_starts[reads].more
                seen = [seen[-1], count.passes]
                asked = 1 if segment else asked + 1
                await ctx.tick()
                counts = ends and (last or counts_all(plan, batch))
                count.tick(now, counts)
                ended += counts
                now += 1
                same = same + 1 if late else 0
                if clock == 230:
                    ctx.set(dut.writes, reads)

    simulate(dut, bench)
    assert all(opened.values()), opened
