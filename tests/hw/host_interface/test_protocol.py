"""The serial protocol's frames: what goes in comes out, what is damaged never does, and the bit rates."""

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.host import link
from hw.host_interface import protocol
from hw.host_interface.protocol import ESCAPE, FLAG, Command, Deframer, Frame, Status, clocks_per_bit
from hw.util.errors import ConfigError

PAYLOADS = st.lists(st.one_of(st.sampled_from([FLAG, ESCAPE, 0x5D, 0x5E]), st.integers(0, 255)), max_size=40)
FRAMES = st.builds(
    Frame, st.integers(0, 0xFFFF), st.integers(0, 0xFF), st.integers(0, 0xFF), PAYLOADS.map(bytes)
)


def found(data: bytes) -> list[Frame]:
    deframer = Deframer()
    return [frame for frame in map(deframer.feed, data) if frame]


def wrapped(body: bytes) -> bytes:
    return bytes([FLAG]) + protocol.stuff(body) + bytes([FLAG])


def test_a_frame_byte_for_byte() -> None:
    frame = Frame(0x1234, 0x7E, Command.READ, b"\x7d\x0f")
    body = bytes.fromhex("34127e0102007d0f")
    check = struct.pack("<I", zlib.crc32(body))
    assert frame.body() == body + check
    assert frame.encode()[:11] == bytes.fromhex("7e34127d5e0102007d5d0f")
    assert zlib.crc32(b"123456789") == 0xCBF43926  # the CRC that is meant


@given(st.lists(FRAMES, max_size=4), st.binary(max_size=10))
def test_what_goes_in_comes_out(frames: list[Frame], noise: bytes) -> None:
    assert found(noise + b"".join(frame.encode() for frame in frames)) == frames
    assert all(FLAG not in frame.encode()[1:-1] for frame in frames)


@given(st.lists(FRAMES, max_size=4))
def test_one_flag_ends_a_frame_and_starts_the_next(frames: list[Frame]) -> None:
    flag = bytes([FLAG])
    assert found(flag + flag.join(protocol.stuff(f.body()) for f in frames) + flag) == frames


@settings(max_examples=300)
@given(FRAMES, st.data())
def test_a_damaged_frame_is_no_frame_and_the_next_one_is_found(frame: Frame, data: st.DataObject) -> None:
    wire = bytearray(frame.encode())
    at = data.draw(st.integers(1, len(wire) - 2))
    match data.draw(st.sampled_from(["flip", "loss", "double"])):
        case "flip":
            wire[at] ^= 1 << data.draw(st.integers(0, 7))
        case "loss":
            del wire[at]
        case "double":
            wire.insert(at, wire[at])
    assert found(bytes(wire) + frame.encode()) == [frame]


def test_the_longest_body() -> None:
    most = protocol.MAX_BODY - protocol.OVERHEAD
    assert most == 4 + 4 * 256
    longest = Frame(1, 2, 3, bytes(most))
    assert found(longest.encode()) == [longest]
    assert found(Frame(1, 2, 3, bytes(most + 1)).encode() + longest.encode()) == [longest]
    assert Frame.parse(Frame(1, 2, 3, bytes(most + 1)).body()) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(4),
        Frame(0, 0, 0).body()[:9],
        bytes(5) + struct.pack("<I", zlib.crc32(bytes(5))),
        bytes(7) + struct.pack("<I", zlib.crc32(bytes(7))),
        b"\0\0\0\0\2\0x" + struct.pack("<I", zlib.crc32(b"\0\0\0\0\2\0x")),
    ],
    ids=["empty", "crc of nothing", "short", "no length", "length too small", "length too large"],
)
def test_a_wrong_length_is_no_frame(body: bytes) -> None:
    assert Frame.parse(body) is None
    assert found(wrapped(body)) == []


@pytest.mark.parametrize("broken", [b"\x7d\x7e", b"\x7d\x00", b"\x7d\x7d\x5d"])
def test_a_broken_escape_drops_the_frame(broken: bytes) -> None:
    whole = Frame(1, 2, 3, b"ab").encode()
    assert found(whole[:4] + broken + whole[4:]) == []
    assert found(whole[:4] + broken + whole[4:] + whole) == [Frame(1, 2, 3, b"ab")]


def test_hunting_forgets_half_a_frame() -> None:
    deframer, wire = Deframer(), Frame(1, 2, 3).encode()
    for byte in wire[:-1]:
        assert deframer.feed(byte) is None
    deframer.hunt()
    assert deframer.feed(wire[-1]) is None


# --- bit rates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock_hz", "baud", "clocks"),
    [(50e6, 115_200, 434), (100e6, 1_000_000, 100), (12e6, 3_000_000, 4), (200e6, 921_600, 217)],
)
def test_clocks_per_bit(clock_hz: float, baud: int, clocks: int) -> None:
    assert clocks_per_bit(clock_hz, baud) == clocks


@pytest.mark.parametrize(
    ("clock_hz", "baud", "message"),
    [
        (50e6, 0, "at least 1 bit/s, not 0"),
        (10e6, 3_000_000, "leave 3.3 clocks per bit at 10 MHz, .* needs 4: choose at most 2500000 bit/s"),
        (50e6, 9_000_000, r"cannot be made from 50 MHz: 6 clocks per bit are 7\.4% off, the limit is 2%"),
    ],
)
def test_bit_rates_out_of_reach_are_refused(clock_hz: float, baud: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        clocks_per_bit(clock_hz, baud)


def test_every_rate_that_is_accepted_is_within_the_tolerance() -> None:
    accepted = 0
    for baud in range(300, 12_000_000, 9973):
        try:
            clocks = clocks_per_bit(48e6, baud)
        except ConfigError:
            continue
        accepted += 1
        assert abs(48e6 / clocks / baud - 1) <= protocol.RATE_TOLERANCE
    assert accepted > 500


def test_units_of_memory_are_those_of_links() -> None:
    assert protocol.MEMORY_UNIT == link.UNIT
    assert protocol.MAX_DATA % protocol.MEMORY_UNIT == 0 and protocol.MEMORY_PAGE % protocol.MEMORY_UNIT == 0


def test_the_page_holds_the_current_tables() -> None:
    page = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()
    assert protocol.markdown() in page, (
        "hw/host_interface/protocol.py has changed: put the output of markdown() into the page"
    )


def test_markdown_names_every_command_and_status() -> None:
    table = protocol.markdown()
    for one in (*Command, *Status):
        assert f"| `{one.name}` | {one.value} |" in table
