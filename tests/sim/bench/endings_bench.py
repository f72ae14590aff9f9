"""cocotb tests of how runs end, on a whole design with external memory: aborts, resets, errors, starts.

``test_endings.py`` builds the simulator and leaves a job as ``sim.rtl`` does: the images, four of them, and
beside it their scores.
"""

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiResp

from hw.host_interface.registers import BATCH, CONTROL, STATUS, WEIGHTS
from hw.host_interface.stream_format import pack_image
from sim.bench.session import PAGE
from tests.sim.bench.broken_off import begin, break_off

ROUNDS = 24
"""Runs that are broken off."""


@cocotb.test()
async def runs_that_are_broken_off(dut):
    """By an abort, by a reset with or without memory, by a memory error: anywhere. The next run is right."""
    await break_off(dut, ROUNDS)


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
