"""Plots of matplotlib as part of a page: in its colours and its type, with a sentence at every mark.

A plot is drawn for two widths, since text of one that is scaled down to a phone could not be read; the style
sheet shows one of them. What a page shows of names and labels goes through an XML tree, so it stays text.
"""

from __future__ import annotations

import hashlib
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hw.util import quote
from sim.report.html.theme import RC, STAND_INS

WIDE, NARROW = 1000, 350
"""Pixels from which on, and below which, a plot is drawn anew: a page's column, and a phone's."""

POINTS = 72
"""Of an inch: a figure of so many pixels an inch has pixels for points."""

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"

DROPPED = (f"{SVG}metadata", f"{SVG}style")
"""The date, and a style sheet that would be the whole page's."""

LINES = "stroke-linejoin: round; stroke-linecap: butt"
"""What that style sheet says."""

_FONT = re.compile(r"font: (?:\S+ )*?([\d.]+)px [^;]+")
_NUMBER = re.compile(r"-?\d+\.\d+")
_LINK = re.compile(r"url\(#([^)]+)\)")


class Plot:
    """A figure under way: ``width`` and ``height`` in pixels, and marks that explain themselves."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / POINTS, height / POINTS), dpi=POINTS, layout="constrained")
        self._titles: dict[str, str] = {}
        self._classes: dict[str, str] = {}

    @property
    def narrow(self) -> bool:
        """Whether it is drawn for a phone."""
        return self.width < (WIDE + NARROW) / 2

    def mark(self, artist: Artist, title: str, classes: str = "", link: str = "") -> None:
        """Show ``title``, plain text, where ``artist`` is pointed at. ``classes``: of the style sheet.
        ``link``: the id on the page that it leads to."""
        name = f"mark{len(self._titles)}"
        artist.set_gid(name)
        if link:
            artist.set_url(f"#{link}")
        self._classes[name] = f"mark {classes}".strip()
        self._titles[name] = quote.line(title)

    def fixed(self, box: tuple[float, float, float, float]) -> Axes:
        """Axes in a ``box`` (left, top, width, height) of pixels, whatever their labels take."""
        left, top, width, height = box
        self.figure.set_layout_engine("none")
        bottom = self.height - top - height
        sizes = left / self.width, bottom / self.height, width / self.width, height / self.height
        axes: Axes = self.figure.add_axes(sizes)
        return axes

    def letters(self, text: str, room: float, size: float) -> str:
        """As much of ``text`` as ``room`` pixels hold in letters of that ``size``, for :meth:`Axes.text`."""
        most = max(1, int(room / (0.6 * size)))
        text = quote.line(text)
        return quote.mathtext(text if len(text) <= most else f"{text[: most - 1]}…")

    def svg(self, prefix: str, label: str) -> ET.Element:
        """The figure as an element. ``prefix``: of all its ids. ``label``: what it shows, for who hears
        it."""
        file = io.StringIO()
        self.figure.savefig(file, format="svg", metadata={"Date": None})
        root = ET.fromstring(file.getvalue())
        self._clean(root, prefix)
        del root.attrib["width"], root.attrib["height"]
        root.set("role", "img")
        root.set("aria-label", quote.line(label))
        root.set("style", f"{LINES}; max-width: {self.width:g}px")
        return root

    def _clean(self, root: ET.Element, prefix: str) -> None:
        for parent in root.iter():
            for child in [child for child in parent if child.tag in DROPPED]:
                parent.remove(child)
        linked = {found for element in root.iter() for found in _linked(element)}
        for element in root.iter():
            name_of = element.get("id", "")
            title = self._titles.get(name_of)
            own = "" if element.tag == f"{SVG}a" else prefix  # a link leads out of the plot
            element.attrib.pop("target", None)  # and not into another window
            for name, value in list(element.attrib.items()):
                if name == f"{XLINK}href":
                    del element.attrib[name]
                    element.set("href", f"#{own}{value.removeprefix('#')}")
                elif name == "id":
                    del element.attrib["id"]
                    if value in linked:
                        element.set("id", prefix + value)
                elif name in ("d", "transform"):
                    element.set(name, _NUMBER.sub(lambda found: f"{float(found[0]):.4g}", value))
                else:
                    element.set(name, _styled(value, prefix))
            if title is not None:
                element.set("class", self._classes[name_of])
                child = ET.Element(f"{SVG}title")
                child.text = title
                element.insert(0, child)


def _linked(element: ET.Element) -> list[str]:
    """Ids that ``element`` refers to."""
    values = element.attrib.values()
    found = [link for value in values for link in _LINK.findall(value)]
    return [*found, element.get(f"{XLINK}href", "#").removeprefix("#")]


def _styled(value: str, prefix: str) -> str:
    value = _LINK.sub(lambda found: f"url(#{prefix}{found[1]})", value)
    value = _FONT.sub(lambda found: f"font-size: {found[1]}px", value)
    for name, stand_in in STAND_INS.items():
        value = value.replace(stand_in, f"var(--{name})")
    return value


Draw = Callable[[Plot], None]
"""Draws into a plot."""


def plot(draw: Draw, height: Callable[[float], float] | float, label: str, wide: float = WIDE) -> Markup:
    """What ``draw`` draws, for a wide and for a narrow page. ``height`` in pixels, may depend on the width.
    ``label``: a sentence that says what is shown. ``wide``: of the wide one."""
    parts = []
    for width, kind in ((wide, "wide"), (NARROW, "narrow")):
        found = picture(draw, width, height(width) if callable(height) else height, label)
        parts.append(f'<div class="plot {kind}">{found}</div>')
    return Markup("".join(parts))


def picture(draw: Draw, width: float, height: float, label: str) -> Markup:
    """What ``draw`` draws, of one size. No two plots of a page have the same label and width."""
    with rc_context(RC):
        made = Plot(width, height)
        draw(made)
        name = hashlib.sha256(f"{label} {width}".encode()).hexdigest()[:8]
        root = made.svg(f"p{name}-", label)
    ET.register_namespace("", SVG[1:-1])
    return Markup(ET.tostring(root, encoding="unicode"))
