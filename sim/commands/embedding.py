"""What the last layer of a model reads of images, from the integer model: the hardware's own integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hw.contract.artifact import Artifact

BLOCK = 32
"""Images at a time: few enough for a processor's cache."""


def embedded(
    artifact: Artifact, images: NDArray[np.uint8], progress: Callable[[int, int], None] | None = None
) -> NDArray[Any]:
    """Maps (n, C, H, W) that the last layer reads, its sources one after the other; the layer is not run.

    images: (n, C, H, W). ``progress`` is told how many are done, of how many. Raises ``DataError`` for images
    that do not fit.
    """
    import numpy as np

    from hw.host_interface.stream_format import first_map
    from sim.model import accelerator

    network = artifact.network
    sources = network.sources[-1]
    images = accelerator.checked(images, network)
    found = []
    for start in range(0, len(images), BLOCK):
        part = images[start : start + BLOCK]
        alive = {0: first_map(part, network.spread, network.constant)} if 0 in sources else {}
        made = accelerator.maps(artifact, part)
        for number in range(1, max(sources) + 1):
            pixels = next(made)
            if number in sources:
                alive[number] = pixels
        found.append(accelerator.joined(network, len(network.layers) - 1, alive, axis=1))
        if progress:
            progress(start + len(part), len(images))
    return np.concatenate(found)


def scored(artifact: Artifact, maps: NDArray[Any]) -> NDArray[np.int32]:
    """Class scores (n, classes) of maps (n, C, H, W) that the last layer reads: that layer alone."""
    import numpy as np

    from sim.model.accelerator import engines

    *_, last = engines(artifact)
    parts = []
    for start in range(0, len(maps), BLOCK):
        part = np.ascontiguousarray(maps[start : start + BLOCK].transpose(1, 2, 3, 0))
        parts.append(last.stitch([pixels for _, _, pixels in last.tile_rows(part)]).T)
    return np.concatenate(parts)
