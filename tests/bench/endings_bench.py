"""cocotb tests of how runs end, on a whole design with external memory: aborts, resets, errors, starts.

``test_endings.py`` builds the simulator and leaves a job as ``sim.rtl`` does: the images, four of them, and
beside it their scores.
"""

import os
import random
from pathlib import Path

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiResp

from hw.driver import MEMORY, Driver
from hw.errors import LinkError
from hw.frames import pack_image
from hw.registers import BATCH, CONTROL, STATUS, WEIGHTS
from sim.bench.job import VARIABLE, Job
from sim.bench.link import SimLink
from sim.bench.session import PAGE

ROUNDS = 24
"""Runs that are broken off."""


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
    """The job, the scores it should give, a driver of a fresh accelerator, and who watches it."""
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


@cocotb.test()
async def runs_that_are_broken_off(dut):
    """By an abort, by a reset with or without memory, by a memory error: anywhere. The next run is right."""
    job, scores, link, driver, watch = await begin(dut, stalls=True)
    numbers = random.Random(job.seed)
    batch = job.info.config.batch
    await driver.run(job.images[:batch])
    whole = (await driver.counters()).cycles
    beats = (await driver.counters()).weight_beats
    for number in range(ROUNDS):
        way = ("abort", "reset", "reset apart", "error")[number % 4]
        if way == "error":
            dut.memory_bad.value = numbers.randint(1, beats)
            try:
                await driver.run(255 - job.images[:batch])
                raise AssertionError("an error of memory was not told")
            except LinkError as error:
                assert str(error) == MEMORY, error
            dut.memory_bad.value = 0
        else:
            run = cocotb.start_soon(driver.run(255 - job.images[:batch]))
            if number % 8:
                await ClockCycles(dut.clk, numbers.randint(20, int(1.3 * whole)))
            else:  # an abort in mid-frame
                while not watch.beats:
                    await RisingEdge(dut.clk)
            run.cancel()
            if way == "abort":
                await link.write32(CONTROL.address(), CONTROL.pack(abort=1))
                status = STATUS.unpack(await link.read32(STATUS.address()))
                assert not status["busy"] and not status["done"] and not status["memory_error"]
                await link.discard()
                status = STATUS.unpack(await link.read32(STATUS.address()))
                assert not status["leftover"] and not watch.beats, "a frame was left open"
            else:
                await link.reset(numbers.choice([1, 2, 4]), memory=way == "reset")
        await driver.connect()
        first = numbers.randrange(len(job.images) - batch + 1)
        found = await driver.run(job.images[first : first + batch])
        assert np.array_equal(found, scores[first : first + batch]), (number, way)


@cocotb.test()
async def an_error_ends_a_run_at_once(dut):
    """With a frame, STATUS and fewer clocks than a run has; a start clears it."""
    job, scores, link, driver, watch = await begin(dut, stalls=False)
    await driver.run(job.images[:1])
    whole = await driver.counters()
    dut.memory_bad.value = 1
    await link.write32(BATCH.address(), 1)
    await link.write32(CONTROL.address(), CONTROL.pack(start=1))
    ends, begun = watch.ends, link.clocks
    await link.send(pack_image(job.images[0]))
    while watch.ends == ends:
        await RisingEdge(dut.clk)
        assert link.clocks - begun < whole.cycles / 2
    await ClockCycles(dut.clk, 5)
    assert STATUS.unpack(await link.read32(STATUS.address())) == {
        "busy": 0, "done": 1, "framing_error": 0, "memory_error": 1, "leftover": 0,
    }  # fmt: skip
    link.forget()
    dut.memory_bad.value = 0
    assert np.array_equal(await driver.run(job.images[:1]), scores[:1])


@cocotb.test()
async def a_start_behind_the_last_result_is_not_lost(dut):
    """It is answered OKAY and begins a run, or with SLVERR and does nothing, in every clock."""
    job, scores, link, _, watch = await begin(dut, stalls=False)
    answers = set()
    await link.write32(WEIGHTS.address(), PAGE)
    await link.write32(BATCH.address(), 1)
    await link.write32(CONTROL.address(), CONTROL.pack(start=1))
    for wait in (*range(0, 60, 3), 100):
        ends = watch.ends
        await link.send(pack_image(job.images[0]))
        while watch.ends == ends:
            await RisingEdge(dut.clk)
        await ClockCycles(dut.clk, wait + 1)
        assert (await link.receive(job.info.network.classes, 1000))[:4] == int(scores[0, 0]).to_bytes(
            4, "little", signed=True
        )
        start = CONTROL.pack(start=1).to_bytes(4, "little")
        answer = await link.control.write(CONTROL.address(), start)
        answers.add(answer.resp)
        if answer.resp != AxiResp.OKAY:
            await ClockCycles(dut.clk, 200)
            assert not STATUS.unpack(await link.read32(STATUS.address()))["busy"]
            await link.write32(CONTROL.address(), CONTROL.pack(start=1))
        assert STATUS.unpack(await link.read32(STATUS.address()))["busy"], wait
    assert answers == {AxiResp.OKAY, AxiResp.SLVERR}
