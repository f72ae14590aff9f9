"""An artifact in memory: a network with the integers of its layers, checked when it is made."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract import narrow
from hw.contract.formats import BIAS, MAX_DRAIN_SHIFT, SPECTRUM, Format
from hw.contract.network import Layer, Network, Shape
from hw.contract.sparsity import BY_NAME
from hw.util import archives, documents
from hw.util.errors import ArtifactError

SCHEMA, NARROW_SCHEMA, GRAPH_SCHEMA = 1, 2, 3
"""Of the file: of a chain with spectra of 16 bits, as ever, of one with narrow ones, and of a network whose
layers have fields that came later (:attr:`hw.contract.network.Network.plain`), with spectra of any width."""


def schema_of(network: Network, spectrum_bits: int) -> int:
    """The schema that a file of ``network`` has."""
    if not network.plain:
        return GRAPH_SCHEMA
    return NARROW_SCHEMA if spectrum_bits < SPECTRUM.bits else SCHEMA


ARRAYS = {"weight": "<i2", "bias": "<i4", "shift": "|u1"}
"""Arrays of a layer, with the types that files hold."""

NARROW_ARRAYS = {**ARRAYS, "word_shift": "|u1"}
"""Those of narrow spectra."""

MIN_WEIGHT_BITS, MAX_WEIGHT_BITS = 2, 16
"""Width of each part of a weight word; files store 16 bits."""

PRUNED_FROM = "pruned_from"
"""In the provenance of a network that lost channels: the whole network, as :meth:`Network.to_json`."""


@dataclass(frozen=True)
class LayerWeights:
    """The integers of one layer: ``weight`` (out, in, 32, 2), ``bias`` (out,), ``shift`` (out,),
    ``word_shift`` (32,)."""

    weight: NDArray[np.int16]
    bias: NDArray[np.int32]
    shift: NDArray[np.uint8]
    word_shift: NDArray[np.uint8] = field(default_factory=narrow.no_shift)
    """By how many bits each word of a narrow spectrum is cut. ``bias`` is in units of word 0's sums, each
    2**word_shift[0] of those of 16 bits."""

    @property
    def drain_shift(self) -> NDArray[np.int64]:
        """(32, out): by how much the drain shifts a word's sums; below zero to the left."""
        return self.shift.astype(np.int64) - self.word_shift.astype(np.int64)[:, None]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(out, in, 32): which words are kept (have a non-zero part)."""
        mask: NDArray[np.bool_] = np.any(self.weight != 0, axis=-1)
        return mask


@dataclass(frozen=True)
class Sparsity:
    """How a layer was pruned: ``kind`` is one of ``hw.contract.sparsity.PATTERNS``.

    ``keep`` of ``group`` is the share that stays: of the words of every kernel (``kernel``), of the input
    channels of a group (``uniform`` and ``adaptive`` n:m, for ``adaptive`` the mean), of the output
    channels (``filter``), of the layer's words (all others). ``block``: output channels that share a
    choice (``adaptive``, ``block``), patterns in the library (``pattern``), input channels in the largest
    block (``darb``).
    """

    kind: str = "dense"
    keep: float = 0
    group: int = 0
    block: int = 0

    def __post_init__(self) -> None:
        documents.check_fields(self, "sparsity", ArtifactError)
        if min(self.keep, self.group, self.block) < 0:
            raise ArtifactError(f"sparsity: keep, group and block must be 0 or more, not {self}")

    @property
    def regular(self) -> bool:
        """Whether the array's steps are full with one address for all banks."""
        return self.kind in BY_NAME and BY_NAME[self.kind].regular


