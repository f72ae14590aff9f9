"""Bursts of the bridge at external memory: longest ones, pages, patience, what resets and time-outs leave."""

import random

import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from hw.gateware.serial.bridge import Bridge
from hw.host_interface import protocol
from hw.host_interface.protocol import MAX_DATA, MAX_UNITS, MEMORY_PAGE, MEMORY_UNIT, Command, Frame, Status
from tests.hw.gateware.bridge_bench import ask, run
from tests.hw.gateware.memory_bench import MemoryPort, MemoryScript, fails

PAGE = MEMORY_PAGE // MEMORY_UNIT
"""Units of a page."""


def write(sequence: int, unit: int, data: bytes) -> Frame:
    request = protocol.WRITE_MEMORY_REQUEST.pack(unit) + data
    return Frame(1, sequence % 256, Command.WRITE_MEMORY, request)


def read(sequence: int, unit: int, units: int) -> Frame:
    request = protocol.READ_MEMORY_REQUEST.pack(unit, units)
    return Frame(1, sequence % 256, Command.READ_MEMORY, request)


def opened(dut, testbench, script: MemoryScript, stall: int = 0) -> MemoryPort:
    """Run ``testbench(ctx)`` with session 1 open; the memory it has used."""

    async def whole(ctx):
        await ask(ctx, dut, Frame(1, 0, Command.OPEN))
        await testbench(ctx)

    port = MemoryPort(dut.memory, script, 3, stall)
    run(dut, whole, port)
    return port


@pytest.mark.parametrize("stall", [0, 5])
def test_longest_bursts_both_ways(stall) -> None:
    dut, script = Bridge(memory=True), MemoryScript()
    data = random.Random(4).randbytes(MAX_DATA)

    async def testbench(ctx):
        for _ in range(2):  # the second one is not executed
            assert await ask(ctx, dut, write(1, 48, data)) == Frame(1, 1, Status.OK)
        for _ in range(2):
            assert await ask(ctx, dut, read(2, 48, MAX_UNITS)) == Frame(1, 2, Status.OK, data)

    opened(dut, testbench, script, stall)
    assert script.log == [("write", 48 * MEMORY_UNIT, MAX_DATA), ("read", 48 * MEMORY_UNIT, MAX_DATA)]
    assert script.read(48 * MEMORY_UNIT, MAX_DATA) == data


def test_no_burst_leaves_its_page() -> None:
    dut, script = Bridge(memory=True), MemoryScript()
    asked = [(PAGE - n, n) for n in range(1, MAX_UNITS + 1)]
    asked += [(PAGE - n + 1, n) for n in range(2, MAX_UNITS + 1)]
    asked += [(0, n) for n in (0, MAX_UNITS + 1, 2 * MAX_UNITS, 0x8001, 0xFFFF)]

    async def testbench(ctx):
        for sequence, (first, units) in enumerate(asked, start=1):
            answer = await ask(ctx, dut, read(sequence, (7 << 20) + first, units))
            sound = 1 <= units <= MAX_UNITS and first + units <= PAGE
            assert (answer.kind != Status.BAD_REQUEST) == sound, (first, units)
            assert not sound or fails(first * MEMORY_UNIT) or len(answer.payload) == units * MEMORY_UNIT

    opened(dut, testbench, script)
    assert len(script.log) == MAX_UNITS


def clocks_of_a_stuck_burst(patience: int, request: Frame) -> int:
    """From its address to the answer, which is a time-out; memory does not even take the address."""
    dut, clocks = Bridge(memory=True, memory_patience=patience), []

    async def testbench(ctx):
        await ask(ctx, dut, Frame(1, 0, Command.OPEN))
        assert await ask(ctx, dut, request) == Frame(1, 1, Status.MEMORY_TIMEOUT)
        again = await ask(ctx, dut, read(2, 0, 1))
        assert again == Frame(1, 2, Status.MEMORY_TIMEOUT), "its address is still on offer"

    async def watch(ctx):
        await ctx.tick().until(dut.memory.arvalid | dut.memory.awvalid)
        count = 0
        while not ctx.get(dut.o.valid):
            await ctx.tick()
            count += 1
        clocks.append(count)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    return clocks[0]


@pytest.mark.parametrize("request_", [read(1, 4, 2), write(1, 4, bytes(64))], ids=["read", "write"])
def test_a_memory_that_does_not_answer_is_given_up_to_the_clock(request_) -> None:
    longer, shorter = (clocks_of_a_stuck_burst(patience, request_) for patience in (351, 300))
    assert longer - shorter == 51


@pytest.mark.parametrize("stall", [0, 4])
def test_beats_of_a_write_that_is_given_up_follow_without_strobes(stall) -> None:
    """MemoryPort asserts that all beats come, in order, and that none has strobes after one without."""
    dut = Bridge(memory=True, memory_patience=400)
    script = MemoryScript(stuck=set(range(0, 24, 2)))

    async def testbench(ctx):
        dice = random.Random(stall)
        for n in range(0, 24, 2):
            unit, data = 8 * n, dice.randbytes(MEMORY_UNIT)
            before = script.read(unit * MEMORY_UNIT, MEMORY_UNIT)
            assert (await ask(ctx, dut, write(n + 1, unit, data))).kind == Status.MEMORY_TIMEOUT
            script.release()
            await ctx.tick().repeat(40 + 20 * stall * 16)
            # The bridge is free again, and what it had loaded is in nobody's way.
            answer = await ask(ctx, dut, read(n + 2, unit, 1))
            assert answer == Frame(1, n + 2, Status.OK, before)

    port = opened(dut, testbench, script, stall)
    assert port.partial > 3


@pytest.mark.parametrize("stall", [0, 3])
def test_a_reset_in_mid_burst_breaks_no_rule_of_the_bus(stall) -> None:
    """Memory is not reset: it gets the beats it is owed, and what it still gives is taken for nobody's."""
    reset, dut, script = Signal(), Bridge(memory=True), MemoryScript()
    dice = random.Random(stall)

    async def testbench(ctx):
        for n in range(40):
            unit, kind = 8 * n, dice.choice(("read", "write"))
            data, old = dice.randbytes(MEMORY_UNIT), script.read(unit * MEMORY_UNIT, MEMORY_UNIT)
            await ask(ctx, dut, Frame(1, 0, Command.OPEN))
            request = write(1, unit, data) if kind == "write" else read(1, unit, 1)
            for byte in request.encode():
                ctx.set(dut.i_byte, byte)
                ctx.set(dut.i_valid, 1)
                await ctx.tick()
                ctx.set(dut.i_valid, 0)
                await ctx.tick().repeat(2)
            ctx.set(dut.o.ready, 1)
            await ctx.tick().repeat(dice.randrange(20, 260))
            ctx.set(reset, 1)
            await ctx.tick().repeat(dice.randrange(1, 4))
            ctx.set(reset, 0)
            await ask(ctx, dut, Frame(1, 0, Command.OPEN))
            answer = await ask(ctx, dut, read(1, unit, 1))
            assert answer.kind == Status.OK
            assert answer.payload in ((old, data) if kind == "write" else (old,))

    simulator = Simulator(ResetInserter(reset)(dut))
    simulator.add_clock(1e-6)
    port = MemoryPort(dut.memory, script, 5, stall)
    port.add_to(simulator)
    simulator.add_testbench(testbench)
    simulator.run()
    assert port.partial > 5
