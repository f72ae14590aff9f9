"""The devices of a board behind PCI Express: character devices of AMD's driver, or a virtual board's sockets.

A device is a file here and there: one ``write`` is one frame, one ``read`` ends with a frame. Only registers
differ: a character device is read and written at an offset, a socket asked and answered in messages of
:data:`MESSAGE`.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from bitstreams.links.block_design import CLOCK_HZ, WORD
from hw.util.errors import LinkError

MESSAGE = struct.Struct("<III")
"""To a virtual board's ``user``: 0 to read or 1 to write, address, value. A word comes back."""

REGISTER_SECONDS = 10.0
"""Time for that answer: a simulated clock on a busy machine."""

VIRTUAL_SYNC_SECONDS = 20.0
"""Time for a virtual card to empty its streams: likewise."""

VIRTUAL_CLOCK_HZ = 2e3
"""The lowest clock of a virtual board, for timeouts in clocks."""

MOST = (1 << 26) - 64
"""Bytes of a transfer to or from memory at most: what the loader's counter holds."""

MOST_MESSAGE = 1 << 16
"""The same over sockets, whose buffers hold no more."""

RESTART = 512
"""ERESTARTSYS, which Linux keeps to itself: it leaks out of the driver (2020.2.2) after a time limit."""

CHANNELS = {"user": os.O_RDWR, "h2c_0": os.O_WRONLY, "c2h_0": os.O_RDONLY | os.O_TRUNC}
"""Devices that every board has. To this driver O_TRUNC means: a read ends with a frame. It lets one client
open the device."""

OF_MEMORY = {"h2c_1": os.O_WRONLY, "c2h_1": os.O_RDONLY | os.O_TRUNC}
"""Devices that boards with memory have as well."""


class Registers(Protocol):
    """Words at byte addresses. Raises ``OSError`` where the device does."""

    def read(self, address: int) -> bytes:
        """The word there; fewer bytes where there is none."""
        ...

    def write(self, address: int, value: int) -> None:
        """Posted: that the board has refused it is not seen."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


class DeviceRegisters:
    """The registers behind the open character device ``file``."""

    def __init__(self, file: int) -> None:
        self._file = file

    def read(self, address: int) -> bytes:
        """See :class:`Registers`."""
        return os.pread(self._file, WORD.size, address)

    def write(self, address: int, value: int) -> None:
        """See :class:`Registers`."""
        os.pwrite(self._file, WORD.pack(value), address)

    def close(self) -> None:
        """See :class:`Registers`."""
        os.close(self._file)


class SocketRegisters:
    """The registers of a virtual board, behind a connected socket."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        connected.settimeout(REGISTER_SECONDS)

    def read(self, address: int) -> bytes:
        """See :class:`Registers`."""
        return self._ask(0, address, 0)

    def write(self, address: int, value: int) -> None:
        """See :class:`Registers`."""
        self._ask(1, address, value)

    def close(self) -> None:
        """See :class:`Registers`."""
        self._socket.close()

    def _ask(self, kind: int, address: int, value: int) -> bytes:
        answer = b""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._socket.send(MESSAGE.pack(kind, address, value))
            answer = self._socket.recv(WORD.size)
        if not answer:
            raise ConnectionResetError(
                errno.ECONNRESET, "the virtual board has ended, or serves another client"
            )
        return answer


@dataclass(frozen=True)
class Devices:
    """The open devices of one board. files: by channel, of :data:`CHANNELS` and, where the board has them,
    :data:`OF_MEMORY`; but for ``user``, which is ``registers``. most: bytes of one transfer to memory.
    clock_hz: the lowest clock that the accelerator may have. sync_seconds: in place of ``SYNC_SECONDS`` of
    :mod:`bitstreams.links.block_design`."""

    registers: Registers
    files: dict[str, int]
    most: int = MOST
    clock_hz: float = CLOCK_HZ
    sync_seconds: float | None = None

    def close(self) -> None:
        """Give all of them back."""
        self.registers.close()
        for file in self.files.values():
            os.close(file)


def open_devices(prefix: str) -> Devices:
    """The devices whose names begin with ``prefix``.

    Raises ``LinkError`` when one that every board has is absent, in use, or not ours to open.
    """
    opened: dict[str, int] = {}
    sockets = False
    try:
        for channel, flags in {**CHANNELS, **OF_MEMORY}.items():
            path = f"{prefix}_{channel}"
            try:
                sockets |= _is_socket(path)
                opened[channel] = _connected(path) if sockets else os.open(path, flags | os.O_CLOEXEC)
            except OSError as error:
                if channel in OF_MEMORY and error.errno == errno.ENOENT:
                    continue
                raise LinkError(f"cannot open {path}: {advice(error)}") from None
    except BaseException:
        for file in opened.values():
            os.close(file)
        raise
    user = opened.pop("user")
    if sockets:
        registers = SocketRegisters(socket.socket(fileno=user))
        return Devices(registers, opened, MOST_MESSAGE, VIRTUAL_CLOCK_HZ, VIRTUAL_SYNC_SECONDS)
    return Devices(DeviceRegisters(user), opened)


def _is_socket(path: str) -> bool:
    with suppress(OSError):
        return stat.S_ISSOCK(os.stat(path).st_mode)
    return False


def _connected(path: str) -> int:
    """A socket's path has 108 bytes at most: this one goes by way of its open folder."""
    folder, name = os.path.split(path)
    held = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as made:
            made.connect(f"/proc/self/fd/{held}/{name}")
            return made.detach()
    finally:
        os.close(held)


def write_all(file: int, frame: bytes) -> int:
    """One ``write``: what it leaves cannot be sent later, it would be a frame of its own."""
    written = os.write(file, frame)
    if written != len(frame):
        raise OSError(errno.EIO, f"{written} of {len(frame)} bytes were taken")
    return written


_ADVICE = {
    errno.ENOENT: "there is no such device; load the xdma driver, and rescan the PCI bus after programming",
    errno.EACCES: "permission denied; add a udev rule for the xdma devices, or run as root",
    errno.EBUSY: "another program is using the board; end it first",
    errno.ECONNREFUSED: "it was left by a virtual board that runs no more; start it, 'spec2 board'",
    RESTART: "the driver has waited as long as it does (10 s; c2h_timeout_ms and h2c_timeout_ms change it): "
    "the accelerator gave or took no data; load its bitstream again if it stays so",
    errno.EIO: "the transfer failed; the driver's reason is in the kernel log (dmesg)",
}


def advice(error: OSError) -> str:
    """What to do about it."""
    return _ADVICE.get(error.errno or 0, error.strerror or str(error))
