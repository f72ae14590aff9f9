"""Both ends of the bridge for its tests: a scripted accelerator, in Python and on AXI with stalls; a host."""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from amaranth.sim import Simulator

from hw.gateware.serial.bridge import Bridge
from hw.host_interface import protocol
from hw.host_interface.protocol import FLAG, MEMORY_COMMANDS, Command, Frame
from sim.model.bridge import BusError, BusTimeout

PAUSE = None
"""In a script of results: nothing comes until a RECEIVE has given up."""


def register(address: int) -> int:
    return address * 0x9E3779B1 & 0xFFFFFFFF


def refused(address: int) -> bool:
    """Addresses that answer with an error."""
    return address & 0x30 == 0x30


@dataclass
class Script:
    """What the accelerator does, in the order in which it is asked.

    stuck: numbers of accesses that are answered only when :attr:`released`. full: numbers of beats before
    which a SEND has to give up. results: beats with tlast, or PAUSE. log: what it has been told.
    """

    stuck: set[int] = field(default_factory=set)
    full: set[int] = field(default_factory=set)
    results: deque[tuple[int, bool] | None] = field(default_factory=deque)
    log: list[tuple[object, ...]] = field(default_factory=list)
    accesses: int = 0
    waiting: bool = False

    def begin(self, *entry: object) -> bool:
        """Note an access. Returns whether it is stuck."""
        self.log.append(entry)
        self.accesses += 1
        self.waiting = self.accesses - 1 in self.stuck
        return self.waiting


def script(seed: int) -> Script:
    """Twice the same for one seed."""
    dice = random.Random(seed)
    results = [
        PAUSE if dice.random() < 0.15 else (dice.getrandbits(32), dice.random() < 0.15) for _ in range(400)
    ]
    numbers = range(400)
    return Script({n for n in numbers if dice.random() < 0.15}, set(dice.sample(numbers, 40)), deque(results))


