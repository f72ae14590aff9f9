"""One design of a sweep, with its price and its speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from hw.compile.program import Program
from hw.contract.config import AcceleratorConfig
from hw.cost.cycles import total_cycles
from hw.cost.efficiency import per_cycle
from hw.cost.resources import resources
from hw.cost.stages import least_cycles
from hw.explore.device import Device
from hw.explore.workload import Workload


@dataclass(frozen=True)
class Point:
    """A design for one network on one device.

    config: with ``line_pixels`` resolved. memory_lines: depth of its feature memory. weight_steps: that its
    weight buffer holds, 0 without one. needs: resource name to count. operations: dense-equivalent ones of an
    image. cycles: of a run of a full batch, None where that was not counted because the design does not
    fit, or even ``least_cycles``, which it cannot go below, were too many.
    """

    config: AcceleratorConfig
    weight_bits: int
    memory_lines: int
    weight_steps: int
    needs: dict[str, float]
    fits: bool
    operations: int
    clock_hz: float
    least_cycles: int
    cycles: int | None = None

    @property
    def dsp(self) -> float:
        """DSP slices."""
        return self.needs["dsp"]

    @property
    def seconds(self) -> float:
        """Of a run; the least it can be where it was not timed."""
        return (self.cycles or self.least_cycles) / self.clock_hz

    @property
    def images_per_second(self) -> float:
        """Of runs of a full batch, one after the other."""
        return self.config.batch / self.seconds

    @property
    def efficiency(self) -> float:
        """Dense-equivalent operations per DSP slice and clock."""
        return self.operations * self.images_per_second / (self.dsp * self.clock_hz)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        timed: dict[str, Any] = {}
        if self.cycles:
            timed = {
                "cycles": self.cycles,
                "ms": 1e3 * self.seconds,
                "images_per_second": self.images_per_second,
                **per_cycle(self.operations * self.config.batch, self.cycles, self.needs),
            }
        return {
            "config": self.config.to_json(),
            "weight_bits": self.weight_bits,
            "memory_lines": self.memory_lines,
            "weight_steps": self.weight_steps,
            "needs": self.needs,
            "fits": self.fits,
            **timed,
        }


def price(program: Program) -> dict[str, float]:
    """Resource name to count; UltraRAM where there is any, since most devices have none."""
    found = asdict(resources(program))
    return {name: float(count) for name, count in found.items() if count or name != "uram"}


def evaluate(
    workload: Workload,
    device: Device,
    config: AcceleratorConfig,
    weight_bits: int,
    worth: Callable[[Point], bool],
) -> Point:
    """Compile and price a design, and time it if it is ``worth`` that, which is asked of the point before.

    Raises ``ConfigError`` for a configuration that cannot run the network at all.
    """
    program = workload.program(config, weight_bits)
    needs = price(program)
    point = Point(
        config=program.config,
        weight_bits=weight_bits,
        memory_lines=program.memory_lines,
        weight_steps=program.stream.depth if config.stream_weights else 0,
        needs=needs,
        fits=not device.over(needs),
        operations=workload.operations,
        clock_hz=device.clock_hz,
        least_cycles=least_cycles(program, config.batch),
    )
    return replace(point, cycles=total_cycles(program, config.batch)) if worth(point) else point
