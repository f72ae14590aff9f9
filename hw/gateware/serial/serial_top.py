"""A whole accelerator behind two wires: UART, bridge, and the generated Verilog as a black box."""

from amaranth import ClockSignal, Instance, Module, ResetSignal, Signal
from amaranth.hdl import Shape, ValueCastable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.compile.weight_stream import stream_ports
from hw.contract.config import STREAM_BITS
from hw.contract.design import DesignInfo
from hw.gateware.ports.axi import AxiLite, AxiMemory, AxiRead, AxiStream
from hw.gateware.ports.interfaces import INTERRUPT
from hw.gateware.primitives.delay import replicate
from hw.gateware.serial.bridge import MEMORY_BITS, Bridge
from hw.gateware.serial.uart import Receiver, Transmitter
from hw.host_interface.registers import ADDRESS_BITS, MEMORY_ADDRESS_BITS
from hw.util.errors import ConfigError

PORTS = {"axil": "s_axil", "images": "s_axis", "results": "m_axis"}
"""The accelerator's interface that each interface of the bridge is wired to."""

LOAD_PORT = "m_load"
"""The interface through which the bridge reaches the memories of a design that reads its weights there."""


def memory_interfaces(info: DesignInfo) -> dict[str, AxiRead]:
    """The accelerator's interfaces to external memory, as wide as they are."""
    names = stream_ports(info.config.memories) if info.config.stream_weights else ()
    return {name: AxiRead(MEMORY_ADDRESS_BITS, info.ports.get(f"{name}_rdata", 0)) for name in names}


def load_interface(info: DesignInfo) -> dict[str, AxiMemory]:
    """The bridge's interface to all of these memories; none of a design that holds its weights."""
    return {LOAD_PORT: AxiMemory(MEMORY_ADDRESS_BITS, MEMORY_BITS)} if info.config.stream_weights else {}


def check_ports(info: DesignInfo) -> None:
    """Raises ``ConfigError`` when the ports of the accelerator are not those that SerialTop connects."""
    if (bits := info.config.stream_bits) != STREAM_BITS[0]:
        raise ConfigError(
            f"the design's streams are {bits} bits wide, and a serial port takes {STREAM_BITS[0]}: generate "
            f"it with --stream-bits {STREAM_BITS[0]}"
        )
    interfaces = {"s_axil": AxiLite(ADDRESS_BITS), "s_axis": AxiStream(), "m_axis": AxiStream()}
    interfaces |= memory_interfaces(info)
    widths = {"clk": 1, "rst": 1}
    if INTERRUPT in info.ports:  # nobody behind a serial port waits for it; older designs have none
        widths[INTERRUPT] = 1
    for interface, signature in interfaces.items():
        for name, member in signature.members.items():
            widths[f"{interface}_{name}"] = Shape.cast(member.shape).width
    different = {name for name, _ in widths.items() ^ dict(info.ports).items()}
    if different:
        raise ConfigError(
            f"module {info.top!r} has other ports than this version connects "
            f"({', '.join(sorted(different))}): generate the accelerator again"
        )


class SerialTop(wiring.Component):
    """The accelerator of ``info``, whose ports have been checked, with a serial port; one clock domain.

    Members: ``uart_rx`` (any phase, synchronised here); ``uart_tx``, high while idle and in reset. Of a
    design that reads its weights from external memory also its ``m_axi`` as they are, and ``m_load``, the
    bridge's port to all of these memories (:mod:`hw.gateware.serial.memory_access` says what a reset asks of
    them).
    """

    def __init__(self, info: DesignInfo, clocks_per_bit: int):
        self.to_memory = memory_interfaces(info)
        super().__init__(
            {
                "uart_rx": In(1, init=1),
                "uart_tx": Out(1, init=1),
                **{name: Out(of) for name, of in (self.to_memory | load_interface(info)).items()},
            }
        )
        self.info = info
        self.receiver, self.transmitter = Receiver(clocks_per_bit), Transmitter(clocks_per_bit)
        self.bridge = Bridge(memory=bool(self.to_memory))

    def _wires(self):
        """(port of the accelerator, its flow, signal here): to the bridge, and through to memory."""
        for path, member, value in self.bridge.signature.flatten(self.bridge):
            if path[0] in PORTS:
                value = value.as_value() if isinstance(value, ValueCastable) else value
                yield "_".join((PORTS[path[0]], *path[1:])), member.flow.flip(), value
        for path, member, value in self.signature.flatten(self):
            if path[0] in self.to_memory:
                yield "_".join(path), member.flow, value

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver, m.submodules.transmitter = self.receiver, self.transmitter
        m.submodules.bridge = bridge = self.bridge
        m.d.comb += [
            self.receiver.rx.eq(self.uart_rx),
            bridge.i_byte.eq(self.receiver.byte),
            bridge.i_valid.eq(self.receiver.valid),
            self.uart_tx.eq(self.transmitter.tx),
        ]
        connect(m, bridge.o, self.transmitter.i)
        if self.to_memory:
            connect(m, bridge.memory, flipped(getattr(self, LOAD_PORT)))
        ports = {f"{'o' if flow == Out else 'i'}_{name}": value for name, flow, value in self._wires()}
        if INTERRUPT in self.info.ports:
            ports[f"o_{INTERRUPT}"] = Signal(name=INTERRUPT)
        # A register of its own, so that one net does not lead to all that is reset. The bridge leaves reset a
        # clock earlier, and asks for nothing before it has a frame.
        reset = replicate(m, ResetSignal(), name="accelerator_reset")
        m.submodules.accelerator = Instance(self.info.top, i_clk=ClockSignal(), i_rst=reset, **ports)
        return m
