"""A training job that survives being killed: it goes through its phases and keeps checkpoints.

A checkpoint is written every few minutes and at the end of every epoch. Its key is the settings of the
job: one saved with other settings is not continued.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from hw.contract.artifact import Artifact
from pruning.data import ImageSet
from pruning.layers.gradient import optimiser_for
from pruning.layers.models import NetworkModel
from pruning.optimisers import Pruner
from pruning.quant.export import to_artifact
from pruning.quant.quantise import Calibrated
from pruning.training.checkpoint import State, load_state, save_state, usable
from pruning.training.device import CPU
from pruning.training.distributed import World
from pruning.training.events import Events
from pruning.training.job_state import digest_of, keys, restore, state_of
from pruning.training.log import Journal
from pruning.training.phases import JobPhase, phases_of
from pruning.training.sensitivity import Scanning
from pruning.training.settings import Settings
from pruning.training.summary import kept_share
from pruning.training.train import ALONE, Labelled, Pass, accuracy, balance, generator_for, train_epoch
from pruning.training.widths import find_widths

LOG = logging.getLogger(__name__)

PRUNING_STEPS = 16
"""Steps of the pruner, spread evenly over its phase; rho of ADMM grows a hundredfold in them."""

CHECKPOINT_SECONDS = 300
"""Between checkpoints inside an epoch."""


class Job:
    """A job in flight: model, pruner, journal. Writes into the folder ``out``.

    world: the processes that share it, of which the first writes. start: the model to begin with, instead
    of random weights. device: where everything is computed; it decides of rounding only, and is none of the
    settings: a job goes on on another one. events: of TensorBoard, which get what the log gets.
    """

    def __init__(
        self,
        settings: Settings,
        images: ImageSet,
        out: Path,
        progress: Callable[[Any], None] | None = None,
        world: World = ALONE,
        start: NetworkModel | None = None,
        device: torch.device = CPU,
        events: Events | None = None,
    ) -> None:
        self.device = device
        self.settings, self.out, self.progress, self.world = settings, out, progress, world
        self.phases = phases_of(settings)
        self.train_set = _tensors(images.train_images, images.train_labels, device)
        self.test_set = _tensors(images.test_images, images.test_labels, device)
        self.data_set = {"name": images.name, "train": len(self.train_set), "test": len(self.test_set)}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            model = (
                copy.deepcopy(start)
                if start
                else NetworkModel(settings.network, settings.training.batch_norm, settings.training.average)
            )
        self.start = {"start": digest_of(start)} if start else {}
        self.model = model.to(device, memory_format=torch.channels_last)
        self.saved = self.clock = time.monotonic()
        self.spent = {phase.name: 0.0 for phase in self.phases}
        """Seconds in each phase, over all sessions."""
        self.pruner: Pruner | None = None
        self.found_bits: dict[str, int] | None = None
        """Widths by layer, once fake-quant has begun, where settings ask for them to be found."""
        self.journal = Journal(self.phases, out if world.first else None, progress, events)

    @property
    def seconds(self) -> float:
        """Seconds from the dense network on, those that another job spent on pruning it included."""
        return sum(self.spent[phase.name] for phase in self.phases[1:])

    # --- phases -------------------------------------------------------------------------------------

    def train(self, resume: bool, cache: Path, phases: int | None = None) -> None:
        """Run every epoch that neither the checkpoint nor what jobs share in ``cache`` has.

        ``resume``: go on where this job was, or else after pruning if another job has pruned the same way.
        Without, only the dense network is taken over. ``phases``: stop after so many.
        """
        own, shared = self.keys()
        files = {name: cache / f"{name}-{_digest(key)[:12]}.pt" for name, key in shared.items()}
        further = [(self.checkpoint, own), (files["pruned"], shared["pruned"])] if resume else []
        for source, key in [*further, (files["dense"], shared["dense"])]:
            if state := load_state(source, key, State, device=self.device):
                break
        with usable(source):
            first, epoch = restore(self, state) if state else (0, 0)
        if state:
            self.journal.source = source.name
            LOG.info("going on from %s: %s, epoch %d", source, self.phases[first].name, epoch + 1)
        for index in range(first, len(self.phases) if phases is None else phases):
            resumed = state if index == first else None
            if not resumed:
                self.phases[index].enter(self)
            self._run_phase(index, epoch if resumed else 0, resumed, source)
            name = self.phases[index].shared
            if name and not files[name].exists() and self.world.first:
                state_after = state_of(self, index, self.phases[index].epochs, None)
                save_state(files[name], {"key": shared[name], **state_after})

    def _run_phase(self, index: int, start: int, resumed: dict[str, Any] | None, source: Path) -> None:
        """All epochs of a phase from ``start`` on, the first as far as ``resumed`` has it (of ``source``)."""
        phase, training = self.phases[index], self.settings.training
        name, decay = phase.optimiser(training)
        optimiser = optimiser_for(self.model, name, phase.lr, decay)
        if resumed and resumed["optimiser"]:
            with usable(source):
                optimiser.load_state_dict(resumed["optimiser"])
        precision = phase.precision(training)
        pulls = self.pruner is not None and self.pruner.pulls and name == "sgd"
        weights = self._class_weights()
        for epoch in range(start, phase.epochs):
            generator = generator_for(self.settings.seed, index, epoch)
            progress = Pass(len(self.train_set), generator, phase.images(training))
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
                batch=phase.batch(self.settings),
                augment=training.augment,
                precision=precision,
                label_smoothing=training.label_smoothing,
                class_weights=weights,
                world=self.world,
                penalty=self.pruner.penalty if self.pruner and not pulls else None,
                pull=self.pruner.pull if self.pruner and pulls else None,
                tick=partial(self._tick, index, epoch, optimiser, progress),
            )
            last = epoch + 1 == phase.epochs
            self._record(index, epoch, loss, "float32" if last else precision)
            self._save(index, epoch + 1, None if last else optimiser, None)
        if not phase.epochs and phase.measured:
            self.journal.accuracy[phase.measured] = accuracy(self.model, self.test_set)

    def _class_weights(self) -> torch.Tensor | None:
        classes = self.settings.network.classes
        return (
            balance(self.train_set.labels, classes) if self.settings.training.balanced and classes else None
        )

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
        if self.pruner and phase.prunes and self.pruner.steps < due:
            self.pruner.step()
        if time.monotonic() - self.saved > CHECKPOINT_SECONDS:
            self._save(index, epoch, optimiser, progress)
        self.journal.report(index, epoch, done, loss)

    def _spend(self, phase: JobPhase) -> None:
        """Count the time since the last call for ``phase``."""
        now = time.monotonic()
        self.spent[phase.name] += now - self.clock
        self.clock = now

    def _record(self, index: int, epoch: int, loss: float, precision: str) -> None:
        """Measure and log the end of an epoch."""
        score = accuracy(self.model, self.test_set, precision=precision)
        self._spend(self.phases[index])
        residuals = self.pruner.residuals().values() if self.pruner else ()
        kept = kept_share(self.model, self.settings.network)
        self.journal.record(index, epoch, loss, score, kept, residuals)

    def layer_bits(self, calibrated: Calibrated) -> Mapping[str, int]:
        """Widths of the layers, given or found; they are found once, and checkpoints have them."""
        s = self.settings
        if s.bits is None:
            return s.layer_bits
        if self.found_bits is None:
            done = self.journal.done(len(self.phases) - 1)

            def report(option: int, count: int, layer: str) -> None:
                if self.progress is not None:
                    self.progress(Scanning(done, layer, f"few bits ({option + 1} of {count})"))

            out = self.out if self.world.first else None
            self.found_bits = dict(
                find_widths(calibrated, self.train_set.images, s.bits, s.weight_bits, out, report)
            )
        return self.found_bits

    # --- checkpoints --------------------------------------------------------------------------------

    @property
    def checkpoint(self) -> Path:
        """Where the job's state is, after every epoch and every few minutes."""
        return self.out / "checkpoint.pt"

    def keys(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """What must agree to continue a checkpoint of this job, and to take over what jobs share, by name."""
        return keys(self.settings, self.data_set, self.start)

    def _save(
        self, index: int, epoch: int, optimiser: torch.optim.Optimizer | None, progress: Pass | None
    ) -> None:
        """Write the checkpoint: ``epoch`` is the one that ``progress`` is in, or the next one.

        optimiser: None after a phase, the next one has its own.
        """
        if self.world.first:
            state = state_of(self, index, epoch, optimiser, progress)
            save_state(self.checkpoint, {"key": self.keys()[0], **state})
        self.saved = time.monotonic()

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
                "accuracy": self.journal.accuracy,
                "epochs": msgspec.to_builtins(s.epochs),
            },
        )


def _digest(key: Mapping[str, Any]) -> str:
    """Of what must agree, for a file's name."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def _tensors(images: NDArray[np.uint8], labels: NDArray[np.uint8], device: torch.device) -> Labelled:
    return Labelled(torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device))
