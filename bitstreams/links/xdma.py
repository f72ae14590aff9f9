"""The driver's link over PCI Express: character devices of AMD's XDMA driver (dma_ip_drivers).

``/dev/xdmaN_user`` maps the registers, ``_h2c_0`` takes frames (one ``write`` is one frame), ``_c2h_0`` gives
them (one ``read`` ends with a frame). A transfer blocks in the kernel until the accelerator takes or gives
data and cannot be called off there, so each direction has a thread, and waiting for it ends with the timeout.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import Future, wait

from bitstreams.links.block_design import (
    CHUNK,
    CLOCK_HZ,
    MARKER,
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
from bitstreams.links.worker import Worker, stop
from bitstreams.links.xdma_devices import (
    OF_MEMORY,
    RESTART,
    Registers,
    advice,
    open_devices,
    write_all,
)
from bitstreams.links.xdma_loader import Loader
from hw.util.errors import LinkError

SLACK = 0.5
"""Seconds on top of that: a busy host."""

FIRST = "/dev/xdma0"
"""Prefix of the first device of the driver."""


class XdmaLink(BlockDesignLink):
    """A :class:`hw.host.link.MemoryLink` over open devices: registers, frames to and from the board, and the
    loader of its memory, where it has one.

    They belong to the link from here on. name: of the device, for messages. clock_hz: the lowest clock
    the accelerator may have. sync_seconds: in place of ``SYNC_SECONDS``. Call :meth:`synchronise` before
    anything else; :func:`open_xdma` does.

    The coroutines block: one client, :func:`bitstreams.links.running.run`. Writes to registers are posted:
    that the accelerator has refused one is not seen.
    """

    def __init__(
        self,
        registers: Registers,
        h2c: int,
        c2h: int,
        loader: Loader | None = None,
        *,
        name: str,
        clock_hz: float = CLOCK_HZ,
        sync_seconds: float | None = None,
    ) -> None:
        self._registers, self._loader = registers, loader
        self._name, self._clock_hz, self._sync_seconds = name, clock_hz, sync_seconds
        self._sender: Worker[bytes, int] = Worker(lambda f: write_all(h2c, f), lambda: os.close(h2c))
        self._receiver: Worker[int, bytes] = Worker(lambda n: os.read(c2h, n), lambda: os.close(c2h))
        self._sent: list[Future[int]] = []
        self._late: Future[bytes] | None = None
        self._dirty = True

    def close(self) -> None:
        """Give the devices back. One whose transfer hangs stays in use until the kernel ends it."""
        stop(self._sender, self._receiver)
        if self._loader:
            self._loader.close()
        self._registers.close()

    # --- hw.host.link.Link ----------------------------------------------------------------------------

    async def send(self, frame: bytes) -> None:
        """See :class:`hw.host.link.Link`. An error shows in the next call of this or :meth:`receive`."""
        check_frame(frame)
        self._check_sent()
        self._sent.append(self._sender.submit(frame))

    async def receive(self, words: int, timeout: int) -> bytes:
        """See :class:`hw.host.link.Link`."""
        self._dirty = True
        # A word more than is wanted shows a frame that is too long.
        data = self._read(4 * (words + 1), timeout / self._clock_hz + SLACK)
        self._check_sent()
        if data is None:
            images = ", nor did it take all images" if self._sent else ""
            raise LinkError(f"the accelerator gave no result within {timeout} clocks{images}")
        check_result(data, words)
        self._dirty = bool(self._sent)
        return data

    async def write_memory(self, address: int, data: bytes) -> None:
        """See :class:`hw.host.link.MemoryLink`."""
        self._memory().write(address, data)

    async def read_memory(self, address: int, size: int) -> bytes:
        """See :class:`hw.host.link.MemoryLink`."""
        return self._memory().read(address, size)

    def _memory(self) -> Loader:
        if self._loader is None:
            raise LinkError(
                f"the board on {self._name} has no way to its memory: load the bitstream of a design that "
                "reads its weights from there"
            )
        return self._loader

    # --- emptying the streams --------------------------------------------------------------------

    def synchronise(self) -> None:
        """Reset the accelerator and drop everything that is under way, in both directions.

        Raises ``LinkError`` when the board does not take part.
        """
        word = new_marker()
        # A client that died here has left the accelerator in reset, where it would never answer.
        self._poke(MARKER, 0)
        self._peek(0)  # whether a board answers at all
        self._poke(MARKER, word)
        self._sent.append(self._sender.submit(WORD.pack(word)))
        end = time.monotonic() + (SYNC_SECONDS if self._sync_seconds is None else self._sync_seconds)
        while (data := self._read(CHUNK, end - time.monotonic())) is not None:
            if ends_with(data, word):  # what was under way before it may stand in front of it
                break
        else:
            self._poke(MARKER, 0)
            self._check_sent()  # it may never have come to the board
            raise LinkError(
                f"the streams of the board on {self._name} cannot be emptied: load its bitstream again"
            )
        wait(self._sent, max(0.0, end - time.monotonic()))
        self._check_sent()
        self._poke(MARKER, 0)
        self._dirty = False

    # --- transfers -------------------------------------------------------------------------------

    def _read(self, size: int, seconds: float) -> bytes | None:
        """What the next read of at most ``size`` bytes gives, None when it takes longer than ``seconds``.

        A read that was given up is still under way: this is then that one, unless the driver gave it up, too.
        """
        late, self._late = self._late, None
        if late and late.done() and getattr(late.exception(), "errno", None) == RESTART:
            late = None
        future = late or self._receiver.submit(size)
        done, _ = wait([future], max(0.0, seconds))
        if not done:
            self._late = future
            return None
        try:
            data = future.result()
        except OSError as error:
            raise self._failed("receive a result", error) from None
        if not data:
            raise LinkError(f"the board on {self._name} is gone: rescan the PCI bus")
        return data

    def _check_sent(self) -> None:
        """Forget what has been sent; raise the error of what has not."""
        done = [future for future in self._sent if future.done()]
        self._sent = [future for future in self._sent if not future.done()]
        for future in done:
            if (error := future.exception()) is not None:
                self._dirty = True
                assert isinstance(error, OSError), error
                raise self._failed("send an image", error) from None

    def _peek(self, address: int) -> int:
        try:
            data = self._registers.read(address)
        except OSError as error:
            raise self._failed("read a register", error) from None
        if len(data) != WORD.size:
            raise LinkError(f"{self._name}_user ends before 0x{address:03X}: load the PCI Express bitstream")
        (value,) = WORD.unpack(data)
        # PCI Express has no error response that a host would see: ones come instead.
        if value == NO_ANSWER:
            raise LinkError(
                f"the board on {self._name} does not answer at 0x{address:03X} (all ones): after loading a "
                "bitstream, rescan the PCI bus or restart the host"
            )
        return int(value)

    def _poke(self, address: int, value: int) -> None:
        try:
            self._registers.write(address, value)
        except OSError as error:
            raise self._failed("write a register", error) from None

    def _failed(self, what: str, error: OSError) -> LinkError:
        return LinkError(f"cannot {what} through {self._name}: {advice(error)}")


def open_xdma(prefix: str = FIRST, *, clock_hz: float | None = None) -> XdmaLink:
    """A link to the board whose devices begin with ``prefix``, its streams empty.

    clock_hz: the lowest clock the accelerator may have, by default that of real boards or of virtual ones.
    Raises ``LinkError`` when a device is absent, in use, or not ours to open, or the board does not answer.
    """
    devices = open_devices(prefix)
    files = devices.files
    loader = None
    if OF_MEMORY.keys() <= files.keys():
        pair = files["h2c_1"], files["c2h_1"]
        loader = Loader(devices.registers, *pair, name=prefix, most=devices.most)
    link = XdmaLink(
        devices.registers,
        files["h2c_0"],
        files["c2h_0"],
        loader,
        name=prefix,
        clock_hz=clock_hz or devices.clock_hz,
        sync_seconds=devices.sync_seconds,
    )
    try:
        link.synchronise()
    except BaseException:
        link.close()
        raise
    return link


LINK = LinkKind(
    "xdma", path="PREFIX", example=FIRST, open=lambda prefix, baud: open_xdma(prefix), default=FIRST
)
