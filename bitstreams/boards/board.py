"""What a board is to this project: a device with a budget, pins, and ways to reach it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any

XRAY_FAMILIES = {"a": "artix7", "k": "kintex7", "v": "virtex7", "s": "spartan7", "z": "zynq7"}
"""Folder of Project X-Ray's database for the letter behind ``xc7``."""

_PART = re.compile(r"(?P<die>xc[a-z0-9]+?[tp])-?(?P<package>[a-z]{3,4}\d+)-(?P<speed>\d)")


RESOURCES = {
    "dsp": "DSP slices",
    "bram36": "RAMB36 blocks",
    "uram": "UltraRAM blocks",
    "lut": "LUTs",
    "ff": "flip-flops",
}
"""Resources a design can need, with their plural names."""


@dataclass(frozen=True)
class Board:
    """A board and what its device offers.

    family: yosys' name of the device family: ``xc7`` (7 series) or ``xcup`` (UltraScale+).
    dsp, bram36, uram, lut, ff: the budget; ``bram36`` counts RAMB36 blocks (each also usable as two
        RAMB18), ``uram`` UltraRAM blocks. source: where these numbers come from.
    dram: bytes of memory on the board. dram_interfaces: memories that work side by side. dram_bits: data
        bits of one, without ECC. dram_rate: transfers per second. dram_source: where these come from.
    pins: where the pin-out comes from.
    transports: how a host can reach a design: ``uart`` always, ``pcie`` where a block design exists.
    baud, max_baud: bit rate of the UART by default, and the most its USB bridge can do.
    clock, open_clock: design clock in Hz that Vivado and openXC7 are asked for by default; ``open_clock``
        is None where the open tools have no database of the device.
    loader: options of openFPGALoader that select the board.
    flash: Vivado's name of the configuration memory.
    board_part: pattern of Vivado's board files for ``get_board_parts``.
    cfgbvs, config_voltage: supply of the configuration bank, which Vivado asks for.
    platform: class of the pins, an ``amaranth.vendor.XilinxPlatform``.
    """

    name: str
    title: str
    part: str
    family: str
    dsp: int
    bram36: int
    uram: int
    lut: int
    ff: int
    source: str
    dram: int
    dram_interfaces: int
    dram_bits: int
    dram_rate: int
    dram_source: str
    pins: str
    transports: tuple[str, ...]
    baud: int
    max_baud: int
    clock: int
    open_clock: int | None
    loader: tuple[str, ...]
    flash: str
    board_part: str
    cfgbvs: str
    config_voltage: float
    platform: Any = field(repr=False, compare=False)

    @property
    def budget(self) -> dict[str, int]:
        """Resource name to available count."""
        return {name: getattr(self, name) for name in RESOURCES}

    @property
    def dram_bytes_per_second(self) -> float:
        """Peak of one memory interface."""
        return self.dram_bits / 8 * self.dram_rate

    @property
    def die(self) -> str:
        """The device without package and speed grade, ``xc7vx485t``."""
        return self._split["die"]

    @property
    def package(self) -> str:
        """``ffg1761``."""
        return self._split["package"]

    @property
    def speed(self) -> int:
        """Speed grade: 1 (slowest) to 3."""
        return int(self._split["speed"])

    @property
    def xray(self) -> str | None:
        """Folder of the device in Project X-Ray's database; None outside the 7 series."""
        return XRAY_FAMILIES[self.part[3]] if self.family == "xc7" else None

    @property
    def _split(self) -> re.Match[str]:
        match = _PART.match(self.part)
        assert match, f"{self.part} is no part number"
        return match

    def to_json(self) -> dict[str, Any]:
        """Plain data; the platform stays out."""
        data = asdict(self)
        del data["platform"]
        return data
