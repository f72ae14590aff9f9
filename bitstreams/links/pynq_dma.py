"""Frames through AMD's AXI DMA as PYNQ drives it: one transfer at a time and direction, in buffers of its
own.

PYNQ's ``wait`` waits for ever, so a channel is asked whether it is idle, and waited for once it is. Until
then memory is the DMA's: what it has received shows after ``wait`` alone, which drops old lines of the cache.
A transfer that is not called off goes on when nobody waits for it any more, and one into memory would write
where others have theirs by then: only a reset of the DMA ends it.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import numpy as np

from bitstreams.links.axi_dma import ERRORS, FROM_MEMORY, RESET, TO_MEMORY, Direction, why
from hw.util.errors import LinkError

RESET_SECONDS = 1.0
"""Time for that: what memory owes the DMA comes within microseconds."""

PAGE = 4096
"""Buffers to receive into are as long as a power of two of these bytes: few sizes serve all results."""


class FrameDma:
    """Both directions of the DMA ``dma``, a ``pynq.lib.dma.DMA``.

    allocate: ``pynq.allocate``. name: of the board, for messages. Raises ``LinkError`` where PYNQ raises.
    After an error, and after a transfer that was given up, :meth:`reset` comes first.
    """

    def __init__(self, dma: Any, allocate: Any, *, name: str) -> None:
        self._dma, self._allocate, self._name = dma, allocate, name
        self._queue: deque[bytes] = deque()
        self._sending = self._receiving = False
        self._buffers: dict[tuple[str, int], Any] = {}
        self._result: Any = None

    @property
    def sending(self) -> bool:
        """Whether frames are under way to the accelerator."""
        return self._sending or bool(self._queue)

    def reset(self) -> None:
        """End transfers of both directions, and forget frames that wait."""
        self._queue.clear()
        self._dma.write(FROM_MEMORY.control, RESET)
        end = time.monotonic() + RESET_SECONDS
        while self._dma.read(FROM_MEMORY.control) & RESET:
            if time.monotonic() > end:
                raise self._failed("reset its DMA", "it does not come out of its reset")
        self._sending = self._receiving = False
        self._dma.sendchannel.start()
        self._dma.recvchannel.start()

    def send(self, frame: bytes) -> None:
        """Queue a frame. It goes when those before it have gone: :meth:`poll`."""
        if len(frame) > (most := self._dma.buffer_max_size):
            raise LinkError(
                f"a frame of {len(frame)} bytes is too long for the DMA, which moves {most} at most"
            )
        self._queue.append(frame)
        self.poll()

    def poll(self) -> None:
        """Begin the next frame where the one before it has gone."""
        channel = self._dma.sendchannel
        if self._sending and self._ended(channel, FROM_MEMORY, "send an image"):
            self._sending = False
        if not self._sending and self._queue:
            frame = self._queue.popleft()
            buffer = self._buffer("send", len(frame))
            buffer[:] = np.frombuffer(frame, np.uint8)
            self._begin(channel, buffer, len(frame), "send an image")
            self._sending = True

    def receive(self, size: int) -> None:
        """Begin to receive a frame of at most ``size`` bytes; a longer one is an error."""
        length = PAGE << max(0, (size - 1).bit_length() - PAGE.bit_length() + 1)
        self._result = self._buffer("receive", length)
        self._begin(self._dma.recvchannel, self._result, size, "receive a result")
        self._receiving = True

    def received(self) -> bytes | None:
        """The frame that :meth:`receive` began, None as long as it has not ended."""
        channel = self._dma.recvchannel
        if not self._ended(channel, TO_MEMORY, "receive a result"):
            return None
        self._receiving = False
        return bytes(self._result[: channel.transferred].tobytes())

    def close(self) -> None:
        """End what is under way, so that nobody's memory is written any more."""
        if self._sending or self._receiving:
            self.reset()
        self._buffers.clear()
        self._result = None

    def _buffer(self, direction: str, size: int) -> Any:
        """Contiguous memory, kept: there is little of it."""
        if (direction, size) not in self._buffers:
            try:
                self._buffers[direction, size] = self._allocate(shape=(size,), dtype=np.uint8)
            except (MemoryError, OSError, RuntimeError) as error:
                raise LinkError(
                    f"there are no {size} bytes of contiguous memory for a frame ({error}): end other "
                    "programs that use PYNQ, or raise cma= on the kernel's command line"
                ) from None
        return self._buffers[direction, size]

    def _begin(self, channel: Any, buffer: Any, size: int, what: str) -> None:
        try:
            channel.transfer(buffer, nbytes=size)
        except (RuntimeError, ValueError) as error:
            raise self._failed(what, str(error)) from None

    def _ended(self, channel: Any, direction: Direction, what: str) -> bool:
        """Whether a transfer has ended; the channel has been waited for then. An error stops it, and of one
        that does not run PYNQ says no more than that."""
        if bits := int(self._dma.read(direction.status)) & ERRORS:
            raise self._failed(what, why(bits))
        if not channel.idle:
            return False
        try:
            channel.wait()
        except RuntimeError as error:
            raise self._failed(what, str(error)) from None
        return True

    def _failed(self, what: str, why: str) -> LinkError:
        return LinkError(f"cannot {what} through the DMA of {self._name}: {why}")
