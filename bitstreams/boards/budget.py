"""What a design needs of a device against what a board has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bitstreams.boards.board import DSP_TYPES, RESOURCES, Board
from hw.util.errors import ConfigError, DoesNotFit

REMEDIES = {
    "dsp": "lower --rows or --lanes",
    "bram36": "lower --lanes or --batch, or prune harder",
    "uram": "take block RAM (--feature-memory block, --spectrum-memory block), or lower --batch",
    "lut": "lower --lanes",
    "ff": "lower --lanes",
}


def needs(figures: Mapping[str, Any]) -> dict[str, float]:
    """The resources among a design's estimates (``DesignInfo.estimates``), by their names here."""
    named = {name: figures[name] for name in RESOURCES if name in figures}
    return {"dsp": figures["dsp_total"], **named} if "dsp_total" in figures else named


def check(board: Board, resources: Mapping[str, float]) -> None:
    """Raise ``DoesNotFit`` naming every exceeded resource; return when the design fits.

    ``resources`` maps names of :data:`RESOURCES` to needed counts; a name that is absent was not
    estimated and is not checked. Unknown names are a ``ConfigError``: a typo must not pass as a fit.
    """
    unknown = sorted(set(resources) - set(RESOURCES))
    if unknown:
        raise ConfigError(f"unknown resources {unknown}: a budget has {list(RESOURCES)}")
    over = {name: need for name, need in resources.items() if need > board.budget[name]}
    if over:
        needs = " and ".join(
            f"{need:,g} {RESOURCES[name]} of {board.budget[name]:,}" for name, need in over.items()
        )
        remedies = dict.fromkeys(REMEDIES[name] for name in over)
        if "bram36" in over and board.uram and not resources.get("uram"):
            remedies = {"take UltraRAM (--feature-memory ultra, --spectrum-memory ultra)": None, **remedies}
        raise DoesNotFit(f"the design needs {needs} on the {board.name}: {'; '.join(remedies)}")


def check_multiplier_port(board: Board, figures: Mapping[str, Any]) -> None:
    """Raise ``DoesNotFit`` where packed products of a design with these estimates take a wider multiplier
    than the board's slices have."""
    if (bits := figures.get("wide_port", 0)) > board.wide_port:
        raise DoesNotFit(
            f"the design's packed products take a multiplier port of {bits} bits, the "
            f"{DSP_TYPES[board.family]} of the {board.name} has {board.wide_port}: take narrower weights or "
            "spectra, products = three, or a board with wider slices"
        )


def use(board: Board, resources: Mapping[str, float]) -> dict[str, float]:
    """Share of every needed resource in use, in percent (infinite where the board has none)."""
    return {
        name: 100 * need / have if (have := board.budget[name]) else (float("inf") if need else 0.0)
        for name, need in resources.items()
    }
