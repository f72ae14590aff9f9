"""The serial link: a sentence for everything that ends a session, whole streams, and a real port."""

import asyncio
import os
import threading
import tty
from types import SimpleNamespace

import numpy as np
import pytest

from bitstreams.commands import board_link
from bitstreams.links import serial
from bitstreams.links.serial import SerialLink, open_serial
from bitstreams.links.serial_client import ATTEMPTS, SIMULATED_SLACK, SLACK
from hw.host.driver import Driver
from hw.host_interface import protocol
from hw.host_interface.protocol import Status
from hw.host_interface.registers import BATCH, CYCLES, ID
from hw.util.errors import LinkError, ToolNotFound
from sim.model.bridge import Bridge
from tests.bitstreams.serial_wire import (
    BAUD,
    CLOCK_HZ,
    IMAGES,
    INFO,
    NEVER,
    SCORES,
    Board,
    Faults,
    ModelAccelerator,
    Wire,
    finish,
)


def opened(accelerator: ModelAccelerator | None = None, **faults: Faults) -> tuple[SerialLink, Wire]:
    wire = Wire(Board(accelerator or ModelAccelerator()), **faults)
    link = SerialLink(wire, BAUD, name="/dev/tty9", session=0x051234)
    link.open()
    return link, wire


def test_no_answer_says_what_to_check_and_stays_so() -> None:
    wire = Wire(Board(ModelAccelerator()), Faults(cut=0))
    link = SerialLink(wire, BAUD, name="/dev/tty9")
    sentence = f"no answer from the board on /dev/tty9 in {ATTEMPTS} attempts: check the cable.*115200 bit/s"
    with pytest.raises(LinkError, match=sentence):
        link.open()
    assert wire.writes == ATTEMPTS and wire.board.now < ATTEMPTS
    with pytest.raises(LinkError, match=sentence):
        finish(link.read32(0))
    assert wire.writes == ATTEMPTS


def test_a_simulated_board_has_more_time(monkeypatch) -> None:
    """Its processor may do something else for seconds: no answer is lost on the way, it only is late."""
    wire = Wire(Board(ModelAccelerator()), Faults(cut=0))
    with pytest.raises(LinkError, match="no answer from the board"):
        SerialLink(wire, BAUD, slack=SIMULATED_SLACK).open()
    assert wire.writes == ATTEMPTS and wire.board.now > ATTEMPTS * SIMULATED_SLACK > 6 * ATTEMPTS * SLACK

    given = {}
    monkeypatch.setattr(serial, "open_serial", lambda path, baud, **rest: given.update(rest))
    board_link._opened(SimpleNamespace(clocks_per_bit=8), "/dev/pts/9")
    assert given["slack"] == SIMULATED_SLACK


@pytest.mark.parametrize(("runs", "slack"), [(True, SIMULATED_SLACK), (False, None)])
def test_a_running_virtual_board_is_known_by_its_lock(monkeypatch, runs, slack) -> None:
    """However its port is named: ``uart:PORT`` of a board that 'spec2 board' runs."""
    monkeypatch.setattr(serial.virtual_port, "alive", lambda path: runs)
    monkeypatch.setattr(SerialLink, "open", lambda link: None)
    master, slave = os.openpty()
    try:
        with open_serial(os.ttyname(slave), BAUD) as link:
            assert link._client._slack == slack
    finally:
        os.close(master)
        os.close(slave)


def test_a_cable_pulled_in_mid_image_ends_the_run_with_that_sentence() -> None:
    link, wire = opened()
    driver = Driver(link, INFO)
    finish(driver.connect())
    wire.up.cut = wire.up.count + 80  # after LAYERS, BATCH, CONTROL and half an image
    with pytest.raises(LinkError, match="no answer from the board on /dev/tty9"):
        finish(driver.run(IMAGES))
    assert wire.board.accelerator.loading


