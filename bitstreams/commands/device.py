"""A board as ``spec2 explore`` sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hw.util.errors import ConfigError

if TYPE_CHECKING:
    from hw.explore.device import Device


def device_of(name: str, clock_mhz: float | None, memories: int | None) -> Device:
    """A board as numbers."""
    from bitstreams.boards import find
    from bitstreams.boards.board import RESOURCES
    from hw.explore.device import Device

    board = find(name)
    if memories and memories > board.dram_interfaces:
        raise ConfigError(
            f"the {board.name} has {board.dram_interfaces} memory interfaces, not {memories}: "
            "lower --memories"
        )
    used = memories or board.dram_interfaces
    return Device(
        name=board.name,
        clock_hz=board.clock if clock_mhz is None else clock_mhz * 1e6,
        budget=board.budget,
        labels=RESOURCES,
        dram_rate=used * board.dram_bytes_per_second,
        dram_interfaces=used,
    )
