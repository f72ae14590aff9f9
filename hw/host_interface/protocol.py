"""The serial protocol between a host and a board: frames, commands, statuses and their payloads.

Bytes go over the wire as 8N1, numbers little endian. The host asks, the board answers, one exchange at a
time; a request that is repeated is answered again but executed once. ``docs/protocol.md`` explains it and
holds the tables that :func:`markdown` renders; :mod:`hw.gateware.serial.bridge`, its model
:mod:`sim.model.bridge` and the host's link all take their numbers from here.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from hw.util.errors import ConfigError

VERSION = 1
"""What OPEN answers. Raised whenever a host of the version before could misread a board."""

FLAG = 0x7E
"""Begins and ends a frame; never occurs within one."""

ESCAPE = 0x7D
"""Stands before a FLAG or ESCAPE of the body, which then goes out with FLIP (RFC 1662, section 4.2)."""

FLIP = 0x20
"""Bits that differ between an escaped byte and what it stands for."""

HEADER = struct.Struct("<HBBH")
"""Session, sequence, kind (command or status), length of the payload."""

CHECK = struct.Struct("<I")
"""CRC-32 of header and payload, after them (that of ``zlib.crc32``)."""

OVERHEAD = HEADER.size + CHECK.size
"""Bytes of a body besides its payload."""

BITS_PER_BYTE = 10
"""On the wire: a start bit, eight of data, a stop bit."""

MAX_BEATS = 256
"""Most beats, of four bytes each, in one frame."""

MAX_DATA = 4 * MAX_BEATS
"""The same in bytes: what OPEN answers."""

MEMORY_UNIT = 64
"""Bytes in which addresses and sizes of external memory are counted: beats of any bus are whole in it."""

MEMORY_SIZE = MEMORY_UNIT << 32
"""Bytes that addresses reach: there are 32 bits of units."""

MEMORY_PAGE = 4096
"""Bytes of a page, which no burst may leave (ARM IHI 0022, A3.4.1)."""

MAX_UNITS = MAX_DATA // MEMORY_UNIT
"""Most units in one frame."""

MAX_BODY = OVERHEAD + 4 + MAX_DATA
"""Longest body: the unit that a WRITE_MEMORY begins with, and MAX_DATA bytes. A board drops longer ones."""

LAST = 1
"""Bit of the flags in SEND and RECEIVE: tlast goes with, or came with, the last beat."""

BUS_PATIENCE = 4096
"""Clocks a register access may take before the board answers BUS_TIMEOUT."""

SEND_PATIENCE = 16384
"""Clocks that the beats of one SEND may wait, in all, before the board gives up."""

MEMORY_PATIENCE = 16384
"""Clocks that memory may keep one burst waiting, in all, before the board answers MEMORY_TIMEOUT."""

WAIT_UNIT = 1024
"""Clocks per unit of RECEIVE's ``wait``."""

MAX_WAIT = 0xFFFF
"""Longest ``wait``, in units."""

MIN_CLOCKS_PER_BIT = 4
"""Fewest clocks in which the board's receiver finds the middle of a bit."""

RATE_TOLERANCE = 0.02
"""Most that a board's bit rate may differ from the one asked for; two ends may each be off by it."""


class Command(IntEnum):
    """The kind of a request."""

    OPEN = 0
    READ = 1
    WRITE = 2
    SEND = 3
    RECEIVE = 4
    WRITE_MEMORY = 5
    READ_MEMORY = 6


class Status(IntEnum):
    """The kind of a response. Only OK comes with a payload."""

    OK = 0
    WRONG_SESSION = 1
    WRONG_SEQUENCE = 2
    BAD_REQUEST = 3
    BUS_ERROR = 4
    BUS_TIMEOUT = 5
    MEMORY_ERROR = 6
    MEMORY_TIMEOUT = 7


READ_REQUEST = struct.Struct("<H")
READ_RESPONSE = struct.Struct("<I")
WRITE_REQUEST = struct.Struct("<HI")
SEND_RESPONSE = struct.Struct("<H")
RECEIVE_REQUEST = struct.Struct("<HH")
OPEN_RESPONSE = struct.Struct("<HH")
WRITE_MEMORY_REQUEST = struct.Struct("<I")
READ_MEMORY_REQUEST = struct.Struct("<IH")

MEMORY_COMMANDS = (Command.WRITE_MEMORY, Command.READ_MEMORY)
"""To a board that has no memory these are no commands."""

_COMMANDS = {
    Command.OPEN: (
        "nothing",
        "protocol version u16, most data bytes per frame u16",
        "begins a session, with the frame's session and sequence; always executed",
    ),
    Command.READ: ("address u16", "value u32", "reads a register"),
    Command.WRITE: ("address u16, value u32", "nothing", "writes a register"),
    Command.SEND: (
        f"flags u8, 1 to {MAX_BEATS} beats",
        "accepted beats u16",
        "sends beats to the image stream, tlast with the last one if bit 0 of the flags is set; gives up "
        f"at a beat that is not taken although the request has lasted {SEND_PATIENCE} clocks",
    ),
    Command.RECEIVE: (
        f"most beats u16 (1 to {MAX_BEATS}), wait u16",
        "flags u8, beats",
        "collects beats of the result stream until one has tlast (bit 0 of the flags), until all asked for "
        f"are there, or until none is there although `wait` times {WAIT_UNIT} clocks have passed",
    ),
    Command.WRITE_MEMORY: (
        f"first unit u32, 1 to {MAX_UNITS} units",
        "nothing",
        f"writes units of {MEMORY_UNIT} bytes to external memory, within {MEMORY_PAGE} bytes; unit n lies "
        f"at byte {MEMORY_UNIT} n",
    ),
    Command.READ_MEMORY: (
        f"first unit u32, units u16 (1 to {MAX_UNITS})",
        "the units",
        f"reads units of external memory, within {MEMORY_PAGE} bytes",
    ),
}

