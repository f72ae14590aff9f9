"""The weights of a design into a board's memories, at the addresses that its build has for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hw.contract import design_files
from hw.contract.design import DesignInfo
from hw.host.driver import Driver
from hw.host.link import MemoryLink
from hw.host.weights import Loaded, Progress, load
from hw.util.errors import ArtifactError


def bases(memory: Sequence[Mapping[str, Any]], info: DesignInfo) -> list[int]:
    """Where a host finds the memories of the design, in the order of its files.

    memory: the table of a build's manifest (:meth:`bitstreams.flows.memory_map.Route.to_json`). Raises
    ``ArtifactError`` for one of another design.
    """
    files = info.weight_files
    rows = {row.get("file"): row.get("base") for row in memory}
    found = [base for name in files if type(base := rows.get(name)) is int and base >= 0]
    if len(rows) != len(files) or len(found) != len(files):
        raise ArtifactError(
            f"the build's table of memories is not one for {', '.join(files)}: build the design that you "
            "deploy"
        )
    return found


async def load_weights(
    driver: Driver,
    link: MemoryLink,
    folder: Path,
    bases: Sequence[int],
    *,
    progress: Progress | None = None,
) -> Loaded:
    """Put the weights of the design in ``folder`` into the memories that a host finds at ``bases``.

    The driver is connected. Raises ``ArtifactError`` where a file is not as it was generated, and what
    :func:`hw.host.weights.load` raises.
    """
    names = driver.info.weight_files
    held = design_files.read(folder, {name: driver.info.files[name] for name in names})
    return await load(driver, link, [held[name] for name in names], bases, progress=progress)
