"""cocotb: what a program on the SoC of ``litex_soc.py`` would do, over a master of its bus.

Pixels into the SoC's memory, DMAs started, the interrupt waited for and handled, scores read and compared.
"""

import json
import logging
import os
import re
import warnings
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from hw.host_interface.registers import (
    BATCH,
    CONTROL,
    ID,
    INTERRUPT,
    INTERRUPT_ENABLE,
    MAGIC,
    RESULT_STALL,
    STATUS,
)
from tests.bitstreams.flows.ip.litex_layout import FOLDER, RAM, REGISTERS

# cocotbext-axi still uses names that cocotb 2 deprecates.
warnings.filterwarnings("ignore", category=DeprecationWarning, module="cocotbext")

PERIOD = 10
PATIENCE = 200_000
"""Clocks for a run."""
SECOND = 64
"""Bytes between the images and the results in memory."""


class Program:
    """Register accesses by the names that LiteX and the register table give them."""

    def __init__(self, dut, folder):
        self.dut = dut
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "host"), dut.clk, dut.rst)
        header = (folder / "csr.h").read_text()
        found = re.findall(r"#define CSR_NPU_(\w+)_(ADDR \(CSR_BASE \+|SIZE) (0x[0-9a-f]+|\d+)", header)
        self.csr = {name: int(value, 0) for name, kind, value in found if kind != "SIZE"}
        self.words = {name: int(value, 0) for name, kind, value in found if kind == "SIZE"}

    async def start(self):
        dut = self.dut
        dut.rst.value = 1
        Clock(dut.clk, PERIOD, unit="ns").start()
        await ClockCycles(dut.clk, 8)
        dut.rst.value = 0
        await ClockCycles(dut.clk, 8)

    async def put(self, name, value):
        """A CSR of LiteX; the high word of a wide one lies first."""
        for i in reversed(range(self.words[name])):
            address = self.csr[name] + 4 * (self.words[name] - 1 - i)
            await self.bus.write_dword(address, value >> 32 * i & 0xFFFFFFFF)

    async def get(self, name):
        return await self.bus.read_dword(self.csr[name])

    async def store(self, address, data):
        """Into memory, a word after the other: LiteX's converter to a wider bus mixes up what overlaps."""
        for at in range(0, len(data), 4):
            await self.bus.write(address + at, data[at : at + 4])

    async def fetch(self, address, length):
        """From memory, in the same way."""
        parts = [await self.bus.read(address + at, min(4, length - at)) for at in range(0, length, 4)]
        return b"".join(bytes(part.data) for part in parts)

    async def write(self, register, value):
        await self.bus.write_dword(REGISTERS + register.address(), value)

    async def read(self, register):
        return await self.bus.read_dword(REGISTERS + register.address())

    async def events(self):
        """The handler: what has happened, cleared; the level has fallen then."""
        found = await self.read(INTERRUPT)
        await self.write(INTERRUPT, found)
        await ClockCycles(self.dut.clk, 4)
        assert not self.dut.irq.value
        return {name for name, bit in INTERRUPT.unpack(found).items() if bit}

    async def interrupted(self):
        """Wait for the interrupt: what has happened."""
        if not self.dut.irq.value:
            await with_timeout(RisingEdge(self.dut.irq), PATIENCE * PERIOD, "ns")
        return await self.events()

    async def begin(self, images, results, length):
        """Arm the writer for ``length`` bytes at ``results``, and start a run of so many images."""
        await self.put("WRITER_BASE", results)
        await self.put("WRITER_LENGTH", length)
        await self.put("WRITER_ENABLE", 1)
        await self.write(BATCH, images)
        await self.write(CONTROL, CONTROL.pack(start=1))

    async def send(self, address, length):
        """An image, to its end."""
        await self.put("READER_BASE", address)
        await self.put("READER_LENGTH", length)
        await self.put("READER_ENABLE", 1)
        await self.until(lambda: self.get("READER_DONE"))
        await self.put("READER_ENABLE", 0)

    async def give_up(self):
        """Abort, and drop what is under way."""
        await self.write(CONTROL, CONTROL.pack(abort=1))
        for name in ("READER_ENABLE", "WRITER_ENABLE"):
            await self.put(name, 0)
        await self.put("FLUSH", 1)
        await self.until(self.empty)
        await self.put("FLUSH", 0)

    async def empty(self):
        """Whether nothing is on its way any more."""
        return not await self.get("WAITING") and not STATUS.unpack(await self.read(STATUS))["leftover"]

    async def until(self, what):
        """Ask until it is so."""
        for _ in range(PATIENCE // 10):
            if await what():
                return
        raise TimeoutError("it never was")


async def run(program, frames, wanted):
    """A run of the images, whose frames lie at RAM; its clocks."""
    size, results = len(frames[0]), RAM + sum(map(len, frames)) + SECOND
    await program.store(results, bytes(len(wanted)))
    begun = get_sim_time("ns")
    await program.begin(len(frames), results, len(wanted))
    for i in range(len(frames)):
        await program.send(RAM + i * size, size)
    assert await program.interrupted() == {"done"}
    clocks = int(get_sim_time("ns") - begun) // PERIOD
    await program.until(lambda: program.get("WRITER_DONE"))
    await program.put("WRITER_ENABLE", 0)
    found = await program.fetch(results, len(wanted))
    assert found == wanted, f"{found.hex()} is not {wanted.hex()}"
    return clocks


async def disturb(program, size, beat):
    """An image that is too short; a run that is aborted while its results, and another image, wait."""
    other = RAM + 4 * size
    await program.store(other, bytes(range(1, 256)) * (size // 255 + 1))
    await program.begin(1, other + 2 * size, size)
    await program.send(RAM, size - beat)
    assert await program.interrupted() == {"framing_error"}
    await program.give_up()
    await program.begin(1, other + 2 * size, size)
    await program.put("WRITER_ENABLE", 0)
    await program.send(RAM, size)
    await program.put("READER_BASE", other)
    await program.put("READER_ENABLE", 1)
    await program.until(lambda: program.read(RESULT_STALL))
    assert await program.get("WAITING")
    await program.give_up()
    assert await program.events() == set() and not program.dut.irq.value


@cocotb.test()
async def program(dut):
    """Runs of all images; with ``trouble`` also an image that is too short, and an abort in the midst."""
    folder = Path(os.environ[FOLDER])
    job = np.load(folder / "job.npz")
    runs = [[bytes(frame) for frame in frames] for frames in job["frames"]]
    wanted = [bytes(frame) for frame in job["wanted"]]
    me = Program(dut, folder)
    await me.start()
    assert await me.read(ID) == MAGIC
    await me.write(INTERRUPT_ENABLE, INTERRUPT_ENABLE.pack(done=1, framing_error=1))
    await me.put("EV_ENABLE", 1)
    clocks = []
    for frames, due in zip(runs, wanted, strict=True):
        await me.store(RAM, b"".join(frames))
        if job["trouble"]:
            await disturb(me, len(frames[0]), int(job["beat"]))
        clocks.append(await run(me, frames, due))
    (folder / "clocks.json").write_text(json.dumps(clocks))
