"""All that is in the way of a network, not only the first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hw.util.errors import UnsupportedNetwork

MOST_PLACES = 4
"""Places that are named for one reason."""


class Blockers:
    """What was refused so far: one sentence for every reason, with the places."""

    def __init__(self) -> None:
        self.found: list[str] = []

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note what is refused within, and go on behind it."""
        try:
            yield
        except UnsupportedNetwork as error:
            self.add(error)

    def add(self, error: UnsupportedNetwork) -> None:
        if str(error) not in self.found:
            self.found.append(str(error))

    def sentences(self) -> list[str]:
        """One for every reason: what is in the way in many places is said once."""
        places: dict[str, list[str]] = {}
        for sentence in self.found:
            place, colon, reason = sentence.partition(": ")
            places.setdefault(reason if colon else sentence, []).append(place if colon else "")
        return [_sentence(where, reason) for reason, where in places.items()]

    def check(self) -> None:
        """Raise ``UnsupportedNetwork`` with all of it, if there is any."""
        found = self.sentences()
        if len(found) == 1:
            raise UnsupportedNetwork(found[0])
        if found:
            numbered = " ".join(f"({number}) {sentence}." for number, sentence in enumerate(found, 1))
            raise UnsupportedNetwork(f"{len(found)} things are in the way: {numbered}")


def _sentence(places: list[str], reason: str) -> str:
    if not places[0]:
        return reason
    named = places[:MOST_PLACES]
    more = f" and {len(places) - len(named)} more" if len(places) > len(named) else ""
    return f"{', '.join(named)}{more}: {reason}"
