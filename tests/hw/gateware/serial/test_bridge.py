"""The bridge in the Amaranth simulator against its model: responses byte for byte, and every access."""

import gc
import random
from collections import deque

import pytest
from amaranth.sim import Simulator

from hw.gateware.serial.bridge import Bridge
from hw.interface import protocol
from hw.interface.protocol import FLAG, Command, Frame, Status
from sim.model import bridge as model
from tests.hw.gateware.bridge_bench import Script, ScriptedModel, ScriptedPorts, conversation, script

SHORT = {"bus_patience": 150, "send_patience": 250, "wait_unit": 16}
WAIT = 30
"""Units of SHORT's in which every result that is to come has come."""


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
            assert not self.ctx.get(self.dut.o_valid)
            await self.ctx.tick()

    async def response(self, size: int, clocks: int = 20_000) -> bytes:
        """``size`` bytes, and the clocks until the bridge listens again; noise comes in the meantime."""
        dut, out = self.dut, bytearray()
        for _ in range(clocks):
            self.ctx.set(dut.o_ready, self.dice.randrange(self.stall + 1) == 0)
            self.ctx.set(dut.i_byte, self.dice.choice((FLAG, self.dice.randrange(256))))
            self.ctx.set(dut.i_valid, self.dice.random() < 0.5 and len(out) < size - 1)
            _, _, taken, byte = await self.ctx.tick().sample(dut.o_valid & dut.o_ready, dut.o_byte)
            if taken:
                out.append(byte)
            if len(out) == size:
                break
        self.ctx.set(dut.i_valid, 0)
        self.ctx.set(dut.o_ready, 0)
        await self.ctx.tick().repeat(3)
        return bytes(out)


def run(dut: Bridge, testbench, ports: ScriptedPorts | None = None) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    if ports:
        ports.add_to(simulator)
    simulator.add_testbench(testbench)
    simulator.run()


@pytest.mark.parametrize("stall", [0, 3])
@pytest.mark.parametrize("seed", range(2))
def test_bridge_answers_as_its_model_does(seed: int, stall: int) -> None:
    """Sound, repeated, foreign, damaged and senseless requests; stuck, full and late ports."""
    dut, dice = Bridge(**SHORT), random.Random(seed)
    in_model, in_dut = script(seed), script(seed)
    twin = model.Bridge(ScriptedModel(in_model))
    responses = []

    async def testbench(ctx):
        host = Host(ctx, dut, dice, stall)
        for data in conversation(10 * seed + stall, 150, WAIT):
            if in_model.waiting and dice.random() < 0.4:
                in_model.waiting = in_dut.waiting = False
                await ctx.tick().repeat(30)
            for byte in data:
                expected = twin.feed(byte)
                await host.feed(byte) if not expected else await last_byte(ctx, byte)
                if expected:
                    assert await host.response(len(expected)) == expected
                    assert in_dut.log == in_model.log
                    responses.append(expected)

    async def last_byte(ctx, byte):
        ctx.set(dut.i_byte, byte)
        ctx.set(dut.i_valid, 1)
        await ctx.tick()
        ctx.set(dut.i_valid, 0)
        await ctx.tick().repeat(2)

    run(dut, testbench, ScriptedPorts(dut, in_dut, seed, stall))
    kinds = {parse(wire).kind for wire in responses}
    assert kinds == set(Status) and len(responses) > 100
    assert {entry[0] for entry in in_dut.log} == {"read", "write", "beat"}


def parse(wire: bytes) -> Frame:
    """The only frame in ``wire``."""
    deframer = protocol.Deframer()
    (frame,) = [frame for frame in map(deframer.feed, wire) if frame]
    return frame


async def ask(ctx, dut: Bridge, request: Frame, clocks: int = 100_000) -> Frame:
    """One exchange at full speed."""
    host = Host(ctx, dut, random.Random(1), 0)
    for byte in request.encode():
        ctx.set(dut.i_byte, byte)
        ctx.set(dut.i_valid, 1)
        await ctx.tick()
        ctx.set(dut.i_valid, 0)
        await ctx.tick().repeat(2)
    ctx.set(dut.o_ready, 1)
    deframer = protocol.Deframer()
    for _ in range(clocks):
        _, _, taken, byte = await ctx.tick().sample(dut.o_valid, dut.o_byte)
        if taken and (frame := deframer.feed(byte)):
            await host.ctx.tick().repeat(3)
            return frame
    raise TimeoutError("no response")


