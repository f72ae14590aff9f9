"""A training job that survives being killed: phases, log, checkpoints.

::

    dense ──▶ admm ──▶ finetune ──▶ mirror
      │       prune_    masks       integer rules with
      │  (or another    fixed       straight-through gradients
      ▼   optimiser)
    dense-<key>.pt, shared by all sparsities

Every epoch ends with a checkpoint. Its key is the settings of the job: one saved with other
settings is not continued.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch

from hw.artifact import Artifact
from hw.errors import ArtifactError
from pruning.channels import sort_channels_
from pruning.checkpoint import load_state, save_state
from pruning.data import Mnist
from pruning.export import to_artifact
from pruning.models import Chain
from pruning.optimisers import Pruner, prune_
from pruning.quantise import quantise_
from pruning.settings import Settings
from pruning.steps import summary
from pruning.train import Digits, accuracy, generator_for, optimiser_for, to_float, train_epoch

PRUNING_STEPS = 16
"""Steps of the optimiser, spread evenly over its phase; rho of ADMM grows a hundredfold in them."""

CALIBRATION_IMAGES = 2000

MEASURED = {"dense": "dense", "finetune": "pruned", "mirror": "mirror"}
"""Phases whose final accuracy is kept, and its name."""


@dataclass(frozen=True)
class Progress:
    """Where the job is: ``done`` 0..1 of all of it; ``accuracy`` (percent) at the end of an epoch."""

    phase: str
    epoch: int
    epochs: int
    done: float
    loss: float
    accuracy: float | None = None


@dataclass(frozen=True)
class LogRow:
    """A line of ``training.csv``.

    accuracy: percent of the test set; kept: share of all words; primal, dual: the largest
    residual of any layer (:class:`pruning.optimisers.Residuals`).
    """

    phase: str
    epoch: int
    loss: float
    accuracy: float
    kept: float
    primal: float
    dual: float


class Job:
    """A job in flight: model, ADMM state, log. Writes into the folder ``out``."""

    def __init__(
        self,
        settings: Settings,
        digits: Mnist,
        out: Path,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.settings, self.out, self.progress = settings, out, progress
        self.phases = settings.phases
        self.train_set = Digits(torch.from_numpy(digits.train_images), torch.from_numpy(digits.train_labels))
        self.test_set = Digits(torch.from_numpy(digits.test_images), torch.from_numpy(digits.test_labels))
        self.data_set = {"name": digits.name, "train": len(self.train_set), "test": len(self.test_set)}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.model = Chain(settings.network)
        self.pruner: Pruner | None = None
        self.log: list[LogRow] = []
        self.accuracy: dict[str, float] = {}

    # --- phases -------------------------------------------------------------------------------------

    def train(self, resume: bool, cache: Path) -> None:
        """Run every epoch that neither the checkpoint nor the dense network in ``cache`` has."""
        own, dense = self._keys()
        digest = hashlib.sha256(json.dumps(dense, sort_keys=True).encode()).hexdigest()
        shared = cache / f"dense-{digest[:12]}.pt"
        state = load_state(self.checkpoint, own) if resume else None
        state = state or load_state(shared, dense)
        first, epoch = self._restore(state) if state else (0, 0)
        for index in range(first, len(self.phases)):
            resumed = state if index == first else None
            if not resumed:
                self._enter(index)
            self._run_phase(index, epoch if resumed else 0, resumed)
            if index == 0:
                save_state(shared, {"key": dense, **self._state(0, self.phases[0].epochs, None)})

    def _run_phase(self, index: int, start: int, resumed: dict[str, Any] | None) -> None:
        phase = self.phases[index]
        optimiser = optimiser_for(self.model, phase)
        if resumed and resumed["optimiser"]:
            optimiser.load_state_dict(resumed["optimiser"])
        for epoch in range(start, phase.epochs):
            loss = train_epoch(
                self.model,
                optimiser,
                self.train_set,
                phase,
                epoch,
                batch=self.settings.batch,
                generator=generator_for(self.settings.seed, index, epoch),
                penalty=self.pruner.penalty if self.pruner else None,
                tick=partial(self._tick, index, epoch),
            )
            self._record(index, epoch, loss)
            save_state(self.checkpoint, {"key": self._keys()[0], **self._state(index, epoch + 1, optimiser)})

    def _tick(self, index: int, epoch: int, done: float, loss: float) -> None:
        """After every batch."""
        phase = self.phases[index]
        due = math.floor((epoch + done) / phase.epochs * PRUNING_STEPS)
        if self.pruner and phase.name == self.settings.config.name and self.pruner.steps < due:
            self.pruner.step()
        self._report(index, epoch, done, loss)

    def _enter(self, index: int) -> None:
        """Bring model and optimiser from the end of the phase before into this one."""
        name, settings = self.phases[index].name, self.settings
        if name == settings.config.name:
            sort_channels_(self.model, settings.network)
            self.pruner = prune_(self.model, settings.network, settings.config)
        elif name == "finetune":
            assert self.pruner is not None
            self.pruner.finalise()
        elif name == "mirror":
            images = to_float(self.train_set.images[:CALIBRATION_IMAGES])
            quantise_(self.model, settings.network, images, weight_bits=settings.weight_bits)

    # --- log and checkpoints ------------------------------------------------------------------------

    def _record(self, index: int, epoch: int, loss: float) -> None:
        """Measure and log the end of an epoch."""
        phase, score = self.phases[index], accuracy(self.model, self.test_set)
        table = summary(self.model, self.settings.network)
        kept = sum(layer.kept for layer in table) / sum(layer.words for layer in table)
        residuals = list(self.pruner.residuals().values()) if self.pruner else []
        primal = max((r.primal for r in residuals), default=0.0)
        dual = max((r.dual for r in residuals), default=0.0)
        self.log.append(LogRow(phase.name, epoch + 1, loss, score, kept, primal, dual))
        self.write_log()
        if phase.name in MEASURED:
            self.accuracy[MEASURED[phase.name]] = score
        self._report(index, epoch, 1.0, loss, score)

    def write_log(self) -> None:
        """``training.csv``: the whole log so far. Raises ``ArtifactError`` if it cannot be written."""
        path = self.out / "training.csv"
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(field.name for field in fields(LogRow))
                writer.writerows(astuple(row) for row in self.log)
        except OSError as error:
            raise ArtifactError(f"cannot write {path}: {error.strerror or error}") from None

    def _report(self, index: int, epoch: int, done: float, loss: float, score: float | None = None) -> None:
        if self.progress is not None:
            phase, total = self.phases[index], sum(phase.epochs for phase in self.phases)
            before = sum(phase.epochs for phase in self.phases[:index]) + epoch
            self.progress(Progress(phase.name, epoch + 1, phase.epochs, (before + done) / total, loss, score))

    @property
    def checkpoint(self) -> Path:
        """Where the job's state is after every epoch."""
        return self.out / "checkpoint.pt"

    def _keys(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What must agree to continue a checkpoint of this job, and to take over a dense network."""
        s = self.settings
        data = {"data": self.data_set, "torch": str(torch.__version__)}
        dense = {
            **data,
            "network": s.network.to_json(),
            "seed": s.seed,
            "batch": s.batch,
            "epochs": s.epochs.dense,
        }
        return json.loads(json.dumps({**data, **asdict(s), "network": s.network.to_json()})), dense

    def _state(self, index: int, epoch: int, optimiser: torch.optim.Optimizer | None) -> dict[str, Any]:
        return {
            "phase": index,
            "epoch": epoch,
            "model": self.model.state_dict(),
            "optimiser": optimiser.state_dict() if optimiser else None,
            "admm": self.pruner.state_dict() if self.pruner else None,
            "log": [asdict(row) for row in self.log],
            "accuracy": dict(self.accuracy),
        }

    def _restore(self, state: dict[str, Any]) -> tuple[int, int]:
        """Take over ``state``; returns its phase and next epoch."""
        for index in range(1, state["phase"] + 1):
            self._enter(index)  # gives the model its shape; weights, masks and scales come next
        self.model.load_state_dict(state["model"])
        if self.pruner:
            self.pruner.load_state_dict(state["admm"])
        self.log = [LogRow(**row) for row in state["log"]]
        self.accuracy = dict(state["accuracy"])
        return state["phase"], state["epoch"]

    def artifact(self, recipe: str) -> Artifact:
        """The finished job's integers, with where they come from."""
        s = self.settings
        return to_artifact(
            self.model,
            s.network,
            sparsity={layer.name: s.config.sparsity(layer.name) for layer in s.network.layers},
            provenance={
                "recipe": recipe,
                "seed": s.seed,
                "data": self.data_set,
                "accuracy": self.accuracy,
                "epochs": asdict(s.epochs),
            },
        )
