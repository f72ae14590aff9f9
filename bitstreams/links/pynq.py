"""The driver's link on a Zynq, over PYNQ's API: the processor beside the logic is the host.

``Overlay`` loads the bitstream, sets the clock and finds the blocks by the names that the block design
(``flows/tcl/zynq.tcl``) gave them; ``accelerator`` and ``marker`` are read and written as registers, ``dma``
moves frames. PYNQ is imported when a link is opened: nothing else here needs it. With PYNQ.remote the same
calls reach a board over the network.
"""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any

from bitstreams.links.block_design import (
    CHUNK,
    CLOCK_HZ,
    NO_ANSWER,
    SYNC_SECONDS,
    WORD,
    BlockDesignLink,
    check_frame,
    check_result,
    ends_with,
    new_marker,
)
from bitstreams.links.kind import LinkKind
from bitstreams.links.pynq_dma import FrameDma
from hw.contract.config import STREAM_BITS
from hw.util.errors import LinkError, ToolNotFound

BITSTREAM = "spec2.bit"
"""What a folder is taken to hold; ``spec2.hwh`` has to lie beside it."""

CELLS = ("accelerator", "marker", "dma")
"""Blocks that a bitstream of ours has (:data:`bitstreams.flows.processors.WINDOWS`)."""

SLACK = 0.5
"""Seconds on top of a timeout: a busy processor."""

BUSY, PAUSE = 0.002, 0.0002
"""Seconds in which a result is asked for again and again, and the pause between two looks after that."""


class PynqLink(BlockDesignLink):
    """A :class:`hw.host.link.Link` over a loaded ``overlay``, a ``pynq.Overlay``.

    allocate: ``pynq.allocate``. name: of the bitstream, for messages. clock_hz: the lowest clock the
    accelerator may have. Call :meth:`synchronise` before anything else; :func:`open_pynq` does.

    The coroutines block: one client, :func:`bitstreams.links.running.run`. That the accelerator has refused a
    write to a register is not seen.
    """

    def __init__(self, overlay: Any, allocate: Any, *, name: str, clock_hz: float = CLOCK_HZ) -> None:
        self._name, self._clock_hz = name, clock_hz
        try:
            self._registers, self._marker, dma = (getattr(overlay, cell) for cell in CELLS)
        except (AttributeError, RuntimeError) as error:
            raise LinkError(
                f"{name} is no bitstream of an accelerator beside a processor ({error}): build it with "
                "'spec2 build --transport zynq'"
            ) from None
        self._dma = FrameDma(dma, allocate, name=name)
        self._dirty = True

    def close(self) -> None:
        """End transfers. The bitstream stays."""
        self._dma.close()

    # --- hw.host.link.Link ----------------------------------------------------------------------------

    async def send(self, frame: bytes) -> None:
        """See :class:`hw.host.link.Link`. The next frame goes in the next call of this or :meth:`receive`."""
        try:
            self._dma.send(check_frame(frame))
        except LinkError:
            self._dirty = True
            raise

    async def receive(self, words: int, timeout: int) -> bytes:
        """See :class:`hw.host.link.Link`."""
        self._dirty = True
        # A beat more than is wanted shows a frame that is too long.
        self._dma.receive(4 * words + STREAM_BITS[-1] // 8)
        data = self._await(timeout / self._clock_hz + SLACK)
        if data is None:
            images = ", nor did it take all images" if self._dma.sending else ""
            raise LinkError(f"the accelerator gave no result within {timeout} clocks{images}")
        self._dirty = self._dma.sending
        try:
            return check_result(data, words)
        except LinkError:
            self._dirty = True
            raise

    # --- emptying the streams --------------------------------------------------------------------

    def synchronise(self) -> None:
        """Reset DMA and accelerator, and drop everything that is under way in both directions.

        Raises ``LinkError`` when the board does not take part.
        """
        self._dma.reset()
        # A client that died here has left the accelerator in reset, where it would never answer.
        self._let_pass()
        self._peek(0)  # whether an accelerator answers at all
        end = time.monotonic() + SYNC_SECONDS
        while not self._emptied(end):
            if time.monotonic() > end:
                self._let_pass()
                raise LinkError(f"the streams of {self._name} cannot be emptied: load the bitstream again")
        self._let_pass()
        self._dirty = False

    def _emptied(self, end: float) -> bool:
        """Whether a new marker has come back by ``end``: what was under way before may stand in front of it.

        Of leftovers that are longer than a transfer the DMA makes an error, and begins anew.
        """
        marker = new_marker()
        self._marker.write(0, marker)
        try:
            self._dma.send(WORD.pack(marker))
            while time.monotonic() < end:
                self._dma.receive(CHUNK)
                data = self._await(end - time.monotonic())
                if data is not None and ends_with(data, marker):
                    return not self._dma.sending
                if data is None:
                    break
        except LinkError:
            pass
        self._dma.reset()
        return False

    def _let_pass(self) -> None:
        """The word 0. Read back, so that the accelerator has left its reset before it is asked anything."""
        self._marker.write(0, 0)
        self._marker.read(0)

    # --- transfers -------------------------------------------------------------------------------

    def _await(self, seconds: float) -> bytes | None:
        """The frame that is being received, None when it takes longer than ``seconds``; images go
        meanwhile."""
        begun = time.monotonic()
        while (data := self._dma.received()) is None:
            self._dma.poll()
            waited = time.monotonic() - begun
            if waited > seconds:
                return None
            if waited > BUSY:
                time.sleep(PAUSE)
        self._dma.poll()
        return data

    def _poke(self, address: int, value: int) -> None:
        self._registers.write(address, int(value))

    def _peek(self, address: int) -> int:
        value = int(self._registers.read(address))
        if value == NO_ANSWER:
            raise LinkError(
                f"the accelerator of {self._name} does not answer at 0x{address:03X} (all ones): load the "
                "bitstream again"
            )
        return value


def open_pynq(path: str, *, clock_hz: float = CLOCK_HZ) -> PynqLink:
    """Load the bitstream at ``path``, or ``spec2.bit`` in that folder, and open a link to what is in it.

    Raises ``LinkError`` when it is not there or cannot be loaded, ``ToolNotFound`` without PYNQ.
    """
    file = Path(path) / BITSTREAM if Path(path).is_dir() else Path(path)
    for needed in (file, file.with_suffix(".hwh")):
        if not needed.is_file():
            raise LinkError(
                f"there is no {needed}: copy {file.name} and {file.stem}.hwh of a build side by side"
            )
    try:
        pynq = importlib.import_module("pynq")
    except ImportError as error:
        raise ToolNotFound(
            f"PYNQ is not there ({error}): run this in its environment on the board, or install it with "
            "'pip install pynq' for PYNQ.remote"
        ) from None
    try:
        overlay = pynq.Overlay(str(file.resolve()))
    except (OSError, RuntimeError, ValueError) as error:
        raise LinkError(f"PYNQ cannot load {file}: {error}") from None
    link = PynqLink(overlay, pynq.allocate, name=str(file), clock_hz=clock_hz)
    try:
        link.synchronise()
    except BaseException:
        link.close()
        raise
    return link


LINK = LinkKind(
    "pynq",
    path="BITSTREAM",
    example=BITSTREAM,
    open=lambda path, baud: open_pynq(path),
    default=BITSTREAM,
    loads=True,
)
