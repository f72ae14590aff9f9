"""The serial bridge in Python: bytes of requests in, bytes of responses out, over any accelerator."""

from __future__ import annotations

from typing import Protocol

from hw.host_interface import protocol
from hw.host_interface.protocol import Command, Deframer, Frame, Status
from hw.host_interface.registers import ADDRESS_BITS


class BusError(Exception):
    """The accelerator refused an access."""


class BusTimeout(Exception):
    """The accelerator did not answer an access in time, or still has to answer an earlier one."""


class Accelerator(Protocol):
    """What the bridge is connected to. Beats are 32-bit numbers."""

    def read32(self, address: int) -> int:
        """A register. Raises ``BusError`` or ``BusTimeout``."""
        ...

    def write32(self, address: int, value: int) -> None:
        """Write a register. Raises ``BusError`` or ``BusTimeout``."""
        ...

    def push(self, beat: int, last: bool, patience: int) -> int | None:
        """Offer a beat to the image stream. The clocks it waited, or None if these would be more than
        ``patience``; then it has not been taken.
        """
        ...

    def pull(self, patience: int) -> tuple[int, bool, int] | None:
        """The next beat of the result stream, its tlast, and the clocks it took to come; None if these
        would be more than ``patience``.
        """
        ...


class Refused(Exception):
    """A request is not executed; carries the status that says why."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


class Bridge:
    """Executes requests. Time does not pass in here: whoever feeds bytes decides which of them come
    while the board is busy, and does not feed those.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._deframer = Deframer()
        self._session: int | None = None
        self._sequence = 0
        self._status, self._payload = Status.OK, b""

    def feed(self, byte: int) -> bytes:
        """Take one byte of the host. Returns the whole response if a request is complete, else nothing."""
        request = self._deframer.feed(byte)
        if request is None:
            return b""
        self._deframer.hunt()
        status, payload = self._answer(request)
        return Frame(request.session, request.sequence, status, payload).encode()

    def _answer(self, request: Frame) -> tuple[Status, bytes]:
        """Execute a request, or answer it again, or refuse it."""
        if request.kind == Command.OPEN:
            self._session = request.session
        elif request.session != self._session:
            return Status.WRONG_SESSION, b""
        elif request.sequence == self._sequence:
            return self._status, self._payload
        elif request.sequence != (self._sequence + 1) % 256:
            return Status.WRONG_SEQUENCE, b""
        self._sequence = request.sequence
        try:
            self._status, self._payload = Status.OK, self._execute(request.kind, request.payload)
        except BusError:
            self._status, self._payload = Status.BUS_ERROR, b""
        except BusTimeout:
            self._status, self._payload = Status.BUS_TIMEOUT, b""
        except Refused as refusal:
            self._status, self._payload = refusal.status, b""
        return self._status, self._payload

    def _execute(self, command: int, payload: bytes) -> bytes:
        size = len(payload)
        if command == Command.OPEN and not size:
            return protocol.OPEN_RESPONSE.pack(protocol.VERSION, protocol.MAX_DATA)
        if command == Command.READ and size == protocol.READ_REQUEST.size:
            (address,) = protocol.READ_REQUEST.unpack(payload)
            return protocol.READ_RESPONSE.pack(self._accelerator.read32(_checked(address)))
        if command == Command.WRITE and size == protocol.WRITE_REQUEST.size:
            address, value = protocol.WRITE_REQUEST.unpack(payload)
            self._accelerator.write32(_checked(address), value)
            return b""
        if command == Command.SEND and size % 4 == 1 and 1 < size <= 1 + protocol.MAX_DATA:
            return protocol.SEND_RESPONSE.pack(self._send(payload[0], payload[1:]))
        if command == Command.RECEIVE and size == protocol.RECEIVE_REQUEST.size:
            return self._receive(*protocol.RECEIVE_REQUEST.unpack(payload))
        raise Refused(Status.BAD_REQUEST)

    def _send(self, flags: int, data: bytes) -> int:
        """Push beats until one is not taken. Returns how many were."""
        patience = protocol.SEND_PATIENCE
        for start in range(0, len(data), 4):
            beat = int.from_bytes(data[start : start + 4], "little")
            last = bool(flags & protocol.LAST) and start + 4 == len(data)
            waited = self._accelerator.push(beat, last, patience)
            if waited is None:
                return start // 4
            patience -= waited
        return len(data) // 4

    def _receive(self, most: int, wait: int) -> bytes:
        """Pull beats until tlast, ``most`` of them, or until ``wait`` units have passed."""
        if not 1 <= most <= protocol.MAX_BEATS:
            raise Refused(Status.BAD_REQUEST)
        patience = wait * protocol.WAIT_UNIT
        data, last = b"", False
        while not last and len(data) < 4 * most:
            beat = self._accelerator.pull(patience)
            if beat is None:
                break
            value, last, waited = beat
            data += value.to_bytes(4, "little")
            patience -= waited
        return bytes([protocol.LAST if last else 0]) + data


def _checked(address: int) -> int:
    if address >> ADDRESS_BITS:
        raise Refused(Status.BAD_REQUEST)
    return address
