"""Whether a design fits a board."""

from __future__ import annotations

from typing import Any


def fit(board: str, figures: dict[str, Any]) -> dict[str, float]:
    """Percent of the board that a design with these estimates uses; raises ``DoesNotFit``."""
    from bitstreams import boards
    from bitstreams.boards import budget

    chosen, needs = boards.find(board), budget.needs(figures)
    budget.check(chosen, needs)
    return {name: round(share, 1) for name, share in budget.use(chosen, needs).items()}
