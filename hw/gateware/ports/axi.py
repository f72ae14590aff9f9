"""AXI4-Lite, AXI4-Stream and AXI4 port bundles, and port names that other tools recognise.

Directions are those of the side that starts transfers (manager, transmitter); use ``In(...)`` for the
other side. Reference: AMBA AXI and ACE protocol specification (ARM IHI 0022), chapter B1; AMBA
AXI4-Stream (ARM IHI 0051), chapter 2. Both ask for no combinational path from a ``ready`` to its
``valid``, and for ``valid`` to stay up until it is taken.
"""

from amaranth.hdl import Value, ValueCastable
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

ID_BITS = 4
"""Width of the identifier of a burst."""


class Response(enum.Enum, shape=2):
    """BRESP and RRESP. Plain registers need no exclusive access, hence no EXOKAY."""

    OKAY = 0b00
    SLVERR = 0b10


class AxiLite(wiring.Signature):
    """AXI4-Lite, 32 bits of data, ``address_bits`` of byte address."""

    def __init__(self, address_bits):
        super().__init__(
            {
                "awaddr": Out(address_bits),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(32),
                "wstrb": Out(4),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(Response),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(address_bits),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(32),
                "rresp": In(Response),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


class AxiStream(wiring.Signature):
    """AXI4-Stream with ``tlast``, ``bits`` of data per beat: 32, or what the configuration says."""

    def __init__(self, bits=32):
        super().__init__({"tdata": Out(bits), "tvalid": Out(1), "tready": In(1), "tlast": Out(1)})


class AxiRead(wiring.Signature):
    """The two read channels of AXI4: ``data_bits`` of data, ``address_bits`` of byte address.

    Every burst increments and takes whole beats, so ``arburst`` and ``arsize`` are constant. The identifier
    is the same for all that is asked for between two resets (:mod:`hw.gateware.weights.generation`), so
    answers come in order; memory must give it back.
    """

    def __init__(self, address_bits, data_bits):
        super().__init__(
            {
                "arid": Out(ID_BITS),
                "araddr": Out(address_bits),
                "arlen": Out(8),
                "arsize": Out(3),
                "arburst": Out(2),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rid": In(ID_BITS),
                "rdata": In(data_bits),
                "rresp": In(2),
                "rlast": In(1),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


class AxiWrite(wiring.Signature):
    """The three write channels of AXI4: ``data_bits`` of data, ``address_bits`` of byte address.

    As in :class:`AxiRead` bursts increment and take whole beats; memory must give the identifier back.
    """

    def __init__(self, address_bits, data_bits):
        super().__init__(
            {
                "awid": Out(ID_BITS),
                "awaddr": Out(address_bits),
                "awlen": Out(8),
                "awsize": Out(3),
                "awburst": Out(2),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(data_bits),
                "wstrb": Out(data_bits // 8),
                "wlast": Out(1),
                "wvalid": Out(1),
                "wready": In(1),
                "bid": In(ID_BITS),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
            }
        )


class AxiMemory(wiring.Signature):
    """All five channels of AXI4: those of :class:`AxiWrite` and :class:`AxiRead`."""

    def __init__(self, address_bits, data_bits):
        channels = AxiWrite(address_bits, data_bits), AxiRead(address_bits, data_bits)
        super().__init__({name: member for each in channels for name, member in each.members.items()})


def flat_ports(component) -> dict[str, tuple[Value, None]]:
    """The ports of ``component`` under AXI names: member ``s_axil`` gives ``s_axil_awaddr`` and so on.

    Pass it to ``amaranth.back.verilog.convert(component, ports=flat_ports(component))``; left alone
    Amaranth would join the path with two underscores, and interface inference in vendor tools would fail.
    """
    ports = {}
    for path, _, value in component.signature.flatten(component):
        if isinstance(value, ValueCastable):
            value = value.as_value()
        ports["_".join(map(str, path))] = (value, None)
    return ports
