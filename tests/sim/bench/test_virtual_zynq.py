"""The link over PYNQ's API down to the Verilog: registers, marker and streams are those of a simulated board.

The board is the virtual card: behind its sockets lies what the block design beside a processor has, but for
the DMA, which is a model. Frames that the card's sockets hold outlive a reset of the DMA.
"""

import asyncio
import os
import socket
from contextlib import suppress

import numpy as np
import pytest

from bitstreams.links import pynq
from bitstreams.links.block_design import MARKER, WORD
from bitstreams.links.pynq import PynqLink
from bitstreams.links.xdma_devices import open_devices
from hw.contract.design import DesignInfo
from hw.host.driver import Driver
from hw.host_interface.registers import BATCH, CONTROL
from hw.host_interface.stream_format import pack_image
from hw.util.errors import LinkError
from sim import model
from sim.virtual.board import CLOCK_HZ, VirtualBoard
from sim.virtual.build import build_card
from tests.bitstreams.pynq_board import INTERNAL, Pynq, ZynqBoard
from tests.sim.bench.accelerators import images

pytestmark = [pytest.mark.verilator, pytest.mark.slow]


class SimulatedZynq(ZynqBoard):
    """The model's DMA and memory, in front of the sockets of a virtual card."""

    def __init__(self, prefix):
        self.devices = open_devices(prefix)
        ends = (os.dup(self.devices.files[name]) for name in ("h2c_0", "c2h_0"))
        self.down, self.up = (socket.socket(fileno=end) for end in ends)
        super().__init__()

    def close(self):
        for end in (self.down, self.up, self.devices):
            end.close()

    def load(self):
        super().load()
        self.mark(0)

    def read(self, address):
        return WORD.unpack(self.devices.registers.read(address))[0]

    def write(self, address, value):
        self.devices.registers.write(address, value)

    def mark(self, value):
        self.marker = value
        self.devices.registers.write(MARKER, value)

    def move(self):
        way = self.send
        if way.busy and way.words:
            with suppress(BlockingIOError):
                self.down.send(self._at(way.address, way.length), socket.MSG_DONTWAIT)
                way.words.clear()
                way.end()
        way = self.receive
        if way.busy:
            with suppress(BlockingIOError):
                frame = self.up.recv(1 << 20, socket.MSG_DONTWAIT)
                if len(frame) > way.length:
                    return way.fail(INTERNAL)
                self._put(way.address, frame)
                way.length = len(frame)
                way.end()


def run(link, info, pictures, timeout=0):
    async def work():
        driver = Driver(link, info, timeout=timeout)
        await driver.connect()
        return await driver.run(pictures)

    return asyncio.run(work())


@pytest.mark.parametrize("stream_bits", [32, 64])
def test_scores_are_the_models_whatever_a_client_left(accelerator, stream_bits, monkeypatch):
    folder, artifact = accelerator("tiny", "adaptive", 8, 4, 4, stream_bits=stream_bits, name="zynq")
    info, pictures = DesignInfo.load(folder), images("tiny", 5)
    with VirtualBoard(build_card(folder)) as card:
        board = SimulatedZynq(card.path)

        def client(work):
            module = Pynq(board)
            with PynqLink(module.overlay(), module.allocate, name="spec2.bit", clock_hz=CLOCK_HZ) as link:
                link.synchronise()
                return work(link)

        def leave(link):
            """A run that nobody ends: of two images one and a half are sent."""

            async def work():
                await link.write32(BATCH.address(), 2)
                await link.write32(CONTROL.address(), CONTROL.pack(start=1))
                image = pack_image(pictures[0], info.config.stream_pixels)
                await link.send(image)
                await link.send(image[: len(image) // 2 // 8 * 8])

            asyncio.run(work())

        expected = model.run(artifact, pictures)
        np.testing.assert_array_equal(client(lambda link: run(link, info, pictures)), expected)
        client(leave)
        np.testing.assert_array_equal(client(lambda link: run(link, info, pictures)), expected)

        def impatient(link):
            monkeypatch.setattr(pynq, "SLACK", 0.0)
            with pytest.raises(LinkError, match="gave no result within 1 clocks"):
                run(link, info, pictures[:4], timeout=1)
            monkeypatch.undo()
            return run(link, info, pictures)

        np.testing.assert_array_equal(client(impatient), expected)
        board.close()
    assert not board.stray
