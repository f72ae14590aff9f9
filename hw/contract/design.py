"""``design.json``: what a host must know about a generated accelerator, next to its Verilog."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from hw.contract import design_files
from hw.contract.config import AcceleratorConfig
from hw.contract.design_files import DIGEST, VERILOG, Content
from hw.contract.network import Network
from hw.contract.streamed_weights import StreamedWeights, stream_files
from hw.util import names
from hw.util.documents import convert, decode
from hw.util.documents import read as read_document
from hw.util.errors import ArtifactError, DigestMismatch, Spec2Error
from hw.util.files import write_json

SCHEMA = 4

FILE_NAME = "design.json"
"""Name of the description inside a design folder."""

MODEL, ACCELERATOR = "model.npz", "spec2_accelerator.npz"
"""Beside it: the artifact whose weights the design has; the one that its Verilog was generated from, where
that is another one."""

SEAL = "sha256"
"""In the file: the digest of everything else in it, so that an edit by hand does not go unnoticed."""

MOST_BITS = 4096
"""Width of a port: AXI ends at 1,024 bits of data."""

Count = Annotated[int, Meta(ge=0, le=2**53)]
Share = Annotated[float, Meta(ge=0, le=1)]
Amount = Annotated[float, Meta(ge=0, le=2**53)]


Stage = Literal["fetch", "array", "output", "weights"]
Span = tuple[Count, Count]
"""First clock of a run, and the one after the last."""


class Spans(Struct):
    """When the stages were at work on a layer, instruction by instruction."""

    fetch: list[Span]
    array: list[Span]
    output: list[Span]


class Waits(Struct):
    """Clocks in which the array had no step of a layer, by what was wanting."""

    fetch: Count
    output: Count
    weights: Count


class LayerFigures(Struct):
    """What is read of a layer's figures; there are more, for people."""

    name: str = ""
    cycles: Count = 0
    steps: Count = 0
    multipliers_filled: Share = 0
    lanes_filled: Share = 0
    bound_by: Stage | None = None
    executed: Count = 0
    spans: Spans | None = None
    waits: Waits | None = None


class MapLines(Struct):
    """Lines of a map in feature memory, from the layer that makes it to the last one that reads it."""

    map: Count
    made: Annotated[int, Meta(ge=-1, le=2**53)]
    last: Count
    parts: list[tuple[Count, Count]]


class MemoryFigures(Struct):
    """What :func:`hw.cost.memory_use.memory_use` says."""

    lines: Count
    maps: list[MapLines]


class Figures(Struct):
    """What is read of a design's estimates: :func:`hw.cost.cycles.estimates` and
    :func:`hw.cost.choices.choices`."""

    cycles: Count = 0
    cycles_per_image: Count = 0
    dsp_mac: Count = 0
    dsp_total: Count = 0
    lut: Count = 0
    ff: Count = 0
    bram36: Amount = 0
    wide_port: Count = 0
    uram: Count = 0
    weight_bits: Count = 0
    op_per_dsp_cycle: Amount = 0
    op_per_lut_cycle: Amount = 0
    op_per_bram36_cycle: Amount | None = None
    layers: list[LayerFigures] = []
    feature_memory: MemoryFigures | None = None


class Fields(Struct):
    """Types and ranges of what is in a description beside network and configuration."""

    top: str
    digest: Annotated[str, Meta(pattern=DIGEST)]
    accelerator: Annotated[str, Meta(pattern=DIGEST)]
    ports: Mapping[str, Annotated[int, Meta(ge=1, le=MOST_BITS)]]
    files: Mapping[str, Content]
    numbers: tuple[Annotated[int, Meta(ge=0)], ...]
    estimates: Mapping[str, Any]
    stream: StreamedWeights | None


class Document(Fields, kw_only=True, forbid_unknown_fields=True):
    """The file, without its seal."""

    schema: int
    network: dict[str, Any]
    config: dict[str, Any]


