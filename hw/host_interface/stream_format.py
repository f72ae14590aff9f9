"""The two stream formats: images in, class scores or feature maps out.

A beat is ``beat`` bytes, 4 to 32, little endian. Maps go channel by channel, row by row, ``beat`` pixels per
beat with the first one in the low byte; a row fills whole beats. Class scores are one signed 32-bit number
each, in the low bytes of a beat whose other bytes are zero, class by class: class 0 of every image of the
batch, then class 1.

A network may take its images spread: every pixel of a square of neighbours in a channel of its own
(:func:`spread`), so that a first convolution of large stride becomes one of stride 1. It may take a channel
more, white wherever the image is (:func:`with_constant`), so that a mean can be subtracted in front of a
padded convolution. The host does both (:func:`first_map`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw.util.errors import DataError

Shape = tuple[int, int, int]
"""Channels, rows, columns of feature maps."""

BEAT = 4
"""Bytes, or pixels, per beat of either stream, unless the configuration says otherwise."""

SCORE = 4
"""Bytes of a class score."""


WHITE = 255
"""Pixels of the constant channel."""

LEAST_BEATS = 4
"""Of any map of a network whose images are packed into lines: ports find the next image meanwhile."""


def row_beats(width: int, beat: int = BEAT) -> int:
    """Beats of a row of ``width`` pixels."""
    return -(-width // beat)


def map_beats(shape: Shape, beat: int = BEAT) -> int:
    """Beats of one map (c, h, w)."""
    c, h, w = shape
    return c * h * row_beats(w, beat)


def check_images(images: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
    """``images`` as (n, c, h, w) uint8, n ≥ 1; (n, h, w) is accepted for one channel.

    Raises ``DataError`` when they are anything else than uint8 images of ``shape``.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise DataError(f"images must be uint8 (pixels 0..255), not {images.dtype}: scale and convert them")
    if images.ndim == 3 and shape[0] == 1:
        images = images[:, None]
    if images.ndim != 4 or images.shape[1:] != shape or not len(images):
        wanted = "n" + "".join(f"×{size}" for size in shape)
        found = "×".join(map(str, images.shape))
        raise DataError(f"images must be {wanted} with n of at least 1, not {found}: crop or scale them")
    return images


def spread(images: NDArray[np.uint8], apart: int) -> NDArray[np.uint8]:
    """Images (n, c, h, w) as maps (n, c·apart², ⌈h/apart⌉, ⌈w/apart⌉): pixel (y, x) of channel i goes to
    channel i·apart² + (y mod apart)·apart + x mod apart. Rows and columns that are missing are zero."""
    if apart == 1:
        return images
    n, c, h, w = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (0, -h % apart), (0, -w % apart)))
    parts = padded.reshape(n, c, -(-h // apart), apart, -(-w // apart), apart).transpose(0, 1, 3, 5, 2, 4)
    return np.ascontiguousarray(parts.reshape(n, c * apart**2, *parts.shape[4:]))


def with_constant(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images (n, c, h, w) with a last channel of :data:`WHITE` pixels."""
    n, _, h, w = images.shape
    return np.concatenate([images, np.full((n, 1, h, w), WHITE, images.dtype)], axis=1)


def first_map(images: NDArray[np.uint8], apart: int, constant: bool) -> NDArray[np.uint8]:
    """Map 0 of a network that takes images (n, c, h, w) spread by ``apart``, with a ``constant`` channel or
    without."""
    return spread(with_constant(images) if constant else images, apart)


def pack_image(image: NDArray[np.uint8], beat: int = BEAT) -> bytes:
    """The frame of one image (c, h, w): ``map_beats(image.shape, beat)`` beats."""
    padding = -image.shape[-1] % beat
    return np.pad(image, ((0, 0), (0, 0), (0, padding))).tobytes()


def unpack_image(frame: bytes, shape: Shape, beat: int = BEAT) -> NDArray[np.uint8]:
    """The inverse of :func:`pack_image`."""
    c, h, w = shape
    rows = np.frombuffer(frame, dtype=np.uint8).reshape(c, h, row_beats(w, beat) * beat)
    return rows[..., :w].copy()


def pack_scores(scores: NDArray[np.integer], beat: int = BEAT) -> bytes:
    """The frame of class scores (n, classes): n·classes beats."""
    beats = np.zeros((scores.size, beat // SCORE), dtype="<i4")
    beats[:, 0] = scores.T.reshape(-1)
    return beats.tobytes()


def unpack_scores(frame: bytes, images: int, classes: int, beat: int = BEAT) -> NDArray[np.int32]:
    """The inverse of :func:`pack_scores`: (images, classes)."""
    beats = np.frombuffer(frame, dtype="<i4").reshape(classes, images, beat // SCORE)
    return beats[..., 0].T.astype(np.int32)


def pack_maps(maps: NDArray[np.integer], beat: int = BEAT) -> bytes:
    """The frame of feature maps (n, c, h, w) of 8-bit pixels, signed or unsigned: image after image."""
    return b"".join(pack_image((image & 0xFF).astype(np.uint8), beat) for image in maps)


def unpack_maps(
    frame: bytes, images: int, shape: Shape, *, signed: bool, beat: int = BEAT
) -> NDArray[np.int32]:
    """The inverse of :func:`pack_maps`: (images, c, h, w)."""
    c, h, w = shape
    pixels = unpack_image(frame, (images * c, h, w), beat).reshape(images, c, h, w)
    return pixels.view(np.int8 if signed else np.uint8).astype(np.int32)
