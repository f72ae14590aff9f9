"""From a model and some labelled images to a model with another head: what ``spec2 adapt`` does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.contract.artifact import Artifact
from hw.util.errors import ConfigError, DataError
from pruning.data.image_set import Images
from pruning.transfer.augmentations import NAMES, Augmentation, chosen
from pruning.transfer.cut import Features, cut_of
from pruning.transfer.examples import METHODS, examples
from pruning.transfer.export import check_classes, kept_weights, with_head
from pruning.transfer.feature_maps import FORMS, UNLEARNED, FeatureMap, fit
from pruning.transfer.head import Head, train

Run = Callable[[Images], NDArray[np.integer]]
"""Images (n, C, H, W) to what the last layer reads of them, one map (n, C, H, W)."""

Labels = NDArray[np.integer]

LEAST = 2
"""Images of every class."""


@dataclass(frozen=True)
class Settings:
    """method: of :data:`pruning.transfer.examples.METHODS`. form: of the maps, where these are the method.
    augmentations: their names, all if empty. share: of the images, that are run under every augmentation to
    learn the maps from; without effect where other images are given for that. seed: of all draws."""

    method: str = "maps"
    form: str = "channels"
    augmentations: tuple[str, ...] = ()
    share: float = 0.4
    seed: int = 0

    def __post_init__(self) -> None:
        for what, value, known in (
            ("augmentation", self.method, METHODS),
            ("form of maps", self.form, FORMS),
        ):
            if value not in known:
                raise ConfigError(f"unknown {what} {value!r}: choose from {', '.join(known)}")
        chosen(self.augmentations)
        if not 0 < self.share <= 1:
            raise ConfigError(f"share must be above 0 and at most 1, not {self.share}")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed must be 0 to 2^32 - 1, not {self.seed}")


@dataclass(frozen=True)
class Adapted:
    """artifact: the model with its new head; head: the same before it was quantised. runs: images that went
    through the base; run_seconds and head_seconds: of these, and of all else."""

    artifact: Artifact
    head: Head
    runs: int
    run_seconds: float
    head_seconds: float


def adapt(
    artifact: Artifact,
    run: Run,
    images: Images,
    labels: Labels,
    settings: Settings,
    *,
    others: Images | None = None,
) -> Adapted:
    """Learn the classes of ``images`` (n, C, H, W) with ``labels`` (n,), 0 to k - 1, for ``artifact``.

    others: images of anything, to learn the maps from in place of a share of ``images``. Raises
    ``ConfigError`` for a model that cannot have a head of k classes, ``DataError`` for labels that leave a
    class without images.
    """
    cut = cut_of(artifact)
    classes = checked_classes(labels)
    check_classes(cut, classes)
    counted = _Counted(run)
    begin = time.monotonic()
    features = cut.vectors(counted(images))
    changes = chosen(settings.augmentations)
    changed: list[Features] = []
    if settings.method == "images":
        changed = [cut.vectors(counted(change.images(images))) for change in changes]
    elif settings.method == "maps":
        if settings.form == UNLEARNED:
            changed = [fit(UNLEARNED, cut, change, features, features)(features) for change in changes]
        elif others is None:
            few = _share(labels, settings.share, settings.seed)
            changed = _mapped(artifact, counted, images, features, few, changes, settings.form)
        else:
            clean = cut.vectors(counted(others))
            changed = [
                learned(artifact, counted, others, clean, change, settings.form)[0](features)
                for change in changes
            ]
    seen = examples(settings.method, features, labels.tolist(), classes, changed)
    head = train(seen, keep=kept_weights(artifact, classes), seed=settings.seed)
    about = {
        "classes": classes,
        "images": len(images),
        "augmentation": settings.method,
        **({"form": settings.form} if settings.method == "maps" else {}),
        **(
            {"changes": list(settings.augmentations or NAMES)}
            if settings.method in ("maps", "images")
            else {}
        ),
        "seed": settings.seed,
    }
    made = with_head(artifact, head, features, about)
    return Adapted(made, head, counted.images, counted.seconds, time.monotonic() - begin - counted.seconds)


def checked_classes(labels: Labels) -> int:
    """How many classes ``labels`` (n,) have. Raises ``DataError`` unless these are 0 to k - 1, with at least
    :data:`LEAST` images each."""
    low, high = int(labels.min()), int(labels.max())
    counts = np.bincount(labels, minlength=high + 1) if low >= 0 and high < 2**16 else np.zeros(1, int)
    if counts.min() < LEAST:
        rare = int(counts.argmin())
        raise DataError(
            f"class {rare} has {int(counts[rare])} images, and labels reach from {low} to {high}: number the "
            f"classes from 0 on, and give at least {LEAST} images of each"
        )
    return high + 1


def learned(
    artifact: Artifact, run: Run, images: Images, clean: Features, change: Augmentation, form: str
) -> tuple[FeatureMap, Features]:
    """M_g of ``change``, and the features of the changed ``images`` that it was learned from."""
    cut = cut_of(artifact)
    real = cut.vectors(run(change.images(images)))
    return fit(form, cut, change, clean, real), real


def _mapped(
    artifact: Artifact,
    run: Run,
    images: Images,
    features: Features,
    few: NDArray[np.intp],
    changes: Sequence[Augmentation],
    form: str,
) -> list[Features]:
    """Features of all ``images`` under every change: of those in ``few`` as they are, of the others by the
    map learned from these."""
    found = []
    for change in changes:
        feature_map, real = learned(artifact, run, images[few], features[few], change, form)
        mapped = feature_map(features)
        mapped[few] = real
        found.append(mapped)
    return found


def _share(labels: Labels, share: float, seed: int) -> NDArray[np.intp]:
    """Indices of so many images of every class, at least one."""
    rng = np.random.default_rng(seed)
    found = []
    for number in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == number))
        found.append(members[: math.ceil(share * len(members))])
    return np.concatenate(found)


class _Counted:
    """A :data:`Run` that knows how many images it was given, and how long they took."""

    def __init__(self, run: Run) -> None:
        self.run, self.images, self.seconds = run, 0, 0.0

    def __call__(self, images: Images) -> NDArray[np.integer]:
        begin = time.monotonic()
        found = self.run(images)
        self.images += len(images)
        self.seconds += time.monotonic() - begin
        return found
