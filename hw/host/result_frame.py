"""The frame of results of a run: how long it is, and what it says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw.contract.design import DesignInfo
from hw.host_interface.stream_format import map_beats, pack_maps, pack_scores, unpack_maps, unpack_scores


def scored(info: DesignInfo, last: int) -> bool:
    """Whether a run up to layer ``last`` ends in class scores."""
    network = info.network
    return network.classes is not None and last == len(network.layers) - 1


def result_bytes(info: DesignInfo, images: int, last: int) -> int:
    """Of a run of so many images up to layer ``last``."""
    network, beat = info.network, info.config.stream_pixels
    if scored(info, last):
        return images * (network.classes or 0) * beat
    return images * map_beats(network.maps[last + 1], beat) * beat


def unpack(info: DesignInfo, frame: bytes, images: int, last: int) -> NDArray[np.int32]:
    """Class scores (n, classes), or the feature map (n, c, h, w) that layer ``last`` makes."""
    network, beat = info.network, info.config.stream_pixels
    if scored(info, last):
        return unpack_scores(frame, images, network.classes or 0, beat)
    layer = network.layers[last]
    shape, signed = network.maps[last + 1], layer.signed
    maps = unpack_maps(frame, images, shape, signed=signed, beat=beat)
    if layer.dot:  # the rest of its 8×8 channels holds what was in memory before
        maps.reshape(images, -1)[:, layer.outputs :] = 0
    return maps


def pack(info: DesignInfo, results: NDArray[np.integer]) -> bytes:
    """The frame of a whole run's results, as :func:`unpack` gives them."""
    beat, results = info.config.stream_pixels, results.astype(np.int32)
    return pack_scores(results, beat) if info.network.classes is not None else pack_maps(results, beat)
