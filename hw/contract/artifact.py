"""The artifact ``model.npz``: a pruned network as the integers the hardware sees.

Per layer ``<name>`` it holds three arrays:

=================== ================== ====== =====================================================
array               shape              dtype  meaning
=================== ================== ====== =====================================================
``<name>.weight``   (out, in, 32, 2)   int16  weight words (:mod:`hw.contract.spectrum`), zero where pruned
``<name>.bias``     (out,)             int32  in accumulator units; added to the real part of word 0
``<name>.shift``    (out,)             uint8  rounding shift from accumulator to 18-bit word
=================== ================== ====== =====================================================

and one JSON header: schema number, network, weight widths, sparsity per layer, the scale of the
class scores, provenance, and the SHA-256 digest of all of it. No pickle anywhere. For a
convolution ``weight`` multiplies ``FFT2(tile)`` (correlation: it starts life as conj(FFT2(kernel)));
for a fully connected layer it is the dot-mode layout of :mod:`hw.contract.spectrum`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hw.contract.formats import BIAS, MAX_DRAIN_SHIFT, Format
from hw.contract.network import Conv, Dense, Layer, Network, Shape
from hw.contract.sparsity import BY_NAME
from hw.contract.spectrum import WORDS
from hw.util import archives, documents
from hw.util.errors import ArtifactError, DataError, DigestMismatch, UnsupportedNetwork
from hw.util.files import replacing

SCHEMA = 1

MIN_WEIGHT_BITS, MAX_WEIGHT_BITS = 2, 16
"""Width of each part of a weight word; files store 16 bits."""

HEADER = "header"

MOST_HEADER = 1 << 20
"""Bytes of the JSON header."""

ARRAYS = {"weight": "<i2", "bias": "<i4", "shift": "|u1"}
"""Arrays of a layer, with the types that files hold."""

PRUNED_FROM = "pruned_from"
"""In the provenance of a network that lost channels: the whole network, as :meth:`Network.to_json`."""


@dataclass(frozen=True)
class LayerWeights:
    """The integers of one layer: ``weight`` (out, in, 32, 2), ``bias`` (out,), ``shift`` (out,)."""

    weight: NDArray[np.int16]
    bias: NDArray[np.int32]
    shift: NDArray[np.uint8]

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
        for layer, shape in zip(self.network.layers, self.network.shapes, strict=False):
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
        if isinstance(layer, Dense):
            self._check_unused_words(layer, w, shape_in)
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

    @staticmethod
    def _check_unused_words(layer: Dense, w: LayerWeights, shape: Shape) -> None:
        """Words without an input feature are never loaded: the array would multiply what is left there."""
        used = np.zeros(w.weight.shape[1:], dtype=bool)
        used[layer.word_index(shape)] = True
        if np.any(w.weight[:, ~used]):
            raise ArtifactError(f"{layer.name}.weight is not zero where the layer has no input feature")

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
        return _digest(self._header(), self._arrays())

    def _header(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "network": self.network.to_json(),
            "weight_bits": self.weight_bits,
            "sparsity": {k: vars(v) for k, v in self.sparsity.items()},
            "score_scale": self.score_scale,
            "provenance": dict(self.provenance),
            **({"layer_bits": dict(self.layer_bits)} if self.layer_bits else {}),
        }

    def _arrays(self) -> dict[str, NDArray[Any]]:
        out: dict[str, NDArray[Any]] = {}
        for layer in self.network.layers:
            w = self.layers[layer.name]
            out[f"{layer.name}.weight"] = w.weight.astype("<i2")
            out[f"{layer.name}.bias"] = w.bias.astype("<i4")
            out[f"{layer.name}.shift"] = w.shift.astype("u1")
        return out

    def save(self, path: Path | str) -> str:
        """Write ``path`` (whole or not at all) and return the digest.

        Raises ``ArtifactError`` when the place cannot be written.
        """
        header, arrays = self._header(), self._arrays()
        header["digest"] = _digest(header, arrays)
        blob = np.frombuffer(_text(header), dtype=np.uint8)
        with replacing(path) as part, part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, header=blob, **arrays)
        return str(header["digest"])


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON header without its digest, as :meth:`Artifact._header` writes it."""

    schema: int
    network: dict[str, Any]
    weight_bits: int
    sparsity: dict[str, dict[str, Any]]
    score_scale: float
    provenance: dict[str, Any]
    layer_bits: dict[str, int] = {}


