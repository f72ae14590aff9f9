"""A device as numbers: what it has, how fast it runs, how fast its memory is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hw.contract.config import BUS_BITS, STREAM_BITS
from hw.contract.packed_products import WIDE_PORTS
from hw.util.errors import ConfigError

DRAM_EFFICIENCY = 0.9
"""Share of a memory's peak that long reads are taken to reach where a device does not say. An assumption."""


@dataclass(frozen=True)
class Device:
    """name: of the board. clock_hz: of the design. budget: resource name to count. labels: resource name
    to its plural for people. dram_rate: peak bytes per second of external memory, of ``dram_interfaces`` side
    by side. wide_port: bits of the wide port of a multiplier. stream_bits: of the widest streams that its
    link to the host keeps busy. dram_sustained, dram_peaks: bytes per second that long reads reach, and
    peaks, of one memory, of two side by side, and so on; without them shares of ``dram_rate``, and of that
    DRAM_EFFICIENCY."""

    name: str
    clock_hz: float
    budget: Mapping[str, int]
    labels: Mapping[str, str]
    dram_rate: float
    dram_interfaces: int = 1
    wide_port: int = WIDE_PORTS["DSP48E1"]
    stream_bits: int = STREAM_BITS[0]
    dram_sustained: tuple[float, ...] = ()
    dram_peaks: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.clock_hz > 0:
            raise ConfigError(f"the design clock must be positive, not {self.clock_hz / 1e6:g} MHz")

    @property
    def bus_bits(self) -> int:
        """Widest bus that memory keeps pace with, a beat per clock; 0 where it is too slow for any."""
        most = self.sustained(self.dram_interfaces)
        return max((bits for bits in BUS_BITS if self.bus_rate(bits) <= most), default=0)

    def memories(self, bits: int) -> int:
        """Fewest memories side by side that keep pace with a bus of ``bits``."""
        counts = [count for count in (1, 2, 4) if count <= self.dram_interfaces]
        return next((count for count in counts if self.sustained(count) >= self.bus_rate(bits)), counts[-1])

    def sustained(self, count: int) -> float:
        """Bytes per second that designs are reckoned to read from ``count`` memories side by side."""
        if self.dram_sustained:
            return self.dram_sustained[count - 1]
        return DRAM_EFFICIENCY * self.peak(count)

    def peak(self, count: int) -> float:
        """Bytes per second that ``count`` memories side by side give at most."""
        return (
            self.dram_peaks[count - 1] if self.dram_peaks else self.dram_rate * count / self.dram_interfaces
        )

    def bus_rate(self, bits: int) -> float:
        """Bytes per second of a bus of ``bits``."""
        return bits / 8 * self.clock_hz

    def over(self, needs: Mapping[str, float]) -> dict[str, float]:
        """Of ``needs``, what the budget does not hold."""
        return {name: need for name, need in needs.items() if need > self.budget[name]}

    def use(self, needs: Mapping[str, float]) -> dict[str, float]:
        """Share of every resource in percent; infinite where there is none of it."""
        return {
            name: 100 * need / self.budget[name] if self.budget[name] else float("inf")
            for name, need in needs.items()
            if need or self.budget[name]
        }

    def excess(self, needs: Mapping[str, float]) -> str:
        """``1,796.5 RAMB36 blocks of 1,470 and ...``, for what the budget does not hold."""
        over = self.over(needs)
        return " and ".join(
            f"{need:,g} {self.labels[name]} of {self.budget[name]:,}" for name, need in over.items()
        )
