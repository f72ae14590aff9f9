"""UART: bits on a wire to bytes, and back. 8N1, least significant bit first, the idle line is high."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from hw.host_interface.protocol import MIN_CLOCKS_PER_BIT

DATA_BITS = 8


def _checked(clocks_per_bit: int) -> int:
    if clocks_per_bit < MIN_CLOCKS_PER_BIT:
        raise ValueError(f"clocks per bit must be at least {MIN_CLOCKS_PER_BIT}, not {clocks_per_bit}")
    return clocks_per_bit


class Receiver(wiring.Component):
    """Bytes from the line ``rx``, which may be asynchronous to the clock.

    ``valid`` is high for one clock with each ``byte``, in the middle of its stop bit; there is no back
    pressure. A start bit that is over before its middle is taken for a glitch. A byte without a stop bit
    is dropped, and nothing is received until the line is high again.
    """

    def __init__(self, clocks_per_bit: int):
        self.clocks_per_bit = _checked(clocks_per_bit)
        super().__init__({"rx": In(1, init=1), "byte": Out(DATA_BITS), "valid": Out(1)})

    def elaborate(self, platform):
        m = Module()
        line = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, line, init=1, reset_less=False)
        clocks = Signal(range(self.clocks_per_bit))
        left = Signal(range(DATA_BITS))
        middle = clocks == 0
        with m.If(~middle):
            m.d.sync += clocks.eq(clocks - 1)
        with m.FSM(name="state"):
            with m.State("IDLE"):
                # The edge was up to one clock ago, so the middle is half a clock less than half a bit away.
                m.d.sync += clocks.eq((self.clocks_per_bit - 1) // 2 - 1)
                with m.If(~line):
                    m.next = "START"
            with m.State("START"):
                with m.If(middle):
                    m.d.sync += [clocks.eq(self.clocks_per_bit - 1), left.eq(DATA_BITS - 1)]
                    with m.If(line):
                        m.next = "IDLE"
                    with m.Else():
                        m.next = "DATA"
            with m.State("DATA"):
                with m.If(middle):
                    m.d.sync += [
                        clocks.eq(self.clocks_per_bit - 1),
                        left.eq(left - 1),
                        self.byte.eq(Cat(self.byte[1:], line)),
                    ]
                    with m.If(left == 0):
                        m.next = "STOP"
            with m.State("STOP"):
                with m.If(middle):
                    m.d.comb += self.valid.eq(line)
                    m.next = "HIGH"
            with m.State("HIGH"):
                with m.If(line):
                    m.next = "IDLE"
        return m


class Transmitter(wiring.Component):
    """Bytes of the stream ``i`` to the line ``tx``.

    The next byte's start bit follows the stop bit at once if it is there in time. ``tx`` is a flip-flop
    that is high from configuration on.
    """

    def __init__(self, clocks_per_bit: int):
        self.clocks_per_bit = _checked(clocks_per_bit)
        super().__init__({"tx": Out(1, init=1), "i": In(stream.Signature(DATA_BITS))})

    def elaborate(self, platform):
        m = Module()
        clocks = Signal(range(self.clocks_per_bit))
        left = Signal(range(DATA_BITS + 2))
        # What follows the bit on the line; the stop bit and the idle line come in from the left.
        coming = Signal(DATA_BITS)
        idle = Signal(init=1)  # both counters stand at zero
        m.d.comb += self.i.ready.eq(idle)
        with m.If(clocks != 0):
            m.d.sync += [clocks.eq(clocks - 1), idle.eq((left == 0) & (clocks == 1))]
        with m.Elif(left != 0):
            m.d.sync += [
                clocks.eq(self.clocks_per_bit - 1),
                left.eq(left - 1),
                Cat(self.tx, coming).eq(Cat(coming, 1)),
            ]
        with m.Elif(self.i.valid):
            m.d.sync += [
                idle.eq(0),
                clocks.eq(self.clocks_per_bit - 1),
                left.eq(DATA_BITS + 1),
                self.tx.eq(0),
                coming.eq(self.i.payload),
            ]
        return m