@dataclass(frozen=True)
class Artifact:
    """A network with its integer weights. Validated on construction (``ArtifactError``)."""

    network: Network
    layers: Mapping[str, LayerWeights]
    weight_bits: int = 8
    """Width of each part of a weight word, as the array takes it: of the widest layer."""
    sparsity: Mapping[str, Sparsity] = field(default_factory=dict)
    score_scale: float = 1.0
    """Class score in float = ``score_scale`` × the integer score (nothing for a feature map)."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where it comes from: seed, data set, accuracies in percent, versions, :data:`PRUNED_FROM`. JSON."""
    layer_bits: Mapping[str, int] = field(default_factory=dict)
    """Widths of the layers that take less than ``weight_bits``."""
    spectrum_bits: int = SPECTRUM.bits
    """Width of each part of a spectrum word (:mod:`hw.contract.narrow`)."""

    def __post_init__(self) -> None:
        for what, value in (("weight_bits", self.weight_bits), *self.layer_bits.items()):
            if type(value) is not int:
                raise ArtifactError(f"{what} must be a whole number of bits, not {documents.shown(value)}")
        scale = self.score_scale
        if isinstance(scale, bool) or not isinstance(scale, (int, float)):
            raise ArtifactError(f"score_scale must be a number, not {documents.shown(scale)}")
        if not (math.isfinite(scale) and scale > 0):
            raise ArtifactError(f"score_scale must be above 0 and finite, not {scale}: quantise again")
        if not MIN_WEIGHT_BITS <= self.weight_bits <= MAX_WEIGHT_BITS:
            raise ArtifactError(
                f"weight_bits must be {MIN_WEIGHT_BITS}..{MAX_WEIGHT_BITS}, not {self.weight_bits}"
            )
        for name, bits in self.layer_bits.items():
            if name not in self.layers:
                raise ArtifactError(f"layer_bits names {name!r}, which is no layer of the artifact")
            if not MIN_WEIGHT_BITS <= bits <= self.weight_bits:
                raise ArtifactError(
                    f"layer_bits of {name!r} must be {MIN_WEIGHT_BITS}..{self.weight_bits}, not {bits}"
                )
        narrow.check_spectrum_bits(self.spectrum_bits, self.network, ArtifactError)
        for layer, shape in zip(self.network.layers, self.network.inputs, strict=True):
            if layer.name not in self.layers:
                raise ArtifactError(f"layer {layer.name!r} has no weights in the artifact")
            self._check(layer, self.layers[layer.name], shape)

    def _check(self, layer: Layer, w: LayerWeights, shape_in: Shape) -> None:
        name, shape = layer.name, layer.weight_shape(shape_in)
        if w.weight.shape != shape:
            raise ArtifactError(f"{name}.weight is {w.weight.shape}, the network needs {shape}")
        for what, array in (("bias", w.bias), ("shift", w.shift)):
            if array.shape != shape[:1]:
                raise ArtifactError(f"{name}.{what} is {array.shape}, the network needs {shape[:1]}")
        for what, dtype in (("weight", w.weight.dtype), ("bias", w.bias.dtype), ("shift", w.shift.dtype)):
            if not np.issubdtype(dtype, np.integer):
                raise ArtifactError(f"{name}.{what} holds {dtype}, not integers: quantise it first")
        if np.any(w.weight[:, ~layer.used_parts(shape_in)]):
            # Words without an input feature are never loaded: the array would multiply what is left there.
            raise ArtifactError(f"{name}.weight is not zero where the layer has no input feature")
        if not layer.dot and np.any(w.mask[~layer.connected]):
            raise ArtifactError(
                f"{name}.weight is not zero between outputs and inputs that are not connected"
            )
        if not Format(bits := self.bits_of(name)).holds(w.weight):
            raise ArtifactError(
                f"{name}.weight reaches {int(np.abs(w.weight).max())}, more than "
                f"{bits} signed bits hold: requantise it or raise weight_bits"
            )
        if not BIAS.holds(w.bias):
            raise ArtifactError(f"{name}.bias exceeds {BIAS.bits} bits: check the weight scales")
        if w.shift.min() < 0 or w.shift.max() > MAX_DRAIN_SHIFT:
            raise ArtifactError(
                f"{name}.shift is {int(w.shift.min())}..{int(w.shift.max())}, "
                f"the drain shifts by 0..{MAX_DRAIN_SHIFT}"
            )
        narrow.check_shift(layer, w.word_shift, self.spectrum_bits, ArtifactError)

    def regular(self, layer: str) -> bool:
        """Whether the masks of ``layer`` fit one address for all banks, as n:m masks do."""
        return self.sparsity.get(layer, Sparsity()).regular

    def bits_of(self, name: str) -> int:
        """Width of each part of a weight word of the layer ``name``."""
        return self.layer_bits.get(name, self.weight_bits)

    @property
    def pruned_from(self) -> Network:
        """The network before channels disappeared from it; ``network`` itself where none did."""
        whole = self.provenance.get(PRUNED_FROM)
        return self.network if whole is None else Network.from_json(whole)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the canonical header and every array's dtype, shape and bytes."""
        return digest(self._header(), self._arrays())

    @property
    def narrow(self) -> bool:
        """Whether spectra have less than 16 bits."""
        return self.spectrum_bits < SPECTRUM.bits

    def _header(self) -> dict[str, Any]:
        return {
            "schema": schema_of(self.network, self.spectrum_bits),
            "network": self.network.to_json(),
            "weight_bits": self.weight_bits,
            "sparsity": {k: vars(v) for k, v in self.sparsity.items()},
            "score_scale": self.score_scale,
            "provenance": dict(self.provenance),
            **({"layer_bits": dict(self.layer_bits)} if self.layer_bits else {}),
            **({"spectrum_bits": self.spectrum_bits} if self.narrow else {}),
        }

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            f"{layer.name}.{array}": getattr(self.layers[layer.name], array).astype(dtype)
            for layer in self.network.layers
            for array, dtype in (NARROW_ARRAYS if self.narrow else ARRAYS).items()
        }

    def save(self, path: Path | str) -> str:
        """Write ``path`` (whole or not at all) and return the digest.

        Raises ``ArtifactError`` when the place cannot be written.
        """
        header, arrays = self._header(), self._arrays()
        header["digest"] = digest(header, arrays)
        blob = np.frombuffer(_text(header), dtype=np.uint8)
        archives.save(path, compressed=True, header=blob, **arrays)
        return str(header["digest"])


def _text(header: Mapping[str, Any]) -> bytes:
    """The header as digests take it."""
    try:
        return json.dumps(header, sort_keys=True, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"the artifact's provenance is no JSON ({error}): leave that out") from None


def digest(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 (hex) over the header, and every array's name, dtype, shape and bytes."""
    sha = hashlib.sha256(_text(header))
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
        sha.update(array.data)
    return sha.hexdigest()
