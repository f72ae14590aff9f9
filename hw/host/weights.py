"""Weights into a board's memory: what is not there yet, part by part, and the proof that it is there now.

What lies in memory is asked of the accelerator, which reads faster than a host and by the way that counts
(CONTROL.check). So loading goes on where it was broken off, and of a second model of the same design only
what differs is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hw.contract.streamed_weights import PAGE, StreamedPart
from hw.host.driver import Driver
from hw.host.link import UNIT, MemoryLink
from hw.util.errors import LinkError, MemoryFault

Progress = Callable[[int, int, str], None]
"""Called with (bytes that lie in memory, bytes in all, what they are of) after each transfer."""

CHANNELS = "channel table"
"""What is written, beside layers by their names: biases and shifts of all of them."""

FIRST_PIECE, LONGEST_PIECE = 1 << 12, 1 << 24
"""Bytes of the first transfer, and of the longest."""

SHORT = 0.2
"""Seconds: a transfer that took less may be twice as long the next time."""


@dataclass(frozen=True)
class Loaded:
    """What loading came to. parts: what was written, by name. bytes: of it, in all memories. seconds: that
    writing took. beats, clocks: of the accelerator's last look at all of it."""

    parts: tuple[str, ...]
    bytes: int
    seconds: float
    beats: int
    clocks: int


@dataclass(frozen=True)
class Piece:
    """What one memory holds of one part: the part's name, the memory, where in it the piece begins, and its
    bytes."""

    name: str
    memory: int
    offset: int
    data: bytes


async def load(
    driver: Driver,
    link: MemoryLink,
    files: Sequence[bytes],
    bases: Sequence[int],
    *,
    progress: Progress | None = None,
) -> Loaded:
    """Put the weights of the driver's design where it reads them.

    files: what each memory has to hold (:func:`hw.contract.streamed_weights.stream_files`). bases: addresses
    at which the host finds the memories. Call :meth:`Driver.connect` before. Raises ``LinkError`` when a
    transfer fails (call again: what lies there is not written twice), or when memory does not keep what was
    written.
    """
    layers = driver.info.network.layers
    writer = _Writer(link, bases, progress)
    stale = [] if await _sound(driver) else await _stale(driver, range(len(layers)))
    if len(stale) == len(layers):  # every read begins with the table: it may be that alone
        await writer.write(_pieces(driver, files, CHANNELS, driver.stream.channels))
        stale = await _stale(driver, stale)
    await writer.write(
        piece
        for layer in stale
        for piece in _pieces(driver, files, layers[layer].name, driver.stream.layers[layer])
    )
    if writer.written and not await driver.check_weights():
        await _blame(link, bases, writer.written)
    counters = await driver.counters()
    parts = tuple(dict.fromkeys(piece.name for piece in writer.written))
    return Loaded(parts, writer.done, writer.seconds, counters.weight_beats, counters.cycles)


class _Writer:
    """Writes pieces, longer and longer parts of them at a time. written: those; done: their bytes."""

    def __init__(self, link: MemoryLink, bases: Sequence[int], progress: Progress | None) -> None:
        self._link, self._bases, self._progress = link, bases, progress
        self._size = FIRST_PIECE
        self.written: list[Piece] = []
        self.done, self.seconds = 0, 0.0

    async def write(self, pieces: Iterator[Piece]) -> None:
        new = list(pieces)
        total = self.done + sum(len(piece.data) for piece in new)
        start = time.monotonic()
        for piece in new:
            written = 0
            while part := piece.data[written : written + self._size]:
                began = time.monotonic()
                await self._link.write_memory(self._bases[piece.memory] + piece.offset + written, part)
                written, self.done = written + len(part), self.done + len(part)
                if time.monotonic() - began < SHORT:
                    self._size = min(2 * self._size, LONGEST_PIECE)
                if self._progress:
                    self._progress(self.done, total, piece.name)
        self.written += new
        self.seconds += time.monotonic() - start


async def _sound(driver: Driver, layer: int | None = None) -> bool:
    """As :meth:`Driver.check_weights`, but memory that was never written may answer with errors (ECC)."""
    try:
        return await driver.check_weights(layer)
    except MemoryFault:
        return False


async def _stale(driver: Driver, layers: Sequence[int]) -> list[int]:
    """Those of ``layers`` with which the accelerator does not read the design's weights."""
    return [layer for layer in layers if not await _sound(driver, layer)]


def _pieces(driver: Driver, files: Sequence[bytes], name: str, part: StreamedPart) -> Iterator[Piece]:
    """A part of the weights, a piece for each memory, whole units long."""
    count = len(files)
    offset, size = part.extent(driver.info.beat_bytes, count)
    size += -size % UNIT
    for memory, file in enumerate(files):
        data = file[offset : offset + size]
        address = driver.weights_page * PAGE // count + offset
        yield Piece(name, memory, address, data + bytes(size - len(data)))


async def _blame(link: MemoryLink, bases: Sequence[int], pieces: Sequence[Piece]) -> None:
    """Say why the accelerator does not read what was written: raises ``LinkError``."""
    for piece in pieces:
        address = bases[piece.memory] + piece.offset
        found = await link.read_memory(address, len(piece.data))
        if found != piece.data:
            at = next(i for i, (a, b) in enumerate(zip(found, piece.data, strict=True)) if a != b)
            what = piece.name if piece.name == CHANNELS else f"weights of layer {piece.name}"
            raise LinkError(
                f"memory {piece.memory} does not keep what is written: at 0x{address + at:X}, {what}, it "
                f"gives 0x{found[at]:02X} for 0x{piece.data[at]:02X}; check the module, and the board's power"
            )
    raise LinkError(
        "memory holds what was written, and the accelerator reads something else: is it this design's "
        "bitstream, and are the addresses those of its build.json?"
    )
