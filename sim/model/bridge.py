"""The serial bridge in Python: bytes of requests in, bytes of responses out, over any accelerator."""

from __future__ import annotations

from typing import Protocol

from hw.host_interface import protocol
from hw.host_interface.protocol import Command, Deframer, Frame, Status
from hw.host_interface.registers import ADDRESS_BITS


class BusError(Exception):
    """The accelerator, or memory, refused an access."""


class BusTimeout(Exception):
    """The accelerator, or memory, did not answer an access in time, or still has to answer an earlier one."""


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


class Memory(Protocol):
    """The board's memories, where it has any. Whole units of ``protocol.MEMORY_UNIT`` bytes within a page."""

    def write(self, address: int, data: bytes) -> None:
        """Put bytes there. Raises ``BusError`` or ``BusTimeout``."""
        ...

    def read(self, address: int, size: int) -> bytes:
        """Bytes that lie there. Raises ``BusError`` or ``BusTimeout``."""
        ...


class Refused(Exception):
    """A request is not executed; carries the status that says why."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


class Bridge:
    """Executes requests, those of ``memory`` too where the board has one. Time does not pass in here:
    whoever feeds bytes decides which of them come while the board is busy, and does not feed those.
    """

    def __init__(self, accelerator: Accelerator, memory: Memory | None = None) -> None:
        self._accelerator, self._memory = accelerator, memory
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
        of_memory = request.kind in protocol.MEMORY_COMMANDS
        try:
            self._status, self._payload = Status.OK, self._execute(request.kind, request.payload)
        except BusError:
            status = Status.MEMORY_ERROR if of_memory else Status.BUS_ERROR
            self._status, self._payload = status, b""
        except BusTimeout:
            status = Status.MEMORY_TIMEOUT if of_memory else Status.BUS_TIMEOUT
            self._status, self._payload = status, b""
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
        if command in protocol.MEMORY_COMMANDS and self._memory:
            return self._of_memory(self._memory, command, payload)
        raise Refused(Status.BAD_REQUEST)

    def _of_memory(self, memory: Memory, command: int, payload: bytes) -> bytes:
        """A burst of one to MAX_UNITS units within a page."""
        size = len(payload)
        if command == Command.READ_MEMORY and size == protocol.READ_MEMORY_REQUEST.size:
            unit, units = protocol.READ_MEMORY_REQUEST.unpack(payload)
            _check_burst(unit, units)
            return memory.read(unit * protocol.MEMORY_UNIT, units * protocol.MEMORY_UNIT)
        head = protocol.WRITE_MEMORY_REQUEST.size
        if command == Command.WRITE_MEMORY and size % protocol.MEMORY_UNIT == head:
            (unit,) = protocol.WRITE_MEMORY_REQUEST.unpack_from(payload)
            _check_burst(unit, size // protocol.MEMORY_UNIT)
            memory.write(unit * protocol.MEMORY_UNIT, payload[head:])
            return b""
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


def _check_burst(unit: int, units: int) -> None:
    page = protocol.MEMORY_PAGE // protocol.MEMORY_UNIT
    if not 1 <= units <= protocol.MAX_UNITS or unit % page + units > page:
        raise Refused(Status.BAD_REQUEST)
