"""The cocotb test that runs a job: the host driver over a simulated link."""

import os
import random
import sys
from pathlib import Path

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles

from hw.host.driver import Driver
from hw.host_interface.registers import CONTROL
from hw.util.errors import Spec2Error
from sim.bench.job import PROGRESS, VARIABLE, Answer, Job
from sim.bench.link import SimLink

PAGE = 5
"""Where the bench's external memory begins: anywhere but at zero."""


@cocotb.test()
async def session(dut):
    """Run the job of the run folder and leave the answer there."""
    run_dir = Path(os.environ[VARIABLE])
    job = Job.load(run_dir)
    link = SimLink(dut)
    try:
        answer = await execute(job, link)
    except Spec2Error as error:
        void = np.zeros(0, dtype=np.int32)
        answer = Answer(void, (), link.clocks, (type(error).__name__, str(error)))
    answer.save(run_dir)


async def execute(job, link):
    """Connect, interrupt a run if asked to, then run all images."""
    driver = Driver(link, job.info, timeout=job.timeout, weights_page=PAGE)
    link.set_memory(job.memory, PAGE * 4096, job.seed if job.stalls else None)
    if job.stalls:
        link.stall(job.seed)
    await link.reset()
    await driver.connect()
    if job.reset_midway:
        await interrupt(job, link, driver)
        await driver.connect()
    counters = []

    def on_run(done, run):
        counters.append(run)
        print(f"{PROGRESS}{done} {len(job.images)}", flush=True, file=sys.stdout)

    scores = await driver.run(job.images, batch=job.batch, layers=job.layers, on_run=on_run)
    await ClockCycles(link.dut.clk, 4)
    link.check(job.info)
    return Answer(scores, tuple(counters), link.clocks)


async def interrupt(job, link, driver):
    """Start a run of other images and end it in the midst, by an abort with odd seeds, else by a reset.

    Memory goes on to deliver what it owes after an abort, and after the reset of every second even seed.
    """
    others = 255 - job.images[: job.batch]
    run = cocotb.start_soon(driver.run(others, batch=job.batch, layers=job.layers))
    most = int(job.info.estimates.get("cycles", 2000))
    await ClockCycles(link.dut.clk, random.Random(job.seed).randint(20, max(21, most)))
    run.cancel()
    if job.seed % 2:
        await link.write32(CONTROL.address(), CONTROL.pack(abort=1))
        await link.discard()
    else:
        await link.reset(memory=job.seed % 4 == 0)
