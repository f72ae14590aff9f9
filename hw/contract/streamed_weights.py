"""The weights of a design in external memory, part by part: where they lie, and what they are.

A run reads the channel table (biases and shifts of all layers) and then the layers it consists of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from hw.contract import checksum
from hw.util.documents import check_fields
from hw.util.errors import ArtifactError

PAGE = 4096
"""Bytes to which parts are aligned."""


def stream_files(top: str, memories: int) -> tuple[str, ...]:
    """The files of a design with top module ``top`` and so many memories: what each has to hold.

    A single memory holds its file from the page in WEIGHTS on; striped ones theirs from the address of that
    page divided by their number on.
    """
    if memories == 1:
        return (f"{top}_weights.bin",)
    return tuple(f"{top}_weights_{i}.bin" for i in range(memories))


@dataclass(frozen=True)
class StreamedPart:
    """The channel table, or a layer. page: in which it begins, of the design's. beats: that it takes, of all
    memories side by side. checksum: of these (:mod:`hw.contract.checksum`)."""

    page: Annotated[int, Meta(ge=0, lt=2**28)]
    beats: Annotated[int, Meta(ge=1, lt=2**40)]
    checksum: Annotated[int, Meta(ge=0, lt=2**32)]

    def __post_init__(self) -> None:
        check_fields(self, "streamed weights", ArtifactError)

    def extent(self, beat: int, memories: int) -> tuple[int, int]:
        """First byte and size of its part in each of so many ``memories``, whose beats are of ``beat`` bytes
        together."""
        return self.page * PAGE // memories, self.beats * beat // memories


@dataclass(frozen=True)
class StreamedWeights:
    """All of it. channels: the channel table. layers: of the network, in order."""

    channels: StreamedPart
    layers: tuple[StreamedPart, ...]

    @property
    def parts(self) -> tuple[StreamedPart, ...]:
        """The channel table, then every layer."""
        return (self.channels, *self.layers)

    def of_run(self, numbers: Sequence[int]) -> list[StreamedPart]:
        """What a run reads whose instructions take the layers ``numbers``, in this order."""
        return [self.channels, *(self.layers[number] for number in numbers)]

    def beats(self, numbers: Sequence[int]) -> int:
        """Beats of such a run."""
        return sum(part.beats for part in self.of_run(numbers))

    def checksum(self, numbers: Sequence[int]) -> int:
        """The checksum of such a run."""
        return checksum.joined((part.beats, part.checksum) for part in self.of_run(numbers))
