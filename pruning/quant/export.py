"""From a quantised torch model to the artifact the compiler, the simulator and the hardware read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from hw.contract.artifact import Artifact, Sparsity
from hw.contract.network import Network
from pruning import sets
from pruning.quant.calibration import check_complete
from pruning.quant.channel_removal import drop_channels
from pruning.quant.quantise import fake_quants_of


def to_artifact(
    model: nn.Module,
    network: Network,
    *,
    sparsity: Mapping[str, Sparsity] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Artifact:
    """The integers of a model that :func:`pruning.quant.quantise.quantise_` has prepared.

    ``weight_bits`` of the artifact is the width of the widest layer. ``score_scale`` is the real value of
    one step of the last layer's outputs. Where a
    pattern in ``sparsity`` removes channels, the artifact's network has only those that are left.
    Raises ``ConfigError`` when a layer is not quantised, not finalised or not finite, ``ArtifactError`` when
    a number does not fit.
    """
    layers = fake_quants_of(model, network)
    check_complete(model, network)
    last = layers[network.layers[-1].name]
    widths = {name: layer.format.bits for name, layer in layers.items()}
    widest = max(widths.values())
    artifact = Artifact(
        network,
        {name: layer.integers() for name, layer in layers.items()},
        weight_bits=widest,
        sparsity=dict(sparsity or {}),
        score_scale=float(last.out_scale[0]),
        provenance={"torch": str(torch.__version__), **(provenance or {})},
        layer_bits={name: bits for name, bits in widths.items() if bits < widest},
        spectrum_bits=last.spectrum_format.bits,
    )
    removing = any(sets.of(chosen).removes_channels for chosen in artifact.sparsity.values())
    return drop_channels(artifact) if removing else artifact
