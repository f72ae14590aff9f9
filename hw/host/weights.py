"""Weights into a board's memory: what is not there yet, layer by layer, and the proof that it is there now.

What lies in memory is asked of the accelerator, which reads faster than a host and by the way that counts
(CONTROL.check). So loading goes on where it was broken off, and a second model of the same design is all that
is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hw.contract.streamed_weights import PAGE
from hw.host.driver import Driver
from hw.host.link import UNIT, MemoryLink
from hw.util.errors import LinkError, MemoryFault

Progress = Callable[[int, int, str], None]
"""Called with (bytes that lie in memory, bytes in all, name of the layer) after each transfer."""

FIRST_PIECE, LONGEST_PIECE = 1 << 12, 1 << 24
"""Bytes of the first transfer, and of the longest."""

SHORT = 0.2
"""Seconds: a transfer that took less may be twice as long the next time."""


@dataclass(frozen=True)
class Loaded:
    """What loading came to. layers: names of those that were written. bytes: of them, in all memories.
    seconds: that writing took. beats, clocks: of the accelerator's last look at all of them."""

    layers: tuple[str, ...]
    bytes: int
    seconds: float
    beats: int
    clocks: int


@dataclass(frozen=True)
class Piece:
    """What one memory holds of one layer: where in the memory it begins, and its bytes."""

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

    files: what each memory has to hold (:data:`hw.compile.weight_stream.STREAM`). bases: addresses at which
    the host finds the memories. Call :meth:`Driver.connect` before. Raises ``LinkError`` when a transfer
    fails (call again: what lies there is not written twice), or when memory does not keep what was written.
    """
    info = driver.info
    stale = [] if await _sound(driver) else await _stale(driver)
    pieces = {layer: list(_pieces(driver, files, layer)) for layer in stale}
    total = sum(len(piece.data) for of_layer in pieces.values() for piece in of_layer)
    done, start, size = 0, time.monotonic(), FIRST_PIECE
    for layer, of_layer in pieces.items():
        for piece in of_layer:
            written = 0
            while part := piece.data[written : written + size]:
                began = time.monotonic()
                await link.write_memory(bases[piece.memory] + piece.offset + written, part)
                written, done = written + len(part), done + len(part)
                if time.monotonic() - began < SHORT:
                    size = min(2 * size, LONGEST_PIECE)
                if progress:
                    progress(done, total, info.network.layers[layer].name)
    seconds = time.monotonic() - start
    if stale and not await driver.check_weights():
        await _blame(driver, link, bases, pieces)
    counters = await driver.counters()
    names = tuple(info.network.layers[layer].name for layer in stale)
    return Loaded(names, total, seconds, counters.weight_beats, counters.cycles)


async def _sound(driver: Driver, layer: int | None = None) -> bool:
    """As :meth:`Driver.check_weights`, but memory that was never written may answer with errors (ECC)."""
    try:
        return await driver.check_weights(layer)
    except MemoryFault:
        return False


async def _stale(driver: Driver) -> list[int]:
    """Layers whose weights in memory are not the design's."""
    return [layer for layer in range(len(driver.info.stream)) if not await _sound(driver, layer)]


def _pieces(driver: Driver, files: Sequence[bytes], layer: int) -> Iterator[Piece]:
    """The weights of a layer, a piece for each memory, whole units long."""
    info, count = driver.info, len(files)
    offset, size = info.stream[layer].extent(info.beat_bytes, count)
    size += -size % UNIT
    for memory, file in enumerate(files):
        data = file[offset : offset + size]
        yield Piece(memory, driver.weights_page * PAGE // count + offset, data + bytes(size - len(data)))


async def _blame(
    driver: Driver, link: MemoryLink, bases: Sequence[int], pieces: Mapping[int, Sequence[Piece]]
) -> None:
    """Say why the accelerator does not read what was written: raises ``LinkError``."""
    for layer, of_layer in pieces.items():
        for piece in of_layer:
            address = bases[piece.memory] + piece.offset
            found = await link.read_memory(address, len(piece.data))
            if found != piece.data:
                at = next(i for i, (a, b) in enumerate(zip(found, piece.data, strict=True)) if a != b)
                raise LinkError(
                    f"memory {piece.memory} does not keep what is written: at 0x{address + at:X}, weights of "
                    f"layer {driver.info.network.layers[layer].name}, it gives 0x{found[at]:02X} for "
                    f"0x{piece.data[at]:02X}; check the module, and the board's power"
                )
    raise LinkError(
        "memory holds what was written, and the accelerator reads something else: is it this design's "
        "bitstream, and are the addresses those of its build.json?"
    )
