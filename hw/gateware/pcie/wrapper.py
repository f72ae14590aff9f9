"""The accelerator as a block design sees it: a Verilog wrapper whose ports say what they are.

Vivado guesses interfaces from port names; the attributes here leave nothing to guess. Every AXI port of
the design is found by name in its description; :mod:`bitstreams.flows.memory_map` says where those to memory
lead.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw.compile.weight_stream import MOST_BEATS, OUTSTANDING
from hw.contract.design import DesignInfo
from hw.gateware.pcie import stream_sync
from hw.util.errors import ConfigError

WRAPPER = "spec2_axi"
"""Module name of the wrapper."""

_STREAM, _MEMORY = "xilinx.com:interface:axis:1.0", "xilinx.com:interface:aximm:1.0"

_STREAM_SIGNALS = {"tdata", "tvalid", "tready", "tlast"}

# What a subordinate drives; a manager drives the rest.
_FROM_SUBORDINATE = {
    "awready", "wready", "bid", "bresp", "bvalid", "buser",
    "arready", "rid", "rdata", "rresp", "rlast", "rvalid", "ruser", "tready",
}  # fmt: skip


@dataclass(frozen=True)
class Port:
    """A port of the accelerator: ``signal`` (in lower case) of the interface ``bus``."""

    bus: str
    signal: str
    width: int

    @property
    def name(self) -> str:
        """Its name in Verilog."""
        return f"{self.bus}_{self.signal}"

    @property
    def stream(self) -> bool:
        """Whether it belongs to an AXI4-Stream."""
        return self.signal in _STREAM_SIGNALS

    @property
    def output(self) -> bool:
        """Whether the accelerator drives it."""
        return self.bus.startswith("m_") != (self.signal in _FROM_SUBORDINATE)


def ports(info: DesignInfo) -> list[Port]:
    """The AXI ports of the design. Raises ``ConfigError`` for a port that no interface explains."""
    found = []
    for name, width in info.ports.items():
        if name in ("clk", "rst"):
            continue
        bus, _, signal = name.rpartition("_")
        stream, memory = bus in ("s_axis", "m_axis"), bus == "s_axil" or _is_memory(bus)
        if not (stream and signal in _STREAM_SIGNALS) and not memory:
            raise ConfigError(
                f"the design has a port {name!r} that the PCI Express shell cannot connect: "
                "it knows s_axil, s_axis, m_axis and m_axi"
            )
        found.append(Port(bus, signal, width))
    bits = info.config.stream_bits
    other = [port.name for port in found if port.signal == "tdata" and port.width != bits]
    if other:
        raise ConfigError(
            f"{', '.join(other)} of the design is not {bits} bits wide, as its configuration says: "
            "generate it again"
        )
    missing = {"s_axil", "s_axis", "m_axis"} - {port.bus for port in found}
    if missing:
        raise ConfigError(
            f"the design has no {', '.join(sorted(missing))} port: generate it again before building"
        )
    return found


def _is_memory(bus: str) -> bool:
    return bus == "m_axi" or bus.startswith("m_axi_")


def wrapper(info: DesignInfo) -> str:
    """Verilog of :data:`WRAPPER`: the design's AXI ports, ``aclk``, ``aresetn``, ``marker``, ``request``.

    The streams pass through :mod:`hw.gateware.pcie.stream_sync`, which ``marker`` controls; they carry a
    ``tkeep`` that is always ones. ``request`` (an interrupt to the host) is always low.
    """
    all_ports = ports(info)
    buses = list(dict.fromkeys(port.bus for port in all_ports))
    associated = ":".join(buses)
    lines = [
        *_special("clock:1.0 aclk CLK", "aclk", f"ASSOCIATED_BUSIF {associated}, ASSOCIATED_RESET aresetn"),
        "  input aclk",
        *_special("reset:1.0 aresetn RST", "aresetn", "POLARITY ACTIVE_LOW"),
        "  input aresetn",
    ]
    for bus in buses:
        of_bus = [port for port in all_ports if port.bus == bus]
        lines.append(f'  (* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME {bus}, {_parameters(of_bus)}" *)')
        for port in [*of_bus, *_keep(of_bus)]:
            kind = _STREAM if of_bus[0].stream else _MEMORY
            lines.append(f'  (* X_INTERFACE_INFO = "{kind} {bus} {port.signal.upper()}" *)')
            lines.append(f"  {_declaration(port)}")
    lines += ["  input [31:0] marker", "  output request"]
    declared = [line if line.lstrip().startswith("(*") else f"{line}," for line in lines]
    declared[-1] = declared[-1].removesuffix(",")
    streams = [port for port in all_ports if port.stream]
    driven = [port for port in _keep(all_ports) if port.output]
    inner = [f"    .{port.name}({f'core_{port.name}' if port.stream else port.name})" for port in all_ports]
    return "\n".join(
        [
            f"// The accelerator {info.top} with its interfaces named for a block design.",
            f"module {WRAPPER} (",
            *declared,
            ");",
            "  assign request = 1'b0;",
            *(f"  assign {port.name} = {port.width}'b{'1' * port.width};" for port in driven),
            *(f"  wire{_bits(port)} core_{port.name};" for port in streams),
            "  wire hold;",
            "  reg reset = 1'b1;",
            "  always @(posedge aclk) reset <= ~aresetn | hold;",
            f"  {stream_sync.MODULE} sync (",
            "    .clk(aclk), .rst(~aresetn), .marker(marker), .hold(hold),",
            ",\n".join(_through(streams)),
            "  );",
            f"  {info.top} core (",
            ",\n".join(["    .clk(aclk)", "    .rst(reset)", *inner]),
            "  );",
            "endmodule\n",
        ]
    )


def _through(streams: list[Port]) -> list[str]:
    """Connections of the synchroniser: each stream of the wrapper on one side, the core's on the other."""
    sides = {"s_axis": ("from_host", "to_core"), "m_axis": ("to_host", "from_core")}
    return [
        f"    .{sides[port.bus][0]}_{port.signal}({port.name}), "
        f".{sides[port.bus][1]}_{port.signal}(core_{port.name})"
        for port in streams
    ]


