"""The link over PYNQ's API: what goes wrong on a Zynq alone. What every link does is in
test_conformance.py."""

import asyncio
import random
import sys

import numpy as np
import pytest

from bitstreams.links import block_design, pynq, pynq_dma
from bitstreams.links.pynq import PynqLink, open_pynq
from hw.host.driver import Driver
from hw.host_interface.registers import BATCH, CONTROL
from hw.host_interface.stream_format import pack_image
from hw.util.errors import LinkError, ToolNotFound
from tests.bitstreams.pynq_board import INTERNAL, Pynq, ZynqBoard
from tests.bitstreams.serial_wire import IMAGES, INFO, NEVER, SCORES


@pytest.fixture
def board():
    board = ZynqBoard()
    yield board
    assert not board.touched and not board.stray


@pytest.fixture
def built(tmp_path, monkeypatch, board):
    """A folder with a bitstream and its description; ``import pynq`` gives the stand-in."""
    for name in ("spec2.bit", "spec2.hwh"):
        (tmp_path / name).touch()
    install(monkeypatch, board)
    return tmp_path


def install(monkeypatch, board, **options):
    made = Pynq(board, **options)
    monkeypatch.setitem(sys.modules, "pynq", made)
    return made


def run(link, images=IMAGES, timeout=100_000):
    async def work():
        driver = Driver(link, INFO, timeout=timeout)
        await driver.connect()
        return await driver.run(images)

    return asyncio.run(work())


# --- opening -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("remote", [False, True], ids=["on the board", "PYNQ.remote"])
def test_the_bitstream_is_loaded_and_what_is_in_it_runs(built, board, monkeypatch, remote):
    """From its folder or by its name; memory that lies elsewhere is read and written whole."""
    module = install(monkeypatch, board, remote=remote)
    for path in (built, built / "spec2.bit"):
        with open_pynq(str(path), clock_hz=1e6) as link:
            np.testing.assert_array_equal(run(link), SCORES)
            np.testing.assert_array_equal(run(link, IMAGES[::-1]), SCORES[::-1])
    assert module.loaded == [str(built / "spec2.bit")] * 2


@pytest.mark.parametrize("missing", ["spec2.bit", "spec2.hwh"])
def test_bitstream_and_description_have_to_be_there(built, missing):
    (built / missing).unlink()
    with pytest.raises(LinkError, match=f"there is no .*{missing}: copy spec2.bit and spec2.hwh of a build"):
        open_pynq(str(built / "spec2.bit"))


