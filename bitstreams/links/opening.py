"""A link from what the user writes: ``uart:/dev/ttyUSB0``, ``xdma:/dev/xdma0`` or ``virtual``."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from bitstreams.links.serial import SerialLink, open_serial
from bitstreams.links.xdma import XdmaLink, open_xdma
from hw.util.errors import ConfigError

BoardLink = SerialLink | XdmaLink
"""A :class:`hw.host.link.Link` that can be closed."""

UART, XDMA, VIRTUAL = "uart", "xdma", "virtual"

XDMA_PREFIX = "/dev/xdma0"
"""The first device of the XDMA driver."""


@dataclass(frozen=True)
class Place:
    """Where a board is: ``kind`` is UART, XDMA or VIRTUAL, ``path`` the port or the devices' prefix."""

    kind: str
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read ``KIND:PATH``. Raises ``ConfigError`` for anything else."""
        kind, _, path = text.partition(":")
        if kind == UART and path:
            return cls(kind, path)
        if kind == XDMA:
            return cls(kind, path or XDMA_PREFIX)
        if text == VIRTUAL:
            return cls(kind)
        raise ConfigError(
            f"there is no link {text!r}: write uart:PORT (uart:/dev/ttyUSB0), xdma:PREFIX (xdma:/dev/xdma0) "
            "or virtual"
        )

    def real(self) -> Place:
        """Itself. Raises ``ConfigError`` for a virtual board: it has to be started (:mod:`sim.virtual`)."""
        if self.kind == VIRTUAL:
            raise ConfigError(
                "a virtual board has no bitstream and is not deployed: start it with 'spec2 board'"
            )
        return self


def open_link(place: Place, baud: int) -> AbstractContextManager[BoardLink]:
    """Open the link to the board at ``place``; ``baud`` is the bit rate of a serial port.

    Raises what :meth:`Place.real`, :func:`open_serial` and :func:`open_xdma` raise.
    """
    real = place.real()
    return open_serial(real.path, baud) if real.kind == UART else open_xdma(real.path)
