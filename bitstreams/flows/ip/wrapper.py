"""The accelerator with a reset that is active low and attributes that name its interfaces to Vivado."""

from __future__ import annotations

from hw.contract.design import DesignInfo
from hw.gateware.ports.interfaces import (
    CLOCK,
    INTERRUPT,
    RESET,
    declarations,
    interfaces,
    interrupt,
    module,
    qualifiers,
)
from hw.util.errors import ConfigError


def name_of(info: DesignInfo) -> str:
    """Of the wrapper's module, and of its file without suffix."""
    return f"{info.top}_ip"


def wrapper(info: DesignInfo) -> str:
    """Verilog of the wrapper: the design's AXI ports, ``aclk``, ``aresetn``, and a ``tkeep`` for each stream:
    always ones of results, without meaning of images; ``interrupt``.

    Raises ``ConfigError`` for ports that no wrapper connects, and for a design without an interrupt.
    """
    if INTERRUPT not in info.ports:
        raise ConfigError(f"the design has no {INTERRUPT} port: generate it again before packaging")
    found = interfaces(info)
    pins = [f"    .{port.name}({port.name})" for each in found for port in each.ports if not port.added]
    body = [
        *qualifiers(found),
        "  reg reset = 1'b1;",
        f"  always @(posedge {CLOCK}) reset <= ~{RESET};",
        f"  {info.top} core (",
        ",\n".join([f"    .clk({CLOCK})", "    .rst(reset)", *pins, f"    .{INTERRUPT}({INTERRUPT})"]),
        "  );",
    ]
    title = f"// The accelerator {info.top}: interfaces named to Vivado, and a reset that is active low."
    return "\n".join([title, *module(name_of(info), [*declarations(found), *interrupt()], body), ""])
