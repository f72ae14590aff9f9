"""What requests do at the ports: accesses, longest frames, and patience to the clock."""

import random
from collections import deque

from amaranth.sim import Simulator

from hw.gateware.serial.bridge import Bridge
from hw.host_interface import protocol
from hw.host_interface.protocol import Command, Frame, Status
from tests.hw.gateware.bridge_bench import Script, ScriptedPorts, ask, run


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


def timed_out(patience: int) -> tuple[list[Frame], int, int]:
    """Answers to two READs that the bus never answers; clocks until the first one begins; accesses."""
    dut, plan, clocks, answers = Bridge(bus_patience=patience), Script(stuck={0}), [], []

    async def testbench(ctx):
        await ask(ctx, dut, Frame(1, 0, Command.OPEN))
        for sequence in (1, 2):
            request = protocol.READ_REQUEST.pack(16 * sequence)
            answers.append(await ask(ctx, dut, Frame(1, sequence, Command.READ, request)))

    async def watch(ctx):
        await ctx.tick().until(dut.axil.arvalid)
        count = 0
        while not ctx.get(dut.o.valid):
            await ctx.tick()
            count += 1
        clocks.append(count)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    ScriptedPorts(dut, plan, 0, 0).add_to(simulator)
    simulator.add_testbench(testbench)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    return answers, clocks[0], plan.accesses


def test_a_bus_that_does_not_answer_is_given_up_to_the_clock() -> None:
    """The access stays on the bus, so the next one is refused at once and never gets there."""
    (first, second), clocks, accesses = timed_out(150)
    assert (first.kind, first.payload) == (second.kind, second.payload) == (Status.BUS_TIMEOUT, b"")
    assert accesses == 1
    _, longer, _ = timed_out(201)
    assert longer - clocks == 51


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
