"""The control port in the Amaranth simulator: every register, strobe and refusal, whatever the timing.

``tests/sim/bench/test_axilite.py`` runs the same block as Verilog against an independent AXI master.
"""

import gc
import random
import zlib

import pytest
from amaranth.hdl import Fragment
from amaranth.sim import Simulator

from hw.contract.config import AcceleratorConfig
from hw.gateware.ports.axi import Response, flat_ports
from hw.gateware.ports.axilite import AxiLiteRegisters
from hw.host_interface import registers
from hw.host_interface.registers import BATCH, CONTROL, INTERRUPT, INTERRUPT_ENABLE, WEIGHTS

CONFIG = AcceleratorConfig(rows=8, lanes=6, batch=5)
STREAMED = AcceleratorConfig(rows=8, lanes=6, batch=5, stream_weights=True)
LAYERS = 3
OTHERS = (WEIGHTS, INTERRUPT_ENABLE, INTERRUPT)
"""Beside CONTROL and BATCH, the registers to which a one may be written."""
LATENCY = 5
"""Clocks from the one that takes an address to the one that answers."""
DIGEST = bytes(range(7, 39)).hex()


def port_value(name: str, index: int = 0) -> int:
    """A different value for every counter port."""
    return zlib.crc32(f"{name}{index}".encode())


async def set_counters(ctx, dut) -> None:
    for counter in registers.COUNTERS:
        ctx.set(getattr(dut, counter.name.lower()), port_value(counter.name))
    for counter in registers.LAYER_COUNTERS:
        for i in range(LAYERS):
            ctx.set(getattr(dut, counter.name.lower())[i], port_value(counter.name, i))
    ctx.set(dut.checksum, port_value("CHECKSUM"))


def expected_words() -> dict[int, int]:
    """What every readable address holds after reset, with STATUS at busy = 0, done = 1."""
    words = {
        0x00: 0x53504332,
        0x04: registers.HARDWARE_VERSION,
        0x08: 0,
        0x0C: 0b010,
        0x10: 1,
        0x14: 8 | 6 << 8 | 5 << 16 | LAYERS << 24,
        0x1C: LAYERS - 1 << 8,
        0x68: 0,
        0x70: 0,
        0x74: 0,
        0x6C: port_value("CHECKSUM"),
        0x20: 0x0708090A,
        0x3C: 0x23242526,
    }
    words |= {0x20 + 4 * i: int.from_bytes(range(7 + 4 * i, 11 + 4 * i)) for i in range(8)}
    words |= {c.address(): port_value(c.name) for c in registers.COUNTERS}
    words |= {c.address(i): port_value(c.name, i) for c in registers.LAYER_COUNTERS for i in range(LAYERS)}
    return words


class Manager:
    """An AXI4-Lite manager: every channel waits a random 0..3 clocks before it moves."""

    def __init__(self, ctx, dut, seed: int) -> None:
        self.ctx, self.bus, self.random = ctx, dut.bus, random.Random(seed)

    async def pause(self) -> None:
        for _ in range(self.random.choice((0, 0, 1, 2, 3))):
            await self.ctx.tick()

    async def handshake(self, channel: str) -> None:
        """Hold ``valid`` until ``ready``, at most 20 clocks."""
        valid, ready = getattr(self.bus, channel + "valid"), getattr(self.bus, channel + "ready")
        self.ctx.set(valid, 1)
        for _ in range(20):
            _, _, taken = await self.ctx.tick().sample(ready)
            if taken:
                self.ctx.set(valid, 0)
                return
        raise TimeoutError(f"{channel} was never taken")

    async def response(self, channel: str, *signals):
        """Raise ``ready`` after a while and return ``signals`` in the clock of the transfer."""
        await self.pause()
        valid, ready = getattr(self.bus, channel + "valid"), getattr(self.bus, channel + "ready")
        self.ctx.set(ready, 1)
        for _ in range(20):
            _, _, done, *values = await self.ctx.tick().sample(valid, *signals)
            if done:
                self.ctx.set(ready, 0)
                return values
        raise TimeoutError(f"no answer on {channel}")

    async def read(self, address: int) -> tuple[int, Response]:
        self.ctx.set(self.bus.araddr, address)
        await self.pause()
        await self.handshake("ar")
        return await self.response("r", self.bus.rdata, self.bus.rresp)

    async def write(self, address: int, value: int, strobe: int = 0b1111) -> Response:
        channels = [("aw", {"awaddr": address}), ("w", {"wdata": value, "wstrb": strobe})]
        self.random.shuffle(channels)
        for channel, values in channels:
            for name, number in values.items():
                self.ctx.set(getattr(self.bus, name), number)
            await self.pause()
            await self.handshake(channel)
        (response,) = await self.response("b", self.bus.bresp)
        return response