def test_a_displaced_client_is_told_so() -> None:
    link, wire = opened()
    other = SerialLink(Wire(wire.board), BAUD)
    other.open()
    for _ in range(2):
        with pytest.raises(LinkError, match="left this session, because another client opened it"):
            finish(link.read32(ID.address()))
    assert finish(other.read32(ID.address())) == 0x53504332


def test_a_board_that_was_reset_has_left_the_session() -> None:
    link, wire = opened()
    wire.board.bridge = Bridge(wire.board.accelerator)
    with pytest.raises(LinkError, match="or it was reset: open it again"):
        finish(link.read32(ID.address()))


def test_a_refused_access_does_not_end_the_session() -> None:
    link, _ = opened()
    with pytest.raises(LinkError, match="refused to read register 0xFFC"):
        finish(link.read32(0xFFC))
    with pytest.raises(LinkError, match="refused to write register 0x000"):
        finish(link.write32(ID.address(), 1))
    assert finish(link.read32(BATCH.address())) == 1


def test_a_stuck_control_port_is_named() -> None:
    accelerator = ModelAccelerator()
    accelerator.accesses = 1
    link, _ = opened(accelerator)
    assert finish(link.read32(BATCH.address())) == 1
    with pytest.raises(LinkError, match=r"control port is stuck \(no answer in 4096 clocks\): reset"):
        finish(link.read32(BATCH.address()))


class Answering(Bridge):
    """Answers every request with ``status`` and ``payload``."""

    def __init__(self, status: int, payload: bytes) -> None:
        super().__init__(ModelAccelerator())
        self._answer = lambda request: (status, payload)


@pytest.mark.parametrize(
    ("status", "payload", "message"),
    [
        (
            0,
            protocol.OPEN_RESPONSE.pack(2, 1024),
            "speaks version 2 .* this program version 1 with 1024: build",
        ),
        (0, protocol.OPEN_RESPONSE.pack(1, 256), "with 256 bytes per frame"),
        (0, b"1", "answered OPEN with 1 bytes, not 4: build its bitstream with this version"),
        (Status.BAD_REQUEST, b"", "answered OPEN with status 3"),
        (77, b"", "answered OPEN with status 77"),
    ],
)
def test_another_protocol_is_refused(status: int, payload: bytes, message: str) -> None:
    board = Board(ModelAccelerator())
    board.bridge = Answering(status, payload)
    with pytest.raises(LinkError, match=message):
        SerialLink(Wire(board), BAUD).open()


def test_an_error_of_the_port_ends_the_session() -> None:
    link, wire = opened()

    def broken(timeout: float) -> bytes:
        raise LinkError("the serial port is gone")

    wire.read = broken
    with pytest.raises(LinkError, match="port is gone"):
        finish(link.read32(0))
    del wire.read
    with pytest.raises(LinkError, match="port is gone"):
        finish(link.read32(0))


# --- streams -------------------------------------------------------------------------------------------


class Streams(ModelAccelerator):
    """Takes ``room`` beats and gives ``beats``, at once; nothing else."""

    def __init__(self, room: int, beats: list[tuple[int, bool]]) -> None:
        super().__init__()
        self.room, self.beats = room, beats
        self.taken: list[tuple[int, bool]] = []

    def push(self, beat: int, last: bool, patience: int) -> int | None:
        if len(self.taken) == self.room:
            self.clocks += patience
            return None
        self.taken.append((beat, last))
        return 0

    def pull(self, patience: int) -> tuple[int, bool, int] | None:
        if not self.beats:
            self.clocks += patience
            return None
        return (*self.beats.pop(0), 0)


def beats(count: int, first: int = 0) -> list[tuple[int, bool]]:
    return [(first + n, n == count - 1) for n in range(count)]


def data(pairs: list[tuple[int, bool]]) -> bytes:
    return b"".join(beat.to_bytes(4, "little") for beat, _ in pairs)


