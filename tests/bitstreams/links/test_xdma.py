"""The PCI Express link under the driver that all links have: right scores or a sentence, no old results."""

import asyncio
import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest

from bitstreams.links import block_design, worker, xdma, xdma_devices
from bitstreams.links.xdma import XdmaLink, open_xdma
from bitstreams.links.xdma_devices import DeviceRegisters
from hw.host.driver import Driver
from hw.host_interface.registers import BATCH, CONTROL, ID
from hw.host_interface.stream_format import pack_image
from hw.util.errors import LinkError
from tests.bitstreams.pcie_board import PcieBoard
from tests.bitstreams.serial_wire import IMAGES, INFO, NEVER, SCORES

BEATS = len(pack_image(IMAGES[0])) // 4


@pytest.fixture
def board(monkeypatch):
    board = PcieBoard(monkeypatch)
    yield board
    board.close()


def scores(link, images):
    """What the driver makes of ``images`` over ``link``, connecting first."""

    async def work():
        driver = Driver(link, INFO, timeout=300_000)  # 0.3 s at this board's clock
        await driver.connect()
        return await driver.run(images)

    return asyncio.run(work())


def leave(board, image):
    """A client that starts a run of ``image`` and dies before it reads the result."""
    link = board.connect()

    async def work():
        await link.write32(BATCH.address(), 1)
        await link.write32(CONTROL.address(), CONTROL.pack(start=1))
        await link.send(pack_image(image))

    board.gives = False  # nobody asks for it
    asyncio.run(work())
    deadline = time.monotonic() + 10
    while not board.to_host and len(board.to_core) < BEATS and time.monotonic() < deadline:
        time.sleep(0.001)
    link.close()
    board.gives = True


@pytest.mark.parametrize("beat", [4, 8, 32])
def test_scores_are_the_models(board, beat):
    """Whatever the width of the beat that brings the marker back."""
    board.beat = beat
    with board.connect() as link:
        assert np.array_equal(scores(link, IMAGES), SCORES)
        assert np.array_equal(scores(link, IMAGES[::-1]), SCORES[::-1])


@pytest.mark.parametrize("takes", [NEVER, 0], ids=["a result", "an image"])
def test_nothing_of_a_client_that_died_reaches_the_next_one(board, takes):
    board.accelerator.ready_for = takes
    leave(board, IMAGES[0])
    assert board.to_host if takes else len(board.to_core) == BEATS
    board.accelerator.ready_for = NEVER
    with board.connect() as link:
        assert np.array_equal(scores(link, IMAGES[1:]), SCORES[1:])


def test_a_run_that_failed_leaves_nothing_to_the_next_one(board):
    with board.connect() as link:
        board.accelerator.answers_for = 0
        with pytest.raises(
            LinkError, match=r"gave no result within 300000 clocks; the accelerator was still busy"
        ):
            scores(link, IMAGES[:1])
        board.accelerator.answers_for = NEVER
        assert np.array_equal(scores(link, IMAGES), SCORES)
        board.accelerator.ready_for = 2
        with pytest.raises(LinkError, match="gave no result"):
            scores(link, IMAGES[:1])
        board.accelerator.ready_for = NEVER
        assert np.array_equal(scores(link, IMAGES[1:]), SCORES[1:])


@pytest.mark.parametrize(("cut", "count"), [(1, "9"), (-1, "more than 10"), (-3, "more than 10")])
def test_a_result_of_another_length_is_refused(board, cut, count):
    with board.connect() as link:
        board.cut = cut
        with pytest.raises(LinkError, match=rf"a result of {count} words came, not one of 10"):
            scores(link, IMAGES[:2])
        board.cut = 0
        assert np.array_equal(scores(link, IMAGES), SCORES)


def test_a_board_that_does_not_answer_is_named(board, monkeypatch):
    board.alive = False
    with pytest.raises(LinkError, match=r"does not answer at 0x000 \(all ones\).*rescan the PCI bus"):
        board.connect()
    board.alive, board.synchronises = True, False
    monkeypatch.setattr(xdma, "SYNC_SECONDS", 0.1)
    with pytest.raises(LinkError, match="streams of the board on /dev/xdma0 cannot be emptied"):
        board.connect()
    start = time.monotonic()  # a virtual card has more time: its processor may do something else
    with pytest.raises(LinkError, match="streams of the board on /dev/xdma0 cannot be emptied"):
        board.connect(sync_seconds=0.7)
    assert time.monotonic() - start >= 0.7
    assert xdma_devices.VIRTUAL_SYNC_SECONDS > 5 * block_design.SYNC_SECONDS


