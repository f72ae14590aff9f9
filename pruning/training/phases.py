"""The phases of a training job, a class each.

::

    dense ──▶ pruning ──▶ fine-tuning ──▶ fake-quant
      │       prune_      masks │         integer rules with
      │  (ADMM or         fixed │         straight-through gradients
      ▼   another)              ▼
    dense-<key>.pt,             pruned-<key>.pt,
    of all sparsity patterns    of all widths of numbers

Names of phases are those of ``training.csv``, of recipes and of checkpoints; nothing is decided by them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import nn

from pruning.optimisers import Pruner, prune_
from pruning.quant.batch_norm_folding import fold_batch_norms_
from pruning.quant.channel_order import sort_channels_
from pruning.quant.quantise import Calibrated, calibrate_
from pruning.training.augment import to_float
from pruning.training.settings import Settings, Training
from pruning.training.train import Labelled, Phase

CALIBRATION_IMAGES = 2000


class InTraining(Protocol):
    """What a phase finds when it begins, and changes."""

    settings: Settings
    model: nn.Module
    train_set: Labelled
    pruner: Pruner | None

    def layer_bits(self, calibrated: Calibrated) -> Mapping[str, int]:
        """Widths of the layers that take less than ``weight_bits``, given or found."""


@dataclass(frozen=True)
class JobPhase(Phase):
    """A phase of a job: what it begins with, and how it trains.

    measured: the name under which the accuracy at its end is kept, if it is. shared: what its result is
    called where other jobs take it over. prunes: whether the pruner takes its steps in it.
    """

    measured: ClassVar[str | None] = None
    shared: ClassVar[str | None] = None
    prunes: ClassVar[bool] = False

    @abstractmethod
    def enter(self, job: InTraining) -> None:
        """Bring the model from the end of the phase before into this one."""

    def optimiser(self, training: Training) -> tuple[str, float]:
        """Name and weight decay of the optimiser."""
        return training.optimiser, training.weight_decay

    def batch(self, settings: Settings) -> int:
        """Images per step."""
        return settings.batch

    def images(self, training: Training) -> int | None:
        """Images of an epoch; None for all."""
        return None

    def precision(self, training: Training) -> str:
        """Of matrix products."""
        return training.precision


class DensePhase(JobPhase):
    """Ordinary convolutions from random weights, or from those of a file."""

    measured = "dense"
    shared = "dense"

    def enter(self, job: InTraining) -> None:
        """A job begins with it."""


class PruningPhase(JobPhase):
    """Word layers are pulled towards their constraint sets."""

    prunes = True

    def enter(self, job: InTraining) -> None:
        """Channels in order, then word layers in place of the layers to prune."""
        sort_channels_(job.model, job.settings.network)
        job.pruner = prune_(job.model, job.settings.network, job.settings.config)

    def batch(self, settings: Settings) -> int:
        return settings.training.pruning_batch or settings.batch


class FineTuningPhase(JobPhase):
    """The masks are held, exactly, and accuracy recovers."""

    measured = "pruned"
    shared = "pruned"

    def enter(self, job: InTraining) -> None:
        """Masks become fixed."""
        assert job.pruner is not None
        job.pruner.finalise()

    def batch(self, settings: Settings) -> int:
        return settings.training.pruning_batch or settings.batch


class FakeQuantPhase(JobPhase):
    """The model computes as the hardware does, with gradients through its roundings.

    In float32, which holds its integers, always with Adam, without weight decay.
    """

    measured = "mirror"

    def enter(self, job: InTraining) -> None:
        """Batch norms are folded, scales and widths chosen."""
        settings = job.settings
        fold_batch_norms_(job.model, settings.network)
        images = to_float(job.train_set.images[:CALIBRATION_IMAGES])
        calibrated = calibrate_(job.model, settings.network, images, spectrum_bits=settings.spectrum_bits)
        calibrated.fake_quantise_(settings.weight_bits, job.layer_bits(calibrated))

    def optimiser(self, training: Training) -> tuple[str, float]:
        return "adam", 0.0

    def images(self, training: Training) -> int | None:
        return training.mirror_images

    def precision(self, training: Training) -> str:
        return "float32"


def phases_of(settings: Settings) -> list[JobPhase]:
    """In order, with their learning rates."""
    epochs, rates, final = settings.epochs, settings.training.rates, settings.training.final_rate
    warmup = settings.training.warmup
    return [
        DensePhase("dense", epochs.dense, rates.dense, warmup, final),
        PruningPhase(settings.config.name, epochs.pruning, rates.pruning, 0.0, final),
        FineTuningPhase("finetune", epochs.finetune, rates.finetune, 0.0, final),
        FakeQuantPhase("mirror", epochs.mirror, rates.mirror, 0.0, final),
    ]
