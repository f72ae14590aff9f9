"""LeNet on MNIST, from nothing to ``model.npz``: the job behind ``spec2 prune``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hw.artifact import Sparsity
from hw.errors import ConfigError
from hw.network import lenet
from pruning import data
from pruning.job import Job, Progress
from pruning.optimisers import AdmmConfig
from pruning.settings import Epochs, Settings
from pruning.steps import LayerSummary, summary

SPARSITIES = ("adaptive", "uniform", "kernel")

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


def preset(sparsity: str, block: int = 8) -> AdmmConfig:
    """The constraint sets of LeNet: a quarter of the words of all but the smallest layers stays.

    ``adaptive`` and ``uniform`` prune conv2 and fc1 to 2:8 over input channels and leave conv1, which
    has one input channel; ``kernel`` is SPEC2's set, 8 of 32 words in every kernel, for both
    convolutions. fc2 stays dense. Raises ``ConfigError`` for another name.
    """
    adaptive = Sparsity("adaptive", 2, 8, block)
    if sparsity == "adaptive":
        return AdmmConfig(adaptive, {"conv1": None, "fc2": None})
    if sparsity == "uniform":
        return AdmmConfig(Sparsity("uniform", 2, 8), {"conv1": None, "fc2": None})
    if sparsity == "kernel":
        kernel = Sparsity("kernel", 8, 32)
        return AdmmConfig(adaptive, {"conv1": kernel, "conv2": kernel, "fc2": None})
    raise ConfigError(f"unknown sparsity {sparsity!r}: choose {', '.join(SPARSITIES)}")


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
    resume: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> PruneResult:
    """Train, prune and quantise LeNet; write ``model.npz`` and ``training.csv`` to ``out``.

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
    config, digits, out = preset(sparsity, block), data.load(data_dir), Path(out)
    epochs = epochs or schedule(len(digits.train_labels))
    settings = Settings(lenet(), config, epochs, seed, batch, weight_bits)
    job = Job(settings, digits, out, progress)
    job.write_log()  # a place that cannot be written is refused before hours of training, not after
    job.train(resume, Path(cache) if cache is not None else out.parent)
    digest = job.artifact(f"lenet {sparsity}").save(out / "model.npz")
    job.write_log()
    return PruneResult(out / "model.npz", digest, job.accuracy, summary(job.model, settings.network))