def test_without_pynq_it_says_where_it_is(built, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynq", None)
    with pytest.raises(ToolNotFound, match=r"PYNQ is not there .*in its environment on the board"):
        open_pynq(str(built))


def test_what_pynq_says_is_passed_on(built, board, monkeypatch):
    install(monkeypatch, board, root=False)
    with pytest.raises(LinkError, match=r"PYNQ cannot load .*spec2\.bit: Root permissions required\."):
        open_pynq(str(built))


def test_another_bitstream_is_none_of_ours(built, board, monkeypatch):
    install(monkeypatch, board, without=("dma",))
    with pytest.raises(
        LinkError, match=r"spec2\.bit is no bitstream of an accelerator .*Could not find IP .*dma"
    ):
        open_pynq(str(built))


def test_an_accelerator_that_does_not_answer(board):
    board.alive = False
    with pytest.raises(LinkError, match=r"does not answer at 0x000 \(all ones\): load the bitstream again"):
        board.connect()


def test_streams_that_cannot_be_emptied(board, monkeypatch):
    monkeypatch.setattr(pynq, "SYNC_SECONDS", 0.05)
    board.synchronises = False
    with pytest.raises(
        LinkError, match=r"the streams of spec2\.bit cannot be emptied: load the bitstream again"
    ):
        board.connect()


def test_a_dma_that_stays_in_reset(board, monkeypatch):
    monkeypatch.setattr(pynq_dma, "RESET_SECONDS", 0.05)
    board.wakes = False
    with pytest.raises(
        LinkError, match=r"cannot reset its DMA through the DMA of .*does not come out of its reset"
    ):
        board.connect()


@pytest.mark.parametrize("beat", [4, 8, 16, 32])
def test_the_marker_comes_back_in_a_beat_of_any_width(board, beat):
    board.beat = beat
    with board.connect() as link:
        np.testing.assert_array_equal(run(link), SCORES)


# --- transfers -----------------------------------------------------------------------------------------


def test_a_result_that_is_much_too_long_is_refused_and_forgotten(board):
    """The DMA stops with an error where a frame does not end in time; PYNQ would only say that it stands."""
    with board.connect() as link:
        board.accelerator.cut = -100
        with pytest.raises(LinkError, match=r"cannot receive a result .*more bytes came than it was told"):
            run(link, IMAGES[:2])
        board.accelerator.cut = 0
        np.testing.assert_array_equal(run(link), SCORES)


def test_leftovers_that_no_transfer_holds_are_dropped_too(board, monkeypatch):
    """Of a client that died before it took its result, in parts: each a transfer that fails."""
    monkeypatch.setattr(pynq, "CHUNK", 4)
    dead = board.connect()

    async def leave():
        await dead.write32(BATCH.address(), 2)
        await dead.write32(CONTROL.address(), CONTROL.pack(start=1))
        for image in IMAGES[:2]:
            await dead.send(pack_image(image))

    asyncio.run(leave())
    board.move()
    board.beat = 8  # the marker behind a beat that was offered is more than such a transfer holds
    with pytest.raises(LinkError, match=r"cannot be emptied"):
        monkeypatch.setattr(pynq, "SYNC_SECONDS", 0.05)
        board.connect()
    monkeypatch.setattr(pynq, "CHUNK", block_design.CHUNK)
    with board.connect() as link:
        np.testing.assert_array_equal(run(link), SCORES)


def test_a_frame_that_no_transfer_holds_is_refused(board):
    with board.connect() as link:
        link._dma._dma.buffer_max_size = 8
        with pytest.raises(
            LinkError, match=r"a frame of 12 bytes is too long for the DMA, which moves 8 at most"
        ):
            asyncio.run(link.send(bytes(12)))


def test_memory_that_is_used_up_is_named(board):
    module = Pynq(board, room=100)
    with pytest.raises(LinkError, match=r"there are no 65536 bytes of contiguous memory"):
        link = PynqLink(module.overlay(), module.allocate, name="spec2.bit")
        link._dma.receive(block_design.CHUNK)


def test_memory_does_not_grow_with_runs(board):
    with board.connect() as link:
        run(link)
        before = len(board.memory)
        for _ in range(5):
            run(link)
        assert len(board.memory) == before <= 5


def test_the_dma_writes_nothing_once_the_link_is_closed(board):
    """A result that comes when nobody waits for it any more would be written where others have memory by
    then."""
    link = board.connect()
    board.gives = False
    with pytest.raises(LinkError, match=r"gave no result within 1000 clocks"):
        run(link, IMAGES[:1], timeout=1000)
    link._dma.receive(64)
    link.close()
    board.memory.clear()
    board.gives = True
    board.move()  # the fixture looks for what was written


def test_a_memory_that_is_none_is_said(board):
    with board.connect() as link:
        run(link)
        for held in list(board.memory):
            board.free(held)
        with pytest.raises(LinkError, match=r"there is no memory at this address"):
            link._dma.receive(64)
            link._dma.received()


def test_images_wait_in_order_for_those_before_them(board):
    """Only one frame is under way at a time; those behind it go when somebody waits for the result."""
    with board.connect() as link:
        board.accelerator.ready_for = 5

        async def work():
            await link.write32(BATCH.address(), 2)
            await link.write32(CONTROL.address(), CONTROL.pack(start=1))
            for image in IMAGES[:2]:
                await link.send(pack_image(image))
            assert link._dma.sending and len(link._dma._queue) == 1
            board.accelerator.ready_for = NEVER
            return await link.receive(2 * SCORES.shape[1], 100_000)

        got = np.frombuffer(asyncio.run(work()), "<i4").reshape(SCORES.shape[1], 2).T
        np.testing.assert_array_equal(got, SCORES[:2])
        assert not link._dma.sending


def test_registers_beyond_the_table_are_refused(board):
    with board.connect() as link:
        for address in (2, 0x1000, -4):
            for work in (link.read32(address), link.write32(address, 1)):
                with pytest.raises(LinkError, match=r"there is no register"):
                    asyncio.run(work)


def test_whatever_fails_ends_in_a_sentence_and_the_next_run_is_right(board, monkeypatch):
    """Accelerator and DMA fail at random places; never wrong scores, never a hang."""

    def fail(way):
        return way.busy and way.fail(INTERNAL)

    monkeypatch.setattr(pynq, "SLACK", 0.0)
    monkeypatch.setattr(pynq, "SYNC_SECONDS", 0.1)
    dice, failures = random.Random(5), 0
    with board.connect() as link:
        for _ in range(60):
            accelerator = board.accelerator
            kind = dice.choice(["ready_for", "answers_for", "cut", "dma"])
            if kind == "cut":
                accelerator.cut = dice.choice([-40, -3, -1, 0, 1, 5])
            elif kind == "dma":
                board.move = lambda: fail(board.receive)
            else:
                setattr(accelerator, kind, dice.randrange(0, 40))
            first = dice.randrange(len(IMAGES))
            try:
                np.testing.assert_array_equal(run(link, IMAGES[first:], 2000), SCORES[first:])
            except LinkError:
                failures += 1
            accelerator.cut, accelerator.ready_for, accelerator.answers_for = 0, NEVER, NEVER
            vars(board).pop("move", None)
            np.testing.assert_array_equal(run(link, IMAGES, 200_000), SCORES)
    assert 20 < failures < 60
