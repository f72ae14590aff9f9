"""What the accelerator counts while it runs, as the driver hands it on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class LayerCounters:
    """One layer: clocks from its start to that of the next one, and steps of the array."""

    name: str
    cycles: int
    steps: int


@dataclass(frozen=True)
class Counters:
    """One run. All figures are clocks, except steps, which take one clock each.

    The fields are ``registers.COUNTERS`` by name (see there for their meaning), then the layers.
    """

    cycles: int
    load_busy: int
    fetch_busy: int
    mac_steps: int
    mac_wait_x: int
    mac_wait_drain: int
    mac_wait_y: int
    out_busy: int
    result_stall: int
    mac_wait_weights: int
    weight_beats: int
    layers: tuple[LayerCounters, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Counters:
        """The inverse of :meth:`to_json`."""
        layers = tuple(LayerCounters(**layer) for layer in data["layers"])
        return cls(**{**data, "layers": layers})
