"""What the host driver needs of a transport: five operations, whatever carries them, and two more for boards
whose memory holds the weights.

The cocotb link (:mod:`sim.bench.link`) drives the Verilog in a simulator; :mod:`bitstreams.links` maps
them to a serial port or to PCI Express. The driver cannot tell which one it has.
"""

from typing import Protocol

UNIT = 64
"""Bytes that transfers to and from memory are made of: the widest bus on the way moves so many at once."""


class Link(Protocol):
    """A control port and two streams. Every method raises ``LinkError`` when the transport fails.

    A *word* is four bytes; a beat of the streams is one, or several in a design of wider ones. Methods are
    coroutines of whatever event loop the link belongs to: the driver awaits them one at a time and uses
    nothing else of the loop.
    """

    async def read32(self, address: int) -> int:
        """Read the register at byte ``address``. An error response raises ``LinkError``."""
        ...

    async def write32(self, address: int, value: int) -> None:
        """Write the register at byte ``address``. An error response raises ``LinkError``."""
        ...

    async def send(self, frame: bytes) -> None:
        """Queue one frame of whole beats for the image stream, tlast on its last beat.

        Returns without waiting until the accelerator has taken it: results may have to be collected
        first.
        """
        ...

    async def receive(self, words: int, timeout: int) -> bytes:
        """The next frame of the result stream: ``words`` words, tlast on the beat of the last one only.

        ``timeout`` is in clocks of the accelerator (a link to a board converts it to time). Raises
        ``LinkError`` after it, and when the frame has another length.
        """
        ...

    async def discard(self) -> None:
        """Drop what a run that was aborted has left: images not yet sent, results that nobody received.

        The accelerator ends a result frame that it had begun (STATUS.leftover), so that the result stream
        stands between two frames afterwards.
        """
        ...


class MemoryLink(Link, Protocol):
    """A link that reaches the board's memories as well, those that designs read their weights from.

    ``address`` is a byte address as the host sees it (:mod:`bitstreams.flows.memory_map`). Addresses and
    sizes are multiples of :data:`UNIT`; a transfer may be of any size that the memory has. ``LinkError`` for
    what the board answers with an error, for an address or a size that is none, and for a transport that
    fails: what lies in memory is not known then.
    """

    async def write_memory(self, address: int, data: bytes) -> None:
        """Put ``data`` into memory from ``address`` on; returns when all of it lies there."""
        ...

    async def read_memory(self, address: int, size: int) -> bytes:
        """``size`` bytes of memory from ``address`` on."""
        ...
