"""Every access to the control port ends, with the core's answer or an error, whenever the core is reset."""

import random

import pytest
from amaranth.hdl import Array, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.sim import Simulator

from hw.gateware.pcie.register_guard import RegisterGuard
from hw.gateware.ports.axi import AxiLite, Response

OKAY, SLVERR = Response.OKAY, Response.SLVERR
WORDS = 16


class Core(wiring.Component):
    """Sixteen words that a reset clears; one access at a time and direction, of ``latency`` clocks."""

    def __init__(self, latency):
        self.latency = latency
        super().__init__({"bus": In(AxiLite(12))})

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        words = [Signal(32, name=f"word_{i}", init=1000 + i) for i in range(WORDS)]
        reading, writing, have_address, have_data = Signal(), Signal(), Signal(), Signal()
        read_left, write_left = Signal(8), Signal(8)
        table = Array(words)
        address, data, read_address = Signal(12), Signal(32), Signal(12)
        m.d.comb += [
            bus.arready.eq(~reading & ~bus.rvalid),
            bus.awready.eq(~have_address & ~bus.bvalid),
            bus.wready.eq(~have_data & ~bus.bvalid),
        ]
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [reading.eq(1), read_left.eq(self.latency), read_address.eq(bus.araddr)]
        with m.If(reading):
            m.d.sync += read_left.eq(read_left - 1)
            with m.If(read_left == 0):
                m.d.sync += [reading.eq(0), bus.rvalid.eq(1), bus.rdata.eq(table[read_address[2:6]])]
        with m.If(bus.rvalid & bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [have_address.eq(1), address.eq(bus.awaddr)]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [have_data.eq(1), data.eq(bus.wdata)]
        with m.If(have_address & have_data & ~writing & ~bus.bvalid):
            m.d.sync += [writing.eq(1), write_left.eq(self.latency)]
        with m.If(writing):
            m.d.sync += write_left.eq(write_left - 1)
            with m.If(write_left == 0):
                m.d.sync += [writing.eq(0), have_address.eq(0), have_data.eq(0), bus.bvalid.eq(1)]
                m.d.sync += table[address[2:6]].eq(data)
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        return m


class Guarded(wiring.Component):
    """Guard and core; ``hold`` resets the core a clock later, as the wrapper does."""

    def __init__(self, latency):
        self.latency = latency
        super().__init__({"bus": In(AxiLite(12)), "hold": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.guard = guard = RegisterGuard(12)
        reset = Signal()
        m.submodules.core = ResetInserter(reset)(core := Core(self.latency))
        m.d.sync += reset.eq(self.hold)
        wiring.connect(m, wiring.flipped(self.bus), guard.host)
        wiring.connect(m, guard.core, core.bus)
        m.d.comb += guard.away.eq(self.hold | reset)
        return m


class Host:
    """Reads and writes, each with random stalls, and checks that offers stay."""

    def __init__(self, ctx, dut, rng):
        self.ctx, self.bus, self.rng = ctx, dut.bus, rng

    async def read(self, address):
        ctx, bus = self.ctx, self.bus
        await ctx.tick().repeat(self.rng.choice((1, 1, 3)))
        ctx.set(bus.araddr, address)
        ctx.set(bus.arvalid, 1)
        await self._until(bus.arready)
        ctx.set(bus.arvalid, 0)
        ctx.set(bus.araddr, self.rng.randrange(1 << 12))
        return await self._answer(bus.rvalid, bus.rready, bus.rdata, bus.rresp)

    async def write(self, address, value):
        ctx, bus = self.ctx, self.bus
        late = self.rng.randrange(1, 4)
        order = [(bus.awvalid, bus.awready, bus.awaddr, address), (bus.wvalid, bus.wready, bus.wdata, value)]
        self.rng.shuffle(order)
        ctx.set(bus.wstrb, 15)
        for valid, ready, payload, content in order:
            ctx.set(payload, content)
            ctx.set(valid, 1)
            await self._until(ready)
            ctx.set(valid, 0)
            await ctx.tick().repeat(late)
        return (await self._answer(bus.bvalid, bus.bready, bus.bresp))[0]

    async def _until(self, ready):
        for _ in range(60):
            _, _, taken = await self.ctx.tick().sample(ready)
            if taken:
                return
        pytest.fail("nobody takes it")

    async def _answer(self, valid, ready, *payload):
        first = None
        for _ in range(100):
            ready_now = self.rng.random() < 0.5
            self.ctx.set(ready, ready_now)
            _, _, there, *found = await self.ctx.tick().sample(valid, *payload)
            assert first is None or (there and found == first), "an answer went back or changed"
            if there:
                first = found
                if ready_now:
                    self.ctx.set(ready, 0)
                    return found
        pytest.fail("no answer")


def simulate(dut, *benches):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("latency", [0, 5])
def test_without_a_reset_every_access_is_the_cores(latency):
    dut, rng = Guarded(latency), random.Random(latency)
    known = [1000 + i for i in range(WORDS)]

    async def bench(ctx):
        host = Host(ctx, dut, rng)
        for _ in range(120):
            index = rng.randrange(WORDS)
            if rng.random() < 0.5:
                value = rng.randrange(1 << 32)
                assert await host.write(4 * index, value) == OKAY
                known[index] = value
            else:
                assert await host.read(4 * index) == [known[index], OKAY]

    simulate(dut, bench)


@pytest.mark.parametrize("seed", range(4))
def test_every_access_ends_whenever_the_core_is_reset(seed):
    """An answer without an error is the core's of now; an error comes only of an access that met a reset."""
    dut, rng, dice = Guarded(latency=4), random.Random(seed), random.Random(seed + 100)
    holds, counts = [], {OKAY: 0, SLVERR: 0}
    over = []

    async def held(ctx):
        while not over:
            await ctx.tick().repeat(dice.randrange(1, 40))
            ctx.set(dut.hold, 1)
            await ctx.tick().repeat(dice.choice((1, 1, 2, 9)))
            ctx.set(dut.hold, 0)

    async def count(ctx):
        while not over:
            holds.append(ctx.get(dut.hold))
            await ctx.tick()

    async def bench(ctx):
        host = Host(ctx, dut, rng)
        for number in range(150):
            index, begin = rng.randrange(WORDS), len(holds)
            if rng.random() < 0.5:
                response = await host.write(4 * index, number)
            else:
                data, response = await host.read(4 * index)
                if response == OKAY:
                    assert data == 1000 + index or data < number, (
                        "neither as reset left it nor as it was written"
                    )
                else:
                    assert data == 0xFFFFFFFF
            counts[response] += 1
            if response == SLVERR:
                assert any(holds[begin - 2 :]), "an error without a reset"
        over.append(True)

    simulate(dut, bench, held, count)
    assert min(counts.values()) > 10


def test_a_core_that_stays_in_reset_is_answered_for_and_works_again_behind_it():
    dut, rng = Guarded(latency=2), random.Random(7)

    async def bench(ctx):
        host = Host(ctx, dut, rng)
        assert await host.write(8, 77) == OKAY
        ctx.set(dut.hold, 1)
        for _ in range(5):
            assert await host.read(8) == [0xFFFFFFFF, SLVERR]
            assert await host.write(8, 55) == SLVERR
        ctx.set(dut.hold, 0)
        await ctx.tick().repeat(2)
        assert await host.read(8) == [1002, OKAY]
        assert await host.write(8, 66) == OKAY
        assert await host.read(8) == [66, OKAY]

    simulate(dut, bench)


def test_reads_and_writes_do_not_wait_for_each_other():
    """A write whose data never come keeps no read from its answer."""
    dut = Guarded(latency=2)

    async def bench(ctx):
        host = Host(ctx, dut, random.Random(1))
        ctx.set(dut.bus.awvalid, 1)
        await ctx.tick().repeat(3)
        ctx.set(dut.bus.awvalid, 0)
        assert await host.read(12) == [1003, OKAY]

    simulate(dut, bench)


def clocks_of(dut, valids, answer):
    """From the clock of the address, and of the data, to that of the answer."""
    found = []

    async def bench(ctx):
        for valid in valids:
            ctx.set(valid, 1)
        await ctx.tick()
        for valid in valids:
            ctx.set(valid, 0)
        count = 1
        while not ctx.get(answer):
            await ctx.tick()
            count += 1
        found.append(count)

    simulate(dut, bench)
    return found[0]


def test_the_latency_is_as_stated():
    core, guarded = Core(3), Guarded(3)
    reads = [clocks_of(dut, [dut.bus.arvalid], dut.bus.rvalid) for dut in (core, guarded)]
    core, guarded = Core(3), Guarded(3)
    writes = [clocks_of(dut, [dut.bus.awvalid, dut.bus.wvalid], dut.bus.bvalid) for dut in (core, guarded)]
    assert (reads[1] - reads[0], writes[1] - writes[0]) == (2, 3)
