"""Reading ``model.npz``: types, shapes, ranges and digest are checked, and nothing more than that is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hw.contract.artifact.content import (
    ARRAYS,
    GRAPH_SCHEMA,
    NARROW_ARRAYS,
    SCHEMA,
    Artifact,
    LayerWeights,
    Sparsity,
    digest,
    schema_of,
)
from hw.contract.formats import SPECTRUM
from hw.contract.network import Network
from hw.contract.spectrum import WORDS
from hw.util import archives, documents
from hw.util.errors import ArtifactError, DataError, DigestMismatch, UnsupportedNetwork

HEADER = "header"

MOST_HEADER = 1 << 20
"""Bytes of the JSON header."""


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON header without its digest, as :meth:`hw.contract.artifact.content.Artifact.save` writes it."""

    schema: int
    network: dict[str, Any]
    weight_bits: int
    sparsity: dict[str, dict[str, Any]]
    score_scale: float
    provenance: dict[str, Any]
    layer_bits: dict[str, int] = {}
    spectrum_bits: int = SPECTRUM.bits


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
            kinds = ARRAYS if data.get("spectrum_bits", SPECTRUM.bits) == SPECTRUM.bits else NARROW_ARRAYS
            arrays = _read_arrays(path, file, network, kinds)
    except FileNotFoundError:
        raise ArtifactError(f"there is no artifact at {path}: make one with 'spec2 prune'") from None
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror or error}") from None
    except (DataError, KeyError) as error:
        raise ArtifactError(
            f"{path} is not a spec2 artifact, or is damaged ({error}): make it again with 'spec2 prune'"
        ) from None
    if stored != digest(data, arrays):
        raise DigestMismatch(f"{path}: the content does not match its digest; it was damaged or edited")
    what = f"{path}: incomplete artifact, or a wrong one"
    header: _Header = documents.convert(data, _Header, what)
    for name, fields in header.sparsity.items():
        documents.convert(fields, Sparsity, f"{what}: sparsity of {documents.shown(name)}")
    _check_provenance(header.provenance, network, what)
    for name, array in arrays.items():
        if array.dtype != (dtype := np.dtype(kinds[name.rpartition(".")[2]])):
            raise ArtifactError(f"{path}: {name} holds {array.dtype}, files hold {dtype}")
    try:
        layers = {
            layer.name: LayerWeights(*(arrays[f"{layer.name}.{kind}"] for kind in kinds))
            for layer in network.layers
        }
        return Artifact(
            network,
            layers,
            header.weight_bits,
            # As they were written: 8 and 8.0 are one number, and two texts with two digests.
            {name: Sparsity(**fields) for name, fields in header.sparsity.items()},
            data["score_scale"],
            header.provenance,
            header.layer_bits,
            header.spectrum_bits,
        )
    except KeyError as error:
        raise ArtifactError(f"{path}: incomplete artifact, there is no {error}") from None
    except ArtifactError as error:
        raise type(error)(f"{path}: {error}") from None


def _read_header(path: Path, blob: NDArray[Any]) -> tuple[dict[str, Any], Network]:
    """The header as plain data, and its network, which says what arrays there are."""
    data: Any = documents.decode(blob.tobytes(), Any, f"{path}: the header")
    found = data.get("schema") if isinstance(data, dict) else None
    if type(found) is not int or not SCHEMA <= found <= GRAPH_SCHEMA:
        raise ArtifactError(
            f"{path} has schema {documents.shown(found)}, this version reads {SCHEMA} to {GRAPH_SCHEMA}: "
            "prune again"
        )
    if not isinstance(data.get("network"), dict):
        raise ArtifactError(f"{path}: incomplete artifact, it has no network")
    try:
        network = Network.from_json(data["network"])
    except UnsupportedNetwork as error:
        raise UnsupportedNetwork(f"{path}: {error}") from None
    bits = data.get("spectrum_bits", SPECTRUM.bits)
    if type(bits) is int and found != schema_of(network, bits):
        raise ArtifactError(
            f"{path}: its network, with spectra of {bits} bits, is none of schema {found}: prune again"
        )
    return data, network


def _read_arrays(
    path: Path, file: archives.Arrays, network: Network, kinds: Mapping[str, str]
) -> dict[str, NDArray[Any]]:
    """The arrays of every layer, of these ``kinds``, that are there, none larger than its place (in any
    type)."""
    counts: dict[str, int] = {}
    for layer, shape in zip(network.layers, network.inputs, strict=True):
        size = layer.weight_shape(shape)
        sizes = {"weight": math.prod(size), "bias": size[0], "shift": size[0], "word_shift": WORDS}
        counts |= {f"{layer.name}.{kind}": sizes[kind] for kind in kinds}
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
