"""What a board is to this project: a device with a budget, pins, and ways to reach it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from bitstreams.boards.memory import Controller, Memory, together
from hw.contract.config import STREAM_BITS
from hw.contract.packed_products import WIDE_PORTS
from hw.util.errors import ConfigError

XRAY_FAMILIES = {"a": "artix7", "k": "kintex7", "v": "virtex7", "s": "spartan7", "z": "zynq7"}
"""Folder of Project X-Ray's database for the letter after ``xc7``."""

DSP_TYPES = {"xc7": "DSP48E1", "xcup": "DSP48E2"}
"""The DSP slice of a device family, as :data:`hw.contract.packed_products.WIDE_PORTS` names it."""

_PART = re.compile(r"(?P<die>xc(?:u\d+|k\d+|7z\d+|[a-z0-9]+?[tp]))-?(?P<package>[a-z]{3,4}\d+)-(?P<speed>\d)")


RESOURCES = {
    "dsp": "DSP slices",
    "bram36": "RAMB36 blocks",
    "uram": "UltraRAM blocks",
    "lut": "LUTs",
    "ff": "flip-flops",
}
"""Resources a design can need, with their plural names."""

UART, PCIE, ZYNQ = "uart", "pcie", "zynq"
"""Names of transports."""

FLASH_INTERFACES = ("SPIx1", "SPIx2", "SPIx4", "SPIx8", "BPIx16")
"""How a device reads its configuration memory, as ``write_cfgmem`` and ``tcl/build.tcl`` name it."""


@dataclass(frozen=True)
class Flash:
    """A configuration memory. Raises ``ConfigError`` for an interface that no script can write.

    name: Vivado's. interface: one of :data:`FLASH_INTERFACES`. mbytes: its size by its data sheet, both
    halves of a pair together. alias: another name under which releases of Vivado know it. offset: the byte at
    which a design begins, where what lies before it has to stay.
    """

    name: str
    interface: str
    mbytes: int
    alias: str = ""
    offset: int = 0

    def __post_init__(self) -> None:
        if self.interface not in FLASH_INTERFACES:
            raise ConfigError(
                f"the flash {self.name!r} has the interface {self.interface!r}: "
                f"name one of {', '.join(FLASH_INTERFACES)}"
            )

    @property
    def images(self) -> tuple[str, ...]:
        """The files that ``write_cfgmem -file spec2.mcs`` makes: two where a pair shares every byte."""
        return ("spec2_primary.mcs", "spec2_secondary.mcs") if self.interface == "SPIx8" else ("spec2.mcs",)


@dataclass(frozen=True)
class PciePins:
    """Pins of PCI Express, for boards whose files have no interface for it.

    refclk: of the reference clock, positive and negative. perst, standard: of the reset, active low.
    rxp, rxn, txp, txn: of the lanes, the first one first.
    """

    refclk: tuple[str, str]
    perst: str
    standard: str
    rxp: tuple[str, ...]
    rxn: tuple[str, ...]
    txp: tuple[str, ...]
    txn: tuple[str, ...]

    def constraints(self) -> list[str]:
        """XDC that places the ports of the block design, whose names are those of other boards' files."""
        ports = {
            "pcie_refclk_clk_p*": self.refclk[0],
            "pcie_refclk_clk_n*": self.refclk[1],
            "pcie_perstn": self.perst,
        }
        for wire in ("rxp", "rxn", "txp", "txn"):
            sites = getattr(self, wire)
            ports |= {f"{{pci_express_x{len(sites)}_{wire}[{i}]}}": site for i, site in enumerate(sites)}
        return [
            *(f"set_property PACKAGE_PIN {site} [get_ports {port}]" for port, site in ports.items()),
            f"set_property IOSTANDARD {self.standard} [get_ports pcie_perstn]",
            "set_property PULLUP true [get_ports pcie_perstn]",
        ]


@dataclass(frozen=True)
class PcieBlock:
    """What the block design around the accelerator, with PCI Express, needs to know of a board.

    lanes, gts: width of the link and transfers per lane and second, in GT/s; :data:`LINKS` has them. xdma:
    parameters that place PCI Express, by name. pins: where the board files have none.
    """

    lanes: int = 8
    gts: str = "8.0"
    xdma: Mapping[str, str] = field(default_factory=dict)
    pins: PciePins | None = None

    def __post_init__(self) -> None:
        if (self.lanes, self.gts) not in LINKS:
            known = ", ".join(f"{lanes} lanes at {gts}" for lanes, gts in LINKS)
            raise ConfigError(f"no link has {self.lanes} lanes at {self.gts} GT/s: name one of {known}")

    @property
    def link_bits(self) -> int:
        """Bits that the PCI Express block moves in a clock of 250 MHz."""
        return LINKS[self.lanes, self.gts]


LINKS = {(8, "5.0"): 128, (8, "8.0"): 256, (16, "8.0"): 512}
"""Bits of a beat at 250 MHz, by lanes and GT/s (PG195, AXI data width)."""


