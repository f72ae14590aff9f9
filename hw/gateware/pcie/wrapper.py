"""The accelerator as a block design sees it beside PCI Express: a wrapper whose ports say what they are.

:mod:`hw.gateware.ports.interfaces` finds every AXI port by its name;
:mod:`bitstreams.flows.memory_map` says where those to memory lead.
"""

from __future__ import annotations

from collections.abc import Sequence

from hw.contract.design import DesignInfo
from hw.gateware.pcie import stream_sync
from hw.gateware.ports.interfaces import Port, declarations, interfaces, module, qualifiers

WRAPPER = "spec2_axi"
"""Module name of the wrapper."""


def wrapper(info: DesignInfo) -> str:
    """Verilog of :data:`WRAPPER`: the design's AXI ports, ``aclk``, ``aresetn``, ``marker``, ``request``.

    The streams pass through :mod:`hw.gateware.pcie.stream_sync`, which ``marker`` controls; they carry a
    ``tkeep`` that is always ones. ``request`` (an interrupt to the host) is always low. Raises
    ``ConfigError`` for a design with other ports (:func:`hw.gateware.ports.interfaces.interfaces`).
    """
    found = interfaces(info)
    ports = [*declarations(found), "  input [31:0] marker", "  output request"]
    streams = [port for each in found if each.stream for port in each.ports if not port.added]
    pins = [
        f"    .{port.name}({f'core_{port.name}' if each.stream else port.name})"
        for each in found
        for port in each.ports
        if not port.added
    ]
    body = [
        "  assign request = 1'b0;",
        *qualifiers(found),
        *(f"  wire{port.range} core_{port.name};" for port in streams),
        "  wire hold;",
        "  reg reset = 1'b1;",
        "  always @(posedge aclk) reset <= ~aresetn | hold;",
        f"  {stream_sync.MODULE} sync (",
        "    .clk(aclk), .rst(~aresetn), .marker(marker), .hold(hold),",
        ",\n".join(_through(streams)),
        "  );",
        f"  {info.top} core (",
        ",\n".join(["    .clk(aclk)", "    .rst(reset)", *pins]),
        "  );",
    ]
    title = f"// The accelerator {info.top} with its interfaces named for a block design."
    return "\n".join([title, *module(WRAPPER, ports, body), ""])


def _through(streams: Sequence[Port]) -> list[str]:
    """Connections of the synchroniser: each stream of the wrapper on one side, the core's on the other."""
    sides = {"s_axis": ("from_host", "to_core"), "m_axis": ("to_host", "from_core")}
    return [
        f"    .{sides[port.bus][0]}_{port.signal}({port.name}), "
        f".{sides[port.bus][1]}_{port.signal}(core_{port.name})"
        for port in streams
    ]
