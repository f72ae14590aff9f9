"""External memory for tests of the bridge: in Python for its model, on AXI4 with stalls for its gateware."""

import random
from dataclasses import dataclass, field

from amaranth.hdl import Value
from amaranth.sim import Simulator

from hw.host_interface.protocol import MEMORY_PAGE, MEMORY_UNIT
from sim.model.bridge import BusError, BusTimeout
from tests.hw.gateware.bridge_bench import until

WORDS = MEMORY_UNIT // 4
"""Beats of a unit."""

ALL = 0b1111
"""Strobes of a beat that is written."""


def fails(address: int) -> bool:
    """Bursts from these addresses on are answered with an error."""
    return address // MEMORY_UNIT % 8 == 5


@dataclass
class MemoryScript:
    """What lies in memory, by unit, and what it is asked for.

    stuck: numbers of bursts that end only when :attr:`released`; what they would write is lost. log: kind,
    address and size of all. waiting: the burst at hand is stuck.
    """

    stuck: set[int] = field(default_factory=set)
    units: dict[int, bytes] = field(default_factory=dict)
    log: list[tuple[str, int, int]] = field(default_factory=list)
    waiting: bool = False

    def begin(self, kind: str, address: int, size: int) -> bool:
        """Note a burst. Returns whether it is stuck."""
        self.waiting = len(self.log) in self.stuck
        self.log.append((kind, address, size))
        return self.waiting

    def release(self) -> None:
        """Let the burst at hand end."""
        self.waiting = False

    def write(self, address: int, data: bytes) -> None:
        for start in range(0, len(data), MEMORY_UNIT):
            self.units[(address + start) // MEMORY_UNIT] = data[start : start + MEMORY_UNIT]

    def read(self, address: int, size: int) -> bytes:
        first = address // MEMORY_UNIT
        units = range(first, first + size // MEMORY_UNIT)
        return b"".join(
            self.units.get(unit, (unit % 251).to_bytes(2, "little") * (MEMORY_UNIT // 2)) for unit in units
        )


def memory_script(seed: int, stuck: float = 0.3) -> MemoryScript:
    """Twice the same for one seed."""
    dice = random.Random(seed)
    return MemoryScript({n for n in range(400) if dice.random() < stuck})


class ScriptedMemory:
    """For ``sim.model.bridge``."""

    def __init__(self, script: MemoryScript) -> None:
        self.script = script

    def read(self, address: int, size: int) -> bytes:
        self._burst("read", address, size)
        return self.script.read(address, size)

    def write(self, address: int, data: bytes) -> None:
        self._burst("write", address, len(data))
        self.script.write(address, data)

    def _burst(self, kind: str, address: int, size: int) -> None:
        if self.script.waiting or self.script.begin(kind, address, size):
            raise BusTimeout
        if fails(address):
            raise BusError


class MemoryPort:
    """Memory on the AXI4 port ``bus``: every channel waits 0 to ``stall`` clocks before it moves, addresses
    and words in either order. It is never reset, and asserts what AXI4 demands of the bridge.

    partial: number of bursts of which not all beats had strobes.
    """

    def __init__(self, bus, script: MemoryScript, seed: int, stall: int) -> None:
        self.bus, self.script, self.stall = bus, script, stall
        self.dice = random.Random(seed)
        self.partial = 0
        self._beats: list[tuple[int, int, int]] = []
        self._stuck_at = 0

    def add_to(self, simulator: Simulator) -> None:
        bus = self.bus
        w = (bus.wdata, bus.wstrb, bus.wlast)
        for process in (self._reads, self._writes, self._words):
            simulator.add_testbench(process, background=True)
        for channel, payload in (("aw", self._asked("aw")), ("ar", self._asked("ar")), ("w", w)):
            simulator.add_testbench(self._steady(channel, *payload), background=True)

    def _asked(self, channel: str) -> tuple[Value, ...]:
        return tuple(getattr(self.bus, channel + name) for name in ("addr", "len", "size", "burst", "id"))

    def _steady(self, channel: str, *payload):
        """What is offered stays as it is until it is taken, whatever else happens."""
        valid, ready = (getattr(self.bus, channel + name) for name in ("valid", "ready"))

        async def testbench(ctx):
            before = None
            while True:
                _, _, offered, taken, *values = await ctx.tick().sample(valid, ready, *payload)
                assert before is None or (offered and values == before), channel
                before = values if offered and not taken else None

        return testbench

    async def _pause(self, ctx) -> None:
        for _ in range(self.dice.randrange(self.stall + 1)):
            await ctx.tick()

    async def _stuck(self, ctx, position: int) -> None:
        """Before the address (-1), beat ``position``, or the answer (the number of beats)."""
        while self.script.waiting and position >= self._stuck_at:
            await ctx.tick()

    async def _take(self, ctx, channel: str, *signals):
        valid, ready = (getattr(self.bus, channel + name) for name in ("valid", "ready"))
        await self._pause(ctx)
        ctx.set(ready, 1)
        values = await until(ctx, valid, *signals)
        ctx.set(ready, 0)
        return values

    async def _give(self, ctx, channel: str, **values: int) -> None:
        valid, ready = (getattr(self.bus, channel + name) for name in ("valid", "ready"))
        await self._pause(ctx)
        for name, value in values.items():
            ctx.set(getattr(self.bus, channel + name), value)
        ctx.set(valid, 1)
        await until(ctx, ready)
        ctx.set(valid, 0)

    async def _begin(self, ctx, kind: str, channel: str) -> tuple[int, int, int]:
        """Take an address: it, the beats that belong to it, and the identifier."""
        await until(ctx, getattr(self.bus, channel + "valid"))
        address, length, size, burst, identifier = (ctx.get(signal) for signal in self._asked(channel))
        assert (size, burst) == (2, 1) and address % MEMORY_UNIT == 0 and (length + 1) % WORDS == 0
        assert address % MEMORY_PAGE + 4 * (length + 1) <= MEMORY_PAGE
        self._stuck_at = self.dice.choice(
            (-1, 0, self.dice.randrange(length + 1), length + (kind == "write"))
        )
        self.script.begin(kind, address, 4 * (length + 1))
        if kind == "write" and not self.script.waiting and self.dice.random() < 0.3:
            # A manager must not wait for an address to be taken before it offers words.
            await until(ctx, self.bus.wvalid)
        await self._stuck(ctx, -1)
        await self._take(ctx, channel)
        return address, length + 1, identifier

    def _response(self, bad: bool) -> int:
        return self.dice.choice((2, 3)) if bad else 0

    async def _reads(self, ctx) -> None:
        while True:
            address, beats, identifier = await self._begin(ctx, "read", "ar")
            data = self.script.read(address, 4 * beats)
            bad = self.dice.randrange(beats) if fails(address) else -1
            for n in range(beats):
                await self._stuck(ctx, n)
                word = int.from_bytes(data[4 * n : 4 * n + 4], "little")
                response, last = self._response(n == bad), n == beats - 1
                await self._give(ctx, "r", id=identifier, data=word, resp=response, last=last)

    async def _words(self, ctx) -> None:
        while True:
            await until(ctx, self.bus.wvalid)
            await self._stuck(ctx, len(self._beats))
            taken = await self._take(ctx, "w", self.bus.wdata, self.bus.wstrb, self.bus.wlast)
            self._beats.append(taken)

    async def _writes(self, ctx) -> None:
        while True:
            address, beats, identifier = await self._begin(ctx, "write", "aw")
            while len(self._beats) < beats:
                await ctx.tick()
            assert [last for *_, last in self._beats] == [0] * (beats - 1) + [1]
            strobes = [strobe for _, strobe, _ in self._beats]
            written = strobes.index(0) if 0 in strobes else beats
            assert strobes == [ALL] * written + [0] * (beats - written)
            await self._stuck(ctx, beats)
            data = b"".join(word.to_bytes(4, "little") for word, *_ in self._beats)
            self._beats.clear()
            number = len(self.script.log) - 1
            self.partial += written < beats
            if written == beats and not fails(address) and number not in self.script.stuck:
                self.script.write(address, data)
            await self._give(ctx, "b", id=identifier, resp=self._response(fails(address)))
