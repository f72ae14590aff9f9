"""``python -m tests.structure``: rooms, arrows and floors of the packages.

A room of a folder is a file or a folder directly in it, with all that lies below. An arrow goes from a room
to one that it imports. A room stands a floor above the highest one that it imports; rooms of a circle, where
arrows run back, share a floor.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("hw", "hw/gateware", "pruning", "sim", "bitstreams")


@cache
def modules() -> dict[str, Path]:
    """Every module of the project by its dotted name."""
    paths = [
        path for package in ("hw", "pruning", "sim", "bitstreams") for path in (ROOT / package).rglob("*.py")
    ]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


@cache
def imported(name: str) -> frozenset[str]:
    """Modules of the project that one imports, anywhere in it; not its own package."""
    found = set()
    for node in ast.walk(ast.parse(modules()[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {part if part in modules() else str(node.module) for part in parts}
    return frozenset(found & set(modules()))


@dataclass(frozen=True)
class Structure:
    """Of a folder. arrows: (from, to). floors: of every room, from 1. circles: rooms that import one
    another."""

    arrows: frozenset[tuple[str, str]]
    floors: dict[str, int]
    circles: tuple[frozenset[str], ...]

    @property
    def height(self) -> int:
        return max(self.floors.values())


def structure(folder: str) -> Structure:
    """Of a folder such as ``hw/gateware``."""
    above = folder.replace("/", ".") + "."

    def room(module: str) -> str | None:
        return module.removeprefix(above).split(".")[0] if module.startswith(above) else None

    pairs = {(room(name), room(other)) for name in modules() for other in imported(name)}
    arrows = frozenset((a, b) for a, b in pairs if a and b and a != b)
    rooms = sorted({one for name in modules() if (one := room(name))})
    reached = {one: _reached(one, arrows) for one in rooms}
    circle = {one: frozenset({one} | {b for b in reached[one] if one in reached[b]}) for one in rooms}

    @cache
    def floor(rooms: frozenset[str]) -> int:
        below = {circle[b] for a, b in arrows if a in rooms} - {rooms}
        return 1 + max(map(floor, below), default=0)

    circles = tuple(sorted({one for one in circle.values() if len(one) > 1}, key=sorted))
    return Structure(arrows, {one: floor(circle[one]) for one in rooms}, circles)


def _reached(start: str, arrows: frozenset[tuple[str, str]]) -> set[str]:
    found, waiting = set(), [start]
    while waiting:
        one = waiting.pop()
        new = {b for a, b in arrows if a == one} - found
        found |= new
        waiting += new
    return found


def main() -> int:
    for folder in PACKAGES:
        found = structure(folder)
        print(f"{folder}: {len(found.floors)} rooms, {len(found.arrows)} arrows, {found.height} floors")
        for level in range(found.height, 0, -1):
            print(f"  {level}  {' '.join(one for one, floor in found.floors.items() if floor == level)}")
        for circle in found.circles:
            print(f"  arrows run back among: {' '.join(sorted(circle))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