def test_longest_frames_both_ways() -> None:
    dut, dice = Bridge(), random.Random(9)
    beats = [dice.getrandbits(32) for _ in range(protocol.MAX_BEATS)]
    data = b"".join(beat.to_bytes(4, "little") for beat in beats)
    plan = Script(results=deque((beat, False) for beat in [*beats, 1]))

    async def testbench(ctx):
        await ask(ctx, dut, Frame(1, 0, Command.OPEN))
        sent = await ask(ctx, dut, Frame(1, 1, Command.SEND, bytes([protocol.LAST]) + data))
        assert (sent.kind, sent.payload) == (Status.OK, protocol.SEND_RESPONSE.pack(len(beats)))
        request = protocol.RECEIVE_REQUEST.pack(len(beats), 1)
        for _ in range(2):  # the second answer comes from the buffer
            received = await ask(ctx, dut, Frame(1, 2, Command.RECEIVE, request))
            assert (received.kind, received.payload) == (Status.OK, b"\0" + data)

    run(dut, testbench, ScriptedPorts(dut, plan, 0, 0))
    assert plan.log == [("beat", beat, n == len(beats) - 1) for n, beat in enumerate(beats)]
    assert len(plan.results) <= 1


def high(signal, counts: list[int]):
    """A testbench that notes for how many clocks ``signal`` is high each time."""

    async def testbench(ctx):
        count = 0
        while True:
            _, _, value = await ctx.tick().sample(signal)
            if count and not value:
                counts.append(count)
            count = count + 1 if value else 0

    return testbench


def test_the_bridge_counts_clocks() -> None:
    """Patience is what the protocol says, to the clock."""
    dut, receives, sends = Bridge(), [], []

    async def testbench(ctx):
        await ask(ctx, dut, Frame(1, 0, Command.OPEN))
        for n, wait in enumerate((0, 1, 3), start=1):
            answer = await ask(ctx, dut, Frame(1, n, Command.RECEIVE, protocol.RECEIVE_REQUEST.pack(5, wait)))
            assert (answer.kind, answer.payload) == (Status.OK, b"\0")
        answer = await ask(ctx, dut, Frame(1, 4, Command.SEND, bytes(9)))
        assert (answer.kind, answer.payload) == (Status.OK, b"\0\0")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.add_testbench(high(dut.results.tready, receives), background=True)
    simulator.add_testbench(high(dut.images.tvalid, sends), background=True)
    simulator.run()
    assert receives == [1, 1 + protocol.WAIT_UNIT, 1 + 3 * protocol.WAIT_UNIT]
    # The timer starts when the flags have been read; the first beat takes eight clocks to load.
    assert sends == [1 + protocol.SEND_PATIENCE - 8]


def test_the_unit_of_waiting_may_be_a_clock() -> None:
    dut, receives = Bridge(wait_unit=1), []

    async def testbench(ctx):
        await ask(ctx, dut, Frame(1, 0, Command.OPEN))
        for n, wait in enumerate((0, 1, 300), start=1):
            answer = await ask(ctx, dut, Frame(1, n, Command.RECEIVE, protocol.RECEIVE_REQUEST.pack(5, wait)))
            assert (answer.kind, answer.payload) == (Status.OK, b"\0")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.add_testbench(high(dut.results.tready, receives), background=True)
    simulator.run()
    assert receives == [1, 2, 301]


def test_a_refused_request_leaves_the_last_response_alone() -> None:
    dut, plan = Bridge(), Script()

    async def testbench(ctx):
        read = Frame(1, 1, Command.READ, protocol.READ_REQUEST.pack(0x10))
        await ask(ctx, dut, Frame(1, 0, Command.OPEN))
        first = await ask(ctx, dut, read)
        assert (await ask(ctx, dut, Frame(2, 9, Command.READ, bytes(2)))).kind == Status.WRONG_SESSION
        assert (await ask(ctx, dut, Frame(1, 5, Command.READ, bytes(2)))).kind == Status.WRONG_SEQUENCE
        assert await ask(ctx, dut, read) == first

    run(dut, testbench, ScriptedPorts(dut, plan, 0, 0))
    assert plan.accesses == 1


def test_nothing_is_executed_before_a_session_is_open() -> None:
    dut = Bridge()

    async def testbench(ctx):
        for sequence in (0, 1, 255):
            answer = await ask(ctx, dut, Frame(0, sequence, Command.READ, bytes(2)))
            assert answer == Frame(0, sequence, Status.WRONG_SESSION)

    run(dut, testbench)


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_the_unit_of_waiting_is_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="power of two, not 1000"):
        Bridge(wait_unit=1000)
    gc.collect()


def test_the_bridge_is_small(synthesise) -> None:
    """Two small block RAMs, no LUT memory, and well below a thousand LUTs."""
    cells = synthesise(Bridge())
    assert cells.get("RAMB18E1") == 2 and "RAMB36E1" not in cells
    assert not any(name.startswith("RAM") and name != "RAMB18E1" for name in cells)
    assert sum(n for name, n in cells.items() if name.startswith("LUT")) < 700
    assert sum(n for name, n in cells.items() if name.startswith("FD")) < 400
