"""The burst reader against a memory in Python: order, bursts, pages, flushes, resets, errors."""

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal

from hw.compile.weight_stream import KEPT_FREE, PAGE, StreamPlan
from hw.gateware.weights.burst_reader import OUTSTANDING, BurstReader
from tests.hw.gateware.streamed import WIDE, channel_beats, layer_beats, program

BASE = 3 * PAGE
MOST_OWED = 200


class Memory:
    """Answers bursts in order after a while, at a random pace.

    It never misses that an address stays as it is until it is taken.
    """

    def __init__(self, compiled, rng):
        self.plan, self.rng = compiled.stream, rng
        self.parts = [(0, channel_beats(compiled))]
        self.parts += zip(self.plan.layer_pages, layer_beats(compiled), strict=True)
        self.queue, self.addresses, self.bad = [], [], False
        self.asked = None
        self.size = self.plan.bus_bits // 8  # bytes of a beat
        self.never_stalled = True

    def beat(self, address):
        size = self.plan.bus_bits // 8
        page, offset = divmod(address - BASE, PAGE)
        first, beats = max(part for part in self.parts if part[0] <= page)
        return beats[((page - first) * PAGE + offset) // size]

    def clock(self, ctx, port, now):
        """What happens in one clock; call it before the tick."""
        # It owes little enough that nothing it owes is older than 2^ID_BITS - 1 resets.
        ready = self.rng.random() < 0.6 and len(self.queue) < MOST_OWED
        ctx.set(port.arready, int(ready))
        asks = ctx.get(port.arvalid)
        offer = asks and tuple(ctx.get(value) for value in (port.araddr, port.arlen, port.arid))
        assert self.asked in (None, offer), f"{self.asked} was offered, and then {offer}"
        self.asked = offer if asks and not ready else None
        if ready and asks:
            address, length = ctx.get(port.araddr), ctx.get(port.arlen) + 1
            last = address + length * self.size - 1
            assert address // PAGE == last // PAGE, "a burst crosses a page"
            self.addresses.append((address, length))
            due = now + int(self.rng.integers(5, 30))
            number = ctx.get(port.arid)
            self.queue += [(due, self.beat(address + i * self.size), number) for i in range(length)]
        give = bool(self.queue) and self.queue[0][0] <= now and self.rng.random() < 0.7
        assert ctx.get(port.rready) or not self.never_stalled
        give = give and ctx.get(port.rready)
        ctx.set(port.rvalid, int(give))
        ctx.set(port.rresp, 2 if self.bad else 0)
        if give:
            _, data, number = self.queue.pop(0)
            ctx.set(port.rdata, data)
            ctx.set(port.rid, number)

    def reset(self):
        """Forget everything."""
        self.queue, self.asked = [], None


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
            ctx.set(dut.credit, int(rng.random() < 0.5))
            memory.clock(ctx, dut.memory, now)
            if ctx.get(dut.valid):
                of_table = len(got[-1]) < compiled.stream.table_beats
                assert (ctx.get(dut.channels), ctx.get(dut.weights)) == (of_table, not of_table)
                got[-1].append(ctx.get(dut.beat))
            else:
                assert not ctx.get(dut.channels) and not ctx.get(dut.weights)
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
    table, beats = channel_beats(compiled), layer_beats(compiled)
    for (first, last, cut), found in zip(runs, got, strict=True):
        wanted = table + [beat for layer in beats[first : last + 1] for beat in layer]
        assert found == (wanted if cut is None else wanted[: len(found)])
        assert cut is None or len(found) < len(wanted)
    assert max(length for _, length in memory.addresses) == compiled.stream.burst_beats > 1


@pytest.mark.parametrize("seed", range(6))
def test_a_reset_at_any_time_with_or_without_memory(simulate, seed):
    """Whether memory forgets what it owes or delivers all of it, the next run reads its own beats."""
    compiled, rng = program(), np.random.default_rng(seed)
    reader, memory, reset = BurstReader(compiled.stream), Memory(compiled, rng), Signal()
    wanted = channel_beats(compiled) + [beat for layer in layer_beats(compiled) for beat in layer]
    got, cuts, late = [], 0, 0

    async def bench(ctx):
        nonlocal cuts, late
        now, came = 0, 0

        async def clock():
            nonlocal now, late, came
            ctx.set(reader.credit, int(rng.random() < 0.8))
            memory.clock(ctx, reader.memory, now)
            if ctx.get(reader.valid):
                assert ctx.get(reader.channels) == (len(got) < compiled.stream.table_beats)
                assert ctx.get(reader.weights) != ctx.get(reader.channels)
                got.append(ctx.get(reader.beat))
            else:
                late += came
            came = ctx.get(reader.memory.rvalid)
            await ctx.tick()
            now += 1

        ctx.set(reader.base, BASE)
        ctx.set(reader.last, 2)
        for cut in [*rng.integers(2, 90, 25), None, 30, None]:
            got.clear()
            ctx.set(reader.start, 1)
            await clock()
            ctx.set(reader.start, 0)
            while now < 100_000 and (len(got) < len(wanted) if cut is None else cut > 0):
                await clock()
                cut = None if cut is None else cut - 1
            assert got == wanted[: len(got)]
            if cut is None:
                assert got == wanted
                continue
            cuts += 1
            ctx.set(reset, 1)
            forgets = rng.random() < 0.3
            for _ in range(rng.choice([1, 1, 2, 7, 16])):
                await clock()
                if forgets:
                    memory.reset()
            ctx.set(reset, 0)
            for _ in range(rng.choice([0, 1, 2, 5])):
                await clock()

    simulate(ResetInserter(reset)(reader), bench)
    assert cuts == 26 and late > 100


def test_an_error_is_told(simulate):
    compiled = program()
    dut, memory = BurstReader(compiled.stream), Memory(compiled, np.random.default_rng(0))
    memory.bad = True
    errors = []

    async def bench(ctx):
        ctx.set(dut.base, BASE)
        ctx.set(dut.credit, 1)
        ctx.set(dut.start, 1)
        came = 0
        for now in range(100):
            memory.clock(ctx, dut.memory, now)
            errors.append(ctx.get(dut.error) == came)
            came = ctx.get(dut.memory.rvalid)
            await ctx.tick()
            ctx.set(dut.start, 0)

    simulate(dut, bench)
    assert all(errors) and memory.addresses


LONG = 16
"""Beats of a burst of the plans below."""


def plan_of(beats, bus_bits=32, numbers=(), table=LONG):
    """A plan of layers with so many beats, a unit of 32 bit each, after a channel table of ``table``."""
    return StreamPlan(
        bus_bits=bus_bits,
        step_units=bus_bits // 16,
        depth=4 * LONG + KEPT_FREE,
        most=0,
        layer_units=(bus_bits // 16,) * len(beats),
        layer_steps=tuple(beats),
        numbers=numbers or tuple(range(len(beats))),
        layer_blocks=(1,) * len(beats),
        block_steps=tuple(beats),
        drain_groups=table,
        drain_group_beats=1,
    )


@pytest.mark.parametrize(
    ("beats", "bus_bits", "numbers", "table"),
    [
        ((2 * LONG, 2 * LONG - 1, 2 * LONG + 1, LONG, 1, LONG - 1, 3 * LONG + 2), 32, (), 1),
        ((1, 2, LONG), 512, (), 2 * LONG),
        ((PAGE // 4 + LONG, 3, PAGE // 4), 32, (), PAGE // 4 + 1),  # more than a page, and a page exactly
        (
            (LONG + 3, 2 * LONG, LONG + 3, 2 * LONG),
            64,
            (0, 1, 0, 1),
            LONG - 1,
        ),  # entries share their layer's pages
    ],
)
def test_asks_for_every_beat_once_in_bursts_as_long_as_they_may_be(simulate, beats, bus_bits, numbers, table):
    """Last bursts that are full, nearly full, of one beat; the requests and what is told of them agree. The
    channel table is asked for first, without credit, and nobody is told of it."""
    plan, size = plan_of(beats, bus_bits, numbers, table), bus_bits // 8
    assert plan.burst_beats == LONG and plan.layer_beats == beats
    dut, rng, asked, told, now = BurstReader(plan), np.random.default_rng(3), [], [], 0
    wanted = [
        (BASE + PAGE * page + i * LONG * size, min(LONG, count - i * LONG))
        for page, count in ((0, table), *zip(plan.layer_pages, beats, strict=True))
        for i in range(-(-count // LONG))
    ]
    of_table = -(-table // LONG)

    async def bench(ctx):
        nonlocal now
        port, queue, quiet = dut.memory, 0, 0
        came, beat = 0, 0  # in the clock before
        ctx.set(dut.base, BASE)
        ctx.set(dut.last, len(beats) - 1)
        ctx.set(dut.start, 1)
        while quiet < 200:
            credit, ready, give = (
                int(len(asked) >= of_table and rng.random() < 0.7),
                int(rng.random() < 0.7),
                int(queue and rng.random() < 0.9),
            )
            ctx.set(dut.credit, credit)
            ctx.set(port.arready, ready)
            ctx.set(port.rvalid, give)
            data = int(rng.integers(1 << 30))
            ctx.set(port.rdata, data)
            ctx.set(port.rid, ctx.get(dut.generation))
            assert (ctx.get(port.arsize), ctx.get(port.arburst), ctx.get(port.rready)) == (
                size.bit_length() - 1,
                1,
                1,
            )
            assert ctx.get(dut.valid) == came and (not came or ctx.get(dut.beat) == beat)
            came, beat = give, data
            if ctx.get(dut.requested):
                assert credit
                told.append(ctx.get(dut.requested_beats))
            valid, request = ctx.get(port.arvalid), (ctx.get(port.araddr), ctx.get(port.arlen) + 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            if valid and ready:
                asked.append(request)
                queue += request[1]
            queue -= give
            quiet = 0 if valid or queue else quiet + 1

    simulate(dut, bench)
    assert asked == wanted and told == [length for _, length in wanted[of_table:]]


def test_no_more_bursts_are_on_their_way_than_memory_may_owe(simulate):
    """With a memory that never answers: eight bursts, then silence; one more for each that comes."""
    plan = plan_of((40 * LONG,))
    dut, taken = BurstReader(plan), []

    async def bench(ctx):
        ctx.set(dut.credit, 1)
        ctx.set(dut.start, 1)
        ctx.set(dut.memory.arready, 1)

        async def clocks(count, beats=0):
            for clock in range(count):
                ctx.set(dut.memory.rvalid, int(clock < beats))
                ctx.set(dut.memory.rid, ctx.get(dut.generation))
                taken.append(ctx.get(dut.memory.arvalid))
                await ctx.tick()
                ctx.set(dut.start, 0)

        await clocks(200)
        assert sum(taken) == OUTSTANDING
        await clocks(100, LONG - 1)
        assert sum(taken) == OUTSTANDING
        await clocks(100, 1)
        assert sum(taken) == OUTSTANDING + 1
        await clocks(100, 3 * LONG)
        assert sum(taken) == OUTSTANDING + 4

    simulate(dut, bench)


def test_a_run_after_a_flush_waits_until_memory_owes_nothing(simulate):
    """A start in any clock of the flush and after it: nothing of the old run is taken for the new one's."""
    plan = plan_of((2 * LONG, LONG))
    for owed in (0, 3, 2 * LONG):
        for clocks_after in (0, 1, 2, 7):
            dut, seen = BurstReader(plan), []

            async def bench(ctx, dut=dut, owed=owed, clocks_after=clocks_after, seen=seen):
                port = dut.memory
                ctx.set(dut.last, 1)

                async def clock(**values):
                    for name in ("start", "flush", "credit"):
                        ctx.set(getattr(dut, name), values.get(name, 0))
                    ctx.set(port.rvalid, values.get("give", 0))
                    ctx.set(port.rid, ctx.get(dut.generation))
                    ctx.set(port.arready, 1)
                    seen.append((ctx.get(port.arvalid), ctx.get(port.araddr), ctx.get(dut.valid)))
                    await ctx.tick()

                await clock(start=1)
                for _ in range(20):
                    await clock(credit=1)
                # The table, two of layer 0, one of layer 1 ends the run.
                assert sum(sample[0] for sample in seen) == 1 + 2 + 1
                beats = 4 * LONG
                for _ in range(beats - owed):
                    await clock(give=1)
                await clock()
                assert sum(sample[2] for sample in seen) == beats - owed
                seen.clear()
                ctx.set(dut.first, 1)
                await clock(flush=1)
                for _ in range(clocks_after):
                    await clock(credit=1)
                await clock(start=1)
                for _ in range(owed):
                    await clock(credit=1)
                    await clock(credit=1, give=1)
                assert not any(sample[2] for sample in seen), "a beat of the run before"
                assert not owed or not any(sample[0] for sample in seen), "requested while memory owes"
                for _ in range(12):
                    await clock(credit=1)
                asked = [sample[1] for sample in seen if sample[0]]
                assert asked == [0, PAGE * plan.layer_pages[1]]
                seen.clear()
                for _ in range(2 * LONG):
                    await clock(give=1)
                await clock()
                assert sum(sample[2] for sample in seen) == 2 * LONG

            simulate(dut, bench)


def test_a_flush_in_any_clock_of_a_runs_beginning_ends_it(simulate):
    """Nothing is asked for any more but what was offered, and the next run asks for its own."""
    plan = plan_of((2 * LONG, LONG))
    for clocks in range(12):
        dut, asked = BurstReader(plan), []

        async def bench(ctx, dut=dut, asked=asked, clocks=clocks):
            port = dut.memory

            async def clock(**values):
                for name in ("start", "flush"):
                    ctx.set(getattr(dut, name), values.get(name, 0))
                ctx.set(dut.credit, 1)
                ctx.set(port.arready, 1)
                ctx.set(port.rid, ctx.get(dut.generation))
                ctx.set(port.rvalid, values.get("give", 0))
                asked.append(ctx.get(port.arvalid) * (1 + ctx.get(port.arlen)))
                await ctx.tick()

            ctx.set(dut.last, 1)
            await clock(start=1)
            for _ in range(clocks):
                await clock()
            await clock(flush=1)
            before = len(asked) + 1  # an address that is on offer stays
            for _ in range(30):
                await clock()
            assert not any(asked[before:]), "a flushed run asks for more"
            for _ in range(sum(asked)):
                await clock(give=1)
            await clock()
            await clock()
            assert not ctx.get(dut.reading)
            asked.clear()
            await clock(start=1)
            for _ in range(30):
                await clock()
            assert sum(asked) == 4 * LONG

        simulate(dut, bench)
