"""Drop the channels nobody reads: a network pruned by channels becomes a smaller network."""

from __future__ import annotations

from dataclasses import replace

from hw.contract.artifact import PRUNED_FROM, Artifact
from hw.contract.network import Layer


def drop_channels(artifact: Artifact) -> Artifact:
    """``artifact`` without the output channels of convolutions that the next layer does not read.

    Exact: every score (or value of the last map) is the same integer as before. Goes from the last layer
    to the first, so channels that only fed dropped ones are dropped as well; every layer keeps at least
    one. Outputs of fully connected layers and of the last layer stay, and those of maps that several layers
    read, or one together with others, or a fully connected layer in parts, and channels of layers in groups.
    The result knows the network that it was (:attr:`hw.contract.artifact.Artifact.pruned_from`).
    """
    layers: list[Layer] = list(artifact.network.layers)
    weights = dict(artifact.layers)
    for index in reversed(range(len(layers) - 1)):
        readers = artifact.network.readers(index + 1)
        layer, reader = layers[index], layers[readers[0]]
        shape, sources = artifact.network.inputs[readers[0]], artifact.network.sources[readers[0]]
        if layer.dot or layer.added or layer.sparse or reader.sparse or len(readers) > 1 or len(sources) > 1:
            continue
        if reader.seen(shape) != shape:
            continue
        read = weights[reader.name].mask.any(axis=(0, 2))
        read[0] |= not read.any()
        own, other = weights[layer.name], weights[reader.name]
        kept = {name: getattr(own, name)[read] for name in ("weight", "bias", "shift")}
        weights[layer.name] = replace(own, **kept)
        weights[reader.name] = replace(other, weight=other.weight[:, read])
        count = int(read.sum())
        layers[index] = replace(layer, out_channels=count)
        if reader.dot:
            layers[readers[0]] = replace(reader, in_features=reader.in_features // len(read) * count)
        else:
            layers[readers[0]] = replace(reader, in_channels=count)
    network = replace(artifact.network, layers=tuple(layers))
    if network == artifact.network:
        return artifact
    provenance = {**artifact.provenance, PRUNED_FROM: artifact.pruned_from.to_json()}
    return replace(artifact, network=network, layers=weights, provenance=provenance)
