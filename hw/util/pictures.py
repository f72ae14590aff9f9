"""Pictures from files: their size is known before they are unpacked, and what Pillow meets is a sentence."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.util import documents
from hw.util.errors import DataError
from hw.util.files import bounded

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Those that people have. Pillow knows fifty more, and runs a program (Ghostscript) for one of them."""

MOST = 64 << 20
"""Bytes of a file."""

# Pillow logs what it goes on to raise, and Python prints what nobody handles: one sentence is enough.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class OtherSize(DataError):
    """A picture of another size than was asked for; ``size`` is (width, height)."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(f"the picture has {size[0]}×{size[1]} pixels")
        self.size = size


def read(source: Path | bytes, mode: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture of ``size`` (width, height) as (c, h, w) in Pillow's ``mode``.

    Raises ``OSError`` as ``open`` does, :class:`OtherSize`, and ``DataError`` for what is no picture.
    """
    from PIL import Image

    content = source
    if isinstance(content, Path):
        content = bounded(content, MOST)
    if len(content) > MOST:
        raise DataError(f"it has more than {MOST:,} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about what it reads all the same
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                if picture.size != size:
                    raise OtherSize(picture.size)
                pixels: NDArray[Any] = np.asarray(picture.convert(mode), dtype=np.uint8)
    except DataError:
        raise
    except Exception as error:  # decoders of that many formats raise almost anything
        reason = f"{type(error).__name__}: {documents.shown(str(error))}"
        raise DataError(f"Pillow says {reason}") from None
    return np.moveaxis(pixels.reshape(*pixels.shape[:2], -1), -1, 0)