class _Provenance(msgspec.Struct):
    """What somebody reads of a provenance; beside it there may be anything."""

    accuracy: dict[str, float | None] = {}
    seconds: float | None = None
    command: str | None = None
    pruned_from: dict[str, Any] | None = None


def load(path: Path | str) -> Artifact:
    """Read an artifact and check schema, types, shapes, ranges and digest.

    Nothing is read that the header's network has no place for. Raises ``ArtifactError`` for a missing,
    truncated or foreign file, ``UnsupportedNetwork``, or ``DigestMismatch`` when the content is not what was
    written.
    """
    path = Path(path)
    try:
        with archives.opened(path) as file:
            data, network = _read_header(path, file.take(HEADER, most=MOST_HEADER))
            stored = data.pop("digest", None)
            arrays = _read_arrays(path, file, network)
    except FileNotFoundError:
        raise ArtifactError(f"there is no artifact at {path}: make one with 'spec2 prune'") from None
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror or error}") from None
    except (DataError, KeyError) as error:
        raise ArtifactError(
            f"{path} is not a spec2 artifact, or is damaged ({error}): make it again with 'spec2 prune'"
        ) from None
    if stored != _digest(data, arrays):
        raise DigestMismatch(f"{path}: the content does not match its digest; it was damaged or edited")
    what = f"{path}: incomplete artifact, or a wrong one"
    header: _Header = documents.convert(data, _Header, what)
    for name, entry in header.sparsity.items():
        documents.convert(entry, Sparsity, f"{what}: sparsity of {documents.shown(name)}")
    _check_provenance(header.provenance, network, what)
    for name, array in arrays.items():
        if array.dtype != (dtype := np.dtype(ARRAYS[name.rpartition(".")[2]])):
            raise ArtifactError(f"{path}: {name} holds {array.dtype}, files hold {dtype}")
    try:
        layers = {
            layer.name: LayerWeights(*(arrays[f"{layer.name}.{kind}"] for kind in ARRAYS))
            for layer in network.layers
        }
        return Artifact(
            network,
            layers,
            header.weight_bits,
            # As they were written: 8 and 8.0 are one number, and two texts with two digests.
            {name: Sparsity(**entry) for name, entry in header.sparsity.items()},
            data["score_scale"],
            header.provenance,
            header.layer_bits,
        )
    except KeyError as error:
        raise ArtifactError(f"{path}: incomplete artifact, there is no {error}") from None
    except ArtifactError as error:
        raise type(error)(f"{path}: {error}") from None


def _read_header(path: Path, blob: NDArray[Any]) -> tuple[dict[str, Any], Network]:
    """The header as plain data, and its network, which says what arrays there are."""
    data: Any = documents.decode(blob.tobytes(), Any, f"{path}: the header")
    found = data.get("schema") if isinstance(data, dict) else None
    if type(found) is not int or found != SCHEMA:
        raise ArtifactError(
            f"{path} has schema {documents.shown(found)}, this version reads {SCHEMA}: prune again"
        )
    if not isinstance(data.get("network"), dict):
        raise ArtifactError(f"{path}: incomplete artifact, it has no network")
    try:
        return data, Network.from_json(data["network"])
    except UnsupportedNetwork as error:
        raise UnsupportedNetwork(f"{path}: {error}") from None


def _read_arrays(path: Path, file: archives.Arrays, network: Network) -> dict[str, NDArray[Any]]:
    """The arrays of every layer that are there, none of them larger than its place (in any type)."""
    counts: dict[str, int] = {}
    for layer, shape in zip(network.layers, network.shapes, strict=False):
        size = layer.weight_shape(shape)
        counts |= {f"{layer.name}.weight": math.prod(size)}
        counts |= {f"{layer.name}.bias": size[0], f"{layer.name}.shift": size[0]}
    if strange := [name for name in file.names if name not in counts and name != HEADER]:
        raise DigestMismatch(
            f"{path}: {documents.shown(strange[0])} belongs to no layer; the file was damaged or edited"
        )
    return {
        name: file.take(name, most=np.dtype(np.int64).itemsize * count)
        for name, count in counts.items()
        if name in file.names
    }


