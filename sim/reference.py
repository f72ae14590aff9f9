"""Float truth: the same network in real arithmetic, with exact FFTs.

The integer weights are taken as exact numbers. Nothing is rounded in or between the transforms; the
saturations (18-bit words, 8-bit pixels, narrow spectra) stay, being part of the function that the network
was trained for. With ``rounded=True`` a layer's pixels are rounded as the hardware does, so that one layer's
error can be looked at alone. ``tests/sim/test_reference.py`` bounds the integer model against this.

All arrays are float64, feature maps (image, channel, y, x).
"""

from typing import Any

import numpy as np
import pyfftw.interfaces.numpy_fft as fftw
from numpy.typing import NDArray

from hw.contract.artifact import Artifact, LayerWeights
from hw.contract.formats import (
    POST_SHIFT,
    PRODUCT_SUM,
    SPECTRUM,
    SPECTRUM_FRACTION,
    Format,
    activation_format,
)
from hw.contract.narrow import no_shift
from hw.contract.network import Conv, Dense, Layer, Shape
from hw.contract.spectrum import DUAL_REAL, TILE, WORDS, pack, unpack
from hw.host_interface.stream_format import first_map

Array = NDArray[np.float64]


def forward(pixels: NDArray[Any]) -> Array:
    """Spectrum words (..., 32, 2) of tiles (..., 8, 8), in units of the integer X (2 per pixel)."""
    return np.asarray(2.0**SPECTRUM_FRACTION * pack(fftw.fft2(pixels.astype(float))), dtype=float)


def inverse(words: NDArray[Any]) -> Array:
    """Outputs (..., 8, 8) of words (..., 32, 2), in units of the integer inverse transform."""
    return np.asarray(TILE**2 * fftw.ifft2(unpack(words.astype(float))).real)


def weight_words(kernel: Array) -> Array:
    """Weight words (out, in, 32, 2) of spatial kernels (out, in, k, k): conj(FFT2(zero-padded))."""
    k = kernel.shape[-1]
    tile = np.zeros((*kernel.shape[:2], TILE, TILE))
    tile[..., :k, :k] = kernel
    return np.asarray(pack(fftw.fft2(tile).conj()), dtype=float)


def products(spectra: Array, weight: NDArray[Any]) -> Array:
    """Word products summed over input channels.

    ``spectra`` (..., in, 32, 2) and ``weight`` (out, in, 32, 2) give (..., out, 32, 2).
    """
    weight = weight.astype(float)
    x, w = (a[..., 0] + 1j * a[..., 1] for a in (spectra, weight))
    total = np.einsum("...cb,ocb->...ob", x, w)
    out = np.stack((total.real, total.imag), axis=-1)
    dual = list(DUAL_REAL)
    out[..., dual, :] = np.einsum("...cbp,ocbp->...obp", spectra[..., dual, :], weight[:, :, dual])
    return out


def conv(
    maps: Array,
    layer: Conv,
    weight: NDArray[Any],
    bias: NDArray[Any],
    shift: NDArray[Any],
    spectrum_bits: int = SPECTRUM.bits,
    word_shift: NDArray[np.uint8] | None = None,
) -> tuple[Array, Array]:
    """One convolution, up to and without post-processing.

    Parameters: ``maps`` (n, in, h, w); ``weight`` (out, in, 32, 2), ``bias`` and ``shift`` (out,) in the
    units of the artifact, not necessarily integers; ``word_shift`` (32,) of spectra of ``spectrum_bits``
    says where words saturate and what a unit of the bias is.
    Returns drained words (n, tile row, tile column, out, 32, 2), saturated, and the outputs of the
    inverse transform in pixels, before pooling: stitched, cut and strided, (n, out, h', w'). Where pooling
    windows overlap, tiles do as well, and lie side by side all the same, with -inf for pixels that are not in
    the map.
    """
    n, _, h, w = maps.shape
    rows, columns = layer.tiles((layer.in_channels, h, w))
    _, oh, ow = layer.output((layer.in_channels, h, w))
    maps = maps[:, :, :: layer.sampling, :: layer.sampling]
    s, k = layer.tile_stride // layer.sampling, layer.tile_padding
    padded = np.pad(maps, ((0, 0), (0, 0), (k, k + 2 * TILE), (k, k + 2 * TILE)))
    tiles = np.stack(
        [
            np.stack([padded[:, :, s * i :, s * j :][:, :, :TILE, :TILE] for j in range(columns)], axis=1)
            for i in range(rows)
        ],
        axis=1,
    )  # (n, row, column, in, 8, 8)
    if layer.transformed:
        spectra, cut = forward(tiles), 2.0 ** (no_shift() if word_shift is None else word_shift)
        if spectrum_bits < SPECTRUM.bits:
            low, high = Format(spectrum_bits).limits
            spectra = np.clip(spectra, low * cut[:, None], high * cut[:, None])
        sums = products(spectra, weight)
        sums[..., 0, 0] += bias * cut[0]
    else:  # words are pairs of pixels
        sums = np.einsum("...cbp,oc->...obp", tiles.reshape(*tiles.shape[:-2], WORDS, 2), weight[..., 0, 0])
        sums += bias[:, None, None]
    drained = np.clip(sums / 2.0 ** shift.astype(float)[:, None, None], *PRODUCT_SUM.limits)
    outputs = inverse(drained) if layer.transformed else drained.reshape(*drained.shape[:-2], TILE, TILE)
    outputs = outputs / 2.0**POST_SHIFT
    if layer.overlaps:
        return drained, _overlapping(outputs, layer, (h, w))
    pixels = outputs[..., :s, :s]
    stitched = pixels.transpose(0, 3, 1, 4, 2, 5).reshape(n, layer.out_channels, rows * s, columns * s)
    kept = layer.reduction // layer.pool
    return drained, stitched[:, :, : oh * layer.reduction, : ow * layer.reduction][:, :, ::kept, ::kept]


