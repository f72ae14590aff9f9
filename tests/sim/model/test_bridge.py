"""The bridge's model: sessions, sequence numbers, replays, and what every command does and refuses."""

import pytest

from hw.host_interface import protocol
from hw.host_interface.protocol import Command, Deframer, Frame, Status
from sim.model.bridge import Bridge, BusError, BusTimeout


class Recorder:
    """An accelerator that notes what it is told. ``room`` beats are taken; ``beats`` are there to pull."""

    def __init__(self) -> None:
        self.log: list[tuple[object, ...]] = []
        self.room = 1 << 30
        self.beats: list[tuple[int, bool, int]] = []
        self.error: Exception | None = None

    def read32(self, address: int) -> int:
        self.log.append(("read", address))
        if self.error:
            raise self.error
        return 0xA0000000 + address

    def write32(self, address: int, value: int) -> None:
        self.log.append(("write", address, value))
        if self.error:
            raise self.error

    def push(self, beat: int, last: bool, patience: int) -> int | None:
        if not self.room:
            return None
        self.room -= 1
        self.log.append(("beat", beat, last, patience))
        return 10

    def pull(self, patience: int) -> tuple[int, bool, int] | None:
        self.log.append(("pull", patience))
        return self.beats.pop(0) if self.beats and self.beats[0][2] <= patience else None


def ask(bridge: Bridge, session: int, sequence: int, kind: int, payload: bytes = b"") -> tuple[int, bytes]:
    """Status and payload of the response, which echoes session and sequence."""
    out = b"".join(bridge.feed(byte) for byte in Frame(session, sequence, kind, payload).encode())
    deframer = Deframer()
    (answer,) = [frame for frame in map(deframer.feed, out) if frame]
    assert (answer.session, answer.sequence) == (session, sequence)
    return answer.kind, answer.payload


@pytest.fixture
def accelerator() -> Recorder:
    return Recorder()


@pytest.fixture
def bridge(accelerator) -> Bridge:
    """With session 7 open, last sequence number 255."""
    bridge = Bridge(accelerator)
    assert ask(bridge, 7, 255, Command.OPEN) == (Status.OK, protocol.OPEN_RESPONSE.pack(1, 1024))
    return bridge


READ = protocol.READ_REQUEST.pack(0x10)


def test_nothing_is_executed_before_a_session_is_open(accelerator) -> None:
    assert ask(Bridge(accelerator), 0, 1, Command.READ, READ) == (Status.WRONG_SESSION, b"")
    assert not accelerator.log


def test_a_repeated_request_is_answered_again_and_executed_once(bridge, accelerator) -> None:
    first = ask(bridge, 7, 0, Command.READ, READ)
    assert first == (Status.OK, b"\x10\0\0\xa0")
    # Only the numbers are compared.
    assert ask(bridge, 7, 0, Command.WRITE, bytes(6)) == first
    assert accelerator.log == [("read", 0x10)]
    assert ask(bridge, 7, 1, Command.READ, READ) == first
    assert len(accelerator.log) == 2


@pytest.mark.parametrize("sequence", [1, 2, 254, 128])
def test_other_sequence_numbers_are_refused(bridge, accelerator, sequence) -> None:
    assert ask(bridge, 7, sequence, Command.READ, READ) == (Status.WRONG_SEQUENCE, b"")
    assert not accelerator.log


def test_refusals_leave_the_last_response_alone(bridge) -> None:
    first = ask(bridge, 7, 0, Command.READ, READ)
    assert ask(bridge, 8, 0, Command.READ, READ)[0] == Status.WRONG_SESSION
    assert ask(bridge, 7, 9, Command.READ, READ)[0] == Status.WRONG_SEQUENCE
    assert ask(bridge, 7, 0, Command.READ, READ) == first


def test_a_second_client_displaces_the_first(bridge, accelerator) -> None:
    assert ask(bridge, 8, 40, Command.OPEN)[0] == Status.OK
    assert ask(bridge, 7, 0, Command.READ, READ) == (Status.WRONG_SESSION, b"")
    assert ask(bridge, 8, 41, Command.READ, READ)[0] == Status.OK
    assert len(accelerator.log) == 1


