"""What ``spec2 simulate`` does with the images that it is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hw.commands.console import emit, progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.bench.job import Memory


def simulate_design(
    design: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8] | None,
    *,
    seed: int,
    stalls: bool = False,
    latency: int | None = None,
    gap: int = 0,
) -> dict[str, Any]:
    """Whole runs, every result compared; returns :class:`sim.rtl.verify.Verification` as plain data."""
    from hw.contract.artifact import load
    from sim.rtl.verify import verify

    artifact = load(design / "model.npz")
    with progress("simulating") as show:
        memory = _memory(latency, gap)
        result = verify(
            design, artifact, images, labels, stalls=stalls, seed=seed, memory=memory, progress=show
        )
    return result.to_json()


def simulate_layers(
    design: Path,
    images: NDArray[np.uint8],
    *,
    latency: int | None,
    gap: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Every layer on its own, and the clocks of a whole run."""
    from hw.contract.artifact import load
    from hw.util.files import write_json
    from hw.util.processes import processors
    from sim.rtl import layers

    with progress("simulating layer by layer") as show:
        found = layers.measure(
            design,
            load(design / "model.npz"),
            images,
            memory=_memory(latency, gap),
            processes=processors(),
            progress=show,
        )
    if out:
        write_json(out, found)
    emit(as_json, found, *layers.markdown(found))
    if found["total"]["mismatches"]:
        raise typer.Exit(1)


def _memory(latency: int | None, gap: int) -> Memory:
    """External memory of the bench; None is its usual latency."""
    from sim.bench.job import Memory

    return Memory(gap=gap) if latency is None else Memory(latency, gap)
