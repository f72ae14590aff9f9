"""One design of a sweep, with its price and its speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from hw.config import AcceleratorConfig
from hw.estimate import total_cycles
from hw.explore.device import Device
from hw.explore.stages import least_cycles
from hw.explore.workload import Workload
from hw.program import Program
from hw.resources import resources


@dataclass(frozen=True)
class Point:
    """A design for one network on one device.

    config: with ``line_pixels`` resolved. memory_lines: depth of its feature memory. weight_steps: that its
    weight store holds, 0 without one. needs: resource name to count. operations: dense-equivalent ones of an
    image. cycles, seconds: of a run of a full batch, None where it was not timed, because it does not fit or
    cannot be better than another.
    """

    config: AcceleratorConfig
    weight_bits: int
    memory_lines: int
    weight_steps: int
    needs: dict[str, float]
    fits: bool
    operations: int
    cycles: int | None = None
    seconds: float | None = None

    @property
    def dsp(self) -> float:
        """DSP slices."""
        return self.needs["dsp"]

    @property
    def time(self) -> float:
        """Seconds of a run; infinite where it was not timed."""
        return float("inf") if self.seconds is None else self.seconds

    @property
    def images_per_second(self) -> float:
        """Of runs of a full batch, one behind the other."""
        return self.config.batch / self.time

    @property
    def efficiency(self) -> float:
        """Dense-equivalent operations per DSP slice and clock."""
        return self.operations * self.config.batch / (self.dsp * self.cycles) if self.cycles else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        timed = {
            "cycles": self.cycles,
            "ms": 1e3 * self.time,
            "images_per_second": self.images_per_second,
            "op_per_dsp_cycle": self.efficiency,
        }
        return {
            "config": asdict(self.config),
            "weight_bits": self.weight_bits,
            "memory_lines": self.memory_lines,
            "weight_steps": self.weight_steps,
            "needs": self.needs,
            "fits": self.fits,
            **(timed if self.cycles else {}),
        }


def fits_its_device(point: Point) -> bool:
    """Whether a design is worth to be timed if nothing else is known."""
    return point.fits


def price(program: Program) -> dict[str, float]:
    """Resource name to count."""
    return {name: float(count) for name, count in asdict(resources(program)).items()}


def evaluate(
    workload: Workload,
    device: Device,
    config: AcceleratorConfig,
    weight_bits: int,
    worth: Callable[[Point], bool] = fits_its_device,
) -> Point:
    """Compile and price a design, and time it if it is ``worth`` that, which is asked of a point whose time
    is a lower bound.

    Raises ``ConfigError`` for a configuration that cannot run the network at all.
    """
    program = workload.program(config, weight_bits)
    needs = price(program)

    def point(cycles: int | None) -> Point:
        return Point(
            config=program.config,
            weight_bits=weight_bits,
            memory_lines=program.memory_lines,
            weight_steps=program.stream.depth if config.stream_weights else 0,
            needs=needs,
            fits=not device.over(needs),
            operations=workload.network.operations,
            cycles=cycles,
            seconds=cycles / device.clock_hz if cycles else None,
        )

    batch = config.batch
    bound = point(least_cycles(program, batch))
    return point(total_cycles(program, batch) if worth(bound) else None)
