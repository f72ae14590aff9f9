"""The host's side of :mod:`hw.host_interface.protocol`: requests that are executed exactly once, over a lossy
wire."""

from __future__ import annotations

import secrets
from typing import Protocol

from hw.host_interface import protocol
from hw.host_interface.protocol import Command, Deframer, Frame, Status
from hw.util.errors import LinkError

ATTEMPTS = 6
"""Times a request is sent before the link is given up."""

SLACK = 0.25
"""Seconds on top of what a response takes on the wire: USB adapters collect bytes, processes wait."""

SIMULATED_SLACK = 5.0
"""Likewise of a simulated board: a machine that does other things loses nothing, and is late."""

LONGEST_WAIT = 0.5
"""Seconds, at the lowest clock of the board, that one request may wait there. A loss shows only after it."""

CLOCK_HZ = 10e6
"""The lowest clock that a board is expected to have."""

CLOCKS_PER_BYTE = 16
"""Clocks the board needs per byte of a frame besides waiting, rounded up."""

_UPDATE = "build its bitstream with this version"


class Transport(Protocol):
    """Bytes to and from a board. Errors of the operating system come as ``LinkError``."""

    def write(self, data: bytes) -> None:
        """Send all of ``data``."""
        ...

    def read(self, timeout: float) -> bytes:
        """What has come, at least one byte unless none comes within ``timeout`` seconds."""
        ...

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def close(self) -> None:
        """Give the port back."""
        ...


class SerialClient:
    """A session with the board behind ``transport``.

    baud: bits per second. name: of the port, for messages. clock_hz: the lowest clock the board may have;
    timeouts follow from it and the bit rate. slack: in place of ``SLACK``. session: 24 bits that tell clients
    apart, by default random: the session and, above it, the sequence number in front of the first.

    Once a request has failed it is unknown what the board has executed: every later one raises the same
    ``LinkError``.
    """

    def __init__(
        self,
        transport: Transport,
        baud: int,
        *,
        name: str = "the serial port",
        clock_hz: float = CLOCK_HZ,
        slack: float | None = None,
        session: int | None = None,
    ) -> None:
        self.transport, self.name = transport, name
        self._baud, self._clock_hz, self._slack = baud, clock_hz, slack
        self._sequence, self._session = divmod(
            secrets.randbelow(1 << 24) if session is None else session, 1 << 16
        )
        self._deframer = Deframer()
        self._failure = ""
        wait = int(LONGEST_WAIT * clock_hz / protocol.WAIT_UNIT)
        self.most_wait = min(max(wait, 1), protocol.MAX_WAIT)
        """Units of clocks that one request may wait."""

    def request(self, command: Command, payload: bytes, size: int, wait: int) -> bytes:
        """Have ``command`` executed once. Returns the payload of its response.

        size: bytes of that payload; of RECEIVE, the most. wait: most units of clocks that it may take.
        Raises ``LinkError`` when there is no answer, or one that is not OK.
        """
        if self._failure:
            raise LinkError(self._failure)
        self._sequence = (self._sequence + 1) % 256
        answer = self._until_answered(Frame(self._session, self._sequence, command, payload), size, wait)
        match answer.kind:
            case Status.OK:
                pass
            case Status.BUS_ERROR:
                (address,) = protocol.READ_REQUEST.unpack_from(payload)
                raise LinkError(f"the accelerator refused to {command.name.lower()} register 0x{address:03X}")
            case Status.BUS_TIMEOUT:
                raise LinkError(
                    f"the accelerator's control port is stuck (no answer in {protocol.BUS_PATIENCE} clocks): "
                    "reset the board or load the bitstream again"
                )
            case Status.MEMORY_ERROR if command in protocol.MEMORY_COMMANDS:
                (unit,) = protocol.WRITE_MEMORY_REQUEST.unpack_from(payload)
                raise LinkError(
                    f"memory refused to {'write' if command == Command.WRITE_MEMORY else 'read'} at "
                    f"0x{unit * protocol.MEMORY_UNIT:X}: is the board's memory that large?"
                )
            case Status.MEMORY_TIMEOUT if command in protocol.MEMORY_COMMANDS:
                raise LinkError(
                    f"the board's memory is stuck (no answer in {protocol.MEMORY_PATIENCE} clocks): reset "
                    "the board or load the bitstream again"
                )
            case Status.BAD_REQUEST if command in protocol.MEMORY_COMMANDS:
                raise LinkError(
                    f"the board on {self.name} has no external memory: load the bitstream of a design that "
                    "reads its weights from there"
                )
            case Status.WRONG_SESSION | Status.WRONG_SEQUENCE:
                raise self.fail(
                    f"the board on {self.name} has left this session, because another client opened it or it "
                    "was reset: open it again, with one client at a time"
                )
            case _:
                raise self.fail(
                    f"the board on {self.name} answered {command.name} with status {answer.kind}: {_UPDATE}"
                )
        found = len(answer.payload)
        if found != size and not (command == Command.RECEIVE and found % 4 == 1 and found <= size):
            raise self.fail(
                f"the board on {self.name} answered {command.name} with {found} bytes, not {size}: {_UPDATE}"
            )
        return answer.payload

    def _until_answered(self, request: Frame, size: int, wait: int) -> Frame:
        """Send ``request`` until it is answered, ATTEMPTS times at most."""
        wire = request.encode()
        # Every byte of the response may be an escaped one.
        length = len(wire) + 2 * (protocol.OVERHEAD + size)
        clocks = CLOCKS_PER_BYTE * length + protocol.WAIT_UNIT * wait
        seconds = SLACK if self._slack is None else self._slack
        seconds += protocol.BITS_PER_BYTE * length / self._baud + clocks / self._clock_hz
        try:
            for _ in range(ATTEMPTS):
                self.transport.write(wire)
                answer = self._answer(request, self.transport.now() + seconds)
                if answer == request:
                    raise self.fail(
                        f"what is sent to {self.name} comes back unchanged: a loopback plug, or an adapter "
                        "whose RX and TX are joined, or a board with another bitstream; check port and wires"
                    )
                if answer:
                    return answer
        except LinkError as error:
            raise self.fail(str(error)) from None
        raise self.fail(
            f"no answer from the board on {self.name} in {ATTEMPTS} attempts: check the cable, the power, "
            f"the bit rate ({self._baud} bit/s here) and that the bitstream is loaded"
        )

    def _answer(self, request: Frame, deadline: float) -> Frame | None:
        """The response to ``request``, or None if it does not come before ``deadline``."""
        while (left := deadline - self.transport.now()) > 0:
            for byte in self.transport.read(left):
                frame = self._deframer.feed(byte)
                # Others are late answers: to a request that was repeated, or to another client.
                if frame and (frame.session, frame.sequence) == (request.session, request.sequence):
                    return frame
        return None

    def fail(self, message: str) -> LinkError:
        """The error of this and every later request."""
        self._failure = message
        return LinkError(message)