@pytest.mark.parametrize("count", [1, 255, 256, 257, 700])
def test_frames_of_any_length_pass_whole(count: int) -> None:
    streams = Streams(NEVER, beats(count, 1 << 20))
    link, _ = opened(streams)
    for _ in range(2):
        finish(link.send(data(beats(count))))
    assert finish(link.receive(count, 10_000)) == data(beats(count, 1 << 20))
    assert streams.taken == 2 * beats(count)


def test_what_was_not_taken_is_sent_before_the_result_is_collected() -> None:
    streams = Streams(100, beats(3))
    link, wire = opened(streams)
    for _ in range(3):
        finish(link.send(data(beats(300))))
    assert len(streams.taken) == 100 and wire.writes == 1 + 2  # it does not insist
    streams.room = NEVER
    assert finish(link.receive(3, 10_000)) == data(beats(3))
    assert streams.taken == 3 * beats(300)


def test_a_result_before_all_images_is_none() -> None:
    """As after an abort that another program made: it may be the result of other images."""
    streams = Streams(10, beats(3))
    link, _ = opened(streams)
    finish(link.send(data(beats(11))))
    with pytest.raises(LinkError, match="gave a result before it had taken all of the images"):
        finish(link.receive(3, 10_000))


def test_a_failed_run_leaves_nothing_for_the_next_one() -> None:
    streams = Streams(10, [])
    link, _ = opened(streams)
    finish(link.send(data(beats(20))))
    with pytest.raises(LinkError, match="no complete result within 5000 clocks and has not taken all"):
        finish(link.receive(3, 5000))
    streams.room, streams.beats = NEVER, beats(3)
    finish(link.send(data(beats(5, 900))))
    assert finish(link.receive(3, 5000)) == data(beats(3))
    assert streams.taken[10:] == beats(5, 900)


@pytest.mark.parametrize("timeout", [0, 1, 1024, 1025, 40_000_000])
def test_waiting_is_counted_in_clocks_of_the_board(timeout: int) -> None:
    streams = Streams(NEVER, [])
    link, wire = opened(streams)
    with pytest.raises(LinkError, match=f"gave no complete result within {timeout} clocks$"):
        finish(link.receive(1, timeout))
    assert timeout <= streams.clocks < timeout + 1024
    assert wire.board.now < 1 + timeout / CLOCK_HZ


@pytest.mark.parametrize(
    ("result", "found"), [(beats(2), "2"), (beats(4), "more than 3"), ([(0, False), (1, True)], "2")]
)
def test_a_result_of_another_length_is_refused(result: list[tuple[int, bool]], found: str) -> None:
    link, _ = opened(Streams(NEVER, result))
    with pytest.raises(LinkError, match=f"a result of {found} words came, not one of 3: is it this design"):
        finish(link.receive(3, 1000))


@pytest.mark.parametrize("size", [0, 3, 6])
def test_frames_are_whole_beats(size: int) -> None:
    link, _ = opened()
    with pytest.raises(ValueError, match=f"whole beats of 4 bytes, not {size} bytes"):
        finish(link.send(bytes(size)))


def test_two_sessions_are_not_the_same() -> None:
    board, seen = Board(ModelAccelerator()), set()
    for _ in range(8):
        SerialLink(Wire(board), BAUD).open()
        seen.add((board.bridge._session, board.bridge._sequence))
    assert len(seen) == 8


# --- a real port ---------------------------------------------------------------------------------------


@pytest.fixture
def port():
    """The path of a serial port (a pseudo-terminal) with a board behind it."""
    master, slave = os.openpty()
    tty.setraw(slave)
    bridge = Bridge(ModelAccelerator())

    def serve() -> None:
        while True:
            try:
                data = os.read(master, 4096)
            except OSError:
                return
            for byte in data:
                if answer := bridge.feed(byte):
                    os.write(master, answer)

    thread = threading.Thread(target=serve)
    thread.start()
    yield os.ttyname(slave)
    os.close(slave)  # the thread's read fails once nobody has the port open
    thread.join(10)
    os.close(master)


