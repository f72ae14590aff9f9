"""cocotb tests of the control port's Verilog with the AXI4-Lite master of cocotbext-axi.

The master is an implementation of the protocol that shares nothing with ours; all five of its channels
pause at random. ``test_axilite.py`` builds the simulator and passes the seed.
"""

import logging
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from hw.contract.config import shape_word
from hw.host_interface import registers
from hw.host_interface.registers import BATCH, CONTROL, INTERRUPT, INTERRUPT_ENABLE
from sim.bench.stalls import stall
from tests.sim.bench.control_port import CONFIG, DIGEST, LAYERS

PERIOD = 10
TRANSFERS = 300


async def start(dut, seed):
    """Clock, reset, a master that pauses at random; a different value on every counter port."""
    logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)
    dut.rst.value = 1
    dut.status.value = 0b010
    Clock(dut.clk, PERIOD, unit="ns").start()
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "bus"), dut.clk, dut.rst)
    write, read = master.write_if, master.read_if
    stall([write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel], seed, PERIOD)
    numbers = random.Random(seed)
    words = dict.fromkeys(range(0, 0x400, 4))
    words |= {0x00: registers.MAGIC, 0x04: registers.HARDWARE_VERSION, 0x08: 0, 0x0C: 0b010, 0x10: 1}
    words[0x14], words[0x1C] = shape_word(CONFIG, LAYERS), LAYERS - 1 << 8
    words[0x68] = words[0x70] = 0
    words[0x74] = dut.interrupt.value = 0b101
    words[0x6C] = dut.checksum.value = numbers.getrandbits(32)
    words |= {0x20 + 4 * i: word for i, word in enumerate(registers.digest_words(DIGEST))}
    for register in (*registers.COUNTERS, *registers.LAYER_COUNTERS):
        array = register in registers.LAYER_COUNTERS
        for i in range(LAYERS if array else 1):
            words[register.address(i)] = numbers.getrandbits(32)
            port = f"{register.name.lower()}_{i}" if array else register.name.lower()
            getattr(dut, port).value = words[register.address(i)]
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    return master, words, numbers


def expected_write(words, address, data):
    """Update ``words`` by a write of ``data`` from byte ``address`` on; whether it should be accepted."""
    aligned, low = address & ~3, address & 3
    if aligned not in (BATCH.address(), INTERRUPT_ENABLE.address()):
        return aligned in (CONTROL.address(), INTERRUPT.address())
    word = bytearray(words[aligned].to_bytes(4, "little"))
    word[low : low + len(data)] = data
    value = int.from_bytes(word, "little")
    if aligned == INTERRUPT_ENABLE.address():
        words[aligned] = value & 7
        return True
    if 1 <= value <= CONFIG.batch:
        words[aligned] = value
        return True
    return False


@cocotb.test()
async def one_after_the_other(dut):
    """Writes of 1 to 4 bytes anywhere, each followed by a read of the same word or another."""
    master, words, numbers = await start(dut, cocotb.RANDOM_SEED)
    for _ in range(TRANSFERS):
        address = numbers.choice([*words, *[BATCH.address()] * 200, *[INTERRUPT_ENABLE.address()] * 100])
        low = numbers.randrange(4)
        data = bytes(numbers.choice((0, 1, 2, 3, 5, 6, 255)) for _ in range(numbers.randint(1, 4 - low)))
        if address in (registers.LAYERS.address(), registers.WEIGHTS.address()):
            continue  # rules of their own: tests/hw/gateware/ports/test_axilite.py
        if address != CONTROL.address():
            accepted = expected_write(words, address + low, data)
            answer = await master.write(address + low, data)
            assert answer.resp == (AxiResp.OKAY if accepted else AxiResp.SLVERR), (hex(address), low, data)
        address = numbers.choice([address, *words])
        await check_read(master, words, address)


async def check_read(master, words, address):
    answer = await master.read(address, 4)
    known = words[address] is not None
    assert answer.resp == (AxiResp.OKAY if known else AxiResp.SLVERR), hex(address)
    assert int.from_bytes(answer.data, "little") == (words[address] or 0), hex(address)


@cocotb.test()
async def both_directions_at_once(dut):
    """Queued writes, whose data may overtake addresses, beside queued reads; a pulse lasts one clock."""
    master, words, numbers = await start(dut, cocotb.RANDOM_SEED + 1)
    pulses = []
    watcher = cocotb.start_soon(record_pulses(dut, pulses))
    still = [address for address, word in words.items() if address != BATCH.address()]
    reads = [cocotb.start_soon(check_read(master, words, numbers.choice(still))) for _ in range(TRANSFERS)]
    wanted, writes, refused = [], [], []
    for _ in range(TRANSFERS // 2):
        bits, low = numbers.randrange(4), numbers.choice((0, 0, 1))
        # From byte 1 on, the same bits hit nothing.
        writes.append(cocotb.start_soon(master.write(CONTROL.address() + low, bytes([bits] * (4 - low)))))
        refused.append(bits == 3 and not low)  # a start beside an abort
        wanted += [bits] if bits and not low and not refused[-1] else []
    for write, slave_error in zip(writes, refused, strict=True):
        assert (await write).resp == (AxiResp.SLVERR if slave_error else AxiResp.OKAY)
    for read in reads:
        await read
    await ClockCycles(dut.clk, 5)
    watcher.cancel()
    assert pulses == wanted


async def record_pulses(dut, pulses):
    """Every clock in which start (bit 0) or abort (bit 1) is up."""
    while True:
        await RisingEdge(dut.clk)
        await ReadOnly()
        if bits := int(dut.start.value) | int(dut.abort.value) << 1:
            pulses.append(bits)


@cocotb.test()
async def reset_between_transfers(dut):
    """A reset returns BATCH to one and leaves the port able to answer."""
    master, words, _ = await start(dut, cocotb.RANDOM_SEED + 2)
    await master.write(BATCH.address(), (4).to_bytes(4, "little"))
    assert int(dut.batch.value) == 4
    dut.rst.value = 1
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 1)
    assert int(dut.batch.value) == 1
    for address in words:
        await check_read(master, words, address)
