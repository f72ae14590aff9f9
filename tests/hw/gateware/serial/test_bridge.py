"""The bridge in the Amaranth simulator against its model: responses byte for byte, and every access."""

import gc
import itertools
import random

import pytest

from hw.gateware.serial.bridge import Bridge
from hw.host_interface import protocol
from hw.host_interface.protocol import Command, Frame, Status
from sim.model import bridge as model
from tests.hw.gateware.bridge_bench import (
    Host,
    Script,
    ScriptedModel,
    ScriptedPorts,
    ask,
    conversation,
    run,
    script,
)
from tests.hw.gateware.memory_bench import MemoryPort, ScriptedMemory, memory_script

SHORT = {"bus_patience": 150, "send_patience": 250, "memory_patience": 700, "wait_unit": 16}
WAIT = 30
"""Units of SHORT's in which every result that is to come has come."""


def _slow(seed: int, stall: int, memory: bool) -> bool:
    """Half a minute each; of the first seed each stall and each kind of bridge runs once in any case."""
    return seed > 0 or (stall > 0) != memory


@pytest.mark.parametrize(
    ("seed", "stall", "memory"),
    [
        pytest.param(*case, marks=[pytest.mark.slow] * _slow(*case))
        for case in itertools.product([0, 1], [0, 3], [False, True])
    ],
)
def test_bridge_answers_as_its_model_does(seed: int, stall: int, memory: bool) -> None:
    """Sound, repeated, foreign, damaged and senseless requests; stuck, full and late ports, and memory."""
    dut, dice = Bridge(memory=memory, **SHORT), random.Random(seed)
    in_model, in_dut = script(seed), script(seed)
    memory_in_model, memory_in_dut = memory_script(seed), memory_script(seed)
    twin = model.Bridge(ScriptedModel(in_model), ScriptedMemory(memory_in_model) if memory else None)
    ports = [ScriptedPorts(dut, in_dut, seed, stall)]
    if memory:
        ports.append(MemoryPort(dut.memory, memory_in_dut, seed, stall))
    responses = []

    async def testbench(ctx):
        host = Host(ctx, dut, dice, stall)
        for data in conversation(700 + 10 * seed + stall, 220, WAIT):
            if in_model.waiting and dice.random() < 0.4:
                in_model.waiting = in_dut.waiting = False
                await ctx.tick().repeat(30)
            if memory_in_model.waiting and dice.random() < 0.4:
                memory_in_model.release()
                memory_in_dut.release()
                await ctx.tick().repeat(600)
            for byte in data:
                expected = twin.feed(byte)
                await host.feed(byte) if not expected else await last_byte(ctx, byte)
                if expected:
                    assert await host.response(len(expected)) == expected
                    assert in_dut.log == in_model.log
                    assert memory_in_dut.log == memory_in_model.log
                    assert memory_in_dut.units == memory_in_model.units
                    responses.append(expected)

    async def last_byte(ctx, byte):
        ctx.set(dut.i_byte, byte)
        ctx.set(dut.i_valid, 1)
        await ctx.tick()
        ctx.set(dut.i_valid, 0)
        await ctx.tick().repeat(2)

    run(dut, testbench, *ports)
    kinds = {parse(wire).kind for wire in responses}
    of_memory = {Status.MEMORY_ERROR, Status.MEMORY_TIMEOUT}
    assert kinds == set(Status) - (set() if memory else of_memory) and len(responses) > 100
    assert {entry[0] for entry in in_dut.log} == {"read", "write", "beat"}
    assert {entry[0] for entry in memory_in_dut.log} == ({"read", "write"} if memory else set())


def parse(wire: bytes) -> Frame:
    """The only frame in ``wire``."""
    deframer = protocol.Deframer()
    (frame,) = [frame for frame in map(deframer.feed, wire) if frame]
    return frame


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


@pytest.mark.parametrize(("memory", "luts", "registers"), [(False, 700, 417), (True, 900, 550)])
def test_the_bridge_is_small(synthesise, memory, luts, registers) -> None:
    """Two small block RAMs, no LUT memory, and well below a thousand LUTs; 16 of the registers are those of
    the block RAMs."""
    cells = synthesise(Bridge(memory=memory))
    assert cells.get("RAMB18E1") == 2 and "RAMB36E1" not in cells
    assert not any(name.startswith("RAM") and name != "RAMB18E1" for name in cells)
    assert sum(n for name, n in cells.items() if name.startswith("LUT")) < luts
    assert sum(n for name, n in cells.items() if name.startswith("FD")) < registers
