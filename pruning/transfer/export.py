"""A model with another head: other integers in its last layer, and with them another digest.

The last layer keeps its shape, its width of weights and its words: where the base has one, the head has one,
and has none where the base has none. So the array's steps for it are those of the base, one by one, and a
design that takes other weights (streamed ones) runs either model. Outputs without a class keep the base's
weights, below a bias with which they are the smallest score that there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from hw.contract.artifact import PRUNED_FROM, Artifact, LayerWeights
from hw.contract.formats import BIAS
from hw.util.errors import ConfigError
from pruning.layers.linear import MaskedLinear
from pruning.quant import scales
from pruning.quant.fake_quant import FakeQuantLinear
from pruning.transfer.cut import Cut, Features, cut_of
from pruning.transfer.head import Head

BASE, HEAD = "base", "head"
"""In the provenance: the digest of the model whose last layer was replaced, and what is known of the head."""


def with_head(artifact: Artifact, head: Head, features: Features, about: Mapping[str, Any]) -> Artifact:
    """``artifact`` with ``head`` in place of its last layer, quantised to that layer's width.

    features: (n, features) of images like those to come, whose scores set the scale. about: kept as what is
    known of the head; plain data. Accuracies, command and time of the base are not those of the result, and
    go; its digest is kept. Raises ``ConfigError`` for more classes than the layer has outputs.
    """
    cut = cut_of(artifact)
    check_classes(cut, len(head.bias))
    weights, step = _integers(artifact, cut, head, features)
    old = artifact.provenance
    kept = {name: old[name] for name in ("recipe", PRUNED_FROM) if name in old}
    torch_version = {"torch": str(torch.__version__)}
    return replace(
        artifact,
        layers={**artifact.layers, artifact.network.layers[-1].name: weights},
        score_scale=step,
        provenance={**kept, **torch_version, BASE: artifact.digest, HEAD: dict(about)},
    )


def check_classes(cut: Cut, classes: int) -> None:
    """Raise ``ConfigError`` for a number of classes that the last layer has no outputs for."""
    if not 2 <= classes <= cut.outputs:
        raise ConfigError(
            f"there are {classes} classes, and network {cut.network.name!r} has {cut.outputs} outputs: "
            f"a head takes 2 to {cut.outputs} classes"
        )


def kept_weights(artifact: Artifact, classes: int) -> torch.Tensor:
    """(classes, features) bool: where the first so many outputs of the base's last layer have a word."""
    layer = artifact.network.layers[-1]
    shape = artifact.network.inputs[-1]
    channel, word, _ = layer.word_index(shape)
    return torch.from_numpy(artifact.layers[layer.name].mask[:classes, channel, word])


def _integers(artifact: Artifact, cut: Cut, head: Head, features: Features) -> tuple[LayerWeights, float]:
    """Arrays of the last layer, and the real value of a score's step."""
    spec = cut.network.layers[-1]
    base, classes = artifact.layers[spec.name], len(head.bias)
    layer = MaskedLinear(replace(spec, out_features=classes), cut.shape)
    with torch.no_grad():
        layer.mask.copy_(torch.from_numpy(base.mask[:classes]))
        layer.weight.copy_(head.weight)
        layer.bias.copy_(head.bias)
        ones = torch.ones(cut.features)
        top = layer(torch.from_numpy(features)).abs().amax(0).clamp(min=1e-6)
        bits = artifact.bits_of(spec.name)
        unit = FakeQuantLinear.bias_unit
        scale, shift = scales.choose(layer, ones, top, bits, unit, last=True)
        fake_quant = FakeQuantLinear(
            layer, ones, scale, shift, bits, scores=True, spectrum_bits=artifact.spectrum_bits
        )
        made = fake_quant.integers()
        signs = layer.words(layer.weight.sign()).numpy()
    weight = _whole(made.weight, signs, base.mask[:classes], spec.used_parts(cut.shape))
    lowest = np.full(cut.outputs - classes, BIAS.limits[0], np.int32)
    return (
        LayerWeights(
            np.concatenate([weight, base.weight[classes:]]),
            np.concatenate([made.bias, lowest]),
            np.concatenate([made.shift, np.zeros(len(lowest), np.uint8)]),
            base.word_shift,
        ),
        float(fake_quant.out_scale[0]),
    )


def _whole(weight: np.ndarray, signs: np.ndarray, mask: np.ndarray, used: np.ndarray) -> np.ndarray:
    """``weight`` (out, in, 32, 2) with ±1 in every word of ``mask`` that rounding has left empty: a word of
    zeros would be a step less for the array than the base takes. signs: of the weights before rounding."""
    empty = mask & ~np.any(weight != 0, axis=-1)
    first = np.where(used[..., 0], 0, 1)  # the part of a word that holds a feature
    out, channel, word = np.nonzero(empty)
    part = first[channel, word]
    found = weight.copy()
    found[out, channel, word, part] = np.where(signs[out, channel, word, part] < 0, -1, 1)
    return found
