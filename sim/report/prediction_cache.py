"""Clocks and storage of a model on an array by scheduler and cost model, kept beside the model.

Scheduling irregular masks of 512 × 512 channels takes a minute a layer, so what was found is written to
``predicted.json``. It holds for one artifact and one state of compiler and cost model: another digest, or a
change of their source, and it is found anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

import hw
from hw.compile.compiler import compile_program
from hw.contract.artifact import load
from hw.contract.config import AcceleratorConfig
from hw.cost.cycles import total_cycles
from hw.cost.resources import resources
from hw.host.counters import Count
from hw.util import documents
from hw.util.errors import ArtifactError
from hw.util.files import inside, write_json

FILE_NAME = "predicted.json"
"""Beside ``model.npz``."""


Positive = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
Blocks = Annotated[float, msgspec.Meta(ge=0, le=2**53)]


@dataclass(frozen=True)
class Prediction:
    """cycles: of a run of one image. cycles_batch: of a full one. dsp, lut, bram36: of the design.
    weight_bits: of the weight memory (or stream), with selects, addresses and flags."""

    cycles: Positive
    cycles_batch: Positive
    dsp: Positive
    lut: Count
    bram36: Blocks
    weight_bits: Count

    @property
    def needs(self) -> dict[str, float]:
        """Resource name to count."""
        return {"dsp": self.dsp, "lut": self.lut, "bram36": self.bram36}


def predict(
    folder: Path,
    digest: str,
    config: AcceleratorConfig,
    progress: Callable[[str], None] | None = None,
    processes: int = 1,
) -> Prediction:
    """The figures of ``folder/model.npz``, whose digest is ``digest``, on an array of ``config``.

    ``progress`` and ``processes``: as in :func:`hw.compile.compiler.compile_program`. Raises ``ConfigError``
    for an array that cannot run the network. A folder that cannot be written keeps nothing.
    """
    valid = {"digest": digest, "source": _source()}
    known = _read(folder / FILE_NAME, valid)
    key = json.dumps(config.to_json(), sort_keys=True)
    if key in known:
        return known[key]
    artifact = load(folder / "model.npz")
    program = compile_program(artifact, config, processes=processes, progress=progress)
    need = resources(program)
    found = Prediction(
        cycles=total_cycles(program, 1),
        cycles_batch=total_cycles(program, config.batch),
        dsp=need.dsp,
        lut=need.lut,
        bram36=need.bram36,
        weight_bits=program.stored_bits,
    )
    with suppress(ArtifactError):  # it can be found again
        write_json(
            inside(folder, FILE_NAME),
            {**valid, "arrays": {name: asdict(made) for name, made in (known | {key: found}).items()}},
        )
    return found


class _Kept(msgspec.Struct):
    digest: str
    source: str
    arrays: dict[str, Prediction]


def _read(path: Path, valid: dict[str, str]) -> dict[str, Prediction]:
    """What was found for every array, by its configuration; nothing if it is stale or damaged."""
    try:
        data: _Kept = documents.decode(documents.read(path), _Kept, path.name)
    except (OSError, ArtifactError):
        return {}
    return data.arrays if {"digest": data.digest, "source": data.source} == valid else {}


@cache
def _source() -> str:
    """SHA-256 (hex) of the compiler and the cost model; they need nothing of the gateware."""
    sha = hashlib.sha256()
    root = Path(hw.__file__).parent
    rooms = ("util", "contract", "host", "compile", "cost")
    for path in sorted(path for room in rooms for path in (root / room).rglob("*.py")):
        sha.update(path.read_bytes())
    return sha.hexdigest()