def simulate(scenario, seed: int, watch=None) -> None:
    """Run ``scenario(ctx, dut, manager)`` against a fresh control port, beside ``watch(ctx, dut)``."""
    dut = AxiLiteRegisters(CONFIG, LAYERS, DIGEST)

    async def testbench(ctx) -> None:
        await set_counters(ctx, dut)
        ctx.set(dut.status.done, 1)
        await scenario(ctx, dut, Manager(ctx, dut, seed))

    async def watching(ctx) -> None:
        await watch(ctx, dut)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    if watch:
        simulator.add_testbench(watching, background=True)
    simulator.run()


@pytest.mark.parametrize("seed", range(3))
def test_every_address_reads_what_the_table_says(seed: int) -> None:
    async def scenario(ctx, dut, manager) -> None:
        words = expected_words()
        addresses = [*range(0, 0x190, 4), 0xFFC]
        random.Random(seed).shuffle(addresses)
        for address in addresses:
            found = await manager.read(address)
            expected = [words[address], Response.OKAY] if address in words else [0, Response.SLVERR]
            assert found == expected, hex(address)

    simulate(scenario, seed)


@pytest.mark.parametrize("seed", range(3))
def test_only_control_and_batch_take_writes(seed: int) -> None:
    """So do WEIGHTS and those of the interrupt, and LAYERS takes some, but not from layer 1 to layer 0."""

    async def scenario(ctx, dut, manager) -> None:
        for address in [r.address(i) for r in registers.TABLE for i in range(r.count)] + [0x78, 0xFFC]:
            writable = address in (each.address() for each in (CONTROL, BATCH, *OTHERS))
            expected = Response.OKAY if writable else Response.SLVERR
            assert await manager.write(address, 1) == expected, hex(address)
        words = expected_words() | {registers.WEIGHTS.address(): 1, INTERRUPT_ENABLE.address(): 1}
        for address, word in words.items():
            assert (await manager.read(address))[0] == word, hex(address)

    simulate(scenario, seed)


def test_the_interrupt_is_enabled_at_any_time_and_cleared_by_ones_in_the_bytes_written() -> None:
    cleared: list[int] = []

    async def scenario(ctx, dut, manager) -> None:
        enable, interrupt = INTERRUPT_ENABLE.address(), INTERRUPT.address()
        ctx.set(dut.interrupt, INTERRUPT.unpack(0b110))
        for busy in (0, 1):
            ctx.set(dut.status.busy, busy)
            for value, strobe, after in [
                (0xFFFFFFFF, 0b1111, 0b111),
                (0b010, 0b1111, 0b010),
                (0b101, 0b1110, 0b010),
                (0xFFFFFF00, 0b0001, 0),
            ]:
                assert await manager.write(enable, value, strobe) == Response.OKAY
                assert (await manager.read(enable))[0] == ctx.get(dut.interrupt_enable.as_value()) == after
            assert not cleared
            for value, strobe, pulses in [
                (0xFFFFFFFF, 0b1111, [0b111]),
                (0b010, 0b0001, [0b010]),
                (0b010, 0b1110, []),
                (0xFFFFFFF8, 0b1111, []),
            ]:
                assert await manager.write(interrupt, value, strobe) == Response.OKAY
                assert cleared == pulses, (hex(value), strobe)
                cleared.clear()
            assert await manager.read(interrupt) == [0b110, Response.OKAY]

    async def watch(ctx, dut) -> None:
        async for _, _, pulse in ctx.tick().sample(dut.interrupt_clear.as_value()):
            if pulse:
                cleared.append(pulse)

    simulate(scenario, 1, watch)


def test_the_weights_page_has_28_bits_and_rests_while_busy() -> None:
    async def scenario(ctx, dut, manager) -> None:
        place = registers.WEIGHTS.address()
        assert await manager.write(place, 0x0ABCDEF1) == Response.OKAY
        assert await manager.write(place, 0x10000000) == Response.SLVERR
        assert await manager.write(place, 0x99, 0b0001) == Response.OKAY
        ctx.set(dut.status.busy, 1)
        assert await manager.write(place, 0) == Response.SLVERR
        assert ctx.get(dut.page) == (await manager.read(place))[0] == 0x0ABCDE99

    simulate(scenario, 0)