def test_registers_beyond_the_table_are_refused(board):
    with board.connect() as link:
        for address in (2, 0x1000, -4):
            with pytest.raises(LinkError, match="there is no register"):
                asyncio.run(link.read32(address))
            with pytest.raises(LinkError, match="there is no register"):
                asyncio.run(link.write32(address, 1))
        with pytest.raises(ValueError, match="whole words of 4 bytes"):
            asyncio.run(link.send(b"abc"))


# --- files instead of a board ---------------------------------------------------------------------------


def files(tmp_path, *, user=b"\0" * 0x2000):
    """Devices as plain files; nobody is behind them."""
    for channel, content in {"user": user, "h2c_0": b"", "c2h_0": b""}.items():
        (tmp_path / f"xdma0_{channel}").write_bytes(content)
    return str(tmp_path / "xdma0")


@pytest.mark.parametrize(
    ("missing", "error", "message"),
    [
        ("user", None, "xdma0_user: there is no such device; load the xdma driver"),
        ("c2h_0", None, "xdma0_c2h_0: there is no such device"),
        ("c2h_0", errno.EBUSY, "another program is using the board"),
        ("h2c_0", errno.EACCES, "permission denied; add a udev rule"),
    ],
)
def test_devices_that_cannot_be_opened(tmp_path, monkeypatch, missing, error, message):
    prefix = files(tmp_path)
    if error is None:
        os.unlink(f"{prefix}_{missing}")
    else:
        real = os.open

        def refuse(path, flags):
            if path.endswith(missing):
                raise OSError(error, os.strerror(error))
            return real(path, flags)

        monkeypatch.setattr(xdma_devices.os, "open", refuse)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(LinkError, match=message):
        open_xdma(prefix)
    assert len(os.listdir("/proc/self/fd")) == before, "an open file was left behind"


def test_a_stream_that_ends_is_a_board_that_is_gone(tmp_path):
    with pytest.raises(LinkError, match=r"the board on .* is gone"):
        open_xdma(files(tmp_path))


def test_a_register_space_that_is_too_small(tmp_path):
    prefix = files(tmp_path)
    user = Path(f"{prefix}_user")
    user.unlink()
    user.symlink_to("/dev/null")  # a device that takes what is written and has nothing to read
    with pytest.raises(LinkError, match="ends before 0x000: load the PCI Express bitstream"):
        open_xdma(prefix)


def test_registers_are_read_and_written_in_place(tmp_path):
    prefix = files(tmp_path, user=bytes(range(16)) + b"\0" * 0x1000)
    opened = [os.open(f"{prefix}_{channel}", os.O_RDWR) for channel in ("user", "h2c_0", "c2h_0")]
    with XdmaLink(DeviceRegisters(opened[0]), *opened[1:], name="files") as link:
        assert asyncio.run(link.read32(ID.address() + 4)) == 0x07060504
        link._poke(BATCH.address(), 0x01020304)
    assert (tmp_path / "xdma0_user").read_bytes()[0x10:0x14] == b"\4\3\2\1"


def test_a_frame_that_was_not_taken_whole_is_an_error(board):
    with board.connect() as link:

        def half(frame):
            raise OSError(errno.EIO, "half")

        link._sender._work = half
        asyncio.run(link.send(b"1234"))
        with pytest.raises(LinkError, match=r"cannot send an image through /dev/xdma0.*dmesg"):
            asyncio.run(link.receive(1, 1000))


def test_the_time_limit_of_the_driver_is_named_and_outlived(board):
    """Its error has no name in user space, and no meaning for a read that nobody waits for any more."""

    def late(size):
        raise OSError(xdma_devices.RESTART, os.strerror(xdma_devices.RESTART))

    with board.connect() as link:
        read, link._receiver._work = link._receiver._work, late
        with pytest.raises(
            LinkError, match=r"cannot receive .* waited as long as it does \(10 s; .*c2h_timeout"
        ):
            asyncio.run(link.receive(1, 1000))
        link._late = link._receiver.submit(4)
        while not link._late.done():
            time.sleep(0.01)
        link._receiver._work = read
        asyncio.run(link.write32(BATCH.address(), 1))
        assert asyncio.run(link.read32(BATCH.address())) == 1


def test_closing_ends_both_directions_before_it_waits_for_one(board, monkeypatch):
    """Ctrl-C closes a link whose transfers hang in the kernel."""
    calls, end, join = [], worker.Worker.end, worker.Worker.join
    monkeypatch.setattr(worker.Worker, "end", lambda one: (calls.append("end"), end(one)))
    monkeypatch.setattr(
        worker.Worker, "join", lambda one, seconds: (calls.append("join"), join(one, seconds))
    )
    board.connect().close()
    assert calls == ["end", "end", "join", "join"]
