"""Another model for the accelerator of an artifact: other integers, no more of them."""

from dataclasses import replace

import numpy as np


def another(artifact, seed=1):
    """Other weights where ``artifact`` has some, none for a third of the words of every eight channels, other
    biases, shifts that are as far."""
    rng, layers = np.random.default_rng(seed), {}
    for name, held in artifact.layers.items():
        limit = (1 << artifact.bits_of(name) - 1) - 1
        kept = held.mask
        for first in range(0, len(kept), 8):
            kept[first : first + 8, :, rng.random(kept.shape[2]) < 1 / 3] = False
        kept[0, 0, 0] = held.mask[0, 0, 0]
        weight = rng.integers(-limit, limit + 1, held.weight.shape).astype(np.int16)
        weight[held.weight == 0] = 0  # real words stay real
        weight[~kept] = 0
        bias = rng.permutation(held.bias) + rng.integers(-99, 99, held.bias.shape).astype(np.int32)
        layers[name] = replace(held, weight=weight, bias=bias, shift=rng.permutation(held.shift))
    return replace(artifact, layers=layers, provenance={"seed": seed})