@pytest.mark.parametrize("seed", range(3))
def test_layers_stay_in_order_and_inside_the_network(seed: int) -> None:
    async def scenario(ctx, dut, manager) -> None:
        last = LAYERS - 1
        for value, strobe, expected, after in [
            (last << 8 | last, 0b1111, Response.OKAY, (last, last)),
            (0, 0b0001, Response.OKAY, (0, last)),
            (LAYERS << 8, 0b1111, Response.SLVERR, (0, last)),
            (1, 0b1111, Response.SLVERR, (0, last)),
            (0x10000, 0b1111, Response.SLVERR, (0, last)),
            (0, 0b1111, Response.OKAY, (0, 0)),
        ]:
            assert await manager.write(registers.LAYERS.address(), value, strobe) == expected, hex(value)
            assert (ctx.get(dut.first), ctx.get(dut.last)) == after
            assert (await manager.read(registers.LAYERS.address()))[0] == after[0] | after[1] << 8
        ctx.set(dut.status.busy, 1)
        assert await manager.write(registers.LAYERS.address(), last << 8) == Response.SLVERR

    simulate(scenario, seed)


@pytest.mark.parametrize(
    ("register", "sound"), [(BATCH, 3), (registers.LAYERS, (LAYERS - 1) << 8), (registers.WEIGHTS, 3)]
)
def test_every_bit_above_a_register_is_looked_at(register, sound: int) -> None:
    async def scenario(ctx, dut, manager) -> None:
        assert await manager.write(register.address(), sound) == Response.OKAY
        for bit in range(max(field.low + field.width for field in register.fields), 32):
            assert await manager.write(register.address(), sound | 1 << bit) == Response.SLVERR, bit
        assert (await manager.read(register.address()))[0] == sound

    simulate(scenario, 0)


@pytest.mark.parametrize("seed", range(3))
def test_batch_keeps_to_its_range_and_respects_strobes(seed: int) -> None:
    async def scenario(ctx, dut, manager) -> None:
        assert ctx.get(dut.batch) == 1
        for value, strobe, expected, after in [
            (5, 0b1111, Response.OKAY, 5),
            (6, 0b1111, Response.SLVERR, 5),
            (0, 0b1111, Response.SLVERR, 5),
            (0x100 + 3, 0b1111, Response.SLVERR, 5),
            (3, 0b1110, Response.OKAY, 5),
            (0xFFFFFF03, 0b0001, Response.OKAY, 3),
            (0x00010002, 0b0100, Response.SLVERR, 3),
        ]:
            assert await manager.write(BATCH.address(), value, strobe) == expected, (hex(value), strobe)
            assert ctx.get(dut.batch) == after
            assert (await manager.read(BATCH.address()))[0] == after
        ctx.set(dut.status.busy, 1)
        assert await manager.write(BATCH.address(), 2) == Response.SLVERR
        assert ctx.get(dut.batch) == 3

    simulate(scenario, seed)


@pytest.mark.parametrize("config", [CONFIG, STREAMED], ids=["held", "streamed"])
@pytest.mark.parametrize("seed", range(3))
def test_control_bits_pulse_for_one_clock(seed: int, config: AcceleratorConfig) -> None:
    """Start and check begin alone, while nothing runs; check where there are weights to read."""
    pulses: list[tuple[int, int, int]] = []
    checked = [(0, 0, 1)] if config.stream_weights else None

    async def scenario(ctx, dut, manager) -> None:
        for value, strobe, busy, expected in [
            (0b01, 0b1111, 0, [(1, 0, 0)]),
            (0b01, 0b0001, 0, [(1, 0, 0)]),
            (0b01, 0b1110, 0, []),
            (0b01, 0b1110, 1, []),
            (0b01, 0b1111, 1, None),
            (0b10, 0b1111, 1, [(0, 1, 0)]),
            (0b10, 0b1111, 0, [(0, 1, 0)]),
            (0b100, 0b1111, 0, checked),
            (0b100, 0b1111, 1, None),
            (0b101, 0b1111, 0, None),
            (0b110, 0b1111, 0, None),
            (0b110, 0b1111, 1, None),
            (0b11, 0b1111, 0, None),
            (0b11, 0b1111, 1, None),
            (0b00, 0b1111, 0, []),
            (0xFFFFFF00, 0b1111, 0, []),
        ]:
            pulses.clear()
            ctx.set(dut.status.busy, busy)
            answer = Response.SLVERR if expected is None else Response.OKAY
            assert await manager.write(CONTROL.address(), value, strobe) == answer
            expected = expected or []
            assert pulses == expected, (hex(value), strobe, busy)

    dut = AxiLiteRegisters(config, LAYERS, DIGEST)

    async def watch(ctx) -> None:
        async for _, _, *pulse in ctx.tick().sample(dut.start, dut.abort, dut.check):
            if any(pulse):
                pulses.append(tuple(pulse))

    async def testbench(ctx) -> None:
        await scenario(ctx, dut, Manager(ctx, dut, seed))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.add_testbench(watch, background=True)
    simulator.run()


