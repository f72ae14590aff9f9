"""What ``spec2 explore`` is asked to run, and among which designs it is to choose."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.util.errors import ConfigError

if TYPE_CHECKING:
    from hw.explore.space import Space
    from hw.explore.workload import Workload

MODEL_SUFFIX = ".npz"
"""What tells a model from the name of a network."""


class Target(StrEnum):
    """What ``spec2 explore`` looks for: the names of ``hw.explore.objective.Objective``."""

    latency = "latency"
    throughput = "throughput"
    dsp = "dsp"


def chosen_space(
    target: Target,
    rows: list[int] | None,
    lanes: list[int] | None,
    batch: list[int] | None,
    weight_bits: list[int] | None,
    products: list[str] | None = None,
) -> Space:
    """What is to be swept: the usual values where none are given."""
    from hw.contract.config import MOST_LANES
    from hw.explore.space import BATCHES, Space

    if target is Target.latency and batch:
        raise ConfigError(
            "the objective latency is the time of one image: leave out --batch, or use throughput"
        )
    most = 1 if target is Target.latency else max(lanes or [MOST_LANES])
    batches = batch or [images for images in BATCHES if images <= max(most, 1)]
    choices: dict[str, list[Any] | None] = {
        "rows": rows,
        "lanes": lanes,
        "batches": batches,
        "weight_bits": weight_bits,
        "products": products,
    }
    return Space(**{name: tuple(values) for name, values in choices.items() if values})


def chosen_workload(
    what: str,
    keep: float | None,
    group: int | None,
    weight_bits: list[int] | None,
    spectrum_bits: int | None = None,
) -> tuple[Workload, list[int] | None]:
    """What is to be run, and the widths of weights to try (None: the usual ones)."""
    from hw.contract.artifact import load
    from hw.contract.formats import SPECTRUM
    from hw.contract.network import find_network
    from hw.explore.lengths import Density
    from hw.explore.workload import ModelWorkload, UniformWorkload
    from hw.util.processes import processors

    if Path(what).suffix != MODEL_SUFFIX:
        usual = Density()
        density = Density(usual.keep if keep is None else keep, usual.group if group is None else group)
        bits = SPECTRUM.bits if spectrum_bits is None else spectrum_bits
        return UniformWorkload(find_network(what), density, bits), weight_bits
    artifact = load(Path(what))
    if keep is not None or group is not None or weight_bits or spectrum_bits is not None:
        raise ConfigError(
            "a model has its masks and widths: leave out --keep, --group, --weight-bits and --spectrum-bits"
        )
    return ModelWorkload(artifact, processors()), [artifact.weight_bits]
