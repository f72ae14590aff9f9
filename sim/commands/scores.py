"""Scores of a board against the integer model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hw.util.errors import DigestMismatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
