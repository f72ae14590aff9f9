"""The weights of a design in external memory, layer by layer: where they lie, and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from hw.contract import checksum
from hw.util.documents import check_fields
from hw.util.errors import ArtifactError

PAGE = 4096
"""Bytes to which layers are aligned."""


@dataclass(frozen=True)
class StreamedLayer:
    """One layer. page: in which its weights begin, of the design's. beats: that they take, of all memories
    side by side. checksum: of these (:mod:`hw.contract.checksum`)."""

    page: Annotated[int, Meta(ge=0, lt=2**28)]
    beats: Annotated[int, Meta(ge=1, lt=2**40)]
    checksum: Annotated[int, Meta(ge=0, lt=2**32)]

    def __post_init__(self) -> None:
        check_fields(self, "streamed weights", ArtifactError)

    def extent(self, beat: int, memories: int) -> tuple[int, int]:
        """First byte and size of its part in each of so many ``memories``, whose beats are of ``beat`` bytes
        together."""
        return self.page * PAGE // memories, self.beats * beat // memories


def run_checksum(layers: Sequence[StreamedLayer], numbers: Sequence[int]) -> int:
    """The checksum of a run whose instructions read the layers ``numbers``, in this order."""
    return checksum.joined((layers[number].beats, layers[number].checksum) for number in numbers)