def _overlapping(tiles: Array, layer: Conv, size: tuple[int, int]) -> Array:
    """Tiles (n, row, column, out, 8, 8) side by side, what pooling may look at of each: (n, out, ...)."""
    side = layer.tile_side
    n, rows, columns, out = tiles.shape[:4]
    y, x = (
        np.arange(grid)[:, None] * layer.tile_stride - layer.pool_padding + np.arange(side)
        for grid in (rows, columns)
    )
    y_in, x_in = ((0 <= at) & (at < layer.conv_size(length)) for at, length in zip((y, x), size, strict=True))
    inside = y_in[:, None, None, :, None] & x_in[None, :, None, None, :]
    pixels = np.where(inside, tiles[..., :side, :side], -np.inf)
    return pixels.transpose(0, 3, 1, 4, 2, 5).reshape(n, out, rows * side, columns * side)


def dense(maps: Array, layer: Dense, weights: LayerWeights) -> Array:
    """One fully connected layer: class scores (n, out), saturated to 18 bits, before post-processing."""
    index = layer.word_index((maps.shape[1], maps.shape[2], maps.shape[3]))
    matrix = weights.weight.astype(float)[:, *index]  # (out, feature)
    features = maps.reshape(len(maps), -1)[:, : layer.in_features]
    sums = features @ matrix.T + weights.bias
    return np.asarray(np.clip(sums / 2.0 ** weights.shift.astype(float), *PRODUCT_SUM.limits))


def pooled(outputs: Array, layer: Conv, shape: Shape, *, rounded: bool = False) -> Array:
    """Pixels of the map that ``layer`` makes of one of ``shape``, from its :func:`conv`."""
    if not layer.overlaps:
        return post(outputs, layer, layer.pool, rounded=rounded)
    _, height, width = layer.output(shape)
    rows, columns = layer.tiles(shape)
    side, kept = layer.tile_side, layer.tile_outputs
    last = (kept - 1) * layer.pool + 1
    tiles = post(outputs, layer, rounded=rounded).reshape(len(outputs), -1, rows, side, columns, side)
    every = [
        tiles[:, :, :, y : y + last : layer.pool, :, x : x + last : layer.pool]
        for y in range(layer.window)
        for x in range(layer.window)
    ]
    maxima = np.max(every, axis=0).reshape(len(outputs), -1, rows * kept, columns * kept)
    return np.asarray(maxima[:, :, :height, :width])


def post(outputs: Array, layer: Layer, pool: int = 1, *, rounded: bool = False) -> Array:
    """Saturation to pixels (which is ReLU at its lower end), behind the slope of a leaky one, and the 2×2
    maximum of (..., h, w)."""
    outputs = np.where(outputs < 0, outputs / 2.0**layer.leak, outputs) if layer.leak else outputs
    levels = np.floor(outputs + 0.5) if rounded else outputs
    pixels: Array = np.clip(levels, *activation_format(layer.signed).limits)
    if pool == 1:
        return pixels
    *lead, h, w = pixels.shape
    return np.asarray(pixels.reshape(*lead, h // 2, 2, w // 2, 2).max(axis=(-3, -1)))


def run(artifact: Artifact, images: NDArray[Any], *, rounded: bool = False) -> Array:
    """Class scores (n, classes), or the last feature map, in the units of :func:`sim.model.run`."""
    network = artifact.network
    images = images.reshape(len(images), *network.input)
    maps = {0: first_map(images, network.spread, network.constant).astype(float)}
    for i, (layer, shape) in enumerate(zip(network.layers, network.inputs, strict=True)):
        weights = artifact.layers[layer.name]
        given = np.concatenate([maps[number] for number in network.sources[i]], axis=1)
        if isinstance(layer, Conv):
            numbers = weights.weight, weights.bias, weights.shift
            _, outputs = conv(given, layer, *numbers, artifact.spectrum_bits, weights.word_shift)
            maps[i + 1] = pooled(outputs, layer, shape, rounded=rounded)
            continue
        scores = dense(given, layer, weights)
        if layer is network.layers[-1]:
            return scores
        c, h, w = layer.output(shape)
        vector = np.zeros((len(images), c * h * w))
        vector[:, : layer.outputs] = post(scores / 2.0**POST_SHIFT, layer, rounded=rounded)
        maps[i + 1] = vector.reshape(len(images), c, h, w)
    return maps[len(network.layers)]