class ScriptedModel:
    """For ``sim.model.bridge``."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def read32(self, address: int) -> int:
        self._access("read", address)
        return register(address)

    def write32(self, address: int, value: int) -> None:
        self._access("write", address, value)

    def _access(self, *entry: object) -> None:
        if self.script.waiting or self.script.begin(*entry):
            raise BusTimeout
        if refused(entry[1]):
            raise BusError

    def push(self, beat: int, last: bool, patience: int) -> int | None:
        beats = sum(entry[0] == "beat" for entry in self.script.log)
        if beats in self.script.full:
            self.script.full.remove(beats)
            return None
        self.script.log.append(("beat", beat, last))
        return 0

    def pull(self, patience: int) -> tuple[int, bool, int] | None:
        beat = self.script.results.popleft() if self.script.results else PAUSE
        return (*beat, 0) if beat else None


async def until(ctx, condition, *signals):
    """Clocks until ``condition``; ``signals`` in that clock. (Amaranth's own cannot be left at the end.)"""
    while True:
        _, _, holds, *values = await ctx.tick().sample(condition, *signals)
        if holds:
            return tuple(values)


class ScriptedPorts:
    """On the ports of the bridge ``dut``: every channel waits 0 to ``stall`` clocks before it moves."""

    def __init__(self, dut: Bridge, script: Script, seed: int, stall: int) -> None:
        self.dut, self.script, self.stall = dut, script, stall
        self.dice = random.Random(seed)

    def add_to(self, simulator: Simulator) -> None:
        for process in (self._reads, self._writes, self._images, self._results):
            simulator.add_testbench(process, background=True)

    async def _pause(self, ctx) -> None:
        for _ in range(self.dice.randrange(self.stall + 1)):
            await ctx.tick()

    async def _take(self, ctx, channel: str, *signals):
        """A transfer on a channel that the bridge drives."""
        await self._pause(ctx)
        ctx.set(getattr(self.dut.axil, channel + "ready"), 1)
        values = await until(ctx, getattr(self.dut.axil, channel + "valid"), *signals)
        ctx.set(getattr(self.dut.axil, channel + "ready"), 0)
        return values

    async def _give(self, ctx, channel: str) -> None:
        """A transfer on a channel that the bridge receives."""
        await self._pause(ctx)
        ctx.set(getattr(self.dut.axil, channel + "valid"), 1)
        await until(ctx, getattr(self.dut.axil, channel + "ready"))
        ctx.set(getattr(self.dut.axil, channel + "valid"), 0)

    async def _release(self, ctx) -> None:
        while self.script.waiting:
            await ctx.tick()

    def _response(self, address: int) -> int:
        return self.dice.choice((0b10, 0b11)) if refused(address) else 0

    async def _reads(self, ctx) -> None:
        bus = self.dut.axil
        while True:
            # Stuck before the address is taken, or behind it.
            early = self.dice.random() < 0.5
            await until(ctx, bus.arvalid)
            address = ctx.get(bus.araddr)
            self.script.begin("read", address)
            if early:
                await self._release(ctx)
            assert await self._take(ctx, "ar", bus.araddr) == (address,)
            await self._release(ctx)
            ctx.set(bus.rdata, register(address))
            ctx.set(bus.rresp.as_value(), self._response(address))
            await self._give(ctx, "r")

    async def _writes(self, ctx) -> None:
        bus = self.dut.axil
        channels = {"aw": (bus.awaddr,), "w": (bus.wdata, bus.wstrb)}
        while True:
            order = self.dice.sample(list(channels), 2)
            early = self.dice.random() < 0.5
            await until(ctx, bus.awvalid)
            address, word = ctx.get(bus.awaddr), ctx.get(bus.wdata)
            assert ctx.get(bus.wvalid) and ctx.get(bus.wstrb) == 0b1111
            self.script.begin("write", address, word)
            taken = {order[0]: await self._take(ctx, order[0], *channels[order[0]])}
            if early:
                await self._release(ctx)
            taken[order[1]] = await self._take(ctx, order[1], *channels[order[1]])
            assert taken == {"aw": (address,), "w": (word, 0b1111)}
            await self._release(ctx)
            ctx.set(bus.bresp.as_value(), self._response(address))
            await self._give(ctx, "b")

    async def _images(self, ctx) -> None:
        stream, script, beats = self.dut.images, self.script, 0
        while True:
            await self._pause(ctx)
            if beats in script.full:
                await until(ctx, stream.tvalid)
                await until(ctx, ~stream.tvalid)
                script.full.remove(beats)
            ctx.set(stream.tready, 1)
            beat, last = await until(ctx, stream.tvalid, stream.tdata, stream.tlast)
            ctx.set(stream.tready, 0)
            script.log.append(("beat", beat, bool(last)))
            beats += 1

    async def _results(self, ctx) -> None:
        stream, script = self.dut.results, self.script
        while True:
            await self._pause(ctx)
            if not script.results:
                await ctx.tick()
                continue
            beat = script.results.popleft()
            if beat is PAUSE:
                await until(ctx, stream.tready)
                await until(ctx, ~stream.tready)
                continue
            ctx.set(stream.tdata, beat[0])
            ctx.set(stream.tlast, beat[1])
            ctx.set(stream.tvalid, 1)
            await until(ctx, stream.tready)
            ctx.set(stream.tvalid, 0)


def conversation(seed: int, frames: int, wait: int) -> Iterator[bytes]:
    """Bytes of a host that mostly keeps to the protocol; ``wait`` units in its RECEIVEs."""
    dice = random.Random(seed)
    session, sequence = 7, 250
    yield dice.randbytes(20)
    for _ in range(frames):
        command = dice.choice((*Command, *Command, *MEMORY_COMMANDS, 7, 0x7E))
        number = lambda bits: dice.getrandbits(bits).to_bytes(bits // 8, "little")  # noqa: E731
        address = (dice.randrange(1 << 12) if dice.random() < 0.9 else dice.randrange(1 << 16)).to_bytes(
            2, "little"
        )
        # A few units at the end of a page, the last ones of all of them and others.
        unit = (61 + dice.randrange(5) + dice.choice((0, 0, 1 << 20, (1 << 32) - 66))).to_bytes(4, "little")
        payload = {
            Command.READ: address,
            Command.WRITE: address + number(32),
            Command.SEND: number(8) + dice.randbytes(4 * dice.randrange(1, 9)),
            Command.RECEIVE: dice.choice((0, 1, 5, 9, 256, 257)).to_bytes(2, "little")
            + wait.to_bytes(2, "little"),
            Command.WRITE_MEMORY: unit + dice.randbytes(64 * dice.choice((1, 1, 2, 0))),
            Command.READ_MEMORY: unit + dice.choice((1, 1, 2, 0, 17, 257)).to_bytes(2, "little"),
        }.get(command, b"")
        if dice.random() < 0.06:
            payload = dice.choice((payload[:-1], payload + b"\0", payload + number(16), b""))
        if command == Command.OPEN:
            session, sequence = dice.randrange(1 << 16), dice.choice((254, dice.randrange(256)))
        step, foreign = dice.choice((1, 1, 1, 1, 1, 1, 0, 0, 2, 255)), dice.random() < 0.05
        used = sequence if command == Command.OPEN else (sequence + step) % 256
        wire = bytearray(Frame(session ^ foreign, used, command, payload).encode())
        damage = dice.random()
        if damage < 0.06:
            wire[dice.randrange(len(wire))] ^= 1 << dice.randrange(8)
        elif damage < 0.12:
            del wire[dice.randrange(len(wire))]
        elif step == 1 and not foreign:
            sequence = used
        yield bytes(wire)


class Host:
    """Feeds bytes to the bridge and collects responses, with pauses on both."""

    def __init__(self, ctx, dut: Bridge, dice: random.Random, stall: int) -> None:
        self.ctx, self.dut, self.dice, self.stall = ctx, dut, dice, stall

    async def feed(self, byte: int) -> None:
        """One byte; nothing may come back in the meantime."""
        self.ctx.set(self.dut.i_byte, byte)
        self.ctx.set(self.dut.i_valid, 1)
        await self.ctx.tick()
        self.ctx.set(self.dut.i_valid, 0)
        for _ in range(max(2, self.dice.randrange(self.stall + 1))):
            assert not self.ctx.get(self.dut.o.valid)
            await self.ctx.tick()

    async def response(self, size: int, clocks: int = 20_000) -> bytes:
        """``size`` bytes, and the clocks until the bridge listens again; noise comes in the meantime."""
        dut, out = self.dut, bytearray()
        for _ in range(clocks):
            self.ctx.set(dut.o.ready, self.dice.randrange(self.stall + 1) == 0)
            self.ctx.set(dut.i_byte, self.dice.choice((FLAG, self.dice.randrange(256))))
            self.ctx.set(dut.i_valid, self.dice.random() < 0.5 and len(out) < size - 1)
            _, _, taken, byte = await self.ctx.tick().sample(dut.o.valid & dut.o.ready, dut.o.payload)
            if taken:
                out.append(byte)
            if len(out) == size:
                break
        self.ctx.set(dut.i_valid, 0)
        self.ctx.set(dut.o.ready, 0)
        await self.ctx.tick().repeat(3)
        return bytes(out)


def run(dut, testbench, *ports) -> None:
    """``testbench`` to its end; ``ports``: what is on the bridge's, each with a method ``add_to``."""
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for port in ports:
        port.add_to(simulator)
    simulator.add_testbench(testbench)
    simulator.run()


async def ask(ctx, dut: Bridge, request: Frame, clocks: int = 100_000) -> Frame:
    """One exchange at full speed."""
    host = Host(ctx, dut, random.Random(1), 0)
    for byte in request.encode():
        ctx.set(dut.i_byte, byte)
        ctx.set(dut.i_valid, 1)
        await ctx.tick()
        ctx.set(dut.i_valid, 0)
        await ctx.tick().repeat(2)
    ctx.set(dut.o.ready, 1)
    deframer = protocol.Deframer()
    for _ in range(clocks):
        _, _, taken, byte = await ctx.tick().sample(dut.o.valid, dut.o.payload)
        if taken and (frame := deframer.feed(byte)):
            await host.ctx.tick().repeat(3)
            return frame
    raise TimeoutError("no response")
