"""Runs that are broken off, anywhere and by anything, on a whole design inside the simulator.

The job is left in the run folder as ``sim.rtl`` does, with the scores of its images beside it.
"""

import os
import random
from pathlib import Path

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from hw.host.driver import MEMORY, Driver
from hw.host_interface.registers import CONTROL, STATUS
from hw.util.errors import LinkError
from sim.bench.job import VARIABLE, Job
from sim.bench.link import SimLink
from sim.bench.session import PAGE

ENDINGS = ("abort", "reset", "reset apart", "error")
"""How a run ends early; the last two need external memory: a reset without it, and its error."""


class Watch:
    """Holds ``m_axis`` to its promises: what is offered stays until it is taken. ``ends``: frames so far."""

    def __init__(self, dut):
        self.dut, self.ends, self.beats = dut, 0, 0
        self.task = cocotb.start_soon(self._run())

    async def _run(self):
        dut, offered = self.dut, None
        while True:
            await RisingEdge(dut.clk)
            if dut.rst.value:
                offered, self.beats = None, 0
                continue
            beat = (
                (int(dut.m_axis_tdata.value), int(dut.m_axis_tlast.value))
                if dut.m_axis_tvalid.value
                else None
            )
            assert offered in (None, beat), f"{offered} was offered, and then {beat}"
            taken = beat is not None and bool(dut.m_axis_tready.value)
            offered = None if taken else beat
            if taken:
                self.beats = 0 if beat[1] else self.beats + 1
                self.ends += beat[1]


async def begin(dut, stalls):
    """The job, the scores it should give, a link and a driver of a fresh accelerator, and who watches it."""
    run_dir = Path(os.environ[VARIABLE])
    job, scores = Job.load(run_dir), np.load(run_dir / "scores.npy")
    link = SimLink(dut)
    link.set_memory(job.memory, PAGE * 4096, job.seed if stalls else None)
    if stalls:
        link.stall(job.seed)
    await link.reset()
    driver = Driver(link, job.info, timeout=job.timeout, weights_page=PAGE)
    await driver.connect()
    return job, scores, link, driver, Watch(dut)


async def break_off(dut, rounds):
    """Break off so many runs, each in another way, anywhere. The next run of each is right in every value."""
    job, scores, link, driver, watch = await begin(dut, stalls=True)
    numbers = random.Random(job.seed)
    batch = job.info.config.batch
    await driver.run(job.images[:batch])
    whole = await driver.counters()
    endings = ENDINGS if whole.weight_beats else ENDINGS[:2]
    for number in range(rounds):
        ending = endings[number % len(endings)]
        if ending == "error":
            dut.memory_bad.value = numbers.randint(1, whole.weight_beats)
            try:
                await driver.run(255 - job.images[:batch])
                raise AssertionError("an error of memory was not told")
            except LinkError as error:
                assert str(error) == MEMORY, error
            dut.memory_bad.value = 0
        else:
            run = cocotb.start_soon(driver.run(255 - job.images[:batch]))
            mid_frame = number % 8 == 0 and scores[0].size > 1
            if mid_frame:
                while not watch.beats:
                    await RisingEdge(dut.clk)
            else:
                await ClockCycles(dut.clk, numbers.randint(20, max(21, int(1.3 * whole.cycles))))
            run.cancel()
            if ending == "abort":
                await _abort(link, watch)
            else:
                await link.reset(numbers.choice([1, 2, 4]), memory=ending == "reset")
        await driver.connect()
        first = numbers.randrange(len(job.images) - batch + 1)
        found = await driver.run(job.images[first : first + batch])
        assert np.array_equal(found, scores[first : first + batch]), (number, ending)
        link.check(job.info)


async def _abort(link, watch):
    """Abort, and see that nothing is left: no state, no result, no open frame."""
    await link.write32(CONTROL.address(), CONTROL.pack(abort=1))
    status = STATUS.unpack(await link.read32(STATUS.address()))
    assert not status["busy"] and not status["done"] and not status["memory_error"]
    await link.discard()
    status = STATUS.unpack(await link.read32(STATUS.address()))
    assert not status["leftover"] and not watch.beats, "a frame was left open"
