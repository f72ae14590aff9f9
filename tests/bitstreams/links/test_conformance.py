"""What every link has to do, whatever carries it: one suite over a board behind each of them.

The boards are models around one and the same accelerator: a serial wire in virtual time, a PCI Express card
in a thread, a Zynq under PYNQ's API.
"""

import asyncio
import time

import numpy as np
import pytest

from bitstreams.links.opening import kinds
from bitstreams.links.serial import SerialLink
from hw.host.driver import Driver
from hw.host_interface.registers import BATCH, CONTROL, CYCLES, DIGEST, ID, STATUS
from hw.host_interface.stream_format import pack_image
from hw.util.errors import DigestMismatch, LinkError
from tests.bitstreams.pcie_board import PcieBoard
from tests.bitstreams.pynq_board import ZynqBoard
from tests.bitstreams.serial_wire import BAUD, IMAGES, INFO, NEVER, SCORES, Board, ModelAccelerator, Wire

BEATS = len(pack_image(IMAGES[0])) // 4

TIMEOUT = 200_000
"""Clocks: 0.2 s of the boards that live in real time."""


class Serial:
    """A board behind a serial wire."""

    def __init__(self, monkeypatch):
        self.accelerator = ModelAccelerator()
        self.board = Board(self.accelerator)

    def connect(self):
        link = SerialLink(Wire(self.board), BAUD)
        link.open()
        return link

    def settle(self, link):
        """Give what was sent the time to arrive."""

    def close(self):
        pass


class Card(Serial):
    """A board behind PCI Express: what was sent is under way in a thread."""

    def __init__(self, monkeypatch):
        self.board = PcieBoard(monkeypatch)
        self.accelerator = self.board.accelerator

    def connect(self):
        self.board.gives = True
        return self.board.connect()

    def settle(self, link):
        self.board.gives = False  # nobody asks for a result
        deadline = time.monotonic() + 10
        while not self.board.to_host and len(self.board.to_core) < BEATS and time.monotonic() < deadline:
            time.sleep(0.001)
        link.close()

    def close(self):
        self.board.close()


class Zynq(Serial):
    """A board whose processor is the host. It does not load its bitstream anew for every client here."""

    def __init__(self, monkeypatch):
        self.board = ZynqBoard()
        self.accelerator = self.board.accelerator

    def connect(self):
        return self.board.connect()

    def settle(self, link):
        self.board.move()

    def close(self):
        assert not self.board.touched, "the accelerator was asked while it was in reset"
        assert not self.board.stray, "the DMA wrote where nobody has memory any more"


BOARDS = {"uart": Serial, "xdma": Card, "pynq": Zynq}


@pytest.fixture(params=BOARDS)
def board(request, monkeypatch):
    board = BOARDS[request.param](monkeypatch)
    yield board
    board.close()


def run(link, images=IMAGES, batch=0, info=INFO):
    """Scores of ``images`` over ``link``, as a client gets them that has just come."""

    async def work():
        driver = Driver(link, info, timeout=TIMEOUT)
        await driver.connect()
        return await driver.run(images, batch=batch)

    return asyncio.run(work())


def leave(board, image):
    """A client that begins a run, sends an image, and dies."""
    link = board.connect()

    async def work():
        await link.write32(BATCH.address(), 1)
        await link.write32(CONTROL.address(), CONTROL.pack(start=1))
        await link.send(pack_image(image))

    asyncio.run(work())
    board.settle(link)


def test_every_kind_of_link_is_here():
    assert set(BOARDS) == set(kinds())


@pytest.mark.parametrize("batch", [1, 2])
def test_scores_are_the_models_again_and_again(board, batch):
    """Three images in runs of one, of two and of what is left."""
    with board.connect() as link:
        for order in (slice(None), slice(None, None, -1), slice(1, 2)):
            np.testing.assert_array_equal(run(link, IMAGES[order], batch), SCORES[order])
    with board.connect() as link:
        np.testing.assert_array_equal(run(link), SCORES)


@pytest.mark.parametrize("takes", [NEVER, 0, BEATS // 2], ids=["a result", "an image", "half an image"])
def test_nothing_of_a_client_that_died_reaches_the_next(board, takes):
    board.accelerator.ready_for = takes
    leave(board, IMAGES[0])
    assert board.accelerator.runs == 1
    board.accelerator.ready_for = NEVER
    with board.connect() as link:
        np.testing.assert_array_equal(run(link, IMAGES[1:]), SCORES[1:])


@pytest.mark.parametrize("answers", [0, 3], ids=["nothing", "the begin of a result"])
def test_a_result_that_does_not_come_is_said_and_forgotten(board, answers):
    with board.connect() as link:
        board.accelerator.answers_for = answers
        with pytest.raises(LinkError, match=rf"result within {TIMEOUT} clocks.*the run was aborted"):
            run(link, IMAGES[:2])
        board.accelerator.answers_for = NEVER
        np.testing.assert_array_equal(run(link), SCORES)


def test_images_that_are_not_taken_are_said_and_forgotten(board):
    with board.connect() as link:
        board.accelerator.ready_for = 2
        with pytest.raises(LinkError, match=rf"result within {TIMEOUT} clocks"):
            run(link, IMAGES[:1])
        board.accelerator.ready_for = NEVER
        np.testing.assert_array_equal(run(link, IMAGES[1:]), SCORES[1:])


@pytest.mark.parametrize(("cut", "count"), [(1, "9"), (-1, "more than 10"), (-3, "more than 10")])
def test_a_result_of_another_length_is_refused(board, cut, count):
    with board.connect() as link:
        board.accelerator.cut = cut
        with pytest.raises(
            LinkError, match=rf"a result of {count} words came, not one of 10: is (it )?this design"
        ):
            run(link, IMAGES[:2])
        board.accelerator.cut = 0
        np.testing.assert_array_equal(run(link), SCORES)


def test_registers_are_read_and_written_and_others_refused(board):
    with board.connect() as link:
        assert asyncio.run(link.read32(ID.address())) == 0x53504332
        asyncio.run(link.write32(BATCH.address(), 2))
        assert asyncio.run(link.read32(BATCH.address())) == 2
        assert asyncio.run(link.read32(CYCLES.address())) == 1000
        with pytest.raises(LinkError, match="0xFFC"):
            asyncio.run(link.read32(0xFFC))
        assert STATUS.unpack(asyncio.run(link.read32(STATUS.address())))["busy"] == 0


@pytest.mark.parametrize("size", [0, 3, 6])
def test_frames_are_whole_words(board, size):
    with board.connect() as link, pytest.raises(ValueError, match=rf"of 4 bytes, not {size} bytes"):
        asyncio.run(link.send(bytes(size)))


def test_another_accelerator_is_refused(board):
    with board.connect() as link:
        board.accelerator.words[DIGEST.address(3)] ^= 1
        with pytest.raises(DigestMismatch, match="load the design generated from this artifact"):
            run(link)
        board.accelerator.words[ID.address()] = 7
        with pytest.raises(LinkError, match=r"no spec2 accelerator on this link.*ID reads 0x00000007"):
            run(link)
