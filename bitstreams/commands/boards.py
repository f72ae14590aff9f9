"""``spec2 boards``."""

from __future__ import annotations

from hw.commands.console import emit
from hw.commands.options import Json
from hw.util.tables import table


def boards(as_json: Json = False) -> None:
    """List the boards whose budgets are known.

    No bitstream has been built for any of them yet.

    **Example**

        spec2 boards --json
    """
    from bitstreams.boards import BOARDS
    from bitstreams.boards.board import RESOURCES

    rows = [(board.name, *board.budget.values(), board.title) for board in BOARDS.values()]
    emit(as_json, [board.to_json() for board in BOARDS.values()], table(["name", *RESOURCES, "board"], rows))
