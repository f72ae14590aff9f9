"""Sections of pages that commands write, between two marks."""

from __future__ import annotations

from hw.util.errors import ConfigError


def put(page: str, begin: str, made: str, end: str) -> str:
    """The text ``page`` with ``made`` in place of what stands from the mark ``begin`` to the mark ``end``,
    both of which ``made`` has itself. Raises ``ConfigError`` where the page has not both, in this order."""
    before, begins, rest = page.partition(begin)
    _, ends, after = rest.partition(end)
    if not (begins and ends):
        raise ConfigError(f"the page has no {begin} and {end}: write them where the section belongs")
    return before + made + after
