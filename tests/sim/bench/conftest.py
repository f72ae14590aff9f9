"""A stand-in accelerator for the bench: real ports and protocol, arithmetic small enough to predict.

Class k of an image scores the signed sum of its beats, plus 1000 k, in 18 bits. It counts its busy clocks
and waits a while between images and scores, so that a reset can strike in every phase.
"""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from amaranth import Array, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract.artifact import Artifact, load
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import Dense, Network
from hw.emit import emit
from hw.gateware.ports.axi import AxiLite, AxiStream, flat_ports
from hw.gateware.ports.axilite import AxiLiteRegisters
from hw.host_interface import registers
from hw.host_interface.stream_format import map_beats, pack_image
from sim.rtl.verilate import locked
from tests import design_folder
from tests.sim.bench.accelerators import save_accelerator

NETWORK = Network("standin", (1, 5, 6), (Dense("f", 30, 3, relu=False),))
CONFIG = AcceleratorConfig(rows=4, lanes=4, batch=3)
DIGEST = bytes(range(100, 132)).hex()
THINKING = 60
"""Clocks between the last image and the first score."""


def expected_scores(images: np.ndarray) -> np.ndarray:
    """What the stand-in answers, (n, classes)."""
    sums = [np.frombuffer(pack_image(image), dtype="<i4").sum(dtype=np.int64) for image in images]
    scores = np.array(sums)[:, None] + 1000 * np.arange(NETWORK.classes)
    return (scores + 2**17) % 2**18 - 2**17


class StandIn(wiring.Component):
    """The stand-in, with the ports of the accelerator's top."""

    s_axil: In(AxiLite(registers.ADDRESS_BITS))
    s_axis: In(AxiStream())
    m_axis: Out(AxiStream())

    def elaborate(self, platform):
        m = Module()
        m.submodules.control = control = AxiLiteRegisters(CONFIG, len(NETWORK.layers), DIGEST)
        wiring.connect(m, wiring.flipped(self.s_axil), control.bus)
        sums = Array(Signal(signed(18), name=f"sum_{i}") for i in range(CONFIG.batch))
        beat, image, number = Signal(8), Signal(8), Signal(8)
        wait = Signal(range(THINKING + 1))
        taken = self.s_axis.tvalid & self.s_axis.tready
        end_image = beat == map_beats(NETWORK.input) - 1

        def idle_on_abort():
            with m.If(control.abort):
                m.next = "idle"

        with m.FSM() as fsm:
            m.d.comb += control.status.busy.eq(~fsm.ongoing("idle"))
            with m.State("idle"):
                with m.If(control.start):
                    m.d.sync += [beat.eq(0), image.eq(0), number.eq(0), wait.eq(0), control.cycles.eq(0)]
                    m.d.sync += [control.status.done.eq(0), *(total.eq(0) for total in sums)]
                    m.next = "images"
            with m.State("images"):
                m.d.comb += self.s_axis.tready.eq(1)
                with m.If(taken):
                    m.d.sync += [beat.eq(beat + 1), sums[image].eq(sums[image] + self.s_axis.tdata)]
                    with m.If(self.s_axis.tlast != end_image):
                        m.d.sync += control.status.framing_error.eq(1)
                    with m.If(end_image):
                        m.d.sync += [beat.eq(0), image.eq(image + 1)]
                        with m.If(image == control.batch - 1):
                            m.next = "think"
                idle_on_abort()
            with m.State("think"):
                m.d.sync += [wait.eq(wait + 1), image.eq(0)]
                with m.If(wait == THINKING - 1):
                    m.next = "scores"
                idle_on_abort()
            with m.State("scores"):
                score = Signal(signed(18))
                last = (image == control.batch - 1) & (number == NETWORK.classes - 1)
                m.d.comb += [
                    score.eq(sums[image] + 1000 * number),
                    self.m_axis.tdata.eq(score),
                    self.m_axis.tvalid.eq(1),
                    self.m_axis.tlast.eq(last),
                ]
                with m.If(self.m_axis.tready):
                    m.d.sync += image.eq(image + 1)
                    with m.If(image == control.batch - 1):
                        m.d.sync += [image.eq(0), number.eq(number + 1)]
                    with m.If(last):
                        m.d.sync += control.status.done.eq(1)
                        m.next = "idle"
                idle_on_abort()
        with m.If(control.status.busy):
            m.d.sync += control.cycles.eq(control.cycles + 1)
        return m


class Flickering(StandIn):
    """A stand-in that takes back what it offers, in every fourth clock in which it waits."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = StandIn()
        wiring.connect(m, wiring.flipped(self.s_axil), inner.s_axil)
        wiring.connect(m, wiring.flipped(self.s_axis), inner.s_axis)
        waits = Signal(2)
        shown = waits != 3
        m.d.comb += [
            self.m_axis.tdata.eq(inner.m_axis.tdata),
            self.m_axis.tlast.eq(inner.m_axis.tlast),
            self.m_axis.tvalid.eq(inner.m_axis.tvalid & shown),
            inner.m_axis.tready.eq(self.m_axis.tready & shown),
        ]
        m.d.sync += waits.eq(Mux(inner.m_axis.tvalid & ~self.m_axis.tready, waits + 1, 0))
        return m


def save_design(folder: Path, component: type[StandIn] = StandIn, **changes) -> Path:
    """Write the stand-in as a design folder; ``changes`` replace fields of its description."""
    folder.mkdir(exist_ok=True)
    top = component()
    ports = flat_ports(top)
    text = emit(top, "spec2").text
    widths = {name: len(value) for name, (value, _) in ports.items()} | {"clk": 1, "rst": 1}
    fields = {"digest": DIGEST, "ports": widths, "estimates": {"cycles": 150}} | changes
    design_folder.save_design(folder, DesignInfo("spec2", NETWORK, CONFIG, **fields), {"spec2.v": text})
    return folder


@pytest.fixture(scope="session")
def design(tmp_path_factory) -> Path:
    """The stand-in's design folder; its simulator is built once per session."""
    return save_design(tmp_path_factory.mktemp("standin") / "design")


@pytest.fixture(scope="session")
def accelerator(tmp_path_factory) -> Callable[..., tuple[Path, Artifact]]:
    """Gives design folder and artifact, as ``save_accelerator`` does. Each is made once, and so is its
    simulator, in one folder for all workers."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    @cache
    def made(network: str, kind: str, rows: int, lanes: int, batch: int, line_pixels: int = 0, **options):
        size = network, kind, rows, lanes, batch, line_pixels
        key = hashlib.sha256(repr((size, sorted(options.items()))).encode()).hexdigest()
        folder = shared / f"{network}-{key[:16]}"
        folder.mkdir(exist_ok=True)
        with locked(folder):  # another worker may be at it
            if not (folder / "design" / "design.json").exists():
                return save_accelerator(folder, *size, **options)
        return folder / "design", load(folder / "design" / "model.npz")

    # With defaults in their place: the same design, however it is asked for.
    def asked(*arguments, **options) -> tuple[Path, Artifact]:
        return made(*arguments, *(0,) * (6 - len(arguments)), **options)

    return asked
