"""A build as a value: every file a tool needs, and what they are. Written without the tool.

A plan is unpacked on a machine with the tool and nothing of this project, and its script run there.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bitstreams.plans.manifest import FILE_NAME, Manifest
from hw.util import names
from hw.util.errors import ArtifactError
from hw.util.files import write

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """Files of a build and their description.

    Raises ``ArtifactError`` for names that are none (:mod:`hw.util.names`): what unpacks stays in its folder.

    name: folder the archive unpacks to. run: what starts the build there, a shell command.
    files: contents by name, relative with forward slashes; ``manifest.json`` is added.
    products: files that a successful run leaves, the bitstream first.
    """

    name: str
    run: str
    files: Mapping[str, bytes]
    products: tuple[str, ...]
    manifest: Manifest

    def __post_init__(self) -> None:
        names.check("plan", self.name, ArtifactError, names.MOST_FILE)
        for name in self.files:
            for part in name.split("/"):
                names.check(f"file {name!r} of a plan: its part", part, ArtifactError, names.MOST_FILE)
        combined(self.files, {FILE_NAME: b""})

    @property
    def contents(self) -> dict[str, bytes]:
        """Every file of the plan, the manifest among them, by name in order."""
        manifest = self.manifest.with_files(self.files).to_text().encode()
        return dict(sorted({**self.files, FILE_NAME: manifest}.items()))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over names and contents; the same for the same plan, however it is packed."""
        sha = hashlib.sha256()
        for name, content in self.contents.items():
            sha.update(f"{name}:{len(content)}:".encode())
            sha.update(content)
        return sha.hexdigest()

    def archive(self) -> bytes:
        """The plan as a ``.tar.gz`` with one folder; no times or owners, sorted: equal plans, equal bytes."""
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as out:
            for name, content in self.contents.items():
                member = tarfile.TarInfo(f"{self.name}/{name}")
                member.size, member.mode = len(content), _mode(content)
                out.addfile(member, io.BytesIO(content))
        return gzip.compress(tar.getvalue(), mtime=0)

    def save(self, path: Path | str) -> Path:
        """Write the archive to ``path``, whole or not at all. Raises ``ArtifactError`` when it cannot."""
        write(path, self.archive())
        return Path(path)

    def extract(self, folder: Path | str) -> Path:
        """Write the files into ``folder`` and return it; files that are there already are overwritten.

        Raises ``ArtifactError`` when that is not possible.
        """
        folder = Path(folder)
        for name, content in self.contents.items():
            write(folder / name, content)
            (folder / name).chmod(_mode(content))
        return folder


def combined(*parts: Mapping[str, T]) -> dict[str, T]:
    """The files of all ``parts``. Raises ``ArtifactError`` for one that occurs twice: neither may win."""
    found: dict[str, T] = {}
    for part in parts:
        if twice := sorted(set(part) & set(found)):
            raise ArtifactError(f"a plan has a file {twice[0]!r} of its own, the design must not bring one")
        found |= part
    return found


def _mode(content: bytes) -> int:
    """Scripts are executable."""
    return 0o755 if content.startswith(b"#!") else 0o644
