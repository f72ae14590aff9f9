"""The AXI interfaces of an accelerator, found by the names of its ports, and what tells Vivado of them.

Vivado guesses interfaces from names; the attributes here leave nothing to guess. They stand in wrappers
around the accelerator (:mod:`hw.gateware.pcie.wrapper`), and a package's ``component.xml`` says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hw.compile.weight_stream import MOST_BEATS, OUTSTANDING
from hw.contract.design import DesignInfo
from hw.util.errors import ConfigError

STREAM, MEMORY = "axis", "aximm"
"""Vivado's names of AXI4-Stream, and of AXI4 and AXI4-Lite."""

CLOCK, RESET = "aclk", "aresetn"
"""Of a wrapper: its clock, and its reset, which is active low."""

INTERRUPT = "interrupt"
"""Of an accelerator and a wrapper: the output, level-sensitive and high. Older designs have none."""

_STREAM_SIGNALS = {"tdata", "tvalid", "tready", "tlast"}

# What a subordinate drives; a manager drives the rest.
_FROM_SUBORDINATE = {
    "awready", "wready", "bid", "bresp", "bvalid", "buser",
    "arready", "rid", "rdata", "rresp", "rlast", "rvalid", "ruser", "tready",
}  # fmt: skip


@dataclass(frozen=True)
class Port:
    """A port of the accelerator, or of a wrapper: ``signal`` (in lower case) of the interface ``bus``."""

    bus: str
    signal: str
    width: int

    @property
    def name(self) -> str:
        """Its name in Verilog."""
        return f"{self.bus}_{self.signal}"

    @property
    def output(self) -> bool:
        """Whether the accelerator drives it."""
        return self.bus.startswith("m_") != (self.signal in _FROM_SUBORDINATE)

    @property
    def added(self) -> bool:
        """Whether it is the wrapper's alone: the byte qualifiers that the accelerator's streams lack."""
        return self.signal == "tkeep"

    @property
    def range(self) -> str:
        """Its range in Verilog, after a space; nothing for a single bit."""
        return f" [{self.width - 1}:0]" if self.width > 1 else ""

    @property
    def declaration(self) -> str:
        """Its direction, range and name in Verilog."""
        return f"{'output' if self.output else 'input'}{self.range} {self.name}"


