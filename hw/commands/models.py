"""Models as commands take them: a path, or ``zoo:NAME``, a trained one that comes with the project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hw.contract.config import AcceleratorConfig
    from hw.contract.zoo import ModelCard

ZOO = "zoo:"
"""What tells a model of the zoo from a path."""

MODEL = "model.npz"
DESIGN = "design"
"""In a model's folder."""


def located(given: Path | str, inside: str = "") -> Path:
    """``given``; for ``zoo:NAME`` the path ``inside`` the folder that this model is unpacked into, and it is.

    inside: what the command takes: ``MODEL``, ``DESIGN``, or the folder itself. Raises ``ConfigError`` for a
    name that the zoo has not.
    """
    card = _card(given)
    if card is None:
        return Path(given)
    from hw.contract import zoo

    return zoo.unpack(card) / inside


def usual_array(given: Path | str) -> AcceleratorConfig | None:
    """The array that a model of the zoo is generated for unless options say otherwise; None for a path."""
    card = _card(given)
    return card.array if card else None


def _card(given: Path | str) -> ModelCard | None:
    if not str(given).startswith(ZOO):
        return None
    from hw.contract import zoo

    return zoo.find(str(given).removeprefix(ZOO))
