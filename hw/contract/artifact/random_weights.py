"""Artifacts with random weights: for tests and measurements that need no training."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hw.contract import narrow
from hw.contract.artifact.content import Artifact, LayerWeights, Sparsity
from hw.contract.formats import BIAS, SPECTRUM, Format
from hw.contract.network import Conv, Network
from hw.contract.spectrum import WORDS
from hw.util.errors import ArtifactError


def random_artifact(
    network: Network,
    *,
    seed: int = 0,
    density: float = 0.25,
    kind: str = "adaptive",
    weight_bits: int = 8,
    layer_bits: Mapping[str, int] = MappingProxyType({}),
    spectrum_bits: int = SPECTRUM.bits,
) -> Artifact:
    """A valid artifact with random weights: for tests and measurements that need no training.

    ``kind`` is ``dense``, ``kernel`` (each kernel keeps ``density``·32 words) or ``adaptive`` (every
    word of a group of 8 input channels keeps n of them, ``density``·8 on average).
    Shifts are set so that activations use their range without saturating everywhere; narrow spectra
    of random pixels saturate in some words.
    """
    narrow.check_spectrum_bits(spectrum_bits, network, ArtifactError)
    rng = np.random.default_rng(seed)
    of_words = np.random.default_rng((seed, spectrum_bits))  # the other draws do not depend on the width
    layers: dict[str, LayerWeights] = {}
    sparsity: dict[str, Sparsity] = {}
    for layer, shape in zip(network.layers, network.inputs, strict=True):
        out, cin, words, _ = full = layer.weight_shape(shape)
        limit = Format(layer_bits.get(layer.name, weight_bits)).limits[1]
        weight = rng.integers(-limit, limit + 1, full).astype(np.int16)
        weight[:, ~layer.used_parts(shape)] = 0
        if kind == "kernel":
            keep = max(1, round(density * WORDS))
            order = rng.random((out, cin, words)).argsort(axis=-1)
            weight[order >= keep] = 0
            sparsity[layer.name] = Sparsity("kernel", keep, WORDS)
        elif kind == "adaptive":
            # One n for every block of 8 outputs, word and group of 8 inputs; each row keeps n of its own.
            blocks, groups = -(-out // 8), -(-cin // 8)
            n = np.rint(8 * rng.beta(1, 1 / density - 1, (blocks, groups, words)))
            n = n.repeat(8, axis=0)[:out].repeat(8, axis=1)  # (out, 8·groups, 32)
            rank = rng.random((out, groups, 8, words)).argsort(axis=2).argsort(axis=2)
            weight[(rank.reshape(out, -1, words) >= n)[:, :cin]] = 0
            sparsity[layer.name] = Sparsity("adaptive", 8 * density, 8, 8)
        elif kind != "dense":
            raise ArtifactError(f"unknown kind {kind!r}: dense, kernel or adaptive")
        if not layer.dot:
            _connect(weight, layer, min(64, limit))
        # A sum of products of spread 1000 (words) or 100 (pixels) and limit/2, brought to 2**10 (64
        # words make a pixel) or 2**13 (one does).
        products = np.any(weight != 0, axis=-1).sum(axis=(1, 2)).mean() + 1
        if layer.transformed:
            excess = limit / 2 * 1000 * np.sqrt(products / words) / 2**10
        else:
            excess = limit / 2 * 100 * np.sqrt(products) / 2**13
        shift = np.clip(np.round(np.log2(excess)) + rng.integers(-1, 2, out), 0, 20)
        bias = BIAS.saturate(rng.integers(-(2**12), 2**12, out) << shift.astype(np.int64))
        word_shift = _word_shift(of_words, spectrum_bits) if layer.transformed else narrow.no_shift()
        bias >>= int(word_shift[0])
        layers[layer.name] = LayerWeights(weight, bias.astype(np.int32), shift.astype(np.uint8), word_shift)
    provenance = {"random_seed": seed, "kind": kind}
    return Artifact(network, layers, weight_bits, sparsity, 1.0, provenance, layer_bits, spectrum_bits)


def _connect(weight: NDArray[np.int16], layer: Conv, value: int) -> None:
    """In place: no weight between channels that are not connected; what is added and averaged comes whole,
    with the weight ``value``."""
    whole = layer.connected
    if layer.added:
        weight[:, layer.convolved :] = 0
        outputs = np.arange(layer.out_channels)
        weight[outputs, layer.convolved + outputs] = value, 0
    if layer.average:
        weight[:] = 0
        weight[whole, 0, 0] = value
    weight[~whole] = 0


def _word_shift(rng: np.random.Generator, bits: int) -> NDArray[np.uint8]:
    """(32,) shifts about as large as words of random pixels need, which reach 2**12: some too small."""
    most = narrow.most_shift(bits)
    shift = np.clip(13 - bits + rng.integers(-2, 3, WORDS), 0, most)
    shift[0] = max(0, most - int(rng.integers(2)))
    return shift.astype(np.uint8)
