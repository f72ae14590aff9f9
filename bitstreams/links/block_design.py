"""What links to an accelerator in a block design share: the control port, and the word that empties the
streams.

There the host is told of no error of the control port: ones come in its place. Both streams pass through
:mod:`hw.gateware.pcie.stream_sync`, which a word beside the registers controls.
"""

from __future__ import annotations

import secrets
import struct
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from hw.contract.config import STREAM_BITS
from hw.host_interface.registers import ADDRESS_BITS
from hw.util.errors import LinkError

WORD = struct.Struct("<I")

MARKER = 0x1000
"""Address of the word that empties the streams, behind the registers."""

NO_ANSWER = 0xFFFFFFFF
"""What a register reads that is not there."""

CLOCK_HZ = 10e6
"""The lowest clock that an accelerator is expected to have; timeouts in clocks are converted with it."""

SYNC_SECONDS = 2.0
"""Time to empty the streams: the largest buffers are empty within milliseconds."""

CHUNK = 1 << 16
"""Bytes per read of leftovers."""


class BlockDesignLink(ABC):
    """What the links have in common: registers, and streams that are emptied before the next register is
    written once a transfer failed. ``_dirty``: whether that is to be done."""

    _dirty = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def read32(self, address: int) -> int:
        """See :class:`hw.host.link.Link`."""
        return self._peek(checked(address))

    async def write32(self, address: int, value: int) -> None:
        """See :class:`hw.host.link.Link`. After a transfer that failed the streams are emptied first."""
        if self._dirty:
            self.synchronise()
        self._poke(checked(address), value)

    async def discard(self) -> None:
        """See :class:`hw.host.link.Link`. The streams are emptied before the next register is written."""
        self._dirty = True

    @abstractmethod
    def close(self) -> None:
        """Give the board back."""

    @abstractmethod
    def synchronise(self) -> None:
        """Empty the streams in both directions. Raises ``LinkError`` when the board does not take part."""

    @abstractmethod
    def _peek(self, address: int) -> int:
        """A register's value."""

    @abstractmethod
    def _poke(self, address: int, value: int) -> None:
        """Write a register."""


def checked(address: int) -> int:
    """A register's address. Raises ``LinkError`` for one that is none."""
    if address % 4 or not 0 <= address < 1 << ADDRESS_BITS:
        raise LinkError(f"there is no register at 0x{address:X}: registers are words below 4 KiB")
    return address


def new_marker() -> int:
    """A word that nobody has used before: any but 0, which lets the streams pass."""
    return secrets.randbelow((1 << 32) - 1) + 1


def ends_with(data: bytes, marker: int) -> bool:
    """Whether a frame is the marker on its way back, or leftovers in front of it: a beat, of whatever width,
    with zeros above the word."""
    return data.endswith(tuple(WORD.pack(marker).ljust(bits // 8, b"\0") for bits in STREAM_BITS))


def check_frame(frame: bytes) -> bytes:
    """A frame to be sent. Raises ``ValueError`` for one that is not whole words."""
    if not frame or len(frame) % 4:
        raise ValueError(f"a frame is whole words of 4 bytes, not {len(frame)} bytes")
    return frame


def check_result(data: bytes, words: int) -> bytes:
    """A result of so many words. Raises ``LinkError`` for one of another length."""
    if len(data) != 4 * words:
        count = f"more than {words}" if len(data) > 4 * words else f"{len(data) / 4:g}"
        raise LinkError(
            f"a result of {count} words came, not one of {words}: is this design.json the board's?"
        )
    return data
