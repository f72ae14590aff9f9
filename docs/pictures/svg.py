"""A drawing of boxes, arrows and text as SVG that is readable on light and on dark paper.

Colours are CSS variables of the class ``picture``: as a file the picture follows the reader's preference for
light or dark; where a page holds it inline, the page may set them (``docs/_static/custom.css``).
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Point = tuple[float, float]

STYLE = """\
.picture {
  --paper: #ffffff; --ink: #1f2328; --faint: #59636e; --box: #eef2f7; --frame: #8c959f; --strong: #d5e3f7;
}
@media (prefers-color-scheme: dark) { .picture {
  --paper: #0d1117; --ink: #e6edf3; --faint: #9aa4b0; --box: #1c232d; --frame: #6e7781; --strong: #1d3a63;
} }
.picture text { font-family: system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; font-size: 12px; }
.picture text { fill: var(--ink); }
.picture .title { font-weight: 600; font-size: 13px; }
.picture text.faint { fill: var(--faint); }
.picture .port { font-family: ui-monospace, 'DejaVu Sans Mono', monospace; }
.picture .paper { fill: var(--paper); }
.picture .box { fill: var(--box); stroke: var(--frame); }
.picture .strong { fill: var(--strong); stroke: var(--frame); }
.picture .frame { fill: none; stroke: var(--frame); stroke-dasharray: 4 3; }
.picture .arrow { fill: none; stroke: var(--ink); stroke-width: 1.4; }
.picture .quiet { stroke: var(--faint); stroke-dasharray: 2 3; }
.picture .head { fill: var(--ink); }
"""

LINE = 15
"""Pixels from one line of text to the next."""

HEAD = 7
"""Length of an arrow's head in pixels."""


class Picture:
    """``width`` × ``height`` pixels. ``title`` and ``description`` are what a screen reader says."""

    def __init__(self, name: str, width: int, height: int, title: str, description: str) -> None:
        self.name = name
        self._size = (width, height)
        self._parts = [
            f'<title id="{name}-title">{escape(title)}</title>',
            f'<desc id="{name}-desc">{escape(description)}</desc>',
            f"<style>\n{STYLE}</style>",
            f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
        ]

    def rect(
        self, x: float, y: float, width: float, height: float, kind: str = "box", round_: float = 5
    ) -> None:
        """A rectangle of the style ``kind``: box, strong or frame."""
        self._parts.append(
            f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
            f'rx="{round_:g}"/>'
        )

    def text(self, x: float, y: float, *lines: str, kind: str = "", anchor: str = "middle") -> None:
        """Lines of text, the first with its base line at ``y``. anchor: start, middle or end is at ``x``."""
        for number, line in enumerate(lines):
            style = f' class="{kind}"' if kind else ""
            at = f'x="{x:g}" y="{y + number * LINE:g}"'
            self._parts.append(f'<text{style} {at} text-anchor="{anchor}">{escape(line)}</text>')

    def box(
        self, x: float, y: float, width: float, height: float, title: str, *lines: str, kind: str = "box"
    ) -> None:
        """A box with a title and lines below it, in its middle."""
        self.rect(x, y, width, height, kind)
        first = y + height / 2 - len(lines) * LINE / 2 + 5
        self.text(x + width / 2, first, title, kind="title")
        self.text(x + width / 2, first + LINE, *lines, kind="faint")

    def arrow(self, *points: Point, kind: str = "", head: bool = True) -> None:
        """A line through the points, all its parts level or upright, with a head at its end."""
        (x0, y0), (x, y) = points[-2:]
        dx, dy = ((x > x0) - (x < x0), (y > y0) - (y < y0))
        path: Sequence[Point] = [*points[:-1], (x - dx * HEAD, y - dy * HEAD)] if head else points
        drawn = " ".join(f"{'ML'[bool(i)]}{px:g} {py:g}" for i, (px, py) in enumerate(path))
        self._parts.append(f'<path class="{" ".join(["arrow", kind]).strip()}" d="{drawn}"/>')
        if head:
            bx, by, w = x - dx * HEAD, y - dy * HEAD, HEAD / 2
            tip = f"M{x:g} {y:g} L{bx + dy * w:g} {by + dx * w:g} L{bx - dy * w:g} {by - dx * w:g} Z"
            self._parts.append(f'<path class="head" d="{tip}"/>')

    def __str__(self) -> str:
        width, height = self._size
        begin = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" '
            f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'aria-labelledby="{self.name}-title {self.name}-desc">'
        )
        return "\n".join([begin, *self._parts, "</svg>\n"])
