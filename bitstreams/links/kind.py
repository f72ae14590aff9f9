"""A kind of link: the row that its file in this folder ends with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from hw.host.link import Link


@dataclass(frozen=True)
class LinkKind:
    """What the command line has to know of a link.

    name: before the colon, ``uart`` in ``uart:/dev/ttyUSB0``. path: what comes after it, in a word for
    messages. example: such a path. default: what is taken where no path is written; where it is empty one has
    to be. open: gives the link to the board at a path; its second argument is the bit rate, for those that
    have one. It raises ``LinkError`` for a path that leads nowhere. loads: whether opening it loads the
    bitstream, which is its path then.
    """

    name: str
    path: str
    example: str
    open: Callable[[str, int], AbstractContextManager[Link]]
    default: str = ""
    loads: bool = False
