"""Colours of pages and plots: names in the style sheet, and the stand-ins that matplotlib draws with.

A plot is drawn once and shown in the light, in the dark and on paper. So it is drawn in stand-ins, colours
that nothing else has, and :mod:`sim.report.html.svg` writes the variable of the style sheet in place of each.
Stages have the colours of M. Okabe and K. Ito, which the colour-blind tell apart.
"""

from __future__ import annotations

from typing import Any

VARIABLES = (
    "ink", "muted", "rule", "paper", "fetch", "array", "output", "weights", "idle", "tint", "tint2", "wrong",
    "label", "onarray", "empty",
)  # fmt: skip
"""Of the style sheet, without their dashes."""

STAND_INS = {name: f"#fe{number:02x}fd" for number, name in enumerate(VARIABLES)}
"""What matplotlib is told."""

INK, MUTED, RULE, PAPER = (STAND_INS[name] for name in ("ink", "muted", "rule", "paper"))

MAP = "cividis"
"""Of shares in heat maps: even in brightness, and the same to the colour-blind."""

FONT, SMALL = 13, 11.5
"""Pixels, of a plot that is shown as wide as it was drawn."""

RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "spec2",
    "font.size": FONT,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.labelsize": SMALL,
    "axes.linewidth": 1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "grid.color": RULE,
    "grid.linewidth": 1,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "legend.labelcolor": MUTED,
    "patch.linewidth": 0,
    "xtick.color": RULE,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": SMALL,
    "ytick.color": RULE,
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": SMALL,
}
"""Settings that every plot is drawn with."""
