"""Filters of a page without a script: a box that is not ticked hides all that have its class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Filter:
    """A box for each of some ``values``. text: what they are. prefix: of classes, which go into a style sheet
    and have no word of a value in them."""

    text: str
    prefix: str
    values: tuple[object, ...]

    @property
    def boxes(self) -> list[tuple[str, str]]:
        """Class and text of every box."""
        return [(self.class_of(value), str(value)) for value in self.values]

    def class_of(self, value: object) -> str:
        """The class of what has that value."""
        return f"{self.prefix}-{self.values.index(value)}"


def filter_of(text: str, prefix: str, values: Iterable[object]) -> Filter:
    """A filter of the different ``values``, in their order."""
    return Filter(text, prefix, tuple(dict.fromkeys(values)))
