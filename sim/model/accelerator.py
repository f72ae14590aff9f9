"""A whole network in integers: what the accelerator answers, with every intermediate on request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.artifact import Artifact, LayerWeights
from hw.contract.features import Form, features_of, layer_number
from hw.contract.formats import PIXEL_BITS, Format
from hw.contract.network import Conv, Dense, Network, Shape
from hw.contract.spectrum import TILE, WORDS
from hw.host_interface.stream_format import first_map
from hw.util.errors import DataError
from sim.model import accumulator_drain, fetch, fft, ifft, mac, post

BLOCK_BYTES = 1 << 28
"""Images go through the layers in blocks whose largest feature map takes at most this much memory."""

CHUNK_WORDS = 1 << 18
"""Output words in flight within a layer: enough for numpy, few enough for a processor cache."""

Pixels = NDArray[Any]
"""uint8 (images, after ReLU), int8, or int32 for class scores."""

Planes = tuple[NDArray[np.int32], NDArray[np.int32], Pixels]
"""What a layer makes of some tiles: words X (32, 2, in, column, image), words Y, pixels."""

Progress = Callable[[int, int], None]
"""Called with (work done, work in all), in images times layers."""


@dataclass(frozen=True)
class LayerTrace:
    """What passes through one layer, for comparison with the gateware.

    spectra: (image, tile row, tile column, in, 32, 2) words X after the forward transform; in dot
        mode the raw pixels, on a grid of 1×1.
    drained: (image, tile row, tile column, out, 32, 2) words Y after the drain.
    output: (image, c, h, w) pixels; of a last fully connected layer the scores (image, classes).
    """

    spectra: NDArray[np.int32]
    drained: NDArray[np.int32]
    output: Pixels


def run(
    artifact: Artifact, images: Pixels, *, layer: str | None = None, progress: Progress | None = None
) -> Pixels:
    """The accelerator's answer to ``images``, (n, c, h, w) or (n, h, w) for one channel, integers 0..255.

    layer: the name of the layer that the run ends with, the network's last one by default.
    Returns int32 class scores (n, classes), or the feature map (n, c, h, w) that the layer makes: uint8
    with ReLU, int8 without.
    Raises :class:`~hw.util.errors.DataError` for images of the wrong shape, type or range, ``ConfigError``
    for a layer that there is not.
    """
    network = artifact.network
    count = len(network.layers) if layer is None else layer_number(network, layer) + 1
    images = _taken(images, network)
    block = max(1, BLOCK_BYTES // max(c * h * w for c, h, w in network.maps[: count + 1]))
    total, done = len(images) * count, 0
    answers = []
    for start in range(0, len(images), block):
        maps = images[start : start + block].transpose(1, 2, 3, 0)
        alive = Maps(network, maps)
        for engine in islice(engines(artifact), count):
            parts, read = [], alive.read()
            for first in range(0, read.shape[3], engine.chunk):
                part = np.ascontiguousarray(read[..., first : first + engine.chunk])
                parts.append(engine.stitch([pixels for _, _, pixels in engine.tile_rows(part)]))
                done += part.shape[3]
                if progress:
                    progress(done, total)
            maps = np.concatenate(parts, axis=-1)
            alive.made(maps)
        answers.append(np.moveaxis(maps, -1, 0))
    return np.ascontiguousarray(np.concatenate(answers))


def features(
    artifact: Artifact,
    images: Pixels,
    layer: str,
    form: Form = "average",
    *,
    progress: Progress | None = None,
) -> Pixels:
    """The features of ``images`` at ``layer``: (n, c) sums of a channel's pixels, or another ``form``
    (:mod:`hw.contract.features.content`). Raises as :func:`run`."""
    kind = features_of(artifact, layer, form)
    return kind.of(run(artifact, images, layer=layer, progress=progress))


def maps(artifact: Artifact, images: Pixels) -> Iterator[Pixels]:
    """The outputs of one layer after the other, (n, c, h, w), class scores (n, classes) at the end."""
    alive = Maps(artifact.network, _taken(images, artifact.network).transpose(1, 2, 3, 0))
    for engine in engines(artifact):
        planes = engine.stitch([pixels for _, _, pixels in engine.tile_rows(alive.read())])
        alive.made(planes)
        yield np.moveaxis(planes, -1, 0)


def trace(artifact: Artifact, images: Pixels) -> dict[str, LayerTrace]:
    """:func:`run` with every intermediate, per layer name. Holds all of them at once: keep images few."""
    alive = Maps(artifact.network, _taken(images, artifact.network).transpose(1, 2, 3, 0))
    out = {}
    for engine in engines(artifact):
        spectra, drained, pixels = zip(*engine.tile_rows(alive.read()), strict=True)
        maps = engine.stitch(list(pixels))
        alive.made(maps)
        # stacked: (tile row, 32, 2, channel, tile column, image)
        x, y = (np.stack(words).transpose(5, 0, 4, 3, 1, 2) for words in (spectra, drained))
        out[engine.layer.name] = LayerTrace(x, y, np.moveaxis(maps, -1, 0))
    return out


def joined(network: Network, layer: int, maps: Mapping[int, Pixels], axis: int = 0) -> Pixels:
    """What ``layer`` reads, of ``maps`` by their numbers: its sources, one after the other along ``axis``."""
    first, *others = [maps[number] for number in network.sources[layer]]
    return np.concatenate([first, *others], axis) if others else first


class Maps:
    """The maps (c, h, w, image) of a run that some layer has still to read."""

    def __init__(self, network: Network, images: Pixels) -> None:
        self.network, self.layer = network, 0
        self.alive: dict[int, Pixels] = {0: images}

    def read(self) -> Pixels:
        """What the next layer reads. Signed and unsigned maps together are of a wider type."""
        return joined(self.network, self.layer, self.alive)

    def made(self, pixels: Pixels) -> None:
        """That layer has made ``pixels``."""
        self.layer += 1
        self.alive[self.layer] = pixels
        self.alive = {
            n: maps
            for n, maps in self.alive.items()
            if max(self.network.readers(n), default=-1) >= self.layer
        }


def _taken(images: Pixels, network: Network) -> Pixels:
    """Map 0 of ``images``, (n, c, h, w)."""
    return first_map(checked(images, network), network.spread, network.constant)


def checked(images: Pixels, network: Network) -> Pixels:
    """Images as uint8 (n, c, h, w), or :class:`~hw.util.errors.DataError`."""
    images = np.asarray(images)
    c, h, w = network.input
    if images.ndim == 3 and c == 1:
        images = images[:, None]
    if images.ndim != 4 or images.shape[1:] != network.input:
        raise DataError(
            f"images of shape {images.shape} do not fit network {network.name!r}: it takes (n, {c}, {h}, {w})"
        )
    if len(images) == 0:
        raise DataError("there are no images to run: the first axis has length 0")
    if not np.issubdtype(images.dtype, np.integer):
        raise DataError(f"images are {images.dtype}, pixels must be integers 0..255: scale and cast to uint8")
    if images.dtype != np.uint8 and not Format(PIXEL_BITS, signed=False).holds(images):
        raise DataError(f"pixels must be 0..255, these reach from {images.min()} to {images.max()}")
    return images.astype(np.uint8, copy=False)


def engines(artifact: Artifact) -> Iterator[ConvEngine | DenseEngine]:
    """One engine per layer, each made when its turn comes (its matrices may be large)."""
    network = artifact.network
    for layer, shape in zip(network.layers, network.inputs, strict=True):
        weights = artifact.layers[layer.name]
        if isinstance(layer, Conv):
            engine = ConvEngine if layer.transformed else PointwiseEngine
            yield engine(layer, weights, shape, artifact.spectrum_bits)
        else:
            yield DenseEngine(layer, weights, last=layer is network.layers[-1])


class ConvEngine:
    """Runs one convolution on maps (in, h, w, image)."""

    def __init__(self, layer: Conv, weights: LayerWeights, shape: Shape, spectrum_bits: int) -> None:
        self.layer, self.weights, self.spectrum_bits = layer, weights, spectrum_bits
        self.shape, self.grid = shape, layer.tiles(shape)
        self.output = layer.output(shape)
        self.matrices = self._matrices()
        self.chunk = max(1, CHUNK_WORDS // (WORDS * layer.out_channels * self.grid[1]))

    def tile_rows(self, maps: Pixels) -> Iterator[Planes]:
        """Tile row after tile row; pixels as (y, x, out, column, image), pooled."""
        padded = fetch.pad(maps, self.layer)
        for row in range(self.grid[0]):
            windows = fetch.windows(padded, self.layer, row)
            x = self._words(windows)
            y = self._drained(x)
            pixels = post.requantise(self._tile(y), self.layer)
            if self.layer.overlaps:
                post.hide(pixels, self.layer, row, self.shape)
            yield x, y, post.reduce(pixels, self.layer)

    def _matrices(self) -> NDArray[np.float64]:
        return mac.spectral_matrices(self.weights.weight)

    def _words(self, windows: NDArray[np.int32]) -> NDArray[np.int32]:
        """What the array reads of windows (8 y, 8 x, in, column, image)."""
        return fft.words(windows, self.spectrum_bits, self.weights.word_shift)

    def _drained(self, x: NDArray[np.int32]) -> NDArray[np.int32]:
        """Words Y."""
        sums = mac.spectral_sums(self.matrices, x)
        accumulator_drain.add_bias(sums, self.weights.bias)
        return accumulator_drain.drain(sums, self.weights.drain_shift[:, None, :, None, None])

    def _tile(self, y: NDArray[np.int32]) -> NDArray[np.int32]:
        """Outputs of tiles in front of rounding, as far as they are needed: (y, x, out, column, image)."""
        return ifft.tile(y, self.layer.tile_side)

    def stitch(self, rows: list[Pixels]) -> Pixels:
        """Tiles side by side: the map (out, h, w, image) from the pixels of every tile row."""
        side, _, out, columns, images = rows[0].shape
        row_bands = [
            tiles.transpose(2, 0, 3, 1, 4).reshape(out, side, columns * side, images) for tiles in rows
        ]
        _, h, w = self.output
        return np.concatenate(row_bands, axis=1)[:, :h, :w]


class PointwiseEngine(ConvEngine):
    """Runs one pointwise convolution: words are pairs of pixels, and nothing is transformed."""

    def _matrices(self) -> NDArray[np.float64]:
        return mac.pixel_matrix(self.weights.weight)

    def _words(self, windows: NDArray[np.int32]) -> NDArray[np.int32]:
        return windows.reshape(WORDS, 2, *windows.shape[2:])

    def _drained(self, x: NDArray[np.int32]) -> NDArray[np.int32]:
        sums = mac.pixel_sums(self.matrices, x)
        sums += self.weights.bias[:, None, None]
        return accumulator_drain.drain(sums, self.weights.shift[:, None, None])

    def _tile(self, y: NDArray[np.int32]) -> NDArray[np.int32]:
        side = self.layer.tile_side
        return y.reshape(TILE, TILE, *y.shape[2:])[:side, :side]


class DenseEngine:
    """Runs one fully connected layer on maps (in, h, w, image)."""

    chunk = 256

    def __init__(self, layer: Dense, weights: LayerWeights, *, last: bool) -> None:
        self.layer, self.weights, self.last = layer, weights, last
        self.matrix = mac.dot_matrix(weights.weight)

    def tile_rows(self, maps: Pixels) -> Iterator[Planes]:
        """One row of one window; the last layer's pixels are the drained sums themselves."""
        x = fetch.dot_words(maps, self.layer)
        y = np.zeros((WORDS, 2, self.layer.out_features, 1, maps.shape[3]), dtype=np.int32)
        sums = mac.dot_sums(self.matrix, x) + self.weights.bias[:, None]
        y[0, 0, :, 0] = accumulator_drain.drain(sums, self.weights.shift[:, None])
        # All 64 outputs of the inverse transform equal word 0 when the other words are zero.
        pixels = y[0, 0, :, 0] if self.last else post.requantise(y[0, 0, :, 0], self.layer)
        yield x[:, :, :, None].astype(np.int32), y, pixels

    def stitch(self, rows: list[Pixels]) -> Pixels:
        """Outputs laid out as 8×8 channels (``hw.contract.network.Dense``); class scores stay (classes,
        image)."""
        (pixels,) = rows
        if self.last:
            return pixels
        features, images = pixels.shape
        channels = -(-features // TILE**2)
        out = np.zeros((channels * TILE**2, images), dtype=pixels.dtype)
        out[:features] = pixels
        return out.reshape(channels, TILE, TILE, images)