def test_a_whole_run_through_a_port(port) -> None:
    with open_serial(port, 3_000_000) as link:
        driver = Driver(link, INFO)

        async def run() -> np.ndarray:
            await driver.connect()
            return await driver.run(IMAGES)

        assert np.array_equal(asyncio.run(run()), SCORES)
        with pytest.raises(LinkError, match=f"{port} at 115200 bit/s: another program is using it"):
            open_serial(port, 115_200)
    with open_serial(port, 3_000_000) as link:
        assert finish(link.read32(CYCLES.address())) == 1000


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/none-such", "there is none of that name; plug the board in"),
        ("/dev/null", "/dev/null at 9600 bit/s: it is no serial port; ports are devices like /dev/ttyUSB0"),
        (__file__, "test_serial_link.py is no serial port: ports are devices like /dev/ttyUSB0"),
        ("/dev", "/dev is no serial port"),
    ],
)
def test_what_is_no_port_is_refused(path: str, message: str) -> None:
    with pytest.raises(LinkError, match=message):
        open_serial(path, 9600)


def test_an_echo_is_no_board() -> None:
    """The frame that opens a session is also a right answer but for what it lacks."""
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    echo = threading.Thread(target=lambda: os.write(master, os.read(master, 4096)))
    echo.start()
    with pytest.raises(LinkError, match=rf"what is sent to {path} comes back unchanged: a loopback plug, or"):
        open_serial(path, 3_000_000)
    echo.join(10)
    os.close(slave)
    os.close(master)


def test_without_pyserial_it_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolNotFound, match="pip install pyserial"):
        open_serial("/dev/none-such", 9600)


def test_a_port_that_vanishes_is_named() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    answers = threading.Thread(target=lambda: os.close(master) if os.read(master, 1) else None)
    answers.start()
    with pytest.raises(LinkError, match=f"the serial port {path} is gone .*: plug the board in again"):
        open_serial(path, 3_000_000)
    answers.join(10)
    os.close(slave)


@pytest.mark.parametrize("client", ["the same", "another"])
def test_the_end_of_a_frame_that_an_abort_cut_short_is_nobodys_result(client: str) -> None:
    """Results stop in mid-frame; what the accelerator then adds to close it comes late, or to others."""
    accelerator = ModelAccelerator()
    link, wire = opened(accelerator)
    driver = Driver(link, INFO, timeout=5000)
    finish(driver.connect())
    accelerator.answers_for = 3
    with pytest.raises(
        LinkError, match="gave no complete result within 5000 clocks; the accelerator was still"
    ):
        finish(driver.run(IMAGES[:2]))
    assert accelerator.leftover and not accelerator.busy
    accelerator.answers_for = NEVER
    if client == "another":
        link = SerialLink(Wire(wire.board), BAUD)
        link.open()
        driver = Driver(link, INFO)
    finish(driver.connect())
    assert not accelerator.leftover
    np.testing.assert_array_equal(finish(driver.run(IMAGES)), SCORES)


def test_an_abort_leaves_the_stream_between_two_frames() -> None:
    accelerator = ModelAccelerator()
    link, _ = opened(accelerator)
    driver = Driver(link, INFO, timeout=5000)
    finish(driver.connect())
    accelerator.answers_for = 3
    pull = accelerator.pull

    def recovers(patience: int) -> tuple[int, bool, int] | None:
        if accelerator.leftover:
            accelerator.answers_for = NEVER
        return pull(patience)

    accelerator.pull = recovers  # type: ignore[method-assign]
    with pytest.raises(LinkError, match="gave no complete result"):
        finish(driver.run(IMAGES[:2]))
    assert not accelerator.leftover
    np.testing.assert_array_equal(finish(driver.run(IMAGES)), SCORES)