def _special(info: str, name: str, parameters: str) -> list[str]:
    return [
        f'  (* X_INTERFACE_INFO = "xilinx.com:signal:{info}" *)',
        f'  (* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME {name}, {parameters}" *)',
    ]


def _bits(port: Port) -> str:
    return f" [{port.width - 1}:0]" if port.width > 1 else ""


def _declaration(port: Port) -> str:
    return f"{'output' if port.output else 'input'}{_bits(port)} {port.name}"


def _keep(of_buses: list[Port]) -> list[Port]:
    """The byte qualifiers that the streams lack."""
    data = (port for port in of_buses if port.signal == "tdata")
    return [Port(port.bus, "tkeep", port.width // 8) for port in data]


def _parameters(of_bus: list[Port]) -> str:
    width = {port.signal: port.width for port in of_bus}
    if of_bus[0].stream:
        return f"TDATA_NUM_BYTES {width['tdata'] // 8}, HAS_TKEEP 1, HAS_TLAST 1, HAS_TREADY 1"
    address = width.get("awaddr") or width["araddr"]
    data = width.get("wdata") or width["rdata"]
    if of_bus[0].bus == "s_axil":
        return f"PROTOCOL AXI4LITE, DATA_WIDTH {data}, ADDR_WIDTH {address}"
    # What a crossbar makes room for; it makes none for channels that are not there.
    both = {"awaddr", "araddr"} <= set(width)
    mode = "READ_WRITE" if both else "READ_ONLY" if "araddr" in width else "WRITE_ONLY"
    return (
        f"PROTOCOL AXI4, DATA_WIDTH {data}, ADDR_WIDTH {address}, ID_WIDTH {width.get('arid', 0)}, "
        f"READ_WRITE_MODE {mode}, HAS_BURST 1, SUPPORTS_NARROW_BURST 0, MAX_BURST_LENGTH {MOST_BEATS}, "
        f"NUM_READ_OUTSTANDING {OUTSTANDING}"
    )
