"""The boards' budgets, as data, and the check that a design fits.

The generator never sees a board: the command line passes the numbers of one. ``bram36`` counts
RAMB36 blocks (each also usable as two RAMB18), ``uram`` UltraRAM blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hw.errors import ConfigError, DoesNotFit


@dataclass(frozen=True)
class Board:
    """A board and what its device offers."""

    name: str
    title: str
    part: str
    family: str
    """yosys' name of the device family: ``xc7`` (7 series) or ``xcup`` (UltraScale+)."""
    dsp: int
    bram36: int
    uram: int
    lut: int
    ff: int
    source: str
    """Where the numbers come from."""

    @property
    def budget(self) -> dict[str, int]:
        """Resource name to available count."""
        return {name: getattr(self, name) for name in RESOURCES}


RESOURCES = {
    "dsp": "DSP slices",
    "bram36": "RAMB36 blocks",
    "uram": "UltraRAM blocks",
    "lut": "LUTs",
    "ff": "flip-flops",
}
"""Resources a design can need, with their plural names."""

REMEDIES = {
    "dsp": "lower --rows or --lanes",
    "bram36": "lower --lanes or --batch, or prune harder",
    "uram": "lower --batch",
    "lut": "lower --lanes",
    "ff": "lower --lanes",
}

BOARDS = {
    board.name: board
    for board in (
        Board(
            "vc707", "AMD VC707 (Virtex-7)", "xc7vx485tffg1761-2", "xc7",
            dsp=2800, bram36=1030, uram=0, lut=303_600, ff=607_200,
            source="7 Series FPGAs Overview, DS180, XC7VX485T",
        ),
        Board(
            "vc709", "AMD VC709 (Virtex-7)", "xc7vx690tffg1761-2", "xc7",
            dsp=3600, bram36=1470, uram=0, lut=433_200, ff=866_400,
            source="7 Series FPGAs Overview, DS180, XC7VX690T",
        ),
        Board(
            "vcu118", "AMD VCU118 (Virtex UltraScale+)", "xcvu9p-flga2104-2L-e", "xcup",
            dsp=6840, bram36=2160, uram=960, lut=1_182_240, ff=2_364_480,
            source="UltraScale Architecture Overview, DS890, XCVU9P",
        ),
    )
}  # fmt: skip
"""Every board, by name."""


def find(name: str) -> Board:
    """The board of that name (upper or lower case); ``ConfigError`` for an unknown one."""
    try:
        return BOARDS[name.lower()]
    except KeyError:
        raise ConfigError(f"there is no board {name!r}: known are {', '.join(BOARDS)}") from None


def needs(figures: Mapping[str, Any]) -> dict[str, float]:
    """The resources among a design's estimates (``DesignInfo.estimates``), by their names here."""
    named = {name: figures[name] for name in RESOURCES if name in figures}
    return {"dsp": figures["dsp_total"], **named}


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
        raise DoesNotFit(f"the design needs {needs} on the {board.name}: {'; '.join(remedies)}")


def use(board: Board, resources: Mapping[str, float]) -> dict[str, float]:
    """Share of every needed resource in use, in percent (infinite where the board has none)."""
    return {
        name: 100 * need / have if (have := board.budget[name]) else (float("inf") if need else 0.0)
        for name, need in resources.items()
    }
