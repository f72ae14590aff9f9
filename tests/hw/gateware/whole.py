"""A whole accelerator in the Amaranth simulator: the host's driver at its ports, memory in Python.

Every port is watched: what is offered stays as it is until it is taken, and bursts stay inside their page.
"""

import random
from collections import deque
from dataclasses import dataclass, field

from amaranth.sim import Simulator

from hw.compile.compiler import compile_program
from hw.compile.stream_image import parts, stream_image, streamed_weights
from hw.contract.design import DesignInfo
from hw.contract.streamed_weights import PAGE
from hw.cost.cycles import run_cycles, total_cycles
from hw.gateware.accelerator import Accelerator
from hw.host.driver import Driver
from hw.util.errors import LinkError
from tests.hw.gateware.streams import beats_of, frame_of

WEIGHTS_PAGE = 3
PATIENCE = 40_000
"""Clocks for a register access or a result."""


class Held:
    """Asserts that ``valid``, once up, stays up with the same payload until ``ready``."""

    def __init__(self, name):
        self.name, self.offered = name, None

    def see(self, valid, ready, payload):
        """A clock: what is there before its edge."""
        if self.offered is not None:
            assert valid, f"{self.name}: valid fell before ready"
            assert payload == self.offered, f"{self.name}: the payload changed before ready"
        self.offered = payload if valid and not ready else None


