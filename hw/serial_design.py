"""The accelerator with a serial port: Verilog to put beside ``spec2.v``."""

from __future__ import annotations

from hw.compile.weight_stream import stream_ports
from hw.contract.design import DesignInfo
from hw.host_interface.protocol import MIN_CLOCKS_PER_BIT
from hw.util.errors import ConfigError

TOP = "spec2_serial"


def emit_serial(info: DesignInfo, clocks_per_bit: int) -> str:
    """Verilog of module ``spec2_serial``, which instantiates ``info.top``; the same bytes every time.

    Ports: ``clk``, ``rst`` (synchronous, may stay low), ``uart_rx``, ``uart_tx``; one bit each. A design that
    reads its weights from external memory has those of :func:`memory_ports` as well.
    :func:`hw.host_interface.protocol.clocks_per_bit` computes the clocks per bit of a board. Raises
    ``ConfigError`` for too few of them, and for an accelerator whose ports this version cannot connect.
    """
    if clocks_per_bit < MIN_CLOCKS_PER_BIT:
        raise ConfigError(
            f"the serial port needs at least {MIN_CLOCKS_PER_BIT} clocks per bit, not {clocks_per_bit}: "
            "choose a lower bit rate"
        )
    from hw.emit import emit
    from hw.gateware.serial.serial_top import SerialTop, check_ports

    check_ports(info)
    verilog = emit(SerialTop(info, clocks_per_bit), TOP)
    assert not verilog.images, "the buffers start empty"
    return verilog.text


def memory_ports(info: DesignInfo) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """AXI4 ports of ``spec2_serial`` to external memory: through which the accelerator reads, a memory each,
    and through which a host reads and writes all of them."""
    if not info.config.stream_weights:
        return (), ()
    from hw.gateware.serial.serial_top import LOAD_PORT

    return stream_ports(info.config.memories), (LOAD_PORT,)
