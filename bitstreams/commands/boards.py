"""``spec2 boards``, and what other commands ask of a board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hw.commands.console import emit
from hw.commands.options import Json
from hw.util.errors import ConfigError
from hw.util.tables import table

if TYPE_CHECKING:
    from hw.compile.program import Program
    from hw.explore.device import Device

MEMORIES = (1, 2, 4)
"""Memories that a design can read side by side (:class:`hw.contract.config.AcceleratorConfig`)."""


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


def fed(board: str, program: Program) -> dict[str, Any]:
    """What a design reads its weights at on that board, and whether its memories keep pace; empty for one
    that holds them. Raises ``ConfigError`` for more memories than the board has."""
    from bitstreams.boards import feeding, find

    if not program.config.stream_weights:
        return {}
    return feeding.feeding(find(board), program.stream.bus_bits, program.config.memories).to_json()


def device_of(name: str, clock_mhz: float | None, memories: int | None) -> Device:
    """A board as ``spec2 explore`` sees it, with ``memories``, or all that a build for it connects.

    Raises ``ConfigError`` for more ``memories`` than it has.
    """
    from bitstreams.boards import find
    from bitstreams.boards.board import RESOURCES
    from hw.explore.device import Device

    board = find(name)
    if memories and memories not in MEMORIES:
        raise ConfigError(f"designs read weights from 1, 2 or 4 memories, not {memories}: change --memories")
    used = memories or max(board.connected, default=0)
    if used:
        board.bandwidth(used)  # refuses more than it has, and names that count
    rates = [board.bandwidth(count) for count in range(1, used + 1)] or [(0.0, 0.0)]  # weights are held
    return Device(
        name=board.name,
        clock_hz=board.clock if clock_mhz is None else clock_mhz * 1e6,
        budget=board.budget,
        labels=RESOURCES,
        dram_rate=rates[-1][0],
        dram_interfaces=len(rates),
        dram_peaks=tuple(peak for peak, _ in rates),
        dram_sustained=tuple(sustained for _, sustained in rates),
        wide_port=board.wide_port,
        stream_bits=board.stream_bits,
    )
