"""What the accelerator counts while it runs, as the driver hands it on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from msgspec import Meta

from hw.util import documents
from hw.util.errors import ArtifactError

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""Clocks, steps, beats."""


@dataclass(frozen=True)
class LayerCounters:
    """One layer: clocks from its start to that of the next one, and steps of the array."""

    name: str
    cycles: Count
    steps: Count


@dataclass(frozen=True)
class Counters:
    """One run. All figures are clocks, except steps, which take one clock each.

    The fields are ``registers.COUNTERS`` by name (see there for their meaning), then the layers.
    """

    cycles: Count
    load_busy: Count
    fetch_busy: Count
    mac_steps: Count
    mac_wait_x: Count
    mac_wait_drain: Count
    mac_wait_y: Count
    out_busy: Count
    result_stall: Count
    mac_wait_weights: Count
    weight_beats: Count
    layers: tuple[LayerCounters, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> Counters:
        """The inverse of :meth:`to_json`. Raises ``ArtifactError`` for anything else."""
        found: Counters = documents.convert(data, cls, "the counters", error=ArtifactError)
        return found
