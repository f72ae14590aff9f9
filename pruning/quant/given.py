"""What a quantised file says of its layers, in place of calibration images: ranges of maps, steps of weights.

A map gets the range of the file exactly: 255 steps (127 and -128 with a sign) are its ends, whatever a
channel reaches. Class scores need no range, since they cannot be larger than their weights allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hw.contract.formats import PIXEL_BITS, Format, activation_format
from hw.contract.network import Network
from hw.util.errors import ConfigError
from pruning.layers.word_layers import WordLayer
from pruning.quant.scales import SCORE_HEADROOM

MOST_NAMED = 4
"""Layers that an error names."""


@dataclass(frozen=True)
class Given:
    """Of one layer: ``low`` and ``high``, the ends of its map's range, which has zero in it; ``step`` of its
    weights. What the file does not say is None."""

    low: float | None = None
    high: float | None = None
    step: float | None = None

    @property
    def ranged(self) -> bool:
        return self.high is not None


def top_of(given: Given, signed: bool) -> float:
    """The largest output that makes the range of ``given`` that of the map; of a map with a sign its lower
    end may decide."""
    low, high = given.low or 0.0, given.high or 0.0
    least, most = activation_format(signed).limits
    return max(high, low / least * most) if signed else high


def tops(
    network: Network,
    layers: Mapping[str, WordLayer],
    given: Mapping[str, Given],
    input_scale: float,
    whole: bool,
) -> dict[str, Tensor]:
    """(out,) per layer with a range: what :func:`pruning.quant.calibration.activation_ranges` measures.

    ``whole``: nothing else is known. Then class scores get what they can reach, and ``ConfigError`` names the
    layers of whose maps the file says nothing.
    """
    last, found, missing = network.layers[-1], {}, []
    ends = [(0.0, Format(PIXEL_BITS, signed=False).limits[1] * input_scale)]
    for i, layer in enumerate(network.layers):
        says = given.get(layer.name, Given())
        module = layers[layer.name]
        if layer is last and layer.dot:
            if not whole:
                break
            sources = [ends[number] for number in network.sources[i]]
            low, high = min(low for low, _ in sources), max(high for _, high in sources)
            weight = module.kept(module.weight)
            rising, falling = weight.clamp(min=0).sum(1), weight.clamp(max=0).sum(1)
            most, least = (a * rising + b * falling + module.bias for a, b in ((high, low), (low, high)))
            largest = torch.maximum(most.abs(), least.abs()) / SCORE_HEADROOM
            found[layer.name] = largest.clamp(min=1e-12)
        elif says.ranged:
            top = top_of(says, layer.signed)
            found[layer.name] = module.bias.new_full((layer.outputs,), top)
            ends.append((0.0 if not layer.signed else float(says.low or 0), float(says.high or 0)))
        else:
            missing.append(repr(layer.name))
            ends.append((0.0, 0.0))
    if whole and missing:
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        raise ConfigError(
            f"nothing says what range {', '.join(missing[:MOST_NAMED])}{more} should have: give calibration "
            "images, or quantise the outputs of these layers in the file"
        )
    return found
