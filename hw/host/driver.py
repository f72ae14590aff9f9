"""The host side: run images through an accelerator over any :class:`hw.host.link.Link`.

A run: write BATCH, write CONTROL.start, stream the images (:mod:`hw.host_interface.stream_format`), collect
the results, look at STATUS; and at CHECKSUM, where weights came from memory.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hw.contract.config import shape_word
from hw.contract.design import DesignInfo
from hw.contract.instructions import instructions_of
from hw.contract.streamed_weights import StreamedWeights
from hw.host.counters import Counters, LayerCounters
from hw.host.link import Link
from hw.host.result_frame import result_bytes, unpack
from hw.host_interface import registers
from hw.host_interface.registers import (
    BATCH,
    CHECKSUM,
    CONTROL,
    CYCLES,
    DIGEST,
    LAYERS,
    STATUS,
    WEIGHTS,
    Register,
)
from hw.host_interface.stream_format import check_images, first_map, pack_image
from hw.util.errors import ConfigError, DataError, DigestMismatch, LinkError, MemoryFault, Spec2Error

DEFAULT_TIMEOUT = 10_000_000
"""Clocks to wait for the results of a run when the design carries no estimate."""

MEMORY = "external memory answered a read of weights with an error: check where they were loaded"

END_READS = 64
"""Reads of STATUS after the last result beat until a run must have ended; each takes some clocks."""

CHECK_CLOCKS = (1 << 16, 64)
"""Clocks that a check of weights may take, and for every beat: memory that gives one in 64 clocks is none."""

STALE = (
    "the weights that the accelerator reads from memory are not the design's, and whatever comes of them is "
    "dropped: load them, 'spec2 deploy --weights-only'"
)

FRAMING = "the accelerator saw tlast of an image at a wrong place"

Layers = tuple[int, int]
"""First and last layer of a run."""

OnRun = Callable[[int, Counters], None]
"""Called after every run: images done so far, the run's counters."""


