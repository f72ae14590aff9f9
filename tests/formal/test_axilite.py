"""The control port keeps the promises of AXI4-Lite, its registers stay in range, whatever a host does."""

import pytest
from amaranth.hdl import Assert, Assume, Elaboratable, Module, Mux, ResetSignal, Signal

from hw.contract.config import AcceleratorConfig
from hw.gateware.ports import axilite
from hw.gateware.ports.axilite import AxiLiteRegisters
from tests.formal.proof import earlier, offer_stays, state

pytestmark = pytest.mark.formal

CONFIG = AcceleratorConfig(rows=8, lanes=4, batch=3, stream_weights=True)
LAYERS, ENTRIES = 2, 3
DIGEST = "0123456789abcdef" * 4

WRITE_LATENCY = 4
"""Clocks from address and data to the answer."""


class ControlPort(Elaboratable):
    """A host that asks what it likes, resets included; busy rises behind a start or a check alone."""

    def __init__(self, block=AxiLiteRegisters):
        self.dut = dut = block(CONFIG, LAYERS, DIGEST, entries=ENTRIES)
        bus = dut.bus
        self.inputs = [
            *(bus.awaddr, bus.awprot, bus.awvalid, bus.wdata, bus.wstrb, bus.wvalid, bus.bready),
            *(bus.araddr, bus.arprot, bus.arvalid, bus.rready, dut.status.as_value(), dut.cycles),
        ]

    def elaborate(self, platform):
        m = Module()
        dut, bus, reset = self.dut, self.dut.bus, ResetSignal()
        m.submodules.dut, held = state(dut)
        self._answers_once(m, held)
        offer_stays(m, bus.rvalid, bus.rready, bus.rdata, bus.rresp, reset=reset, name="r")
        offer_stays(m, bus.bvalid, bus.bready, bus.bresp, reset=reset, name="b")
        with m.If(earlier(m, reset, name="reset_before")):
            m.d.comb += Assert(~bus.rvalid & ~bus.bvalid)
        self._registers(m, held)
        return m

    def _answers_once(self, m, held):
        """One answer for every request, and in time."""
        bus = self.dut.bus
        asked, addressed, written = (Signal(name=name) for name in ("asked", "addressed", "written"))
        waiting = Signal(range(WRITE_LATENCY + 1))
        read_over, write_over = bus.rvalid & bus.rready, bus.bvalid & bus.bready
        m.d.sync += [
            asked.eq(Mux(bus.arvalid & bus.arready, 1, asked & ~read_over)),
            addressed.eq(Mux(bus.awvalid & bus.awready, 1, addressed & ~write_over)),
            written.eq(Mux(bus.wvalid & bus.wready, 1, written & ~write_over)),
            waiting.eq(Mux(addressed & written & ~bus.bvalid, waiting + 1, 0)),
        ]
        stages = [held["have_address"] & held["have_word"], held["merged"], held["checked"], bus.bvalid]
        m.d.comb += [
            Assert(
                ~(bus.arvalid & bus.arready & asked), "a read is taken before the one at hand is answered"
            ),
            Assert(asked == (held["taken"] | bus.rvalid)),
            Assert(~(held["taken"] & bus.rvalid)),
            Assert(~(bus.awvalid & bus.awready & addressed)),
            Assert(~(bus.wvalid & bus.wready & written)),
            Assert((addressed & written) == sum(stages).any()),
            Assert(sum(stages) <= 1),
            Assert(addressed == (held["have_address"] | sum(stages).any())),
            Assert(written == (held["have_word"] | sum(stages).any())),
            Assert(~sum(stages[1:]).any() | ~(held["have_address"] | held["have_word"])),
            Assert(waiting < WRITE_LATENCY),
        ]
        with m.If(held["late_reset"]):  # the registers of the host are reset before a write looks at them
            m.d.comb += Assert(~(held["have_address"] | held["have_word"] | sum(stages).any()))
        for i, stage in enumerate(stages[:-1]):
            with m.If(stage):
                m.d.comb += Assert(waiting == i)
        for name, signal in held.items():
            if name.startswith("takes_"):
                with m.If(signal):
                    m.d.comb += Assert(held["checked"])

    def _registers(self, m, held):
        dut = self.dut
        busy = dut.status.busy
        started = Signal()
        m.d.sync += started.eq(dut.start | dut.check)
        with m.If(~earlier(m, busy, name="busy_before")):
            m.d.comb += Assume(~busy | started)
        m.d.comb += Assert((dut.batch >= 1) & (dut.batch <= CONFIG.batch))
        m.d.comb += Assert((dut.first <= dut.last) & (dut.last < ENTRIES))
        with m.If(busy):
            m.d.comb += Assert(~dut.start & ~dut.check)
        m.d.comb += Assert(dut.start + dut.check + dut.abort <= 1)
        registers = (dut.batch, dut.first, dut.last, dut.page)
        before = [earlier(m, register, name=f"{register.name}_before") for register in registers]
        with m.If(
            earlier(m, busy & ~held["late_reset"], name="was_busy")
        ):  # a reset comes to them a clock late
            m.d.comb += [Assert(register == old) for register, old in zip(registers, before, strict=True)]


def test_the_control_port(proven):
    proven(ControlPort(), depth=3)


def test_an_answer_that_is_withdrawn_is_found(refuted, planted):
    gone = planted(axilite, AxiLiteRegisters, "with m.If(bus.rvalid & bus.rready):", "with m.If(bus.rvalid):")
    refuted(ControlPort(gone), depth=9)


def test_a_batch_of_none_is_found(refuted, planted):
    none = planted(
        axilite,
        AxiLiteRegisters,
        "(value >= 1) & (value <= self.config.batch)",
        "(value <= self.config.batch)",
    )
    refuted(ControlPort(none), depth=8)


def test_a_write_that_is_taken_twice_is_found(refuted, planted):
    twice = planted(
        axilite, AxiLiteRegisters, "bus.awready.eq(~have_address & ~merged", "bus.awready.eq(~merged"
    )
    refuted(ControlPort(twice), depth=8)
