"""``design.json``: what a host must know about a generated accelerator, next to its Verilog."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hw.config import AcceleratorConfig
from hw.errors import ArtifactError, Spec2Error
from hw.files import write_json
from hw.network import Network

SCHEMA = 1

FILE_NAME = "design.json"
"""Name of the description inside a design folder."""


@dataclass(frozen=True)
class DesignInfo:
    """A generated accelerator.

    top: name of the Verilog top module.
    network: what it computes; gives the driver the shapes of images and results.
    config: what it was built with (``line_pixels`` resolved by the compiler).
    digest: SHA-256 (hex) of the artifact whose weights are in its memories; also in its DIGEST register.
    ports: width in bits of every port of the top module.
    files: what belongs to the design, relative to its folder: the Verilog first, then memory images.
    numbers: the network's layer of every entry of the layer program (:mod:`hw.entries`).
    estimates: figures of the compiler, plain JSON; ``cycles`` is the length of a run of a full batch.
    """

    top: str
    network: Network
    config: AcceleratorConfig
    digest: str
    ports: Mapping[str, int] = field(default_factory=dict)
    files: tuple[str, ...] = ("spec2.v",)
    numbers: tuple[int, ...] = ()
    estimates: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "schema": SCHEMA,
            "top": self.top,
            "network": self.network.to_json(),
            "config": asdict(self.config),
            "digest": self.digest,
            "ports": dict(self.ports),
            "files": list(self.files),
            "numbers": list(self.numbers),
            "estimates": dict(self.estimates),
        }

    def __post_init__(self) -> None:
        if not self.numbers:  # one entry a layer
            object.__setattr__(self, "numbers", tuple(range(len(self.network.layers))))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DesignInfo:
        """The inverse of :meth:`to_json`. Raises ``ArtifactError`` for another schema or missing parts."""
        if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, Mapping) else None
            raise ArtifactError(
                f"the design has schema {found!r}, this version reads {SCHEMA}: generate it again"
            )
        try:
            digest = str(data["digest"])
            if len(bytes.fromhex(digest)) != 32:
                raise ValueError(f"{digest!r} is no SHA-256 digest")
            return cls(
                top=str(data["top"]),
                network=Network.from_json(data["network"]),
                config=AcceleratorConfig(**data["config"]),
                digest=digest,
                ports={str(k): int(v) for k, v in data["ports"].items()},
                files=tuple(str(name) for name in data["files"]),
                numbers=tuple(int(number) for number in data["numbers"]),
                estimates=dict(data["estimates"]),
            )
        except Spec2Error:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"the design's description is incomplete or damaged ({error!r})") from None

    def save(self, folder: Path | str) -> Path:
        """Write ``design.json`` into ``folder``, whole or not at all, and return its path."""
        path = Path(folder) / FILE_NAME
        write_json(path, self.to_json())
        return path

    @classmethod
    def load(cls, folder: Path | str) -> DesignInfo:
        """Read the description of the design in ``folder`` (or the ``design.json`` itself).

        Raises ``ArtifactError`` when there is none, or it is damaged or of another schema.
        """
        path = Path(folder)
        path = path / FILE_NAME if path.suffix != ".json" else path
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise ArtifactError(f"there is no design at {path}: make one with 'spec2 generate'") from None
        except OSError as error:
            raise ArtifactError(f"cannot read {path}: {error.strerror or error}") from None
        except ValueError as error:
            raise ArtifactError(f"{path} is damaged: {error}") from None
        try:
            return cls.from_json(data)
        except ArtifactError as error:
            raise type(error)(f"{path}: {error}") from None
