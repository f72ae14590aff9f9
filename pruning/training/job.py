"""A training job that survives being killed: phases, log, checkpoints.

::

    dense ──▶ admm ──▶ finetune ──▶ mirror
      │       prune_    masks       integer rules with
      │  (or another    fixed       straight-through gradients
      ▼   optimiser)
    dense-<key>.pt, shared by all sparsities

A checkpoint is written every few minutes and at the end of every epoch. Its key is the settings of the
job: one saved with other settings is not continued.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hw.contract.artifact import Artifact
from pruning.data import ImageSet
from pruning.layers.gradient import optimiser_for
from pruning.layers.models import Chain
from pruning.optimisers import Pruner, prune_
from pruning.quant.batch_norm_folding import fold_batch_norms_
from pruning.quant.channel_order import sort_channels_
from pruning.quant.export import to_artifact
from pruning.quant.quantise import Calibrated, calibrate_
from pruning.training.augment import to_float
from pruning.training.checkpoint import State, load_state, save_state, usable
from pruning.training.distributed import World
from pruning.training.log import LogRow, Progress, write_log
from pruning.training.sensitivity import Scanning
from pruning.training.settings import Settings
from pruning.training.summary import summary
from pruning.training.train import ALONE, Labelled, Pass, Phase, accuracy, generator_for, train_epoch
from pruning.training.widths import find_widths

PRUNING_STEPS = 16
"""Steps of the optimiser, spread evenly over its phase; rho of ADMM grows a hundredfold in them."""

CALIBRATION_IMAGES = 2000

CHECKPOINT_SECONDS = 300
"""Between checkpoints inside an epoch."""

DENSE_TRAINING = (
    "optimiser", "weight_decay", "warmup", "final_rate", "augment", "batch_norm", "precision"
)  # fmt: skip
"""What a dense network depends on, beside its rate; fields of :class:`pruning.training.settings.Training`."""

MEASURED = {"dense": "dense", "finetune": "pruned", "mirror": "mirror"}
"""Phases whose final accuracy is kept, and its name."""


class Job:
    """A job in flight: model, ADMM state, log. Writes into the folder ``out``.

    world: the processes that share it, of which the first writes. start: the model to begin with, instead
    of random weights.
    """

    def __init__(
        self,
        settings: Settings,
        images: ImageSet,
        out: Path,
        progress: Callable[[Any], None] | None = None,
        world: World = ALONE,
        start: Chain | None = None,
    ) -> None:
        self.settings, self.out, self.progress, self.world = settings, out, progress, world
        self.phases = settings.phases
        self.train_set = _tensors(images.train_images, images.train_labels)
        self.test_set = _tensors(images.test_images, images.test_labels)
        self.data_set = {"name": images.name, "train": len(self.train_set), "test": len(self.test_set)}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            model = copy.deepcopy(start) if start else Chain(settings.network, settings.training.batch_norm)
        self.start = {"start": digest_of(start)} if start else {}
        self.model = model.to(memory_format=torch.channels_last)
        self.saved = self.clock = time.monotonic()
        self.spent = {phase.name: 0.0 for phase in self.phases}
        """Seconds in each phase, over all sessions."""
        self.pruner: Pruner | None = None
        self.found_bits: dict[str, int] | None = None
        """Widths by layer, once the mirror has begun, where settings ask for them to be found."""
        self.log: list[LogRow] = []
        self.accuracy: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Seconds that the job took after the dense network, which other jobs share."""
        return sum(seconds for name, seconds in self.spent.items() if name != "dense")

    def batch(self, phase: Phase) -> int:
        """Images per step."""
        larger = self.settings.training.pruning_batch if phase.name not in ("dense", "mirror") else None
        return larger or self.settings.batch

    # --- phases -------------------------------------------------------------------------------------

    def train(self, resume: bool, cache: Path, phases: int | None = None) -> None:
        """Run every epoch that neither the checkpoint nor the dense network in ``cache`` has.

        ``phases``: stop after so many.
        """
        own, dense = self._keys()
        digest = hashlib.sha256(json.dumps(dense, sort_keys=True).encode()).hexdigest()
        shared = cache / f"dense-{digest[:12]}.pt"
        state = load_state(self.checkpoint, own, State) if resume else None
        known = load_state(shared, dense, State)
        source = self.checkpoint if state else shared
        state = state or known
        with usable(source):
            first, epoch = self._restore(state) if state else (0, 0)
        for index in range(first, len(self.phases) if phases is None else phases):
            resumed = state if index == first else None
            if not resumed:
                self._enter(index)
            self._run_phase(index, epoch if resumed else 0, resumed, source)
            if index == 0 and known is None and self.world.first:
                save_state(shared, {"key": dense, **self._state(0, self.phases[0].epochs, None)})

    def _run_phase(self, index: int, start: int, resumed: dict[str, Any] | None, source: Path) -> None:
        phase, how = self.phases[index], self.settings.training
        mirror = phase.name == "mirror"
        name, decay = ("adam", 0.0) if mirror else (how.optimiser, how.weight_decay)
        optimiser = optimiser_for(self.model, name, phase.lr, decay)
        if resumed and resumed["optimiser"]:
            with usable(source):
                optimiser.load_state_dict(resumed["optimiser"])
        precision = "float32" if mirror else how.precision
        pulls = self.pruner is not None and self.pruner.pulls and name == "sgd"
        for epoch in range(start, phase.epochs):
            generator = generator_for(self.settings.seed, index, epoch)
            progress = Pass(len(self.train_set), generator, how.mirror_images if mirror else None)
            if resumed and resumed["pass"] and epoch == start:
                with usable(source):
                    progress.load_state_dict(resumed["pass"])
            loss = train_epoch(
                self.model,
                optimiser,
                self.train_set,
                phase,
                epoch,
                progress,
                batch=self.batch(phase),
                augment=how.augment,
                precision=precision,
                world=self.world,
                penalty=self.pruner.penalty if self.pruner and not pulls else None,
                pull=self.pruner.pull if self.pruner and pulls else None,
                tick=partial(self._tick, index, epoch, optimiser, progress),
            )
            last = epoch + 1 == phase.epochs
            self._record(index, epoch, loss, "float32" if last else precision)
            self._save(index, epoch + 1, None if last else optimiser, None)
        if not phase.epochs and phase.name in MEASURED:
            self.accuracy[MEASURED[phase.name]] = accuracy(self.model, self.test_set)

    def _tick(
        self,
        index: int,
        epoch: int,
        optimiser: torch.optim.Optimizer,
        progress: Pass,
        done: float,
        loss: float,
    ) -> None:
        """After every batch."""
        phase = self.phases[index]
        self._spend(phase)
        due = math.floor((epoch + done) / phase.epochs * PRUNING_STEPS)
        if self.pruner and phase.name == self.settings.config.name and self.pruner.steps < due:
            self.pruner.step()
        if time.monotonic() - self.saved > CHECKPOINT_SECONDS:
            self._save(index, epoch, optimiser, progress)
        self._report(index, epoch, done, loss)

    def _spend(self, phase: Phase) -> None:
        """Count the time since the last call for ``phase``."""
        now = time.monotonic()
        self.spent[phase.name] += now - self.clock
        self.clock = now

    def _save(
        self, index: int, epoch: int, optimiser: torch.optim.Optimizer | None, progress: Pass | None
    ) -> None:
        """Write the checkpoint: ``epoch`` is the one that ``progress`` is in, or the next one.

        optimiser: None behind a phase, the next one has its own.
        """
        if self.world.first:
            state = self._state(index, epoch, optimiser, progress)
            save_state(self.checkpoint, {"key": self._keys()[0], **state})
        self.saved = time.monotonic()

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
            fold_batch_norms_(self.model, settings.network)
            images = to_float(self.train_set.images[:CALIBRATION_IMAGES])
            calibrated = calibrate_(self.model, settings.network, images)
            calibrated.mirror_(settings.weight_bits, self._layer_bits(index, calibrated))

    def _layer_bits(self, index: int, calibrated: Calibrated) -> Mapping[str, int]:
        """Widths of the layers, given or found; they are found once, and checkpoints have them."""
        s = self.settings
        if s.bits is None:
            return s.layer_bits
        if self.found_bits is None:

            def report(done: int, count: int, layer: str) -> None:
                if self.progress is not None:
                    self.progress(Scanning(self._done(index), layer, f"few bits ({done + 1} of {count})"))

            out = self.out if self.world.first else None
            self.found_bits = dict(
                find_widths(calibrated, self.train_set.images, s.bits, s.weight_bits, out, report)
            )
        return self.found_bits

    # --- log and checkpoints ------------------------------------------------------------------------

    def _record(self, index: int, epoch: int, loss: float, precision: str) -> None:
        """Measure and log the end of an epoch."""
        phase, score = self.phases[index], accuracy(self.model, self.test_set, precision=precision)
        self._spend(phase)
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
        """The whole log so far. Raises ``ArtifactError`` if it cannot be written."""
        if self.world.first:
            write_log(self.log, self.out)

    def _report(self, index: int, epoch: int, done: float, loss: float, score: float | None = None) -> None:
        if self.progress is not None:
            phase, last = self.phases[index], self.log[-1] if self.log else None
            done = self._done(index, epoch + done)
            self.progress(Progress(phase.name, epoch + 1, phase.epochs, done, loss, score, last))

    def _done(self, index: int, epochs: float = 0.0) -> float:
        """Share of the job, 0..1, when so many epochs of a phase are done."""
        before = sum(phase.epochs for phase in self.phases[:index])
        return (before + epochs) / max(1, sum(phase.epochs for phase in self.phases))

    @property
    def checkpoint(self) -> Path:
        """Where the job's state is, after every epoch and every few minutes."""
        return self.out / "checkpoint.pt"

    def _keys(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What must agree to continue a checkpoint of this job, and to take over a dense network."""
        s = self.settings
        data = {"data": self.data_set, "torch": str(torch.__version__), **self.start}
        dense = {
            **data,
            "network": s.network.to_json(),
            "seed": s.seed,
            "batch": s.batch,
            "epochs": s.epochs.dense,
            "training": {name: getattr(s.training, name) for name in DENSE_TRAINING}
            | {"rates": s.training.rates.dense},
        }
        return {**data, **s.key()}, dense

    def _state(
        self,
        index: int,
        epoch: int,
        optimiser: torch.optim.Optimizer | None,
        progress: Pass | None = None,
    ) -> dict[str, Any]:
        return {
            "phase": index,
            "epoch": epoch,
            "model": self.model.state_dict(),
            "optimiser": optimiser.state_dict() if optimiser else None,
            "pass": progress.state_dict() if progress else None,
            "admm": self.pruner.state_dict() if self.pruner else None,
            "layer_bits": self.found_bits,
            "log": [asdict(row) for row in self.log],
            "accuracy": dict(self.accuracy),
            "spent": dict(self.spent),
        }

    def _restore(self, state: dict[str, Any]) -> tuple[int, int]:
        """Take over ``state``; returns its phase and next epoch."""
        self.found_bits = state.get("layer_bits")
        for index in range(1, state["phase"] + 1):
            self._enter(index)  # gives the model its shape; weights, masks and scales come next
        self.model.load_state_dict(state["model"])
        if self.pruner:
            self.pruner.load_state_dict(state["admm"])
        self.log = [LogRow(**row) for row in state["log"]]
        self.accuracy = dict(state["accuracy"])
        self.spent = dict.fromkeys(self.spent, 0.0) | state.get("spent", {})
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
                "epochs": msgspec.to_builtins(s.epochs),
            },
        )


def digest_of(model: nn.Module) -> str:
    """SHA-256 of all weights and buffers."""
    sha = hashlib.sha256()
    for name, value in model.state_dict().items():
        sha.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


def _tensors(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Labelled:
    return Labelled(torch.from_numpy(images), torch.from_numpy(labels))