@dataclass(frozen=True)
class Interface:
    """An AXI interface of a wrapper: ``ports`` in the order of the accelerator's, then what is added. beats,
    outstanding: of the longest burst at a memory, and most bursts on their way."""

    name: str
    ports: tuple[Port, ...]
    beats: int = MOST_BEATS
    outstanding: int = OUTSTANDING

    @property
    def stream(self) -> bool:
        """Whether it is an AXI4-Stream."""
        return any(port.signal == "tdata" for port in self.ports)

    @property
    def manager(self) -> bool:
        """Whether the accelerator starts its transfers."""
        return self.name.startswith("m_")

    @property
    def kind(self) -> str:
        """Vivado's name of its protocol."""
        return STREAM if self.stream else MEMORY

    @property
    def address_bits(self) -> int:
        """Bits of its byte address; 0 of a stream."""
        width = self._widths
        return width.get("awaddr") or width.get("araddr") or 0

    @property
    def data_bits(self) -> int:
        """Bits of data of a beat."""
        width = self._widths
        return width.get("tdata") or width.get("wdata") or width["rdata"]

    @property
    def parameters(self) -> dict[str, str | int]:
        """What Vivado has to know of it, in its words."""
        width = self._widths
        if self.stream:
            return {"TDATA_NUM_BYTES": self.data_bits // 8, "HAS_TKEEP": 1, "HAS_TLAST": 1, "HAS_TREADY": 1}
        sizes: dict[str, str | int] = {"DATA_WIDTH": self.data_bits, "ADDR_WIDTH": self.address_bits}
        if self.name == "s_axil":
            return {"PROTOCOL": "AXI4LITE", **sizes}
        # What a crossbar makes room for; it makes none for channels that are not there.
        both = {"awaddr", "araddr"} <= set(width)
        mode = "READ_WRITE" if both else "READ_ONLY" if "araddr" in width else "WRITE_ONLY"
        writes: dict[str, str | int] = (
            {"NUM_WRITE_OUTSTANDING": self.outstanding} if "awaddr" in width else {}
        )
        return {
            "PROTOCOL": "AXI4",
            **sizes,
            "ID_WIDTH": width.get("arid", 0),
            "READ_WRITE_MODE": mode,
            "HAS_BURST": 1,
            "SUPPORTS_NARROW_BURST": 0,
            "MAX_BURST_LENGTH": self.beats,
            "NUM_READ_OUTSTANDING": self.outstanding,
            **writes,
        }

    @property
    def _widths(self) -> dict[str, int]:
        return {port.signal: port.width for port in self.ports}


def interfaces(info: DesignInfo) -> list[Interface]:
    """Those of the design. Raises ``ConfigError`` for a port that no interface explains, and for one that
    is missing or of another width than the configuration says."""
    found: dict[str, list[Port]] = {}
    for name, width in info.ports.items():
        if name in ("clk", "rst", INTERRUPT):
            continue
        bus, _, signal = name.rpartition("_")
        stream, memory = bus in ("s_axis", "m_axis"), bus == "s_axil" or _is_memory(bus)
        if not (stream and signal in _STREAM_SIGNALS) and not memory:
            raise ConfigError(
                f"the design has a port {name!r} that no wrapper connects: they know s_axil, s_axis, m_axis "
                "and m_axi"
            )
        found.setdefault(bus, []).append(Port(bus, signal, width))
    bits = info.config.stream_bits
    data = [port for ports in found.values() for port in ports if port.signal == "tdata"]
    if other := [port.name for port in data if port.width != bits]:
        raise ConfigError(
            f"{', '.join(other)} of the design is not {bits} bits wide, as its configuration says: "
            "generate it again"
        )
    if missing := {"s_axil", "s_axis", "m_axis"} - set(found):
        raise ConfigError(
            f"the design has no {', '.join(sorted(missing))} port: generate it again before building"
        )
    for port in data:
        found[port.bus].append(Port(port.bus, "tkeep", port.width // 8))
    return [Interface(name, tuple(ports)) for name, ports in found.items()]


def _is_memory(bus: str) -> bool:
    return bus == "m_axi" or bus.startswith("m_axi_")


def declarations(found: Sequence[Interface]) -> list[str]:
    """The ports of a wrapper with Vivado's attributes, clock and reset first; lines without commas. An
    interrupt is none of them (:func:`interrupt`)."""
    associated = ":".join(interface.name for interface in found)
    lines = [
        *_special("clock", "CLK", CLOCK, f"ASSOCIATED_BUSIF {associated}, ASSOCIATED_RESET {RESET}"),
        *_special("reset", "RST", RESET, "POLARITY ACTIVE_LOW"),
    ]
    for interface in found:
        parameters = ", ".join(f"{key} {value}" for key, value in interface.parameters.items())
        lines.append(f'  (* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME {interface.name}, {parameters}" *)')
        kind = f"xilinx.com:interface:{interface.kind}:1.0"
        for port in interface.ports:
            lines.append(f'  (* X_INTERFACE_INFO = "{kind} {port.bus} {port.signal.upper()}" *)')
            lines.append(f"  {port.declaration}")
    return lines


def interrupt() -> list[str]:
    """The interrupt as a port of a wrapper, as :func:`declarations` has the others."""
    return _special("interrupt", "INTERRUPT", INTERRUPT, "SENSITIVITY LEVEL_HIGH", "output")


def module(name: str, ports: Sequence[str], body: Sequence[str]) -> list[str]:
    """Lines of a module of these port lines, attributes among them, and this body."""
    declared = [line if line.lstrip().startswith("(*") else f"{line}," for line in ports]
    declared[-1] = declared[-1].removesuffix(",")
    return [f"module {name} (", *declared, ");", *body, "endmodule"]


def qualifiers(found: Sequence[Interface]) -> list[str]:
    """What drives the byte qualifiers of a wrapper's streams: all bytes of a beat count."""
    added = [port for interface in found for port in interface.ports if port.added and port.output]
    return [f"  assign {port.name} = {port.width}'b{'1' * port.width};" for port in added]


def _special(kind: str, signal: str, name: str, parameters: str, direction: str = "input") -> list[str]:
    return [
        f'  (* X_INTERFACE_INFO = "xilinx.com:signal:{kind}:1.0 {name} {signal}" *)',
        f'  (* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME {name}, {parameters}" *)',
        f"  {direction} {name}",
    ]
