"""The steps of a study, and what each is called in its journal."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from hw.contract.artifact import Artifact
from pruning.quant.from_artifact import from_artifact
from pruning.robustness import corruptions, patch, placement
from pruning.robustness.journal import Journal, Learned

Images = NDArray[np.uint8]

Accuracy = Callable[[Artifact, Images], float]
"""Percent of test images that a model gets right; whoever gives it knows their labels."""

Part = Callable[[int, int], None]
"""Called with how far a step is, of how much."""

AREAS = (0.05, 0.1, 0.2)
"""Shares of an image that patches cover."""

GREY = 0.5
"""Of a patch that only hides what is behind it."""


@dataclass(frozen=True)
class Settings:
    """areas: shares of the image that patches cover. names: corruptions, all for none. patch: how patches
    are learned. seed: of noise and placements."""

    areas: tuple[float, ...] = AREAS
    names: tuple[str, ...] = ()
    patch: patch.Settings = field(default_factory=patch.Settings)
    seed: int = 0


@dataclass(frozen=True)
class Sets:
    """Images (n, C, H, W) and labels (n,): to learn patches from, and to measure on."""

    learn: tuple[Images, NDArray[np.integer]]
    test: tuple[Images, NDArray[np.integer]]


@dataclass(frozen=True)
class Step:
    """name: in the journal, of a figure or a patch; text: for people; work: what it takes; images: that go
    through a network for it, by which progress is told."""

    name: str
    text: str
    work: Callable[[Part], float | Learned]
    images: int


BACKWARD = 3
"""Times as long as an image takes forwards one takes that gradients go back through."""


@dataclass(frozen=True)
class Plan:
    """All steps, those first that others need."""

    models: Mapping[str, Artifact]
    sets: Sets
    accuracy: Accuracy
    settings: Settings
    journal: Journal

    def steps(self) -> Iterator[Step]:
        images = self.sets.test[0]
        for name, artifact in self.models.items():
            yield self._measured(clean(artifact), f"{name}, clean", artifact, lambda: images)
        for kind in corruptions.chosen(self.settings.names):
            for severity in range(1, corruptions.SEVERITIES + 1):
                change = partial(kind.images, images, severity, self.settings.seed)
                for name, artifact in self.models.items():
                    text = f"{name}, {kind.name} {severity}"
                    yield self._measured(corrupted(artifact, kind, severity), text, artifact, change)
        for area in self.settings.areas:
            yield from self._learned(area)
            yield from self._covered(area)

    def _measured(self, name: str, text: str, artifact: Artifact, images: Callable[[], Images]) -> Step:
        return Step(name, text, lambda part: self.accuracy(artifact, images()), len(self.sets.test[0]))

    def _groups(self) -> Iterator[tuple[str, list[Artifact]]]:
        """Whom patches are learned on: each model, then all."""
        for name, artifact in self.models.items():
            yield name, [artifact]
        if len(self.models) > 1:
            yield "all models", list(self.models.values())

    def _learned(self, area: float) -> Iterator[Step]:
        batches = BACKWARD * self.settings.patch.steps * self.settings.patch.batch
        for name, group in self._groups():
            work = partial(self._learn, group, area)
            text = f"a patch of {area:.0%} for {name}"
            yield Step(patch_of(group, area), text, work, batches * len(group))

    def _covered(self, area: float) -> Iterator[Step]:
        """Patches on test images, of the models that they are for, and in the middle area of all."""
        for name, artifact in self.models.items():
            grey = partial(self._under, None, area)
            yield self._measured(hidden(artifact, area), f"{name}, {area:.0%} grey", artifact, grey)
            for of, group in self._groups():
                if any(artifact is its for its in group) or area == middle(self.settings.areas):
                    laid = partial(self._under, patch_of(group, area), area)
                    text = f"{name}, {area:.0%} under the patch for {of}"
                    yield self._measured(under(artifact, group, area), text, artifact, laid)

    def _learn(self, group: list[Artifact], area: float, part: Part) -> Learned:
        twins = [from_artifact(artifact).requires_grad_(False) for artifact in group]
        found = patch.learn(twins, *self.sets.learn, area, self.settings.patch, part)
        pixels = (255 * found.pixels + 0.5).floor().int().tolist()
        return Learned(pixels, list(found.weights), [list(pair) for pair in found.losses])

    def _under(self, learned: str | None, area: float) -> Images:
        """Test images under a patch, a grey one for None: on every image as for all models and patches."""
        images = self.sets.test[0]
        side = placement.side_of(area, *images.shape[2:])
        grey = torch.full((images.shape[1], side, side), GREY)
        pixels = grey if learned is None else self.journal.patch(learned)
        generator = torch.Generator().manual_seed(self.settings.seed)
        return patch.shown(images, pixels, placement.drawn(len(images), generator))


def middle(areas: tuple[float, ...]) -> float:
    """The area whose patches are laid on models that they were not learned on."""
    return sorted(areas)[len(areas) // 2]


def clean(artifact: Artifact) -> str:
    """The name of a step, as those of the functions below."""
    return f"{artifact.digest[:16]} clean"


def corrupted(artifact: Artifact, kind: corruptions.Corruption, severity: int) -> str:
    return f"{artifact.digest[:16]} {kind.name} {severity}"


def hidden(artifact: Artifact, area: float) -> str:
    return f"{artifact.digest[:16]} grey {area:g}"


def patch_of(artifacts: list[Artifact], area: float) -> str:
    """Of a patch learned on them."""
    digests = " ".join(sorted(artifact.digest for artifact in artifacts))
    return f"patch {hashlib.sha256(digests.encode()).hexdigest()[:16]} {area:g}"


def under(artifact: Artifact, group: list[Artifact], area: float) -> str:
    """Of a model under the patch that was learned on ``group``."""
    return f"{artifact.digest[:16]} under {patch_of(group, area)}"
