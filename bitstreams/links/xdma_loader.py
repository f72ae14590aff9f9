"""Memory behind PCI Express: AMD's AXI DMA (PG021, direct register mode) between two streams and memory.

A transfer is begun in registers, address first, and goes on as soon as its length is there. What comes in at
the stream is counted by the DMA, and compared. A transfer that failed, or whose client died, may leave its
frame in the stream, where it would be taken for the next client's, and that one's for another's, for ever: so
what is there is dropped in front of the first transfer in each direction.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import Future, wait
from typing import TypeVar

from bitstreams.links.axi_dma import ERRORS, FROM_MEMORY, IDLE, RESET, RUN, TO_MEMORY, Direction, why
from bitstreams.links.block_design import WORD
from bitstreams.links.worker import Worker, stop
from bitstreams.links.xdma_devices import Registers, advice, write_all
from hw.host.link import UNIT
from hw.util.errors import LinkError

BASE = 0x2000
"""Address of the loader's registers (:data:`bitstreams.flows.memory_map.WINDOWS`)."""

SECONDS, BYTES_PER_SECOND = 5.0, 10e6
"""Time that a transfer may take, and how fast the slowest board is expected to be on top of that."""

SILENCE, MOST_LEFT = 0.05, 256
"""Seconds in which a frame that an earlier client left would have come, and how many of them are dropped."""

POLL = 0.05
"""Seconds between two looks at a transfer that does not end."""

Moved = TypeVar("Moved")


class Loader:
    """Memory through the open devices ``h2c`` and ``c2h``, which belong to it from here on.

    most: bytes of one transfer. After an error nothing more goes through: open the link again.
    """

    def __init__(self, registers: Registers, h2c: int, c2h: int, *, name: str, most: int) -> None:
        self._registers, self._name, self._most = registers, name, most
        self._sender: Worker[bytes, int] = Worker(lambda data: write_all(h2c, data), lambda: os.close(h2c))
        self._receiver: Worker[int, bytes] = Worker(lambda n: os.read(c2h, n), lambda: os.close(c2h))
        self._fresh, self._broken = True, False
        self._to_memory_empty = False
        self._reading: Future[bytes] | None = None
        """A read that waits for the first frame that is not an earlier client's."""
        self._from_memory_empty = False

    def close(self) -> None:
        """Give the devices back."""
        stop(self._sender, self._receiver)

    def write(self, address: int, data: bytes) -> None:
        """See :class:`hw.host.link.MemoryLink`."""
        _check(address, len(data))
        for start in range(0, len(data), self._most):
            part = data[start : start + self._most]
            self._drop_frames(address + start)
            self._begin(TO_MEMORY, address + start, len(part))
            self._await(TO_MEMORY, self._sender.submit(part), len(part))
            self._await_idle(TO_MEMORY, len(part))
            if (count := self._peek(TO_MEMORY.length)) != len(part):
                raise self._fault(
                    f"of {len(part)} bytes {count} were counted: some of another client came in between"
                )

    def read(self, address: int, size: int) -> bytes:
        """See :class:`hw.host.link.MemoryLink`."""
        _check(address, size)
        found = b""
        for start in range(0, size, self._most):
            count = min(self._most, size - start)
            self._drop_answers()
            self._begin(FROM_MEMORY, address + start, count)
            part = self._await(FROM_MEMORY, self._answer(count), count)
            if len(part) != count:
                raise self._fault(f"of {count} bytes {len(part)} came back")
            found += part
        return found

    def _begin(self, direction: Direction, address: int, size: int) -> None:
        if self._broken:
            raise LinkError(
                f"a transfer to the memory of {self._name} has failed before: open the link again"
            )
        if self._fresh:  # whatever a client that died has left it with
            self._reset(direction)
        self._poke(direction.control, RUN)
        self._poke(direction.address, address & 0xFFFFFFFF)
        self._poke(direction.address + 4, address >> 32)
        self._poke(direction.length, size)

    def _reset(self, direction: Direction) -> None:
        """Both directions; what a transfer waits for is no longer waited for."""
        self._poke(direction.control, RESET)
        end = time.monotonic() + SECONDS
        while self._peek(direction.control) & RESET:
            if time.monotonic() > end:
                raise self._fault("the loader does not come out of its reset")
        self._fresh = False

    def _drop_frames(self, address: int) -> None:
        """Frames for memory that earlier clients left: to ``address``, which is written anew behind them."""
        if self._to_memory_empty or self._broken:
            return
        self._to_memory_empty = True
        for _ in range(MOST_LEFT):
            self._begin(TO_MEMORY, address, UNIT)
            end = time.monotonic() + SILENCE
            while not (status := self._peek(TO_MEMORY.status)) & (IDLE | ERRORS):
                if time.monotonic() > end:
                    self._reset(TO_MEMORY)
                    return
            if status & ERRORS:
                self._reset(TO_MEMORY)

    def _drop_answers(self) -> None:
        """Frames from memory that earlier clients did not take."""
        if self._from_memory_empty or self._broken:
            return
        self._from_memory_empty = True
        for _ in range(MOST_LEFT):
            self._reading = self._receiver.submit(self._most)
            if not wait([self._reading], SILENCE).done or self._reading.exception():
                return

    def _answer(self, size: int) -> Future[bytes]:
        """The next frame from memory."""
        reading, self._reading = self._reading, None
        if reading is None or (reading.done() and reading.exception()):  # a driver's patience ends as well
            return self._receiver.submit(size)
        return reading

    def _await(self, direction: Direction, moving: Future[Moved], size: int) -> Moved:
        """What a transfer of ``size`` bytes gives, as soon as it ends."""
        most = SECONDS + size / BYTES_PER_SECOND
        end = time.monotonic() + most
        while not wait([moving], POLL).done:
            self._check_errors(direction)
            if time.monotonic() > end:
                raise self._fault(f"{size} bytes did not move within {most:.0f} s")
        try:
            return moving.result()
        except OSError as error:
            raise self._fault(advice(error)) from None

    def _await_idle(self, direction: Direction, size: int) -> None:
        """Until the last byte is in memory."""
        end = time.monotonic() + SECONDS
        while not self._check_errors(direction) & IDLE:
            if time.monotonic() > end:
                raise self._fault(f"the loader did not end with {size} bytes")

    def _check_errors(self, direction: Direction) -> int:
        status = self._peek(direction.status)
        if bits := status & ERRORS:
            raise self._fault(why(bits))
        return status

    def _fault(self, why: str) -> LinkError:
        self._broken = True
        return LinkError(f"cannot reach the memory of the board on {self._name}: {why}")

    def _peek(self, register: int) -> int:
        try:
            (value,) = WORD.unpack(self._registers.read(BASE + register))
        except OSError as error:
            raise self._fault(advice(error)) from None
        return int(value)

    def _poke(self, register: int, value: int) -> None:
        try:
            self._registers.write(BASE + register, value)
        except OSError as error:
            raise self._fault(advice(error)) from None


def _check(address: int, size: int) -> None:
    if address % UNIT or size % UNIT or address < 0 or size <= 0:
        raise LinkError(f"transfers to memory are of whole {UNIT} bytes, not {size} at 0x{address:X}")
