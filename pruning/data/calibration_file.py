"""Images that somebody has for a network of their own: a ``.npz``, with labels if there are any.

``images`` (or ``image``) and ``labels`` (or ``label``), as :mod:`pruning.data.labelled_images` takes them; a
file of one array needs no name.
"""

from __future__ import annotations

from pathlib import Path

from hw.util import archives
from hw.util.documents import shown
from hw.util.errors import DataError
from pruning.data.labelled_images import LabelledImages

NAMES = {"images": ("images", "image"), "labels": ("labels", "label")}
"""Names of the arrays, in the order in which they are looked for."""


def read(path: Path | str) -> LabelledImages:
    """The arrays of the file. Raises ``DataError`` where it cannot be read, or they are not what they are
    called."""
    path = Path(path)
    try:
        with archives.opened(path) as file:
            found = {what: next((n for n in names if n in file.names), None) for what, names in NAMES.items()}
            if found["images"] is None and len(file.names) == 1:
                found = {"images": file.names[0], "labels": None}
            if found["images"] is None:
                has = ", ".join(map(shown, file.names)) or "nothing"
                raise DataError(f"it holds {has}, and no array 'images'")
            images, labels = (file.take(name) if name else None for name in found.values())
    except FileNotFoundError:
        raise DataError(f"there is no file {path}: give a .npz with an array 'images'") from None
    except (OSError, DataError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise DataError(
            f"cannot read {path} ({reason}): make it with numpy.savez(path, images=images, labels=labels)"
        ) from None
    assert images is not None
    return LabelledImages(str(path), images, labels)