def _check_provenance(provenance: dict[str, Any], network: Network, what: str) -> None:
    """Refuse what its readers could not work with."""
    known: _Provenance = documents.convert(provenance, _Provenance, f"{what}: provenance")
    if known.pruned_from is None:
        return
    whole = Network.from_json(known.pruned_from)
    if [layer.name for layer in whole.layers] != [layer.name for layer in network.layers]:
        raise ArtifactError(f"{what}: the network it was pruned from has other layers")


def _text(header: Mapping[str, Any]) -> bytes:
    """The header as digests take it."""
    try:
        return json.dumps(header, sort_keys=True, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"the artifact's provenance is no JSON ({error}): leave that out") from None


def _digest(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    sha = hashlib.sha256(_text(header))
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
        sha.update(array.data)
    return sha.hexdigest()


def random_artifact(
    network: Network,
    *,
    seed: int = 0,
    density: float = 0.25,
    kind: str = "adaptive",
    weight_bits: int = 8,
    layer_bits: Mapping[str, int] = MappingProxyType({}),
) -> Artifact:
    """A valid artifact with random weights: for tests and benches that need no training.

    ``kind`` is ``dense``, ``kernel`` (each kernel keeps ``density``·32 words) or ``adaptive`` (every
    word of a group of 8 input channels keeps n of them, ``density``·8 on average).
    Shifts are set so that activations use their range without saturating everywhere.
    """
    rng = np.random.default_rng(seed)
    layers: dict[str, LayerWeights] = {}
    sparsity: dict[str, Sparsity] = {}
    for layer, shape in zip(network.layers, network.shapes, strict=False):
        out, cin, words, _ = full = layer.weight_shape(shape)
        limit = Format(layer_bits.get(layer.name, weight_bits)).limits[1]
        weight = rng.integers(-limit, limit + 1, full).astype(np.int16)
        if isinstance(layer, Dense):
            used = np.zeros(full[1:], dtype=bool)
            used[layer.word_index(shape)] = True
            weight[:, ~used] = 0
        if kind == "kernel":
            keep = max(1, round(density * WORDS))
            order = rng.random((out, cin, words)).argsort(axis=-1)
            weight[order >= keep] = 0
            sparsity[layer.name] = Sparsity("kernel", keep, WORDS)
        elif kind == "adaptive":
            # One n for every block of 8 outputs, word and group of 8 inputs; each row keeps n of its own.
            blocks, groups = -(-out // 8), -(-cin // 8)
            n = np.rint(8 * rng.beta(1, 1 / density - 1, (blocks, groups, words)))
            n = n.repeat(8, axis=0)[:out].repeat(8, axis=1)  # (out, 8·groups, 32)
            rank = rng.random((out, groups, 8, words)).argsort(axis=2).argsort(axis=2)
            weight[(rank.reshape(out, -1, words) >= n)[:, :cin]] = 0
            sparsity[layer.name] = Sparsity("adaptive", 8 * density, 8, 8)
        elif kind != "dense":
            raise ArtifactError(f"unknown kind {kind!r}: dense, kernel or adaptive")
        # A sum of products of spread 1000 (words) or 100 (pixels) and limit/2, brought to 2**10 (64
        # words make a pixel) or 2**13 (one does).
        products = np.any(weight != 0, axis=-1).sum(axis=(1, 2)).mean() + 1
        if isinstance(layer, Conv):
            excess = limit / 2 * 1000 * np.sqrt(products / words) / 2**10
        else:
            excess = limit / 2 * 100 * np.sqrt(products) / 2**13
        shift = np.clip(np.round(np.log2(excess)) + rng.integers(-1, 2, out), 0, 20)
        bias = BIAS.saturate(rng.integers(-(2**12), 2**12, out) << shift.astype(np.int64))
        layers[layer.name] = LayerWeights(weight, bias.astype(np.int32), shift.astype(np.uint8))
    provenance = {"random_seed": seed, "kind": kind}
    return Artifact(network, layers, weight_bits, sparsity, 1.0, provenance, layer_bits)
