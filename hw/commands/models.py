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
    """``given``, or what is meant by it: for ``zoo:NAME`` what is ``inside`` the folder that this model is
    unpacked into, and it is; for a model's folder the model or the design in it; for a ``model.npz`` where a
    design is taken, the design beside it.

    inside: what the command takes: ``MODEL``, ``DESIGN``, or the folder itself. Raises ``ConfigError`` for a
    name that the zoo has not.
    """
    card = _card(given)
    if card is not None:
        from hw.contract import zoo

        return zoo.unpack(card) / inside
    path = Path(given)
    if inside == MODEL and (path / MODEL).is_file():
        return path / MODEL
    if inside == DESIGN and not _is_design(path):
        beside = (path.parent if path.name == MODEL else path) / DESIGN
        return beside if _is_design(beside) else path
    return path


def _is_design(path: Path) -> bool:
    from hw.contract.design import FILE_NAME

    return (path / FILE_NAME).is_file()


def usual_array(given: Path | str) -> AcceleratorConfig | None:
    """The array that a model of the zoo is generated for unless options say otherwise; None for a path."""
    card = _card(given)
    return card.array if card else None


def _card(given: Path | str) -> ModelCard | None:
    if not str(given).startswith(ZOO):
        return None
    from hw.contract import zoo

    return zoo.find(str(given).removeprefix(ZOO))
