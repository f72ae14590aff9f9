"""A network as its report shows it: layers in their order, what each reads and makes, what pruning left of
it."""

from __future__ import annotations

from typing import Any

from hw.contract.artifact import Artifact
from hw.contract.network import Layer


def graph(artifact: Artifact, sparsity: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The images, then every layer: ``name``, ``what`` in words, ``sources`` (numbers of rows), ``shape`` of
    the map it makes (channels, height, width; of class scores their number alone), ``kept`` percent of its
    words and ``bits`` of a weight (:func:`sim.report.data.sparsity`)."""
    network = artifact.network
    rows: list[dict[str, Any]] = [
        {"name": "images", "what": "input", "sources": [], "shape": list(network.maps[0])}
    ]
    for number, layer in enumerate(network.layers):
        of = sparsity.get(layer.name, {})
        rows.append(
            {
                "name": layer.name,
                "what": _what(layer),
                "sources": list(network.sources[number]),
                "shape": [layer.outputs] if layer.dot else list(network.maps[number + 1]),
                "kept": of.get("kept"),
                "bits": of.get("bits"),
                "pattern": of.get("kind"),
            }
        )
    return rows


def _what(layer: Layer) -> str:
    if layer.dot:
        return "fully connected" + (", ReLU" if layer.relu else "")
    if layer.average:
        return "average"
    parts = [f"convolution {layer.kernel}×{layer.kernel}"]
    if layer.stride > 1:
        parts.append(f"stride {layer.stride}")
    if layer.groups > 1:
        parts.append(f"{layer.groups} groups")
    if layer.added:
        parts.append("residual added")
    if layer.relu:
        parts.append("leaky ReLU" if layer.leak else "ReLU")
    if layer.window > 1:
        parts.append(f"maximum of {layer.window}×{layer.window}")
    return ", ".join(parts)
