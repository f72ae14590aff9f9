"""The boards: a file each in this folder, with pins (a platform) and everything else (``BOARD``).

A file is found by being here; nothing lists them. The generator never sees a board: the command line passes
the numbers of one. How to add one: ``docs/extending.md``.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from bitstreams.boards.board import Board
from hw.util.errors import ConfigError

__all__ = ["BOARDS", "Board", "find"]


def _scan() -> dict[str, Board]:
    """The ``BOARD`` of every module of this folder that has one, in the order of their names."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    boards = [module.BOARD for module in modules if hasattr(module, "BOARD")]
    return {board.name: board for board in boards}


BOARDS = _scan()
"""Every board, by name."""


def find(name: str) -> Board:
    """The board of that name (upper or lower case, ``-`` or ``_``); ``ConfigError`` for an unknown one."""
    try:
        return BOARDS[name.lower().replace("-", "_")]
    except KeyError:
        raise ConfigError(f"there is no board {name!r}: known are {', '.join(BOARDS)}") from None
