"""Striped memories, each at its own pace: the beats of one wide memory, in order."""

import numpy as np
import pytest
from amaranth import Elaboratable, Module
from amaranth.hdl import ResetInserter, Signal
from amaranth.lib.wiring import connect

from hw.gateware.weights.burst_reader import BurstReader
from hw.gateware.weights.memory_striping import MemoryStriping
from tests.hw.gateware.streamed import channel_beats, layer_beats, program
from tests.hw.gateware.weights import test_burst_reader as burst_reader

BITS, ADDRESS = 64, 16


class Part:
    """A memory that answers bursts at its own pace; its words are what the seed says."""

    def __init__(self, number, port, rng, bits, pace):
        self.port, self.rng, self.bits, self.pace, self.number = port, rng, bits, pace, number
        self.queue, self.asked = [], []

    def word(self, address):
        return int(np.random.default_rng([self.number, address]).integers(1 << min(self.bits, 62)))

    def clock(self, ctx):
        """What happens in one clock; call it before the tick."""
        ready = self.rng.random() < self.pace
        ctx.set(self.port.arready, int(ready))
        if ready and ctx.get(self.port.arvalid):
            address, beats = ctx.get(self.port.araddr), ctx.get(self.port.arlen) + 1
            self.asked.append((address, beats))
            assert 8 << ctx.get(self.port.arsize) == self.bits
            self.queue += [address + i * self.bits // 8 for i in range(beats)]
        # What is offered stays until it is taken.
        if self.queue and (ctx.get(self.port.rvalid) or self.rng.random() < self.pace):
            ctx.set(self.port.rdata, self.word(self.queue[0]))
            ctx.set(self.port.rresp, 2 if self.queue[0] >= 1 << 15 else 0)
            ctx.set(self.port.rvalid, 1)
        else:
            ctx.set(self.port.rvalid, 0)

    def ticked(self, ctx, taken):
        if taken:
            self.queue.pop(0)
            ctx.set(self.port.rvalid, 0)


@pytest.mark.parametrize(
    ("count", "paces"), [(2, (1, 1)), (2, (0.2, 0.9)), (2, (0.9, 0.2)), (4, (0.9, 0.3, 0.6, 1))]
)
def test_beats_come_together_in_order(simulate, count, paces):
    rng = np.random.default_rng(count)
    dut = MemoryStriping(ADDRESS, BITS, count)
    parts = [Part(i, dut.memories[i], rng, BITS // count, pace) for i, pace in enumerate(paces)]
    bursts = [(8 * int(rng.integers(1 << 10)), int(rng.integers(1, 17))) for _ in range(40)] + [(0xFF00, 2)]
    found, bad = [], []

    async def bench(ctx):
        ctx.set(dut.settled, 1)
        ctx.set(dut.wide.arsize, 3)
        ctx.set(dut.wide.arburst, 1)
        waiting, clocks = list(bursts), 0
        while len(found) < sum(beats for _, beats in bursts):
            if waiting:
                ctx.set(dut.wide.araddr, waiting[0][0])
                ctx.set(dut.wide.arlen, waiting[0][1] - 1)
            ctx.set(dut.wide.arvalid, int(bool(waiting)))
            ctx.set(dut.wide.rready, int(rng.random() < 0.8))
            for part in parts:
                part.clock(ctx)
            if waiting and ctx.get(dut.wide.arready):
                waiting.pop(0)
            if ctx.get(dut.wide.rvalid) and ctx.get(dut.wide.rready):
                found.append(ctx.get(dut.wide.rdata))
                bad.append(ctx.get(dut.wide.rresp))
            taken = [ctx.get(part.port.rvalid) and ctx.get(part.port.rready) for part in parts]
            await ctx.tick()
            for part, took in zip(parts, taken, strict=True):
                part.ticked(ctx, took)
            clocks += 1
            assert clocks < 20_000, "a memory waits for ever"

    simulate(dut, bench)
    part_bytes = BITS // 8 // count
    wanted = []
    for address, beats in bursts:
        for i in range(beats):
            at = address // count + i * part_bytes
            wanted.append(sum(part.word(at) << (k * BITS // count) for k, part in enumerate(parts)))
    assert found == wanted
    for part in parts:
        assert part.asked == [(address // count, beats) for address, beats in bursts]


class Half(burst_reader.Memory):
    """A memory that holds half of every beat, low or high."""

    def __init__(self, compiled, rng, number):
        super().__init__(compiled, rng)
        self.bits = compiled.stream.bus_bits // 2
        self.size //= 2
        self.never_stalled = False
        self.number = number

    def beat(self, address):
        whole = super().beat(2 * (address - burst_reader.BASE // 2) + burst_reader.BASE)
        return whole >> self.number * self.bits & (1 << self.bits) - 1


class Both(Elaboratable):
    """The reader in front of two memories."""

    def __init__(self, plan):
        self.reader = BurstReader(plan)
        self.memories = MemoryStriping(len(self.reader.memory.araddr), plan.bus_bits, 2)

    def elaborate(self, platform):
        m = Module()
        m.submodules.reader, m.submodules.memories = reader, memories = self.reader, self.memories
        connect(m, reader.memory, memories.wide)
        m.d.comb += [memories.generation.eq(reader.generation), memories.settled.eq(reader.settled)]
        return m


@pytest.mark.parametrize("seed", range(3))
def test_a_reset_at_any_time_leaves_no_part_of_a_beat(simulate, seed):
    """One memory may have taken an address or given a part that the other has not."""
    compiled, rng = program(), np.random.default_rng(seed)
    dut, reset = Both(compiled.stream), Signal()
    halves = [Half(compiled, rng, number) for number in (0, 1)]
    wanted = channel_beats(compiled) + [beat for layer in layer_beats(compiled) for beat in layer]
    got, clocks = [], 0

    async def bench(ctx):
        async def clock():
            nonlocal clocks
            for half, port in zip(halves, dut.memories.memories, strict=True):
                half.clock(ctx, port, clocks)
            if ctx.get(dut.reader.valid):
                got.append(ctx.get(dut.reader.beat))
            await ctx.tick()
            clocks += 1

        ctx.set(dut.reader.base, burst_reader.BASE)
        ctx.set(dut.reader.last, 2)
        ctx.set(dut.reader.credit, 1)
        for cut in [*rng.integers(2, 60, 20), None]:
            got.clear()
            ctx.set(dut.reader.start, 1)
            await clock()
            ctx.set(dut.reader.start, 0)
            while len(got) < len(wanted) and cut != 0:
                await clock()
                cut = None if cut is None else cut - 1
                assert clocks < 20_000, "the next run waits for ever"
            assert got == wanted[: len(got)]
            ctx.set(reset, 1)
            await clock()
            ctx.set(reset, 0)
        assert len(wanted) > 100

    simulate(ResetInserter(reset)(dut), bench)
