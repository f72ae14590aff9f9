"""The accelerator as a block design sees it beside PCI Express or a processor: a wrapper whose ports say what
they are.

Between the ports and the accelerator lie the modules of :func:`parts`, which outlive its resets.
:mod:`hw.gateware.ports.interfaces` finds every AXI port by its name;
:mod:`bitstreams.flows.memory_map` says where those to memory lead.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Elaboratable, Signal

from hw.contract.design import DesignInfo
from hw.gateware.pcie import register_guard, stream_sync
from hw.gateware.pcie.register_guard import RegisterGuard
from hw.gateware.pcie.stream_sync import Sync
from hw.gateware.ports.interfaces import (
    INTERRUPT,
    Port,
    declarations,
    interfaces,
    interrupt,
    module,
    qualifiers,
)

WRAPPER = "spec2_axi"
"""Module name of the wrapper."""

STREAMS = {"s_axis": ("from_host", "to_core"), "m_axis": ("to_host", "from_core")}
"""Of each stream, what the synchroniser calls it on the side of the ports, and on that of the accelerator."""

REGISTERS = "s_axil"
"""The control port."""

ANSWERS = ("bresp", "rresp", "rdata")
"""What a processor gets another form of (:func:`_answers`)."""


def parts(info: DesignInfo) -> dict[str, tuple[Elaboratable, list[Signal]]]:
    """Modules beside the accelerator, by their names in Verilog, and the ports of each."""
    sync, guard = Sync(info.config.stream_bits), RegisterGuard()
    return {stream_sync.MODULE: (sync, sync.ports), register_guard.MODULE: (guard, guard.ports)}


def wrapper(info: DesignInfo, *, processor: bool = False) -> str:
    """Verilog of :data:`WRAPPER`: the design's AXI ports, ``aclk``, ``aresetn``, ``marker``, and ``request``
    or, beside a ``processor``, ``interrupt``.

    The streams pass through :mod:`hw.gateware.pcie.stream_sync`, which ``marker`` controls; they carry a
    ``tkeep`` that is always ones. The control port passes through :mod:`hw.gateware.pcie.register_guard`.
    ``request`` (an interrupt to the host) is always low. A processor whose access is answered with an error
    gets a bus error, which ends the program: here such a read gives ones, as behind PCI Express, and such a
    write is lost. Raises
    ``ConfigError`` for a design with other ports (:func:`hw.gateware.ports.interfaces.interfaces`).
    """
    found = interfaces(info)
    line = interrupt() if processor else ["  output request"]
    ports = [*declarations(found), "  input [31:0] marker", *line]
    own = [port for each in found for port in each.ports if not port.added]
    streams = [port for port in own if port.bus in STREAMS]
    registers = [port for port in own if port.bus == REGISTERS]
    within = {port.name for port in (*streams, *registers)}
    pins = [f"    .{port.name}({f'core_{port.name}' if port.name in within else port.name})" for port in own]
    body = [
        *(_answers() if processor else ["  assign request = 1'b0;"]),
        *([f"  assign {INTERRUPT} = 1'b0;"] if processor and INTERRUPT not in info.ports else []),
        *qualifiers(found),
        *(f"  wire{port.range} core_{port.name};" for port in own if port.name in within),
        "  wire hold;",
        "  reg reset = 1'b1;",
        "  always @(posedge aclk) reset <= ~aresetn | hold;",
        f"  {stream_sync.MODULE} sync (",
        "    .clk(aclk), .rst(~aresetn), .marker(marker), .hold(hold),",
        ",\n".join(_through(streams)),
        "  );",
        f"  {register_guard.MODULE} guard (",
        "    .clk(aclk), .rst(~aresetn), .away(hold | reset),",
        ",\n".join(
            f"    .host__{port.signal}({_outside(port, processor)}), .core__{port.signal}(core_{port.name})"
            for port in registers
        ),
        "  );",
        f"  {info.top} core (",
        ",\n".join(["    .clk(aclk)", "    .rst(reset)", *pins, *_interrupt(info, processor)]),
        "  );",
    ]
    title = f"// The accelerator {info.top} with its interfaces named for a block design."
    return "\n".join([title, *module(WRAPPER, ports, body), ""])


def _interrupt(info: DesignInfo, processor: bool) -> list[str]:
    """The accelerator's interrupt leads to a processor, or nowhere: a host behind PCI Express waits for what
    it reads."""
    return [f"    .{INTERRUPT}({INTERRUPT if processor else ''})"] if INTERRUPT in info.ports else []


def _answers() -> list[str]:
    """What a processor sees of the control port's answers: no error, ones in place of one."""
    return [
        "  wire [1:0] answer_bresp, answer_rresp;",
        "  wire [31:0] answer_rdata;",
        f"  assign {REGISTERS}_bresp = 2'b00;",
        f"  assign {REGISTERS}_rresp = 2'b00;",
        f"  assign {REGISTERS}_rdata = answer_rresp[1] ? 32'hFFFFFFFF : answer_rdata;",
    ]


def _outside(port: Port, processor: bool) -> str:
    """What the guard has of the control port on its side of the host."""
    return f"answer_{port.signal}" if processor and port.signal in ANSWERS else port.name


def _through(streams: Sequence[Port]) -> list[str]:
    """Connections of the synchroniser: each stream of the wrapper on one side, the core's on the other."""
    return [
        f"    .{STREAMS[port.bus][0]}_{port.signal}({port.name}), "
        f".{STREAMS[port.bus][1]}_{port.signal}(core_{port.name})"
        for port in streams
    ]