@pytest.mark.parametrize("seed", range(3))
def test_a_start_is_answered_with_okay_or_does_not_happen(seed: int) -> None:
    """Written again and again, while runs end whenever they do."""
    answers, starts = [], 0

    async def scenario(ctx, dut, manager) -> None:
        for _ in range(100):
            answers.append(await manager.write(CONTROL.address(), 0b01))

    async def runs(ctx) -> None:
        nonlocal starts
        rng, left = random.Random(seed), 0
        async for _, _, start in ctx.tick().sample(dut.start):
            left = rng.randrange(1, 40) if start else max(0, left - 1)
            starts += start
            ctx.set(dut.status.busy, int(left > 0))

    dut = AxiLiteRegisters(CONFIG, LAYERS, DIGEST)

    async def testbench(ctx) -> None:
        await scenario(ctx, dut, Manager(ctx, dut, seed))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.add_testbench(runs, background=True)
    simulator.run()
    assert starts == answers.count(Response.OKAY) and 20 < starts < 80


def test_answers_stay_until_they_are_taken() -> None:
    async def scenario(ctx, dut, manager) -> None:
        ctx.set(dut.bus.araddr, 0)
        await manager.handshake("ar")
        for _ in range(LATENCY - 1):
            assert not ctx.get(dut.bus.rvalid)
            await ctx.tick()
        for _ in range(10):
            assert ctx.get(dut.bus.rvalid) and ctx.get(dut.bus.rdata) == registers.MAGIC
            assert not ctx.get(dut.bus.arready)
            await ctx.tick()

    simulate(scenario, 0)


@pytest.mark.parametrize("seed", range(3))
def test_addresses_and_words_may_run_ahead_of_each_other(seed: int) -> None:
    """Both channels go on at their own pace: every word meets its address, every write gets its answer."""
    dice, answers = random.Random(seed), []
    writes = [
        (dice.choice((registers.WEIGHTS, BATCH)).address(), dice.choice((3, 1 << 30))) for _ in range(40)
    ]
    dut = AxiLiteRegisters(CONFIG, LAYERS, DIGEST)
    bus = dut.bus

    def channel(name: str, values: list[dict[str, int]], seed: int):
        async def testbench(ctx) -> None:
            manager = Manager(ctx, dut, seed)
            for value in values:
                for port, number in value.items():
                    ctx.set(getattr(bus, port), number)
                await manager.handshake(name)
                await manager.pause()

        return testbench

    async def take(ctx) -> None:
        manager = Manager(ctx, dut, seed)
        for _ in writes:
            answers.extend(await manager.response("b", bus.bresp))
            await manager.pause()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(channel("aw", [{"awaddr": address} for address, _ in writes], seed + 10))
    simulator.add_testbench(channel("w", [{"wdata": value, "wstrb": 15} for _, value in writes], seed + 20))
    simulator.add_testbench(take)
    simulator.run()
    assert answers == [Response.OKAY if value == 3 else Response.SLVERR for _, value in writes]


def built(layers: int) -> AxiLiteRegisters:
    dut = AxiLiteRegisters(CONFIG, layers, DIGEST)
    Fragment.get(dut, platform=None)
    return dut


def test_ports_carry_axi_names() -> None:
    names = set(flat_ports(built(LAYERS)))
    assert {"bus_awaddr", "bus_wstrb", "bus_rdata", "start", "batch", "status", "layer_steps_2"} <= names
    assert not any("__" in name for name in names)


def test_table_is_served_completely() -> None:
    served = [address for address, _ in built(registers.MAX_LAYERS)._sources()]
    assert sorted(served) == sorted(r.address(i) for r in registers.TABLE for i in range(r.count))


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
@pytest.mark.parametrize("layers", [0, 129])
def test_more_layers_than_counters_are_refused(layers: int) -> None:
    with pytest.raises(ValueError, match=rf"layers must be 1\.\.128, not {layers}"):
        AxiLiteRegisters(CONFIG, layers, DIGEST)
    gc.collect()
