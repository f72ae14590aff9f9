"""What a test with two outcomes is judged by: the shares of either class that it gets right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLASSES = 2


def shares(scores: NDArray[np.integer], labels: NDArray[np.integer]) -> dict[str, float]:
    """In percent: ``sensitivity``, the share of images of class 1 that are found, and ``specificity``, the
    share of those of class 0 that are not taken for it.

    scores: (n, classes). Nothing unless there are two classes and images of both.
    """
    if scores.ndim != 2 or scores.shape[1] != CLASSES or len(np.unique(labels)) != CLASSES:
        return {}
    right = scores.argmax(axis=1) == labels
    return {
        "sensitivity": 100 * float(right[labels == 1].mean()),
        "specificity": 100 * float(right[labels == 0].mean()),
    }
