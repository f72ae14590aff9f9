"""What commands ask the integer model: the accuracy of a trained model, and a board's scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hw.commands.console import progress
from hw.util.errors import DigestMismatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def measure(
    folder: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    *,
    accuracy: Mapping[str, float],
    seconds: float,
    command: str | None,
) -> dict[str, float]:
    """Run test images through the integer model of ``folder/model.npz``; returns accuracies in percent.

    ``accuracy``, ``seconds`` and ``command`` are those of the training. Together with ``integer``, the
    accuracy measured here, and with :func:`sim.report.two_classes.shares` of two classes, they go into
    files beside the model, which :mod:`sim.report.data` reads; so does which class was taken for which.
    """
    from hw.contract.artifact import load
    from hw.contract.results import ACCURACY_NAME, TRAINING_NAME
    from hw.util.files import write_json
    from sim import model
    from sim.report import classification, two_classes

    artifact = load(folder / "model.npz")
    with progress("integer model, all test images") as show:
        scores = model.run(artifact, images, progress=show)
    correct = 100 * float((scores.argmax(axis=1) == labels).mean())
    measured = {**accuracy, "integer": round(correct, 4)}
    measured |= {name: round(share, 4) for name, share in two_classes.shares(scores, labels).items()}
    write_json(folder / ACCURACY_NAME, {"digest": artifact.digest, **measured})
    about = {"digest": artifact.digest, "seconds": round(seconds), "command": command}
    write_json(folder / TRAINING_NAME, about)
    table = classification.counts(scores, labels)
    write_json(folder / classification.FILE_NAME, {"digest": artifact.digest, "counts": table})
    return measured


def first_difference(design: Path, images: NDArray[np.uint8], scores: NDArray[np.int32]) -> str | None:
    """The first score that differs from the integer model of the design's weights, in words.

    None where all agree. Raises ``DigestMismatch`` where the model beside the design is another one.
    """
    from hw.contract.artifact import load
    from hw.contract.design import DesignInfo
    from sim import model
    from sim.rtl.mismatch import SCORES, first_mismatch

    artifact = load(design / "model.npz")
    if artifact.digest != DesignInfo.load(design).digest:
        raise DigestMismatch(
            f"{design / 'model.npz'} is not what the design was generated from: generate it again"
        )
    expected = model.run(artifact, images)
    first = first_mismatch(expected, scores, SCORES)
    return str(first) if first else None