@dataclass(frozen=True)
class DesignInfo:
    """A generated accelerator. Raises ``ArtifactError`` for a field of another type or out of its range.

    top: name of the Verilog top module.
    network: what it computes; gives the driver the shapes of images and results.
    config: what it was built with (``line_pixels`` resolved by the compiler).
    digest: SHA-256 (hex) of the artifact whose weights it has.
    accelerator: that of the artifact which the Verilog was generated from, in its DIGEST register; another
        one where memory holds another model's weights (:mod:`hw.compile.onto`).
    ports: width in bits of every port of the top module.
    files: what belongs to the design, by name in its folder: the Verilog first, then memory images.
    numbers: the network's layer of every instruction (:mod:`hw.contract.instructions`).
    estimates: figures of the compiler, plain JSON; ``cycles`` is the length of a run of a full batch.
    stream: the weights in external memory; None where the design holds them.
    """

    top: str
    network: Network
    config: AcceleratorConfig
    digest: str
    ports: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, Content] = field(default_factory=dict)
    numbers: tuple[int, ...] = ()
    estimates: Mapping[str, Any] = field(default_factory=dict)
    stream: StreamedWeights | None = None
    accelerator: str = ""

    def __post_init__(self) -> None:
        if not self.accelerator:
            object.__setattr__(self, "accelerator", self.digest)
        if not self.numbers:  # one instruction a layer
            object.__setattr__(self, "numbers", tuple(range(len(self.network.layers))))
        convert({name: getattr(self, name) for name in Fields.__struct_fields__}, Fields, "the design")
        names.check_module("the design's top module", self.top, "generate it again")
        for port in self.ports:
            names.check_identifier("port", port)
        design_files.check_names(self.files)
        if set(self.numbers) != set(range(len(self.network.layers))):
            last = len(self.network.layers) - 1
            raise ArtifactError(
                f"the design's numbers must be those of layers 0 to {last}, each of them: generate it again"
            )
        if self.accelerator != self.digest and not self.config.stream_weights:
            raise ArtifactError(
                "the design holds its weights and has those of another model: generate it again"
            )
        streamed = len(self.stream.layers) if self.stream else 0
        if streamed != (len(self.network.layers) if self.config.stream_weights else 0):
            raise ArtifactError(
                "the design's stream is of other layers than it reads from memory: generate it again"
            )
        figures: Figures = convert(dict(self.estimates), Figures, "the design's estimates")
        if figures.layers and len(figures.layers) != len(self.network.layers):
            raise ArtifactError("the design's estimates are of other layers than it has: generate it again")

    @property
    def verilog(self) -> str:
        """The file that holds the top module. Raises ``ArtifactError`` where the design has none."""
        name = next(iter(self.files), "")
        if not name.endswith(VERILOG):
            raise ArtifactError("the design has no Verilog: generate it again")
        return name

    @property
    def weight_files(self) -> tuple[str, ...]:
        """Those of its files that its external memories have to hold, in their order; none where the design
        holds its weights."""
        return stream_files(self.top, self.config.memories) if self.config.stream_weights else ()

    @property
    def beat_bytes(self) -> int:
        """Bytes of a beat of weights, of all memories side by side; 0 where none are read."""
        widths = (
            bits for name, bits in self.ports.items() if name.startswith("m_axi") and name.endswith("_rdata")
        )
        return sum(widths) // 8

    def figure(self, name: str) -> Any:
        """One of ``estimates``. Raises ``ArtifactError`` for a design without it."""
        if (value := self.estimates.get(name)) is None:
            raise ArtifactError(f"the design has no estimate of {name}: generate it again")
        return value

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the description, which has the digests of all files in it."""
        return _seal(self.to_json())

    def check(self, folder: Path | str) -> None:
        """Raise ``ArtifactError`` unless the files in ``folder`` are those that were generated."""
        _ = self.verilog
        design_files.check(Path(folder), self.files)

    def read(self, folder: Path | str) -> dict[str, bytes]:
        """The files in ``folder``, by name. Raises what :meth:`check` raises."""
        _ = self.verilog
        return design_files.read(Path(folder), self.files)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "schema": SCHEMA,
            "top": self.top,
            "network": self.network.to_json(),
            "config": self.config.to_json(),
            "digest": self.digest,
            "accelerator": self.accelerator,
            "ports": dict(self.ports),
            "files": {name: asdict(content) for name, content in self.files.items()},
            "numbers": list(self.numbers),
            "stream": asdict(self.stream) if self.stream else None,
            "estimates": dict(self.estimates),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DesignInfo:
        """The inverse of :meth:`to_json`. Raises ``ArtifactError`` for another schema, or no design."""
        if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, Mapping) else None
            raise ArtifactError(
                f"the design has schema {found!r}, this version reads {SCHEMA}: generate it again"
            )
        made: Document = convert(dict(data), Document, "the design's description")
        return cls(
            top=made.top,
            network=Network.from_json(made.network),
            config=convert(made.config, AcceleratorConfig, "the design's configuration"),
            digest=made.digest,
            accelerator=made.accelerator,
            ports=made.ports,
            files=made.files,
            numbers=made.numbers,
            stream=made.stream,
            estimates=made.estimates,
        )

    def save(self, folder: Path | str) -> Path:
        """Write ``design.json`` into ``folder``, whole or not at all, and return its path."""
        path, data = Path(folder) / FILE_NAME, self.to_json()
        write_json(path, {**data, SEAL: _seal(data)})
        return path

    @classmethod
    def load(cls, folder: Path | str) -> DesignInfo:
        """Read the description of the design in ``folder`` (or the ``design.json`` itself).

        Raises ``ArtifactError`` when there is none, or it is damaged, edited or of another schema. Whether
        the design's files are as they were only :meth:`check` and :meth:`read` know.
        """
        path = Path(folder)
        path = path / FILE_NAME if path.suffix != ".json" else path
        try:
            content = read_document(path)
        except (FileNotFoundError, NotADirectoryError):
            raise ArtifactError(f"there is no design at {path}: make one with 'spec2 generate'") from None
        except OSError as error:
            raise ArtifactError(f"cannot read {path}: {error.strerror or error}") from None
        data: Any = decode(content, Any, str(path))
        try:
            seal = data.pop(SEAL, None) if isinstance(data, dict) else None
            info = cls.from_json(data)
        except Spec2Error as error:
            raise type(error)(f"{path}: {error}") from None
        if seal != _seal(data):
            raise DigestMismatch(f"{path} was edited or damaged since it was generated: generate it again")
        return info


def _seal(data: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of plain data in their order; white space does not count."""
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()