@dataclass(frozen=True)
class Board:
    """A board and what its device offers: all that this project knows of it is in the board's own file.

    family: yosys' name of the device family: ``xc7`` (7 series) or ``xcup`` (UltraScale+).
    dsp, bram36, uram, lut, ff: the budget; ``bram36`` counts RAMB36 blocks (each also usable as two
        RAMB18), ``uram`` UltraRAM blocks. source: where these numbers come from.
    memories: those that work side by side, in the order in which designs take them.
    controllers: in block designs, for designs that read one memory, two side by side, and so on; there are
        none for counts that it ends before or leaves empty. button: the reset button and its polarity. Names
        are those of the board files in Xilinx/XilinxBoardStore, or in Vivado.
    clock, open_clock: design clock in Hz that Vivado and openXC7 are asked for by default; ``open_clock``
        is None where the open tools cannot build: they have no database of the device, or no way to the host.
    board_part: pattern of Vivado's board files for ``get_board_parts``.
    platform: class of the pins, an ``amaranth.vendor.XilinxPlatform``; None where the logic has no serial
        port of its own, and then no shell with one. The next seven are of boards with it.
    pins: where the pin-out comes from.
    baud, max_baud: bit rate of the UART by default, and the most its USB bridge can do.
    loader: options of openFPGALoader that select the board.
    flash: the configuration memory.
    cfgbvs, config_voltage: supply of the configuration bank, which Vivado asks for.
    pcie: the block design with PCI Express; None where there is none.
    processor: the processor beside the logic, a key of :data:`bitstreams.flows.processors.PROCESSORS`; empty
        where there is none.
    stream_bits: width of the streams of images and results that the board's fastest link keeps busy. A serial
        port takes 32 bits, whatever the board.
    bitstream: properties of the bitstream, by name after ``BITSTREAM.CONFIG``.
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
    memories: tuple[Memory, ...]
    clock: int
    open_clock: int | None
    board_part: str
    controllers: tuple[tuple[Controller, ...], ...] = ()
    button: tuple[str, str] = ("reset", "ACTIVE_HIGH")
    platform: Any = field(default=None, repr=False, compare=False)
    pins: str = ""
    baud: int = 0
    max_baud: int = 0
    loader: tuple[str, ...] = ()
    flash: Flash | None = None
    cfgbvs: str = ""
    config_voltage: float = 0.0
    pcie: PcieBlock | None = None
    processor: str = ""
    stream_bits: int = STREAM_BITS[0]
    bitstream: Mapping[str, str] = field(default_factory=dict)

    @property
    def budget(self) -> dict[str, int]:
        """Resource name to available count."""
        return {name: getattr(self, name) for name in RESOURCES}

    @property
    def wide_port(self) -> int:
        """Bits of the wide port of a multiplier."""
        return WIDE_PORTS[DSP_TYPES[self.family]]

    @property
    def transports(self) -> tuple[str, ...]:
        """How a host can reach a design: ``uart`` with pins for it, ``pcie`` and ``zynq`` (the processor on
        the same chip) where a block design exists. The first is the default."""
        has = {UART: self.platform, PCIE: self.pcie, ZYNQ: self.processor}
        return tuple(name for name, there in has.items() if there)

    @property
    def connected(self) -> tuple[int, ...]:
        """Numbers of memories side by side that a build connects; none without controllers."""
        return tuple(count for count, each in enumerate(self.controllers, 1) if each)

    @property
    def dram(self) -> int:
        """Bytes of memory on the board."""
        return sum(memory.bytes for memory in self.memories)

    def bandwidth(self, count: int) -> tuple[float, float]:
        """Peak and sustained bytes per second of the first ``count`` memories side by side.

        Raises ``ConfigError`` for more than there are.
        """
        if not self.memories:
            raise ConfigError(
                f"designs on the {self.name} find no memory to read weights from, not {count}: let them hold "
                "their weights, without --stream-weights and --memories"
            )
        if not 0 < count <= len(self.memories):
            have = len(self.memories)
            what = f"{have} memory {'interface' if have == 1 else 'interfaces'}"
            raise ConfigError(f"the {self.name} has {what}, not {count}: lower --memories")
        return together(self.memories[:count])

    @property
    def configuration(self) -> tuple[str, ...]:
        """XDC about the device's configuration: its supply, and the bitstream's properties. A processor
        configures the logic beside it without a supply of its own."""
        if self.processor:
            return ()
        lines = [f"set_property CONFIG_VOLTAGE {self.config_voltage} [current_design]"]
        if self.family == "xc7":  # UltraScale+ has no such pin
            lines.insert(0, f"set_property CFGBVS {self.cfgbvs} [current_design]")
        for name, value in self.bitstream.items():
            lines.append(f"set_property BITSTREAM.CONFIG.{name} {value} [current_design]")
        return tuple(lines)

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
        """Plain data: the flash by its name, without platform and block design."""
        data = {item.name: getattr(self, item.name) for item in fields(self)}
        del data["platform"], data["pcie"], data["controllers"], data["button"]
        memories = [
            asdict(memory) | {"peak": memory.peak, "sustained": memory.sustained} for memory in self.memories
        ]
        flash = self.flash.name if self.flash else None
        more = {"transports": self.transports, "memories": memories, "connected": self.connected}
        return data | {"flash": flash, **more}
