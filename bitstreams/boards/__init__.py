"""The boards: one file each, with a platform (pins) and a :class:`Board` (everything else).

The generator never sees a board: the command line passes the numbers of one.
"""

from __future__ import annotations

from bitstreams.boards import arty_a7_100, genesys2, kc705, vc707, vc709, vcu118
from bitstreams.boards.board import Board
from hw.util.errors import ConfigError

__all__ = ["BOARDS", "Board", "find"]

BOARDS: dict[str, Board] = {
    module.BOARD.name: module.BOARD for module in (vc707, vc709, vcu118, kc705, genesys2, arty_a7_100)
}
"""Every board, by name."""


def find(name: str) -> Board:
    """The board of that name (upper or lower case); ``ConfigError`` for an unknown one."""
    try:
        return BOARDS[name.lower()]
    except KeyError:
        raise ConfigError(f"there is no board {name!r}: known are {', '.join(BOARDS)}") from None
