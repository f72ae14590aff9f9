"""The memories of a board, and how fast they are.

A rate is that of the controller a plan makes: what the board's manual says of its chips may be more. Nothing
was measured here; where a figure comes from stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SUSTAINED = {"ddr3": 0.8, "ddr4": 0.9}
"""Share of the peak that long reads, one after the other, are taken to reach; refresh and changes of row cost
the rest. AXI to DDR3 behind AMD's controller of the 7 series: 80.8 and 82.8 % measured at 1,600 and 800 MT/s
by blog.csdn.net/smallerlang/article/details/96994220 (67 and 74 % with bursts as short as 4 beats). DDR4: an
assumption; controllers of this kind are said to pass 90 % (Intel AN 1003, preliminary efficiency)."""

CONTROLLERS = ("mig7", "ddr4")
"""Kinds of controllers: AMD's for DDR3 on the 7 series (UG586), for DDR4 on UltraScale+ (PG150)."""


@dataclass(frozen=True)
class Memory:
    """One of the memories of a board that work side by side.

    name: short, for people. kind: a key of :data:`SUSTAINED`. part: chips or module. bytes: its size, a power
    of two. bits: of data, without ECC. rate: transfers per second. source: where these come from.
    """

    name: str
    kind: str
    part: str
    bytes: int
    bits: int
    rate: int
    source: str

    @property
    def peak(self) -> float:
        """Bytes per second, if every clock of its bus moved data."""
        return self.bits / 8 * self.rate

    @property
    def port_hz(self) -> int:
        """Clock of its controller's port: four of the memory's clocks, which are eight transfers."""
        return self.rate // 8

    @property
    def sustained(self) -> float:
        """Bytes per second that long reads are reckoned with."""
        return SUSTAINED[self.kind] * self.peak


@dataclass(frozen=True)
class Controller:
    """A controller in a block design, for one memory or, of the kind ``mig7``, for several.

    kind: one of :data:`CONTROLLERS`. interfaces: its memory among the interfaces of the board files, the
    preferred name first. clocks: the clock of each of its memories. options: parameters that its preset does
    not have, by name. reset: how its preset wants its reset, ``ACTIVE_HIGH`` or ``ACTIVE_LOW``.
    """

    kind: str
    interfaces: tuple[str, ...]
    clocks: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)
    reset: str = "ACTIVE_HIGH"


def together(memories: tuple[Memory, ...]) -> tuple[float, float]:
    """Peak and sustained bytes per second of memories that share every beat: the slowest sets the pace."""
    count = len(memories)
    return (
        count * min(memory.peak for memory in memories),
        count * min(memory.sustained for memory in memories),
    )
