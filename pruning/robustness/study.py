"""The accuracy of several models under all of this, step by step, each kept when it is done.

A step's name says all that its figure depends on beside images and settings, by which a journal is known: a
study that was broken off, or gets another model, goes on with what is missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from hw.contract.artifact import Artifact
from hw.util.errors import ConfigError
from pruning.robustness import corruptions, placement
from pruning.robustness.journal import Journal
from pruning.robustness.plan import (
    Accuracy,
    Plan,
    Sets,
    Settings,
    Step,
    clean,
    corrupted,
    hidden,
    middle,
    patch_of,
    under,
)

Told = Callable[[float, int, str], None]
"""Called with (steps done, steps in all, what is being done)."""


def study(
    models: Mapping[str, Artifact],
    sets: Sets,
    accuracy: Accuracy,
    settings: Settings,
    journal: Journal,
    told: Told | None = None,
) -> dict[str, Any]:
    """Every figure of every one of ``models`` (by name), as plain data:

    ``areas``, ``corruptions`` (name, unit, amounts), and per model ``clean``, ``corruptions`` (by name, per
    severity), ``grey``, ``own`` (a patch learned on this model) and ``shared`` (one learned on all, by
    min-max), per area, all in percent; ``weights`` that the min-max ended with, per area; ``across``: per
    model of a patch, those of all models under it, with the area in the middle. With one model there is no
    ``shared``, no ``weights`` and no ``across``.

    Raises ``ConfigError`` for settings that are none and for models without class scores.
    """
    check(models, sets, settings)
    steps = list(Plan(models, sets, accuracy, settings, journal).steps())
    done, images = 0, sum(step.images for step in steps)
    for step in steps:

        def part(of_step: int, whole: int, before: int = done, step: Step = step) -> None:
            if told:
                told(before + step.images * of_step / whole, images, step.text)

        if not journal.has(step.name):
            part(0, 1)
            journal.keep(step.name, step.work(part))
        done += step.images
    return _collected(models, settings, journal)


def key_of(sets: Sets, settings: Settings) -> str:
    """What a journal is of: all that its figures depend on beside the models."""
    digest = hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode())
    for images, labels in (sets.learn, sets.test):
        digest.update(np.ascontiguousarray(images))
        digest.update(np.ascontiguousarray(labels, dtype=np.int64))
    return digest.hexdigest()


def check(models: Mapping[str, Artifact], sets: Sets, settings: Settings) -> None:
    """What :func:`study` raises, before anything is measured."""
    corruptions.chosen(settings.names)
    if not settings.areas:
        raise ConfigError("there is no area of a patch: give one or several, as 0.05,0.1,0.2")
    for area in settings.areas:
        placement.side_of(area, *sets.test[0].shape[2:])
    for name, artifact in models.items():
        if not artifact.network.layers[-1].dot:
            raise ConfigError(
                f"{name} ends in a feature map, and only class scores are right or wrong: leave it out"
            )


def _collected(models: Mapping[str, Artifact], settings: Settings, journal: Journal) -> dict[str, Any]:
    every = list(models.values())
    chosen = corruptions.chosen(settings.names)
    rows: dict[str, dict[str, Any]] = {}
    for name, artifact in models.items():
        rows[name] = {
            "digest": artifact.digest,
            "clean": journal.figure(clean(artifact)),
            "corruptions": {
                kind.name: [
                    journal.figure(corrupted(artifact, kind, severity + 1))
                    for severity in range(corruptions.SEVERITIES)
                ]
                for kind in chosen
            },
            "grey": [journal.figure(hidden(artifact, area)) for area in settings.areas],
            "own": [journal.figure(under(artifact, [artifact], area)) for area in settings.areas],
        }
        if len(every) > 1:
            rows[name]["shared"] = [journal.figure(under(artifact, every, area)) for area in settings.areas]
    found: dict[str, Any] = {
        "areas": list(settings.areas),
        "corruptions": [{"name": k.name, "unit": k.unit, "amounts": list(k.amounts)} for k in chosen],
        "models": rows,
    }
    if len(every) > 1:
        area = middle(settings.areas)
        found["weights"] = [journal.weights(patch_of(every, area)) for area in settings.areas]
        found["across_area"] = area
        found["across"] = {
            name: [journal.figure(under(other, [artifact], area)) for other in every]
            for name, artifact in models.items()
        }
    return found
