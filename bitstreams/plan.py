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
from pathlib import Path, PurePosixPath

from bitstreams.manifest import FILE_NAME, Manifest
from hw.files import write


@dataclass(frozen=True)
class Plan:
    """Files of a build and their description.

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
        for name in self.files:
            parts = PurePosixPath(name).parts
            assert parts and ".." not in parts and not name.startswith("/") and "\\" not in name, name
        assert FILE_NAME not in self.files, "the manifest is not a file among others"

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


def _mode(content: bytes) -> int:
    """Scripts are executable."""
    return 0o755 if content.startswith(b"#!") else 0o644
