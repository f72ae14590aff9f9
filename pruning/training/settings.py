"""What decides the result of a training job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hw.contract.formats import SPECTRUM
from hw.contract.network import Network
from pruning.optimisers import Targets


class Epochs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Passes over the training set in each phase; ``mirror`` is fake-quant."""

    dense: int
    pruning: int
    finetune: int
    mirror: int


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The highest learning rate of each phase; ``mirror`` is fake-quant."""

    dense: float = 2e-3
    pruning: float = 1e-3
    finetune: float = 1e-3
    mirror: float = 3e-4


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to train, whatever the network; the defaults are those of LeNet.

    pruning_batch: images per step of pruning and fine-tuning, if another number than in the dense phase and
    fake-quant: a step passes over all spectral weights, seven times as many as those of 3×3 kernels, and
    fake-quant keeps more of each image.
    mirror_images: images of an epoch of fake-quant, if not all: in float32 it is slow, and has little to do.
    optimiser, weight_decay: :func:`pruning.layers.gradient.optimiser_for`; of fake-quant always Adam, without
    decay. warmup: share of the dense phase in which the rate rises. augment: a name in
    :data:`pruning.training.augment.AUGMENTATIONS`. batch_norm: after every convolution until fake-quant,
    which folds it. precision: of matrix products until fake-quant, whose integers need ``float32``.
    average: whether fully connected layers behind a map take the mean of every channel until the network is
    pruned. label_smoothing: share of every label that is spread over all classes (C. Szegedy et al.,
    arXiv:1512.00567, section 7). balanced: whether all classes count alike in the loss, however few images
    one has: an image counts in inverse proportion to how many there are of its class.
    """

    rates: Rates = Rates()
    optimiser: str = "adam"
    weight_decay: float = 0.0
    warmup: float = 0.0
    final_rate: float = 0.02
    augment: str = "warp"
    pruning_batch: int | None = None
    mirror_images: int | None = None
    batch_norm: bool = False
    precision: str = "float32"
    label_smoothing: float = 0.0
    average: bool = False
    balanced: bool = False


NEW = ("label_smoothing", "average", "balanced")
"""Fields of :class:`Training` that older checkpoints have not: in keys only where they are set."""


def without_new(training: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of :class:`Training` as keys of checkpoints hold them."""
    return {name: value for name, value in training.items() if value or name not in NEW}


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[target]`` of a recipe: clocks of a run of one image on an array, and what the search is based on.

    rows, lanes: of the array (N, P). images: of the training set, to measure losses on.
    """

    cycles: int
    rows: int = 64
    lanes: int = 10
    images: int = 2000


class Bits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[bits]`` of a recipe: widths of weights to be found, so many on average over the words kept.

    least: of any layer. images: of the training set, to measure on how far scores move.
    """

    mean: float
    least: int = 3
    images: int = 500


@dataclass(frozen=True)
class Settings:
    """Everything but the images (and weights to start from) that decides a job's result.

    ``layer_bits``: widths of layers that take less than ``weight_bits``, where ``bits`` does not ask for
    them to be found. ``spectrum_bits``: of each part of a spectrum word.
    """

    network: Network
    config: Targets
    epochs: Epochs
    seed: int = 0
    batch: int = 64
    weight_bits: int = 8
    training: Training = field(default_factory=Training)
    layer_bits: Mapping[str, int] = field(default_factory=dict)
    bits: Bits | None = None
    spectrum_bits: int = SPECTRUM.bits

    def key(self) -> dict[str, Any]:
        """All of it as plain data: what a checkpoint must agree in.

        Widths by layer and of narrow spectra only where there are any: checkpoints from before there were
        stay valid.
        """
        found: dict[str, Any] = {**msgspec.to_builtins(self), "network": self.network.to_json()}
        if self.spectrum_bits == SPECTRUM.bits:
            del found["spectrum_bits"]
        found["training"] = without_new(found["training"])
        return {name: value for name, value in found.items() if value or name not in ("layer_bits", "bits")}