class Driver:
    """Runs images on the accelerator that ``info`` describes, through ``link``.

    ``timeout`` is the number of clocks to wait for the results of one run; 0 takes ten times the
    design's own estimate. ``weights_page``: 4 KiB page of external memory in which the weights begin,
    for designs that read them from there. Call :meth:`connect` before anything else.
    """

    def __init__(self, link: Link, info: DesignInfo, *, timeout: int = 0, weights_page: int = 0) -> None:
        self.weights_page = weights_page
        self.link = link
        self.info = info
        estimate = 10 * int(info.estimates.get("cycles", 0))
        self.timeout = timeout or estimate or DEFAULT_TIMEOUT

    # --- connecting ------------------------------------------------------------------------------

    async def connect(self, expected_digest: str | None = None) -> None:
        """Check that the other end is this accelerator, and make it idle. Weights that come from memory are
        checked with every run.

        A run that an earlier host left behind, whose results nobody will collect, is aborted; so is one whose
        end is all that is left of it.

        ``expected_digest``: of the artifact that it was generated from; by default as the design says.
        Raises ``LinkError`` when ID, VERSION or SHAPE differ, ``DigestMismatch`` for other weights.
        """
        await self._expect(
            registers.ID,
            registers.MAGIC,
            "there is no spec2 accelerator on this link: check the address and the bitstream",
        )
        await self._expect(
            registers.VERSION,
            registers.HARDWARE_VERSION,
            "the accelerator has another register interface than this driver: generate it again",
        )
        expected = expected_digest or self.info.accelerator
        words = [await self._read(DIGEST, i) for i in range(DIGEST.count)]
        if words != registers.digest_words(expected):
            raise DigestMismatch(
                f"the accelerator was generated from artifact {words[0]:08x}…, not from {expected[:8]}…: "
                "load the design generated from this artifact"
            )
        await self._expect(
            registers.SHAPE,
            shape_word(self.info.config, len(self.info.network.layers)),
            "the accelerator was built with other parameters than design.json says: generate it again",
        )
        status = STATUS.unpack(await self._read(STATUS))
        if status["busy"] or status["leftover"]:
            await self._abort()

    async def _expect(self, register: Register, expected: int, message: str) -> None:
        found = await self._read(register)
        if found != expected:
            raise LinkError(f"{message} ({register.name} reads 0x{found:08X}, not 0x{expected:08X})")

    async def _read(self, register: Register, index: int = 0) -> int:
        return await self.link.read32(register.address(index))

    # --- running ---------------------------------------------------------------------------------

    async def run(
        self,
        images: NDArray[np.uint8],
        *,
        batch: int = 0,
        layers: Layers | None = None,
        on_run: OnRun | None = None,
    ) -> NDArray[np.int32]:
        """Run any number of images, ``batch`` at a time (0: as many as the accelerator takes).

        images: (n, c, h, w), or (n, h, w) for one channel, uint8.
        layers: (first, last) to run a part of the network: images are then maps for the first layer
        (signed ones as their two's complement), results what the last one makes. None runs all.
        Returns class scores (n, classes), or the last feature map (n, c, h, w).
        Raises ``DataError`` for images, a batch or layers that do not fit, ``LinkError`` when a run fails.
        """
        network = self.info.network
        first, last = layers or (0, len(network.layers) - 1)
        first_instruction, last_instruction = instructions_of(network, self.info.numbers, layers)
        images = check_images(images, network.given(first))
        if first == 0:
            images = first_map(images, network.spread, network.constant)
        most = self.info.config.batch
        if not 0 <= batch <= most:
            raise DataError(
                f"a batch of {batch} images is out of range, this accelerator takes 1 to {most}: "
                "choose a smaller one or generate the accelerator with a larger batch"
            )
        size = batch or most
        await self._choose(first_instruction, last_instruction)
        parts = []
        for start in range(0, len(images), size):
            parts.append(await self._run_once(images[start : start + size], last))
            await self._compare(first_instruction, last_instruction)
            if on_run:
                on_run(min(start + size, len(images)), await self.counters())
        return np.concatenate(parts)

    async def classify(self, images: NDArray[np.uint8], *, batch: int = 0) -> NDArray[np.int64]:
        """The class with the highest score of every image, (n,). Otherwise like :meth:`run`."""
        if self.info.network.classes is None:
            raise DataError(
                f"network {self.info.network.name!r} ends in a feature map and has no classes: use run"
            )
        labels: NDArray[np.int64] = np.argmax(await self.run(images, batch=batch), axis=1)
        return labels

    async def _run_once(self, images: NDArray[np.uint8], last: int) -> NDArray[np.int32]:
        await self.link.write32(BATCH.address(), len(images))
        await self.link.write32(CONTROL.address(), CONTROL.pack(start=1))
        for image in images:
            await self.link.send(pack_image(image, self.info.config.stream_pixels))
        words = result_bytes(self.info, len(images), last) // 4
        try:
            frame = await self.link.receive(words, self.timeout)
        except LinkError as error:
            raise await self._failure(str(error)) from None
        # The last result beat comes some clocks before the run has ended and the next one can begin.
        for _ in range(END_READS):
            status = STATUS.unpack(await self._read(STATUS))
            if not status["busy"]:
                break
        else:
            raise await self._failure("the accelerator gave all results and did not end its run")
        if status["framing_error"]:
            raise LinkError(f"{FRAMING}: reset it and run again")
        if status["memory_error"]:
            raise MemoryFault(MEMORY)
        return unpack(self.info, frame, len(images), last)

    async def _choose(self, first: int, last: int) -> None:
        """Instructions of the next run or check."""
        await self.link.write32(LAYERS.address(), LAYERS.pack(first=first, last=last))
        if self.info.config.stream_weights:
            await self.link.write32(WEIGHTS.address(), self.weights_page)

    async def _compare(self, first: int, last: int) -> None:
        """Raise ``DigestMismatch`` if these instructions have read other weights than the design's."""
        if self.info.config.stream_weights and not await self._sound(first, last):
            raise DigestMismatch(STALE)

    @property
    def stream(self) -> StreamedWeights:
        """The weights in memory, of a design whose weights are there."""
        if self.info.stream is None:
            raise ConfigError("the design holds its weights: there are none in memory to check")
        return self.info.stream

    async def _sound(self, first: int, last: int) -> bool:
        found = await self._read(CHECKSUM)
        return found == self.stream.checksum(self.info.numbers[first : last + 1])

    async def check_weights(self, layer: int | None = None) -> bool:
        """Whether the weights in memory are the design's: of one layer, or of a run. The accelerator reads
        them, as fast as memory gives them, and CYCLES and WEIGHT_BEATS tell how fast that was.

        For designs whose weights are in memory. Raises ``LinkError`` when memory answers with an error, or
        does not give them.
        """
        numbers = self.info.numbers
        first, last = (0, len(numbers) - 1) if layer is None else (numbers.index(layer),) * 2
        await self._choose(first, last)
        await self.link.write32(CONTROL.address(), CONTROL.pack(check=1))
        beats = self.stream.beats(numbers[first : last + 1])
        most = CHECK_CLOCKS[0] + CHECK_CLOCKS[1] * beats
        while (status := STATUS.unpack(await self._read(STATUS)))["busy"]:
            if await self._read(CYCLES) > most:
                await self._abort()
                raise LinkError(
                    f"memory did not give {beats} beats of weights within {most} clocks: reset the board"
                )
        if status["memory_error"]:
            raise MemoryFault(MEMORY)
        return await self._sound(first, last)

    async def _failure(self, what: str) -> Spec2Error:
        """The error for a run of which ``what`` is known, with the accelerator's state. Aborts the run.

        Weights that are none may stop the array for good: they say how many steps follow.
        """
        status = STATUS.unpack(await self._read(STATUS))
        cycles = await self._read(CYCLES)
        await self._abort()
        if status["memory_error"]:
            return MemoryFault(MEMORY)
        if status["framing_error"]:
            return LinkError(f"{what}; {FRAMING}")
        if self.info.config.stream_weights and not await self.check_weights():
            return DigestMismatch(STALE)
        state = "still busy" if status["busy"] else "done" if status["done"] else "idle"
        return LinkError(f"{what}; the accelerator was {state} after {cycles} cycles, the run was aborted")

    async def _abort(self) -> None:
        """End a run, and leave both streams between two frames."""
        await self.link.write32(CONTROL.address(), CONTROL.pack(abort=1))
        await self.link.discard()

    # --- counters --------------------------------------------------------------------------------

    async def counters(self) -> Counters:
        """The counters of the last run."""
        values = {register.name.lower(): await self._read(register) for register in registers.COUNTERS}
        layers = [
            LayerCounters(
                layer.name,
                await self._read(registers.LAYER_CYCLES, index),
                await self._read(registers.LAYER_STEPS, index),
            )
            for index, layer in enumerate(self.info.network.layers)
        ]
        return Counters(**values, layers=tuple(layers))
