"""The UART in the Amaranth simulator: every byte, wrong bit rates, glitches, breaks, and the idle line."""

import gc
import random

import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from hw.gateware.serial.uart import Receiver, Transmitter


def bits(byte: int) -> list[int]:
    return [0, *(byte >> i & 1 for i in range(8)), 1]


def waveform(data: bytes, clocks: float, *, phase: float = 0.0, gap: float = 0.0) -> list[int]:
    """The line, clock by clock, at ``clocks`` per bit; ``gap`` bits of idle line between bytes."""
    levels, lengths = [1], [2.0 + phase]
    for byte in data:
        for bit in bits(byte):
            levels.append(bit)
            lengths.append(clocks)
        levels.append(1)
        lengths.append(gap * clocks)
    line, end = [], 0.0
    for level, length in zip(levels, lengths, strict=True):
        end += length
        line += [level] * (int(end) - len(line))
    return line + [1] * int(12 * clocks)


def received(simulate, clocks_per_bit: int, line: list[int]) -> bytes:
    dut, out = Receiver(clocks_per_bit), bytearray()

    async def testbench(ctx):
        for level in line:
            ctx.set(dut.rx, level)
            _, _, valid, byte = await ctx.tick().sample(dut.valid, dut.byte)
            if valid:
                out.append(byte)

    simulate(dut, testbench)
    return bytes(out)


@pytest.mark.parametrize("rate", [0.98, 1.0, 1.02])
@pytest.mark.parametrize("clocks_per_bit", [16, 27, 217])
def test_receiver_tolerates_two_per_cent(simulate, clocks_per_bit: int, rate: float) -> None:
    data = bytes(range(0, 256, 5)) if clocks_per_bit == 16 else bytes([0, 255, 0x55])
    for phase in (0.0, 0.5):
        line = waveform(data, clocks_per_bit * rate, phase=phase)
        assert received(simulate, clocks_per_bit, line) == data


@pytest.mark.parametrize("clocks_per_bit", [4, 5, 8])
def test_receiver_at_few_clocks_per_bit(simulate, clocks_per_bit: int) -> None:
    data = bytes([0, 255, 0x55, 0xAA, 0x7E, 0x81])
    for phase in (0.0, 0.3, 0.6, 0.9):
        assert received(simulate, clocks_per_bit, waveform(data, clocks_per_bit, phase=phase)) == data


def test_receiver_after_pauses_of_any_length(simulate) -> None:
    dice = random.Random(1)
    line, data = [1, 1], bytearray()
    for _ in range(40):
        data.append(dice.randrange(256))
        line += [level for level in bits(data[-1]) for _ in range(8)] + [1] * dice.randrange(20)
    assert received(simulate, 8, line + [1] * 20) == data


@pytest.mark.parametrize("length", [1, 2, 6])
def test_a_glitch_is_no_start_bit(simulate, length: int) -> None:
    glitch = [1] * 20 + [0] * length + [1] * 5
    assert received(simulate, 16, [*glitch, *glitch, *waveform(b"\x35", 16)]) == b"\x35"


def test_a_break_is_no_byte_and_what_follows_is_heard(simulate) -> None:
    assert received(simulate, 8, [1] * 4 + [0] * 1000 + [1] * 3 + waveform(b"\xc3", 8)) == b"\xc3"


def transmitted(simulate, clocks_per_bit: int, data: bytes, pauses: list[int]) -> list[int]:
    """The line in every clock, until it has been idle for two bytes."""
    dut, line = Transmitter(clocks_per_bit), []

    async def watch(ctx):
        async for _, _, level in ctx.tick().sample(dut.tx):
            line.append(level)

    async def testbench(ctx):
        for byte, pause in zip(data, pauses, strict=True):
            await ctx.tick().repeat(pause) if pause else None
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
            ctx.set(dut.i.payload, ~byte & 0xFF)
        await ctx.tick().repeat(30 * clocks_per_bit)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_process(watch)
    simulator.add_testbench(testbench)
    simulator.run()
    return line


@pytest.mark.parametrize("clocks_per_bit", [4, 7])
def test_transmitter_sends_back_to_back(simulate, clocks_per_bit: int) -> None:
    data = bytes([0, 255, 0x55, 0x13])
    line = transmitted(simulate, clocks_per_bit, data, [0] * len(data))
    expected = [bit for byte in data for bit in bits(byte) for _ in range(clocks_per_bit)]
    start = line.index(0)
    assert line[start : start + len(expected)] == expected
    assert set(line[:start]) <= {1} and set(line[start + len(expected) :]) == {1}


def test_what_is_sent_is_received(simulate) -> None:
    dice = random.Random(2)
    data = dice.randbytes(60)
    pauses = [dice.choice((0, 0, 1, 50, 77)) for _ in data]
    assert received(simulate, 6, transmitted(simulate, 6, data, pauses)) == data


def test_the_line_idles_high_before_in_and_after_reset(simulate) -> None:
    reset, dut = Signal(), Transmitter(4)
    seen = []

    async def testbench(ctx):
        seen.append(ctx.get(dut.tx))
        ctx.set(dut.i.payload, 0)
        ctx.set(dut.i.valid, 1)
        await ctx.tick().repeat(7)
        assert ctx.get(dut.tx) == 0
        ctx.set(dut.i.valid, 0)
        ctx.set(reset, 1)
        for clock in range(60):
            await ctx.tick()
            seen.append(ctx.get(dut.tx))
            ctx.set(reset, clock < 5)

    simulate(ResetInserter(reset)(dut), testbench)
    assert set(seen) == {1}


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
@pytest.mark.parametrize("block", [Receiver, Transmitter])
def test_too_few_clocks_per_bit_are_refused(block) -> None:
    with pytest.raises(ValueError, match="at least 4, not 3"):
        block(3)
    gc.collect()