@dataclass
class Bench:
    """An accelerator and what stands at its ports.

    pace: share of clocks in which images are offered, results and bursts are taken. latency: of memory.
    bad: beats of memory, counted from the first one, that come with an error. image: what memory holds
    instead of the weights.
    """

    program: object
    seed: int = 0
    pace: float = 1.0
    latency: int = 30
    bad: frozenset[int] = frozenset()
    image: bytes = b""
    images: deque = field(default_factory=deque)
    frames: deque = field(default_factory=deque)
    ended: bool = False

    def run(self, test):
        """Run ``await test(link, driver)`` with the clock going; returns what it returns."""
        self.dut = dut = Accelerator(self.program)
        simulator, found = Simulator(dut), []
        simulator.add_clock(1e-6)
        program = self.program
        stream = None
        if program.config.stream_weights:
            stream = streamed_weights(stream_image(program), program.stream)
        info = DesignInfo(
            "spec2", program.network, program.config, program.digest, numbers=program.numbers, stream=stream
        )

        async def main(ctx):
            self.ctx = ctx
            await ctx.tick()
            found.append(await test(self, Driver(self, info, timeout=PATIENCE, weights_page=WEIGHTS_PAGE)))
            self.ended = True

        self.memories, self.results_held = [], Held("m_axis")
        if program.config.stream_weights:
            count = program.config.memories
            ports = [dut.m_axi] if count == 1 else list(dut.m_axi)
            image = self.image or stream_image(program)
            for i, (port, part) in enumerate(zip(ports, parts(image, program.stream, count), strict=True)):
                self.memories.append((port, part + bytes(PAGE), WEIGHTS_PAGE * PAGE // count, i))
        simulator.add_testbench(main)
        simulator.add_testbench(self._ports, background=True)
        simulator.run()
        return found[0]

    # --- the driver's link -----------------------------------------------------------------------

    async def write32(self, address, value):
        bus, ctx = self.dut.s_axil, self.ctx
        for port, content in ((bus.awaddr, address), (bus.wdata, value), (bus.wstrb, 15)):
            ctx.set(port, content)
        ctx.set(bus.awvalid, 1)
        ctx.set(bus.wvalid, 1)
        for _ in range(100):
            _, _, address_taken, word_taken = await ctx.tick().sample(bus.awready, bus.wready)
            if address_taken:
                ctx.set(bus.awvalid, 0)
            if word_taken:
                ctx.set(bus.wvalid, 0)
            if not ctx.get(bus.awvalid) and not ctx.get(bus.wvalid):
                break
        await self._answer(bus.bvalid, bus.bready, bus.bresp, address)

    async def read32(self, address):
        bus, ctx = self.dut.s_axil, self.ctx
        ctx.set(bus.araddr, address)
        ctx.set(bus.arvalid, 1)
        for _ in range(100):
            _, _, taken = await ctx.tick().sample(bus.arready)
            if taken:
                break
        ctx.set(bus.arvalid, 0)
        return await self._answer(bus.rvalid, bus.rready, bus.rresp, address, bus.rdata)

    async def _answer(self, valid, ready, response, address, *values):
        ctx = self.ctx
        ctx.set(ready, 1)
        for _ in range(100):
            _, _, came, how, *found = await ctx.tick().sample(valid, response.as_value(), *values)
            if came:
                ctx.set(ready, 0)
                if how:
                    raise LinkError(f"the control port answered {how} at 0x{address:03X}")
                return found[0] if found else None
        raise LinkError("the control port does not answer")

    async def send(self, frame):
        beats = beats_of(frame, self.program.config.stream_pixels)
        self.images += [(beat, i == len(beats) - 1) for i, beat in enumerate(beats)]

    async def discard(self):
        """What an aborted run leaves is taken by then, however the sink stalls."""
        self.images.clear()
        await self.ctx.tick().repeat(int(20 / self.pace))
        self.frames.clear()

    async def receive(self, words, timeout):
        for _ in range(timeout):
            if self.frames:
                frame = self.frames.popleft()
                if len(frame) != 4 * words:
                    raise LinkError(f"a result of {len(frame) // 4} words came, not one of {words}")
                return frame
            await self.ctx.tick()
        raise LinkError("no result came")

    # --- the other ports -------------------------------------------------------------------------

    async def _ports(self, ctx):
        """All ports but the control port in one testbench: the simulator settles once a clock."""
        dut, samples, steps = self.dut, [], []
        ports = [self._give_images(ctx, dut.s_axis), self._take_results(ctx, dut.m_axis)]
        ports += [self._memory(ctx, *memory) for memory in self.memories]
        for port in ports:
            steps.append((len(samples), port))
            samples += next(port)
        while True:
            for _, port in steps:
                next(port)
            _, _, *values = await ctx.tick().sample(*samples)
            for first, port in steps:
                port.send(values[first:])

    def _give_images(self, ctx, stream):
        yield [stream.tready]
        dice, offered = random.Random(f"{self.seed}/images"), False
        while True:
            if not offered and self.images and dice.random() < self.pace:
                offered = True
                beat, last = self.images.popleft()
                ctx.set(stream.tdata, beat)
                ctx.set(stream.tlast, int(last))
            ctx.set(stream.tvalid, int(offered))
            ready, *_ = yield
            if offered and ready:
                offered = False
            yield

    def _take_results(self, ctx, stream):
        yield [stream.tvalid, stream.tdata, stream.tlast]
        dice, beats = random.Random(f"{self.seed}/results"), []
        while True:
            ready = int(dice.random() < self.pace)
            ctx.set(stream.tready, ready)
            valid, data, last, *_ = yield
            self.results_held.see(valid, ready, (data, last))
            if valid and ready:
                beats.append(data)
                if last:
                    self.frames.append(frame_of(beats, self.program.config.stream_pixels))
                    beats.clear()
            yield

    def _memory(self, ctx, port, content, base, number):
        asked = [port.arvalid, port.araddr, port.arlen, port.arsize, port.arburst, port.arid]
        yield [*asked, port.rready]
        dice, queue, now = random.Random(f"{self.seed}/{number}"), deque(), 0
        held, size, count = Held("m_axi ar"), len(port.rdata) // 8, 0
        offered = None
        while True:
            ready = int(dice.random() < self.pace and len(queue) < 1000)
            ctx.set(port.arready, ready)
            if offered is None and queue and queue[0][0] <= now and dice.random() < self.pace:
                _, address, last, name = queue.popleft()
                assert base <= address <= base + len(content) - size, "a read beyond the weights"
                beat = int.from_bytes(content[address - base :][:size], "little")
                offered, count = (beat, 2 if count in self.bad else 0, last, name), count + 1
            ctx.set(port.rvalid, int(offered is not None))
            if offered:
                for signal, value in zip(
                    (port.rdata, port.rresp, port.rlast, port.rid), offered, strict=True
                ):
                    ctx.set(signal, int(value))
            valid, address, beats, wide, burst, name, taken, *_ = yield
            held.see(valid, ready, (address, beats, name))
            now += 1
            if valid:
                assert burst == 1 and 1 << wide == size and address % size == 0
                assert address // PAGE == (address + (beats + 1) * size - 1) // PAGE, "a burst crosses a page"
            if valid and ready:
                due = now + self.latency
                queue.extend((due, address + i * size, i == beats, name) for i in range(beats + 1))
            if offered and taken:
                offered = None
            yield


def compiled(artifact, **options):
    """The program of an artifact on a configuration."""
    from hw.contract.config import AcceleratorConfig

    return compile_program(artifact, AcceleratorConfig(**options))


def predicted(program, size):
    """Clocks of every layer, and of a run in all, by the cost model."""
    return [layer.cycles for layer in run_cycles(program, size)], total_cycles(program, size)
