"""Which spectral words a model keeps, for pictures: word by word, and kernel by kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from hw.contract.artifact import Artifact


def words(artifact: Artifact) -> dict[str, dict[str, Any]]:
    """By layer: ``grid``, what the 32 words are (``spectrum`` of a tile, ``pixels`` of a fully connected
    layer, one ``weight`` of a pointwise convolution); ``kept``, percent of every word (32, or 1), None where
    no kernel has it; ``kernels``, how many kernels, pairs of an output and an input channel that are
    connected, keep 0, 1, ... 32 words.
    """
    return {layer.name: _layer(artifact, number) for number, layer in enumerate(artifact.network.layers)}


def _layer(artifact: Artifact, number: int) -> dict[str, Any]:
    layer, shape = artifact.network.layers[number], artifact.network.inputs[number]
    used = np.any(layer.used_parts(shape), axis=-1)[: layer.convolved]  # not what is only added
    mask = artifact.layers[layer.name].mask[:, : len(used)]
    pairs = np.ones(mask.shape[:2], bool) if layer.dot else layer.connected[:, : len(used)]
    holders = np.einsum("oi,iw->w", pairs.astype(np.int64), used.astype(np.int64))
    kept = mask.sum(axis=(0, 1))
    counts = np.bincount(mask.sum(axis=2)[pairs], minlength=mask.shape[2] + 1)
    return {
        "grid": "pixels" if layer.dot else "spectrum" if layer.transformed else "weight",
        "kept": [
            round(100 * int(n) / int(of), 2) if of else None for n, of in zip(kept, holders, strict=True)
        ],
        "kernels": counts.tolist(),
    }
