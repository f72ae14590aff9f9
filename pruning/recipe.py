"""LeNet on MNIST, from nothing to ``model.npz``: the job behind ``spec2 prune``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hw.artifact import Sparsity
from hw.errors import ConfigError
from hw.network import lenet
from pruning import data, kinds
from pruning.job import Job, Progress
from pruning.optimisers import CONFIGS, Targets
from pruning.settings import Epochs, Settings
from pruning.steps import LayerSummary, summary

SMALL_SET = 10_000
"""Below this many training images a pass is short, and the schedule has more of them."""


@dataclass(frozen=True)
class PruneResult:
    """What a job made.

    accuracy: percent of the test set, for the ``dense`` float network, the ``pruned`` float one and
    its integer ``mirror`` in torch. layers: words and steps of every layer.
    """

    artifact: Path
    digest: str
    accuracy: dict[str, float]
    layers: list[LayerSummary]


FIRST_TOO = ("kernel", "filter")
"""Kinds that prune conv1, too: SPEC2 does, and halved filters need all neighbours halved to leave a quarter.
Elsewhere 20 kernels of one input channel are not worth a word."""


def preset(sparsity: str, block: int = 8, optimiser: str = "admm") -> Targets:
    """The constraint sets of LeNet: about a quarter of the words of all but the smallest layers stays.

    conv2 and fc1 get the set of that kind (:func:`pruning.kinds.quarter`), fc1 another where it is for
    convolutions only (:func:`pruning.kinds.fully_connected`); conv1 with the kinds in
    :data:`FIRST_TOO`. fc2 stays dense. Raises ``ConfigError`` for another kind or optimiser.
    """
    if optimiser not in CONFIGS:
        raise ConfigError(f"unknown optimiser {optimiser!r}: choose {', '.join(CONFIGS)}")
    chosen, fallback = kinds.quarter(sparsity, block), kinds.fully_connected(sparsity, block)
    layers: dict[str, Sparsity | None] = {} if sparsity in FIRST_TOO else {"conv1": None}
    if chosen != fallback:
        layers |= {name: chosen for name in ("conv1", "conv2") if name not in layers}
    return CONFIGS[optimiser](fallback, {**layers, "fc2": None})


def schedule(images: int) -> Epochs:
    """Passes over a training set of that size."""
    return Epochs(16, 8, 8, 3) if images < SMALL_SET else Epochs(8, 4, 4, 2)


def run(
    sparsity: str = "adaptive",
    *,
    data_dir: Path | None = None,
    out: Path,
    cache: Path | None = None,
    seed: int = 0,
    epochs: Epochs | None = None,
    batch: int = 64,
    weight_bits: int = 8,
    block: int = 8,
    optimiser: str = "admm",
    resume: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> PruneResult:
    """Train, prune and quantise LeNet; write ``model.npz`` and ``training.csv`` to ``out``.

    ``sparsity`` is one of :data:`pruning.kinds.KINDS`, ``optimiser`` of
    :data:`pruning.optimisers.CONFIGS`, ``block`` the output channels that share a choice.
    With ``resume``, ``out/checkpoint.pt`` of the same settings is continued. The dense network is
    shared between jobs through a file in ``cache`` (default: the folder that holds ``out``).
    ``data_dir``: see :func:`pruning.data.load`. Raises ``ConfigError``, ``DataError``, or
    ``ArtifactError`` when a file cannot be written or a checkpoint is damaged.
    """
    if not 8 <= weight_bits <= 16:
        raise ConfigError(f"weight_bits must be 8 to 16, not {weight_bits}")
    if batch < 1:
        raise ConfigError(f"batch must be at least 1, not {batch}")
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed must be 0 to 2^32 - 1, not {seed}")
    config, digits, out = preset(sparsity, block, optimiser), data.load(data_dir), Path(out)
    epochs = epochs or schedule(len(digits.train_labels))
    settings = Settings(lenet(), config, epochs, seed, batch, weight_bits)
    job = Job(settings, digits, out, progress)
    job.write_log()  # a place that cannot be written is refused before hours of training, not after
    job.train(resume, Path(cache) if cache is not None else out.parent)
    how = "" if optimiser == "admm" else f", {optimiser}"
    digest = job.artifact(f"lenet {sparsity}{how}").save(out / "model.npz")
    job.write_log()
    return PruneResult(out / "model.npz", digest, job.accuracy, summary(job.model, settings.network))
