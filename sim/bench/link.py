"""The driver's link inside a simulator: cocotbext-axi on the control port, ``frames.v`` on the streams."""

import logging
import warnings

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, SimTimeoutError, with_timeout
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from hw.util.errors import LinkError
from sim.bench import wrapper
from sim.bench.frames import FrameSink, FrameSource
from sim.bench.job import PERIOD
from sim.bench.stalls import stall

# cocotbext-axi still uses names that cocotb 2 deprecates, and would say so in every log.
warnings.filterwarnings("ignore", category=DeprecationWarning, module="cocotbext")

MEMORY_STALL = 80
"""Of 256 clocks, how many external memory stalls when it is told to."""

LEFTOVER = 200
"""Clocks in which two beats are taken, whatever pauses the sink makes (:mod:`sim.bench.stalls`)."""

CONTROL_TIMEOUT = 1000
"""Clocks a register access may take; the control port needs a handful."""


class SimLink:
    """A :class:`hw.host.link.Link` to module ``dut``, which :mod:`sim.bench.wrapper` has made.

    Starts the clock. Beyond the protocol: :meth:`reset`, :meth:`stall`, :attr:`clocks`.
    """

    def __init__(self, dut):
        self.dut = dut
        # The AXI models log every frame in full; formatting it takes longer than simulating it.
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)
        dut.rst.value = 1
        Clock(dut.clk, PERIOD, unit="ns").start()
        self.control = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self.images = FrameSource(dut)
        self.results = FrameSink(dut)

    @property
    def clocks(self):
        """Clocks since the start of the simulation."""
        return int(get_sim_time("ns")) // PERIOD

    async def reset(self, clocks=4, *, memory=True):
        """Hold reset for a few clocks. Frames under way are forgotten, with ``memory`` what it owes, too."""
        if hasattr(self.dut, "memory_apart"):
            self.dut.memory_apart.value = int(not memory)
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, clocks)
        self.forget()
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 2)

    def forget(self):
        """Drop all frames under way, also those of which beats have passed."""
        for stream in (self.images, self.results):
            stream.forget()

    async def discard(self):
        """See :class:`hw.host.link.Link`. What the accelerator still offers is taken, however the sink
        stalls."""
        await ClockCycles(self.dut.clk, LEFTOVER)
        self.forget()

    def set_memory(self, memory, base, seed):
        """How external memory behaves, where there is one: ``seed`` of its stalls, None for none."""
        if hasattr(self.dut, "memory_latency"):
            self.dut.memory_latency.value = memory.latency
            self.dut.memory_gap.value = memory.gap
            self.dut.memory_base.value = base
            self.dut.memory_bad.value = 0
            self.dut.memory_stall.value = 0 if seed is None else MEMORY_STALL
            self.dut.memory_seed.value = seed or 0

    def check(self, info):
        """Raise ``LinkError`` if a port has broken a promise, or a frame of results has no end."""
        if not hasattr(self.dut, wrapper.BROKEN):
            return
        broken = int(getattr(self.dut, wrapper.BROKEN).value)
        if found := [words for bit, words in enumerate(wrapper.promises(info)) if broken >> bit & 1]:
            raise LinkError(f"{'; '.join(found)}: the design breaks the protocol of its ports")
        if getattr(self.dut, wrapper.UNFINISHED).value:
            raise LinkError("m_axis has ended within a frame: the design breaks the protocol of its ports")

    def stall(self, seed):
        """Pause all seven channels at random from now on."""
        write, read = self.control.write_if, self.control.read_if
        channels = [
            *(write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel),
            *(self.images, self.results),
        ]
        stall(channels, seed, PERIOD)

    async def read32(self, address):
        answer = await self._access(self.control.read(address, 4), address)
        return int.from_bytes(answer.data, "little")

    async def write32(self, address, value):
        await self._access(self.control.write(address, value.to_bytes(4, "little")), address)

    async def _access(self, transfer, address):
        try:
            answer = await with_timeout(cocotb.start_soon(transfer), CONTROL_TIMEOUT * PERIOD, "ns")
        except SimTimeoutError:
            raise LinkError(
                f"the control port did not answer at 0x{address:03X} in {CONTROL_TIMEOUT} clocks"
            ) from None
        if answer.resp != AxiResp.OKAY:
            raise LinkError(f"the control port answered {answer.resp.name} at 0x{address:03X}")
        return answer

    async def send(self, frame):
        self.images.send(frame)

    async def receive(self, words, timeout):
        if not self.results.arrived.is_set():
            try:
                await with_timeout(self.results.arrived.wait(), timeout * PERIOD, "ns")
            except SimTimeoutError:
                raise LinkError(f"no complete result came within {timeout} clocks") from None
        frame = self.results.take()
        if len(frame) != 4 * words:
            raise LinkError(f"a result of {len(frame) // 4} words came, not one of {words}")
        return frame
