"""The burst reader against a memory in Python: order, bursts, pages, flushes, errors."""

import numpy as np
import pytest

from hw.gateware.burst_reader import BurstReader
from hw.weight_stream import PAGE
from tests.gateware.streamed import WIDE, layer_beats, program

BASE = 3 * PAGE


class Memory:
    """Answers bursts in order after a while, at a random pace."""

    def __init__(self, compiled, rng):
        self.plan, self.rng = compiled.stream, rng
        self.beats = layer_beats(compiled)
        self.queue, self.addresses, self.bad = [], [], False

    def beat(self, address):
        size = self.plan.bus_bits // 8
        page, offset = divmod(address - BASE, PAGE)
        layer = max(i for i, first in enumerate(self.plan.layer_pages) if first <= page)
        return self.beats[layer][((page - self.plan.layer_pages[layer]) * PAGE + offset) // size]

    def clock(self, ctx, port, now):
        """What happens in one clock; call it before the tick."""
        ready = self.rng.random() < 0.6
        ctx.set(port.arready, int(ready))
        if ready and ctx.get(port.arvalid):
            address, length = ctx.get(port.araddr), ctx.get(port.arlen) + 1
            size = self.plan.bus_bits // 8
            assert address // PAGE == (address + length * size - 1) // PAGE, "a burst crosses a page"
            self.addresses.append((address, length))
            due = now + int(self.rng.integers(5, 30))
            self.queue += [(due, self.beat(address + i * size)) for i in range(length)]
        give = bool(self.queue) and self.queue[0][0] <= now and self.rng.random() < 0.7
        ctx.set(port.rvalid, int(give))
        ctx.set(port.rresp, 2 if self.bad else 0)
        if give:
            ctx.set(port.rdata, self.queue.pop(0)[1])


@pytest.mark.parametrize(("seed", "array"), [(0, {}), (1, {}), (2, {}), (3, {**WIDE, "depth": 512})])
def test_reads_the_layers_asked_for_and_drops_what_a_flush_leaves(simulate, seed, array):
    compiled, rng = program(**array), np.random.default_rng(seed)
    dut, memory = BurstReader(compiled.stream), Memory(compiled, rng)
    runs = [(0, 2, None), (1, 2, 40), (1, 1, None), (0, 2, 150), (2, 2, None)]
    got = []

    async def bench(ctx):
        now = 0

        async def clock():
            nonlocal now
            ctx.set(dut.room, int(rng.random() < 0.5))
            memory.clock(ctx, dut.memory, now)
            if ctx.get(dut.valid):
                got[-1].append(ctx.get(dut.beat))
            await ctx.tick()
            now += 1

        ctx.set(dut.base, BASE)
        for first, last, cut in runs:
            got.append([])
            ctx.set(dut.first, first)
            ctx.set(dut.last, last)
            ctx.set(dut.start, 1)
            await clock()
            ctx.set(dut.start, 0)
            for _ in range(cut or 3000):
                await clock()
            if cut:
                ctx.set(dut.flush, 1)
                await clock()
                ctx.set(dut.flush, 0)

    simulate(dut, bench)
    beats = layer_beats(compiled)
    for (first, last, cut), found in zip(runs, got, strict=True):
        wanted = [beat for layer in beats[first : last + 1] for beat in layer]
        assert found == (wanted if cut is None else wanted[: len(found)])
        assert cut is None or len(found) < len(wanted)
    assert max(length for _, length in memory.addresses) == compiled.stream.burst_beats > 1


def test_an_error_is_told(simulate):
    compiled = program()
    dut, memory = BurstReader(compiled.stream), Memory(compiled, np.random.default_rng(0))
    memory.bad = True
    errors = []

    async def bench(ctx):
        ctx.set(dut.base, BASE)
        ctx.set(dut.room, 1)
        ctx.set(dut.start, 1)
        for now in range(100):
            memory.clock(ctx, dut.memory, now)
            errors.append(ctx.get(dut.error) == ctx.get(dut.memory.rvalid))
            await ctx.tick()
            ctx.set(dut.start, 0)

    simulate(dut, bench)
    assert all(errors) and memory.addresses
