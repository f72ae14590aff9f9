"""Images to train on, as they may be given: the name of a set, a file, arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.util.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from hw.contract.network import Shape
    from pruning.training.recipe import Recipe

IMAGES = "images.npz"
"""In a model's folder: what it was trained on, where that came as arrays."""

MOST_COLOURS = 4
"""Channels of what is taken for pictures with their channels last."""


@dataclass(frozen=True)
class GivenImages:
    """Images as they were given: the ``source``, a set's name or a file, or ``arrays``: images, labels, and
    those to test on or None, None. Neither: those of the recipe."""

    source: str | None = None
    arrays: tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None, NDArray[Any] | None] | None = None

    @classmethod
    def of(
        cls,
        images: ArrayLike | Path | str | None,
        labels: ArrayLike | None,
        test: tuple[ArrayLike, ArrayLike] | None,
    ) -> GivenImages:
        """Raises ``ConfigError`` for images without labels, and for what else does not go together."""
        import numpy as np

        if images is None or isinstance(images, str | Path):
            if labels is not None or test is not None:
                raise ConfigError("labels and test go with an array of images: leave them out")
            return cls(None if images is None else str(images))
        if labels is None:
            raise ConfigError("an array of images needs labels: give prune(network, images, labels)")
        if test is not None and len(test) != 2:
            raise ConfigError(f"test has {len(test)} arrays: give (images, labels)")
        further = (None, None) if test is None else (np.asarray(test[0]), np.asarray(test[1]))
        return cls(arrays=(np.asarray(images), np.asarray(labels), *further))

    def named(self, entries: dict[str, Any]) -> dict[str, Any]:
        """Entries of a recipe on these images: with a name of theirs, if they were given."""
        name = IMAGES if self.arrays else self.source
        return entries if name is None else entries | {"data": name}

    def shape(self, name: str | None) -> Shape | None:
        """(channels, rows, columns) of the images, or of those of the set or file ``name``; channels first if
        both ends could be; None if nothing tells."""
        from pruning import data
        from pruning.data import own_images

        if self.arrays:
            return _shape(self.arrays[0].shape)
        if name is None:
            return None
        if own_images.is_file(name):
            return _shape(own_images.sizes(name))
        found = data.CONTENTS.get(name)
        return found[0] if found else None

    def put_into(self, recipe: Recipe, folder: Path) -> Recipe:
        """The recipe on these images; arrays lie in ``folder`` from then on, beside the model."""
        from msgspec.structs import replace

        from pruning.data import own_images

        if not self.arrays:
            return recipe
        path = folder / IMAGES
        own_images.save(own_images.of_arrays(recipe.network, *self.arrays), path)
        return replace(recipe, data=str(path))


def _shape(sizes: tuple[int, ...]) -> Shape | None:
    if len(sizes) == 3:
        return 1, sizes[1], sizes[2]
    if len(sizes) != 4:
        return None
    last = sizes[3] <= MOST_COLOURS < sizes[1]
    return (sizes[3], sizes[1], sizes[2]) if last else (sizes[1], sizes[2], sizes[3])
