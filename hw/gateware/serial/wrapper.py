"""The accelerator with its serial port as a block design sees it: a wrapper whose ports say what they are.

For designs that read their weights: the block design has their memory (:mod:`hw.gateware.pcie.wrapper` is the
same beside PCI Express). What else a board has, it adds as modules that listen to ``uart_tx``.
"""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Shape

from hw.contract.design import DesignInfo
from hw.gateware.ports.axi import AxiRead
from hw.gateware.ports.interfaces import Interface, Port, declarations, module
from hw.gateware.serial.serial_top import load_interface, memory_interfaces
from hw.host_interface.protocol import MAX_BEATS

WRAPPER = "spec2_board"
"""Module name of the wrapper."""


def wrapper(info: DesignInfo, serial: str, leds: str, lit: Mapping[str, bool]) -> str:
    """Verilog of :data:`WRAPPER`: AXI4 ports to memory, ``aclk``, ``aresetn``, the two wires, and LEDs.

    serial: module of the accelerator with its serial port. leds: one with ``clk``, ``rst``, ``tx`` and the
    LEDs' names as outputs. lit: whether each LED is lit by a one.
    """
    found = memory(info)
    ports = [
        *declarations(found),
        "  input uart_rx",
        "  output uart_tx",
        *(f"  output {name}" for name in lit),
    ]
    own = [f"    .{port.name}({port.name})" for each in found for port in each.ports]
    pads = [f"    .uart_{end}(uart_{end})" for end in ("rx", "tx")]
    lights = [f"    .{name}(lit_{name})" for name in lit]
    body = [
        "  reg reset = 1'b1;",
        "  always @(posedge aclk) reset <= ~aresetn;",
        f"  {serial} serial (",
        ",\n".join(["    .clk(aclk)", "    .rst(reset)", *pads, *own]),
        "  );",
        *(f"  wire lit_{name};" for name in lit),
        *(f"  assign {name} = {'' if high else '~'}lit_{name};" for name, high in lit.items()),
        f"  {leds} leds (",
        ",\n".join(["    .clk(aclk)", "    .rst(reset)", "    .tx(uart_tx)", *lights]),
        "  );",
    ]
    title = (
        f"// The accelerator {info.top} behind a serial port, with its memory ports named for a block design."
    )
    return "\n".join([title, *module(WRAPPER, ports, body), ""])


def memory(info: DesignInfo) -> list[Interface]:
    """The interfaces to memory: the accelerator's, and the one through which a host reaches all of them, a
    burst at a time."""
    own = [Interface(name, _ports(name, of)) for name, of in memory_interfaces(info).items()]
    host = [Interface(name, _ports(name, of), MAX_BEATS, 1) for name, of in load_interface(info).items()]
    return [*own, *host]


def _ports(bus: str, signature: AxiRead) -> tuple[Port, ...]:
    return tuple(
        Port(bus, name, Shape.cast(member.shape).width) for name, member in signature.members.items()
    )
