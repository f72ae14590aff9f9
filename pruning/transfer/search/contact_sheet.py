"""A picture of what was found: a row for every query, the query itself first, then the nearest images.

It holds pixels and frames, and no text: nothing that a file says is in it. A frame is green where the labels
of query and image agree, red where they differ, grey where there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.util.errors import ConfigError
from hw.util.files import replacing

LEAST = 48
"""Pixels of a picture's shorter side; smaller images are enlarged, every pixel to a square."""

FRAME, GAP = 3, 4
"""Pixels of a frame, and between pictures."""

MOST = 64
"""Queries, and neighbours of each, of a sheet."""

WHITE, GREY, GREEN, RED = (255, 255, 255), (160, 160, 160), (0, 150, 60), (210, 30, 30)

Rows = list[tuple[NDArray[np.uint8], list[tuple[NDArray[np.uint8], "bool | None"]]]]
"""Of every query: its image (c, h, w), and the images found, with whether their labels agree."""


def chosen(parts: Iterable[tuple[Any, Any]], positions: Iterable[int]) -> Mapping[int, NDArray[np.uint8]]:
    """The images at these positions, of all ``parts`` of a set, which are read one by one."""
    wanted, first, found = {*positions}, 0, {}
    for images, _ in parts:
        here = [position for position in wanted if first <= position < first + len(images)]
        found |= {position: images[position - first].copy() for position in here}
        first += len(images)
    return found


def check(queries: int, nearest: int, channels: int) -> None:
    """Raise ``ConfigError`` for what is no picture, or more than one takes."""
    if max(queries, nearest) > MOST:
        raise ConfigError(
            f"a sheet shows at most {MOST} queries with {MOST} images each, not {queries} with {nearest}: "
            "ask for fewer (--first, --nearest)"
        )
    if channels not in (1, 3):
        raise ConfigError(f"a sheet shows images of 1 or 3 channels, not of {channels}: leave --sheet out")


def save(path: Path | str, rows: Rows) -> None:
    """Write the sheet as a PNG. Raises ``ArtifactError`` where ``path`` cannot be written."""
    from PIL import Image

    lines = []
    for query, found in rows:
        tiles = [_framed(query, WHITE), *(_framed(image, _colour(agree)) for image, agree in found)]
        lines.append(np.concatenate(tiles, axis=1))
    with replacing(path) as part:
        Image.fromarray(np.concatenate(lines)).save(part, "PNG")


def _colour(agree: bool | None) -> tuple[int, int, int]:
    return GREY if agree is None else GREEN if agree else RED


def _framed(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(h, w, 3): the image in a frame, with a gap right of it and below."""
    scale = -(-LEAST // min(image.shape[1:]))
    pixels = np.repeat(np.repeat(image, scale, axis=1), scale, axis=2)
    pixels = np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0)
    h, w, _ = pixels.shape
    tile = np.full((h + 2 * FRAME + GAP, w + 2 * FRAME + GAP, 3), WHITE, np.uint8)
    tile[: h + 2 * FRAME, : w + 2 * FRAME] = colour
    tile[FRAME : h + FRAME, FRAME : w + FRAME] = pixels
    return tile
