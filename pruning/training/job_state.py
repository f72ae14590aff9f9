"""What a checkpoint holds of a job, and what must agree to go on with it.

Its names are a format: jobs go on with files that were written before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pruning.training.settings import Settings, without_new
from pruning.training.train import Pass

if TYPE_CHECKING:
    from pruning.training.job import Job

DENSE_TRAINING = (
    "optimiser", "weight_decay", "warmup", "final_rate", "augment", "batch_norm", "precision",
    "label_smoothing", "balanced",
)  # fmt: skip
"""What a dense network depends on, beside its rate; fields of :class:`pruning.training.settings.Training`."""


NUMBERS = ("weight_bits", "layer_bits", "bits", "spectrum_bits")
"""What a pruned network does not depend on yet, beside all of fake-quant; fields of
:class:`pruning.training.settings.Settings`."""


def keys(
    settings: Settings, data_set: Mapping[str, Any], start: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What must agree to continue a checkpoint of a job, and to take over a network that is ``dense`` or
    ``pruned``.

    data_set: its name and sizes. start: the digest of the model that the job begins with, if there is one.
    """
    data = {"data": dict(data_set), "torch": str(torch.__version__), **start}
    training = settings.training
    dense = {
        **data,
        "network": settings.network.to_json(),
        "seed": settings.seed,
        "batch": settings.batch,
        "epochs": settings.epochs.dense,
        "training": without_new({name: getattr(training, name) for name in DENSE_TRAINING})
        | {"rates": training.rates.dense},
    }
    own = {**data, **settings.key()}
    pruned = {name: value for name, value in own.items() if name not in NUMBERS} | {
        "epochs": {name: count for name, count in own["epochs"].items() if name != "mirror"},
        "training": {name: value for name, value in own["training"].items() if name != "mirror_images"}
        | {"rates": {name: rate for name, rate in own["training"]["rates"].items() if name != "mirror"}},
    }
    return own, {"dense": dense, "pruned": pruned}


def digest_of(model: nn.Module) -> str:
    """SHA-256 of all weights and buffers."""
    sha = hashlib.sha256()
    for name, value in model.state_dict().items():
        sha.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


def state_of(
    job: Job,
    index: int,
    epoch: int,
    optimiser: torch.optim.Optimizer | None,
    progress: Pass | None = None,
) -> dict[str, Any]:
    """What a checkpoint holds of a job: ``epoch`` is the one that ``progress`` is in, or the next one."""
    return {
        "phase": index,
        "epoch": epoch,
        "model": job.model.state_dict(),
        "optimiser": optimiser.state_dict() if optimiser else None,
        "pass": progress.state_dict() if progress else None,
        "admm": job.pruner.state_dict() if job.pruner else None,
        "layer_bits": job.found_bits,
        "spent": dict(job.spent),
        **job.journal.state_dict(),
    }


def restore(job: Job, state: dict[str, Any]) -> tuple[int, int]:
    """Bring a job to ``state``; returns its phase and next epoch."""
    job.found_bits = state.get("layer_bits")
    for index in range(1, state["phase"] + 1):
        job.phases[index].enter(job)  # gives the model its shape; weights, masks and scales come next
    job.model.load_state_dict(state["model"])
    if job.pruner:
        job.pruner.load_state_dict(state["admm"])
    job.journal.load_state_dict(state)
    job.spent = dict.fromkeys(job.spent, 0.0) | state.get("spent", {})
    return state["phase"], state["epoch"]
