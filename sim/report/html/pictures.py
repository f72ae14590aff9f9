"""Images that were simulated, small, and what the Verilog made of them."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MOST_PIXELS = 64
"""Rows and columns of one: larger ones are scaled down."""

Row = dict[str, Any]


def images(rows: list[Row], pixels: NDArray[np.uint8]) -> list[Row]:
    """The ``rows`` of :func:`sim.report.classification.simulated`, each with its ``source``, a PNG in a
    ``data:`` address, and in ``scores`` of every class its number, its score and the share 0..1 of the way
    from the lowest to the highest one."""
    return [
        {**row, "scores": _scores(row["scores"]), "source": _png(pixels[row["number"]])}
        for row in rows
        if row["number"] < len(pixels)
    ]


def _scores(scores: list[tuple[int, int]]) -> list[Row]:
    low, high = (of(score for _, score in scores) for of in (min, max))
    return [
        {"class": number, "score": score, "share": (score - low) / max(1, high - low)}
        for number, score in scores
    ]


def _png(image: NDArray[np.uint8]) -> str:
    """(c, h, w): three channels are colours; of others the first one is shown."""
    colours = image.shape[0] == 3
    picture = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)) if colours else image[0])
    picture.thumbnail((MOST_PIXELS, MOST_PIXELS))
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