_STATUSES = {
    Status.OK: "executed",
    Status.WRONG_SESSION: "another session is open, or none; not executed",
    Status.WRONG_SEQUENCE: "neither the last sequence number nor the one after it; not executed",
    Status.BAD_REQUEST: "no such command on this board, a payload of the wrong size, or a number in it out "
    "of range",
    Status.BUS_ERROR: "the accelerator refused the access (SLVERR, DECERR)",
    Status.BUS_TIMEOUT: f"the accelerator did not answer within {BUS_PATIENCE} clocks, or has not yet "
    "answered the access that was given up before",
    Status.MEMORY_ERROR: "memory answered with an error (SLVERR, DECERR); a part may have been written",
    Status.MEMORY_TIMEOUT: f"memory kept the burst waiting although it had lasted {MEMORY_PATIENCE} clocks, "
    "or has not yet ended the burst that was given up before",
}


@dataclass(frozen=True)
class Frame:
    """A request (``kind`` is a command) or a response (``kind`` is a status)."""

    session: int
    sequence: int
    kind: int
    payload: bytes = b""

    def body(self) -> bytes:
        """Header, payload and CRC, not yet stuffed."""
        head = HEADER.pack(self.session, self.sequence, self.kind, len(self.payload)) + self.payload
        return head + CHECK.pack(zlib.crc32(head))

    def encode(self) -> bytes:
        """The bytes on the wire, from flag to flag."""
        return bytes([FLAG]) + stuff(self.body()) + bytes([FLAG])

    @classmethod
    def parse(cls, body: bytes) -> Frame | None:
        """The frame in an unstuffed ``body``, or None if its length or its CRC is wrong."""
        if not OVERHEAD <= len(body) <= MAX_BODY:
            return None
        head, check = body[: -CHECK.size], body[-CHECK.size :]
        session, sequence, kind, length = HEADER.unpack_from(head)
        if len(head) != HEADER.size + length or CHECK.unpack(check)[0] != zlib.crc32(head):
            return None
        return cls(session, sequence, kind, head[HEADER.size :])


def stuff(body: bytes) -> bytes:
    """``body`` with every FLAG and ESCAPE in it escaped."""
    out = bytearray()
    for byte in body:
        out += bytes([ESCAPE, byte ^ FLIP]) if byte in (FLAG, ESCAPE) else bytes([byte])
    return bytes(out)


class Deframer:
    """Finds frames in a stream of bytes; drops everything that is not a whole, sound one."""

    def __init__(self) -> None:
        self.hunt()

    def hunt(self) -> None:
        """Forget what has come so far and wait for the next flag."""
        self._body: bytearray | None = None
        self._escaped = False

    def feed(self, byte: int) -> Frame | None:
        """Take one byte. Returns the frame that it completes, if it completes one."""
        if byte == FLAG:
            body, escaped = self._body, self._escaped
            self._body, self._escaped = bytearray(), False
            return Frame.parse(bytes(body)) if body and not escaped else None
        if self._body is None:
            return None
        if self._escaped:
            byte ^= FLIP
            self._escaped = False
            if byte not in (FLAG, ESCAPE):
                self.hunt()
                return None
        elif byte == ESCAPE:
            self._escaped = True
            return None
        if len(self._body) == MAX_BODY:
            self.hunt()
        else:
            self._body.append(byte)
        return None


def clocks_per_bit(clock_hz: float, baud: int) -> int:
    """Clocks of a board at ``clock_hz`` per bit of a serial port at ``baud`` bits per second.

    Raises ``ConfigError`` when they are fewer than MIN_CLOCKS_PER_BIT, or when whole clocks miss the
    rate by more than RATE_TOLERANCE.
    """
    if baud < 1:
        raise ConfigError(f"the bit rate must be at least 1 bit/s, not {baud}")
    clocks = max(1, round(clock_hz / baud))
    if clocks < MIN_CLOCKS_PER_BIT:
        raise ConfigError(
            f"{baud} bit/s leave {clock_hz / baud:.1f} clocks per bit at {clock_hz / 1e6:g} MHz, "
            f"the receiver needs {MIN_CLOCKS_PER_BIT}: choose at most "
            f"{int(clock_hz / MIN_CLOCKS_PER_BIT)} bit/s"
        )
    error = abs(clock_hz / clocks / baud - 1)
    if error > RATE_TOLERANCE:
        raise ConfigError(
            f"{baud} bit/s cannot be made from {clock_hz / 1e6:g} MHz: {clocks} clocks per bit are "
            f"{error:.1%} off, the limit is {RATE_TOLERANCE:.0%}: choose a lower or another bit rate"
        )
    return clocks


def markdown() -> str:
    """The tables of commands and statuses, in Markdown."""
    lines = ["| command | number | request | response if OK | meaning |", "|---|---|---|---|---|"]
    for command, (request, response, doc) in _COMMANDS.items():
        lines.append(f"| `{command.name}` | {command.value} | {request} | {response} | {doc} |")
    lines += ["", "| status | number | meaning |", "|---|---|---|"]
    lines += [f"| `{status.name}` | {status.value} | {doc} |" for status, doc in _STATUSES.items()]
    return "\n".join(lines) + "\n"
