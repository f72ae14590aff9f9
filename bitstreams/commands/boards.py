"""``spec2 boards``, and what other commands ask of a board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hw.commands.console import emit
from hw.commands.options import Json
from hw.util.errors import ConfigError
from hw.util.tables import table

if TYPE_CHECKING:
    from hw.explore.device import Device


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


def fit(board: str, figures: dict[str, Any]) -> dict[str, float]:
    """Percent of the board that a design with these estimates uses; raises ``DoesNotFit``."""
    from bitstreams.boards import budget, find

    chosen, needs = find(board), budget.needs(figures)
    budget.check_multiplier_port(chosen, figures)
    budget.check(chosen, needs)
    return {name: round(share, 1) for name, share in budget.use(chosen, needs).items()}


def device_of(name: str, clock_mhz: float | None, memories: int | None) -> Device:
    """A board as ``spec2 explore`` sees it. Raises ``ConfigError`` for more ``memories`` than it has."""
    from bitstreams.boards import find
    from bitstreams.boards.board import RESOURCES
    from hw.explore.device import Device

    board = find(name)
    if memories and memories > board.dram_interfaces:
        raise ConfigError(
            f"the {board.name} has {board.dram_interfaces} memory interfaces, not {memories}: "
            "lower --memories"
        )
    used = memories or board.dram_interfaces
    return Device(
        name=board.name,
        clock_hz=board.clock if clock_mhz is None else clock_mhz * 1e6,
        budget=board.budget,
        labels=RESOURCES,
        dram_rate=used * board.dram_bytes_per_second,
        dram_interfaces=used,
        wide_port=board.wide_port,
        stream_bits=board.stream_bits,
    )