@pytest.mark.parametrize(
    ("error", "status"), [(BusError(), Status.BUS_ERROR), (BusTimeout(), Status.BUS_TIMEOUT)]
)
@pytest.mark.parametrize(("command", "size"), [(Command.READ, 2), (Command.WRITE, 6)])
def test_errors_of_the_bus_are_answered_and_kept(bridge, accelerator, error, status, command, size) -> None:
    accelerator.error = error
    assert ask(bridge, 7, 0, command, bytes(size)) == (status, b"")
    accelerator.error = None
    assert ask(bridge, 7, 0, command, bytes(size)) == (status, b"")
    assert len(accelerator.log) == 1


@pytest.mark.parametrize(
    ("command", "payload"),
    [
        (Command.OPEN, b"x"),
        (Command.READ, b""),
        (Command.READ, bytes(3)),
        (Command.READ, b"\x00\x10"),
        (Command.WRITE, bytes(5)),
        (Command.WRITE, b"\x00\x80" + bytes(4)),
        (Command.SEND, b"\1"),
        (Command.SEND, bytes(4)),
        (Command.RECEIVE, bytes(4)),
        (Command.RECEIVE, protocol.RECEIVE_REQUEST.pack(257, 1)),
        (Command.RECEIVE, bytes(2)),
        (7, b""),
        (255, b""),
    ],
)
def test_bad_requests(bridge, accelerator, command, payload) -> None:
    assert ask(bridge, 7, 0, command, payload) == (Status.BAD_REQUEST, b"")
    assert not accelerator.log
    assert ask(bridge, 7, 1, Command.READ, READ)[0] == Status.OK


@pytest.mark.parametrize("flags", [0, 1, 0xFE, 0xFF])
def test_tlast_goes_with_the_last_beat_only(bridge, accelerator, flags) -> None:
    answer = ask(bridge, 7, 0, Command.SEND, bytes([flags]) + bytes(range(12)))
    assert answer == (Status.OK, protocol.SEND_RESPONSE.pack(3))
    patience = protocol.SEND_PATIENCE
    assert accelerator.log == [
        ("beat", 0x03020100, False, patience),
        ("beat", 0x07060504, False, patience - 10),
        ("beat", 0x0B0A0908, bool(flags & 1), patience - 20),
    ]


def test_a_full_accelerator_ends_send(bridge, accelerator) -> None:
    accelerator.room = 2
    answer = ask(bridge, 7, 0, Command.SEND, b"\1" + bytes(12))
    assert answer == (Status.OK, protocol.SEND_RESPONSE.pack(2))
    assert [last for _, _, last, _ in accelerator.log] == [False, False]


def test_receive_stops_at_tlast_at_most_and_when_time_is_over(bridge, accelerator) -> None:
    accelerator.beats = [(1, False, 1000), (2, True, 24), (3, False, 0), (4, False, 0), (5, False, 1025)]
    request = protocol.RECEIVE_REQUEST.pack(2, 1)
    assert ask(bridge, 7, 0, Command.RECEIVE, request) == (Status.OK, b"\1" + b"\1\0\0\0\2\0\0\0")
    assert accelerator.log == [("pull", 1024), ("pull", 24)]
    assert ask(bridge, 7, 1, Command.RECEIVE, request) == (Status.OK, b"\0" + b"\3\0\0\0\4\0\0\0")
    assert ask(bridge, 7, 2, Command.RECEIVE, request) == (Status.OK, b"\0")
    assert ask(bridge, 7, 3, Command.RECEIVE, protocol.RECEIVE_REQUEST.pack(2, 2))[1] == b"\0\5\0\0\0"


def test_bytes_behind_a_request_wait_for_the_next_flag(bridge, accelerator) -> None:
    """What a repeating host has sent in the meantime is not taken for the next request's beginning."""
    wire = Frame(7, 0, Command.READ, READ).encode()
    assert b"".join(bridge.feed(byte) for byte in wire)
    assert not b"".join(bridge.feed(byte) for byte in wire[1:])  # no opening flag: hunted, then dropped
    assert b"".join(bridge.feed(byte) for byte in wire)
    assert len(accelerator.log) == 1


