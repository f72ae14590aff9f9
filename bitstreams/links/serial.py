"""The driver's link over a serial port (:mod:`bitstreams.links.serial_client` carries it)."""

from __future__ import annotations

import errno
import importlib.util
import os
import select
import stat
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from bitstreams.links.kind import LinkKind
from bitstreams.links.serial_client import CLOCK_HZ, SIMULATED_SLACK, SerialClient, Transport
from hw.host import virtual_port
from hw.host_interface import protocol
from hw.host_interface.protocol import Command
from hw.util.errors import LinkError, ToolNotFound

_SEND_WAIT = protocol.SEND_PATIENCE // protocol.WAIT_UNIT
_BUS_WAIT = protocol.BUS_PATIENCE // protocol.WAIT_UNIT
_MEMORY_WAIT = protocol.MEMORY_PATIENCE // protocol.WAIT_UNIT


class SerialLink:
    """A :class:`hw.host.link.MemoryLink` to a board behind ``transport``; call :meth:`open` before the rest.

    Parameters are those of :class:`~bitstreams.links.serial_client.SerialClient`. The coroutines block: one
    client, one thread, :func:`bitstreams.links.running.run`.
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
        self._client = SerialClient(
            transport, baud, name=name, clock_hz=clock_hz, slack=slack, session=session
        )
        self._queue: list[bytes] = []

    def open(self) -> None:
        """Begin a session; one that another client has on the board ends.

        Raises ``LinkError`` when nothing answers, or something that does not speak this protocol.
        """
        client = self._client
        # A client that has died may have left the board waiting.
        answer = client.request(Command.OPEN, b"", protocol.OPEN_RESPONSE.size, client.most_wait)
        version, most = protocol.OPEN_RESPONSE.unpack(answer)
        if (version, most) != (protocol.VERSION, protocol.MAX_DATA):
            raise client.fail(
                f"the board on {client.name} speaks version {version} of the serial protocol with {most} "
                f"bytes per frame, this program version {protocol.VERSION} with {protocol.MAX_DATA}: build "
                "its bitstream with this version"
            )

    def close(self) -> None:
        """Give the port back. The board keeps the session until another one is opened."""
        self._client.transport.close()

    def __enter__(self) -> SerialLink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- hw.host.link.Link ----------------------------------------------------------------------------

    async def read32(self, address: int) -> int:
        """See :class:`hw.host.link.Link`."""
        request = protocol.READ_REQUEST.pack(address)
        answer = self._client.request(Command.READ, request, protocol.READ_RESPONSE.size, _BUS_WAIT)
        return int(protocol.READ_RESPONSE.unpack(answer)[0])

    async def write32(self, address: int, value: int) -> None:
        """See :class:`hw.host.link.Link`."""
        self._client.request(Command.WRITE, protocol.WRITE_REQUEST.pack(address, value), 0, _BUS_WAIT)

    async def send(self, frame: bytes) -> None:
        """See :class:`hw.host.link.Link`. What the accelerator does not take now, :meth:`receive` sends."""
        if not frame or len(frame) % 4:
            raise ValueError(f"a frame is whole beats of 4 bytes, not {len(frame)} bytes")
        stuck = bool(self._queue)
        self._queue.append(frame)
        if not stuck:
            self._pump()

    async def receive(self, words: int, timeout: int) -> bytes:
        """See :class:`hw.host.link.Link`. The board counts the clocks, in units of ``protocol.WAIT_UNIT``."""
        try:
            return self._receive(words, timeout)
        finally:
            # What has not been sent belongs to a run that has failed.
            self._queue.clear()

    async def discard(self) -> None:
        """See :class:`hw.host.link.Link`. The board holds the end of one frame at most."""
        self._queue.clear()
        last = False
        while not last:
            request = protocol.RECEIVE_REQUEST.pack(protocol.MAX_BEATS, 1)
            answer = self._client.request(Command.RECEIVE, request, 1 + 4 * protocol.MAX_BEATS, 1)
            last = len(answer) == 1 or bool(answer[0] & protocol.LAST)

    # --- hw.host.link.MemoryLink ----------------------------------------------------------------------

    async def write_memory(self, address: int, data: bytes) -> None:
        """See :class:`hw.host.link.MemoryLink`. A session goes on after an error of the board's memory."""
        for start, end in _bursts(address, len(data)):
            unit = protocol.WRITE_MEMORY_REQUEST.pack(start // protocol.MEMORY_UNIT)
            part = data[start - address : end - address]
            self._client.request(Command.WRITE_MEMORY, unit + part, 0, _MEMORY_WAIT)

    async def read_memory(self, address: int, size: int) -> bytes:
        """See :class:`hw.host.link.MemoryLink`."""
        parts = []
        for start, end in _bursts(address, size):
            units = (end - start) // protocol.MEMORY_UNIT
            request = protocol.READ_MEMORY_REQUEST.pack(start // protocol.MEMORY_UNIT, units)
            parts.append(self._client.request(Command.READ_MEMORY, request, end - start, _MEMORY_WAIT))
        return b"".join(parts)

    # --- streams ---------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Send queued frames until all are taken, or not one beat is for as long as the board is patient."""
        while self._queue:
            frame = self._queue[0]
            part = frame[: protocol.MAX_DATA]
            flags = protocol.LAST if len(part) == len(frame) else 0
            request, size = bytes([flags]) + part, protocol.SEND_RESPONSE.size
            answer = self._client.request(Command.SEND, request, size, _SEND_WAIT)
            taken = 4 * int(protocol.SEND_RESPONSE.unpack(answer)[0])
            self._queue[0] = frame[taken:]
            if taken == len(frame):
                self._queue.pop(0)
            if not taken:
                return

    def _receive(self, words: int, timeout: int) -> bytes:
        left = -(-timeout // protocol.WAIT_UNIT)
        data, last = b"", False
        while True:
            self._pump()
            most = min(protocol.MAX_BEATS, words - len(data) // 4)
            wait = min(left, self._client.most_wait)
            request = protocol.RECEIVE_REQUEST.pack(most, wait)
            answer = self._client.request(Command.RECEIVE, request, 1 + 4 * most, wait)
            data, last = data + answer[1:], bool(answer[0] & protocol.LAST)
            if last or len(data) == 4 * words:
                break
            if len(answer) < 1 + 4 * most:
                left -= wait
                if left <= 0:
                    images = " and has not taken all of the images" if self._queue else ""
                    raise LinkError(
                        f"the accelerator gave no complete result within {timeout} clocks{images}"
                    )
        if self._queue:
            raise LinkError("the accelerator gave a result before it had taken all of the images: reset it")
        if not last or len(data) != 4 * words:
            found = f"{len(data) // 4}" if last else f"more than {words}"
            raise LinkError(
                f"a result of {found} words came, not one of {words}: is it this design that is on the board?"
            )
        return data


def _bursts(address: int, size: int) -> Iterator[tuple[int, int]]:
    """First byte and end of every frame's part of a transfer: no frame leaves MAX_DATA aligned bytes, hence
    none its page. Raises ``LinkError`` for an address or a size that memory does not have."""
    unit, end = protocol.MEMORY_UNIT, address + size
    if address % unit or size % unit or not 0 <= address <= end <= protocol.MEMORY_SIZE:
        raise LinkError(
            f"memory cannot be written or read from 0x{address:X} to 0x{end:X}: both must be multiples of "
            f"{unit}, and at most 0x{protocol.MEMORY_SIZE:X} over a serial port"
        )
    while address < end:
        stop = min(end, (address // protocol.MAX_DATA + 1) * protocol.MAX_DATA)
        yield address, stop
        address = stop


class _Port:
    """A :class:`~bitstreams.links.serial_client.Transport` over an open ``serial.Serial`` without timeout."""

    def __init__(self, port: Any, name: str) -> None:
        self._port, self._name = port, name

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except OSError as error:
            raise self._lost(error) from None

    def read(self, timeout: float) -> bytes:
        try:
            select.select([self._port.fileno()], [], [], timeout)
            return bytes(self._port.read(max(1, self._port.in_waiting)))
        except OSError as error:
            raise self._lost(error) from None

    def now(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        self._port.close()

    def _lost(self, error: OSError) -> LinkError:
        return LinkError(f"the serial port {self._name} is gone ({error}): plug the board in again")


def open_serial(
    path: str, baud: int, *, clock_hz: float = CLOCK_HZ, slack: float | None = None
) -> SerialLink:
    """A link to the board on the serial port ``path`` at ``baud`` bit/s, its session open.

    clock_hz: the lowest clock the board may have. slack: seconds that its answers may be late, by default
    ``SLACK`` of :mod:`bitstreams.links.serial_client`, ``SIMULATED_SLACK`` where a virtual board runs behind
    ``path``. Takes an exclusive lock on the port until ``close``.
    Raises ``ToolNotFound`` without pyserial, ``LinkError`` when the port is missing, in use or not
    accessible, or when no board answers on it.
    """
    if importlib.util.find_spec("serial") is None:
        raise ToolNotFound("pyserial is not installed: run 'pip install pyserial'")
    import serial

    if virtual_port.abandoned(Path(path)):
        raise LinkError(f"{path} was left by a virtual board that runs no more: start it, 'spec2 board'")
    with suppress(OSError):
        if not stat.S_ISCHR(os.stat(path).st_mode):
            raise LinkError(f"{path} is no serial port: ports are devices like /dev/ttyUSB0")
    if slack is None and virtual_port.alive(Path(path)):
        slack = SIMULATED_SLACK
    # A write waits for the adapter, which takes the longest frame at the rate of the wire.
    patience = 1 + 2 * protocol.MAX_BODY * protocol.BITS_PER_BYTE / baud
    try:
        port = serial.Serial(path, baud, timeout=0, write_timeout=patience, exclusive=True)
        port.reset_input_buffer()
    except (OSError, ValueError, termios.error) as error:
        raise LinkError(_why(path, baud, error)) from None
    link = SerialLink(_Port(port, path), baud, name=path, clock_hz=clock_hz, slack=slack)
    try:
        link.open()
    except BaseException:
        link.close()
        raise
    return link


def _why(path: str, baud: int, error: Exception) -> str:
    """What is the matter with a port that cannot be opened, and what to do."""
    text = f"cannot open the serial port {path} at {baud} bit/s"
    # pyserial 3.5 hides what the terminal's driver said behind a text.
    cause = error.__context__
    match getattr(error, "errno", None) or (cause.args[0] if isinstance(cause, termios.error) else None):
        case errno.ENOENT:
            return f"{text}: there is none of that name; plug the board in, or name another port"
        case errno.EACCES:
            return f"{text}: it is not yours to use; join the group that owns it (often 'dialout')"
        case errno.ENOTTY | errno.EINVAL:
            return f"{text}: it is no serial port; ports are devices like /dev/ttyUSB0"
        case errno.ENXIO | errno.EIO:
            return f"{text}: nothing is at its other end"
        case errno.EBUSY | errno.EAGAIN:
            return f"{text}: another program is using it; end that first"
    return f"{text}: {error}"


LINK = LinkKind("uart", path="PORT", example="/dev/ttyUSB0", open=open_serial)