# --- memory --------------------------------------------------------------------------------------------


class Words:
    """A memory that notes what it is told, and fails with ``error``."""

    def __init__(self) -> None:
        self.log: list[tuple[object, ...]] = []
        self.error: Exception | None = None

    def write(self, address: int, data: bytes) -> None:
        self.log.append(("write", address, data))
        if self.error:
            raise self.error

    def read(self, address: int, size: int) -> bytes:
        self.log.append(("read", address, size))
        if self.error:
            raise self.error
        return bytes(n % 251 for n in range(address, address + size))


@pytest.fixture
def memory() -> Words:
    return Words()


@pytest.fixture
def board(accelerator, memory) -> Bridge:
    """One with memory, its session open as that of ``bridge``."""
    board = Bridge(accelerator, memory)
    ask(board, 7, 255, Command.OPEN)
    return board


def write_memory(unit: int, size: int) -> bytes:
    return protocol.WRITE_MEMORY_REQUEST.pack(unit) + bytes(range(256)) * (size // 256) + bytes(size % 256)


FIRST = protocol.WRITE_MEMORY_REQUEST.pack(0)


def test_memory_is_written_and_read_once(board, memory) -> None:
    top = (1 << 32) - 16
    for _ in range(2):
        assert ask(board, 7, 0, Command.WRITE_MEMORY, write_memory(top, 1024)) == (Status.OK, b"")
    request = protocol.READ_MEMORY_REQUEST.pack(3, 2)
    for _ in range(2):
        answer = ask(board, 7, 1, Command.READ_MEMORY, request)
        assert answer == (Status.OK, bytes(range(192, 251)) + bytes(range(69)))
    assert memory.log == [("write", 64 * top, bytes(range(256)) * 4), ("read", 192, 128)]


@pytest.mark.parametrize(
    ("error", "status"), [(BusError(), Status.MEMORY_ERROR), (BusTimeout(), Status.MEMORY_TIMEOUT)]
)
@pytest.mark.parametrize(
    ("command", "payload"),
    [
        (Command.READ_MEMORY, protocol.READ_MEMORY_REQUEST.pack(0, 1)),
        (Command.WRITE_MEMORY, write_memory(0, 64)),
    ],
)
def test_errors_of_memory_are_answered_and_kept(board, memory, error, status, command, payload) -> None:
    memory.error = error
    assert ask(board, 7, 0, command, payload) == (status, b"")
    memory.error = None
    assert ask(board, 7, 0, command, payload) == (status, b"")
    assert len(memory.log) == 1


@pytest.mark.parametrize(
    ("command", "payload"),
    [
        (Command.READ_MEMORY, b""),
        (Command.READ_MEMORY, protocol.READ_MEMORY_REQUEST.pack(0, 1)[:5]),
        (Command.READ_MEMORY, protocol.READ_MEMORY_REQUEST.pack(0, 1) + b"\0"),
        (Command.READ_MEMORY, protocol.READ_MEMORY_REQUEST.pack(0, 0)),
        (Command.READ_MEMORY, protocol.READ_MEMORY_REQUEST.pack(0, 17)),
        (Command.READ_MEMORY, protocol.READ_MEMORY_REQUEST.pack(63, 2)),
        (Command.WRITE_MEMORY, FIRST),
        (Command.WRITE_MEMORY, FIRST + bytes(63)),
        (Command.WRITE_MEMORY, FIRST + bytes(68)),
        (Command.WRITE_MEMORY, write_memory(64 + 49, 1024)),
    ],
)
def test_bad_requests_of_memory(board, memory, command, payload) -> None:
    assert ask(board, 7, 0, command, payload) == (Status.BAD_REQUEST, b"")
    assert not memory.log


@pytest.mark.parametrize(
    ("command", "payload"),
    [
        (Command.READ_MEMORY, protocol.READ_MEMORY_REQUEST.pack(0, 1)),
        (Command.WRITE_MEMORY, write_memory(0, 64)),
    ],
)
def test_a_board_without_memory_knows_no_such_command(bridge, command, payload) -> None:
    assert ask(bridge, 7, 0, command, payload) == (Status.BAD_REQUEST, b"")
