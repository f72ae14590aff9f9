"""Framing by octet stuffing: bytes to frames in a buffer, and frames from a buffer to bytes.

The layout of a frame is that of :mod:`hw.host_interface.protocol`. Either direction has a buffer of
2048 bytes, one RAMB18. A *pointer* into it counts from below zero, modulo its size, so that what is compared
with the length of the payload needs no adder.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.gateware.primitives.crc32 import RESIDUE, Crc32
from hw.gateware.primitives.delay import delay
from hw.host_interface import protocol
from hw.host_interface.protocol import ESCAPE, FLAG, FLIP

BUFFER = 2048
"""Bytes of either buffer."""

POINTER_BITS = 11

HEADER = data.StructLayout({"session": 16, "sequence": 8, "kind": 8, "length": 16})
"""``protocol.HEADER``, first byte lowest."""

REQUEST = BUFFER - protocol.CHECK.size
"""Where the payload of a request begins: the pointer after a whole body is the length of its payload."""


class FrameReceiver(wiring.Component):
    """Bytes in, whole and sound requests out; the counterpart of ``protocol.Deframer``.

    Members
    -------
    byte, valid: a byte in every third clock at most.
    listen: while low, bytes are ignored; afterwards the receiver hunts for a flag.
    frame: high two clocks after the flag that ends a sound frame. Until ``listen`` has been low and is
        high again, or the next byte comes, ``header`` and the buffer hold it.
    address, data: read port of the buffer, payload from address REQUEST on; latency 2.
    """

    def __init__(self):
        super().__init__(
            {
                "byte": In(8),
                "valid": In(1),
                "listen": In(1),
                "frame": Out(1),
                "header": Out(HEADER),
                "address": In(POINTER_BITS),
                "data": Out(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = Memory(shape=8, depth=BUFFER, init=[])
        write = buffer.write_port()
        read = buffer.read_port(transparent_for=())
        m.submodules.check = crc = Crc32()
        pointer = Signal(POINTER_BITS, reset_less=True)
        # Payloads never reach the upper quarter; the last four addresses are where they begin.
        short = pointer[-1] & pointer[-2]
        in_header = short & ~pointer[2:].all()
        hunting, escaped = Signal(init=1, name="hunting"), Signal(name="escaped")
        plain, store = Signal(8, name="plain"), Signal(name="store")
        header = Signal(HEADER.size, name="kept_header", reset_less=True)
        m.d.comb += self.header.as_value().eq(header)
        whole = ~short & (pointer == self.header.length)
        # Compared here, so that synthesis maps it together with what else is asked.
        sound = crc.value == RESIDUE ^ 0xFFFFFFFF
        # Clock 0: the byte, whether there is one that is no flag, whether it is a flag or an escape: no path
        # leads through here.
        byte = Signal(8, reset_less=True)
        counts, special = Signal(name="counts"), Signal(name="special")
        listening = Signal()
        m.d.sync += [
            byte.eq(self.byte),
            counts.eq(self.valid & (self.byte != FLAG)),
            special.eq(self.valid & ((self.byte == FLAG) | (self.byte == ESCAPE))),
            listening.eq(self.listen),
        ]
        # Clock 1: store it, or end the frame. Clock 2: tell of the frame.
        m.d.comb += [
            plain.eq(Mux(escaped, byte ^ FLIP, byte)),
            write.addr.eq(pointer),
            write.data.eq(plain),
            write.en.eq(store),
            crc.byte.eq(plain),
            crc.valid.eq(store),
            read.addr.eq(self.address),
            self.data.eq(delay(m, read.data, 1, name="out")),
        ]
        m.d.sync += self.frame.eq(0)
        with m.If(~listening):
            m.d.sync += hunting.eq(1)
        with m.Elif(special & ~counts):
            m.d.comb += crc.start.eq(1)
            m.d.sync += self.frame.eq(~hunting & ~escaped & whole & sound)
            m.d.sync += [hunting.eq(0), escaped.eq(0), pointer.eq(REQUEST - protocol.HEADER.size)]
        with m.Elif(counts & ~hunting):
            m.d.sync += escaped.eq(0)
            with m.If(escaped & (byte != FLAG ^ FLIP) & (byte != ESCAPE ^ FLIP)):
                m.d.sync += hunting.eq(1)
            with m.Elif(~escaped & special):
                m.d.sync += escaped.eq(1)
            with m.Elif(pointer == protocol.MAX_BODY - protocol.OVERHEAD):
                m.d.sync += hunting.eq(1)
            with m.Else():
                m.d.comb += store.eq(1)
                m.d.sync += pointer.eq(pointer + 1)
                with m.If(in_header):
                    m.d.sync += header.eq(Cat(header[8:], plain))
        return m


class FrameSender(wiring.Component):
    """A frame out, after ``start``: ``header``, as many bytes of the buffer as it says, CRC, flags around.

    Members
    -------
    start: a pulse; ignored while ``busy``, a register.
    header: steady while ``busy``.
    w_address, w_data, w_en: write port of the buffer, payload from address 0 on; not while ``busy``.
    o: the bytes, as a stream.
    """

    def __init__(self):
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "header": In(HEADER),
                "w_address": In(POINTER_BITS),
                "w_data": In(8),
                "w_en": In(1),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = Memory(shape=8, depth=BUFFER, init=[])
        write = buffer.write_port()
        read = buffer.read_port(transparent_for=())
        m.submodules.check = self.crc = crc = Crc32()
        # Six bytes of header, as many of the buffer as its length says, four of the CRC.
        self.pointer = Signal(POINTER_BITS, name="pointer", reset_less=True)
        self.count = Signal(3, name="count", reset_less=True)  # of bytes of header or CRC
        self.plain = Signal(8, name="plain", reset_less=True)
        self.in_header, self.in_check = (
            Signal(name=name, reset_less=True) for name in ("in_header", "in_check")
        )
        m.d.comb += [
            write.addr.eq(self.w_address),
            write.data.eq(self.w_data),
            write.en.eq(self.w_en),
            read.addr.eq(self.pointer),
            crc.byte.eq(self.plain),
        ]
        self.stored = delay(m, read.data, 1, name="out")
        self._send(m)
        return m

    def _choose(self, m):
        """The byte that is next: of the header, the buffer, or the CRC. The buffer's address is ahead of it,
        since its bytes come two clocks later."""
        with m.If(self.in_header):
            m.d.sync += self.plain.eq(self.header.as_value().word_select(self.count, 8))
        with m.Elif(self.in_check):
            m.d.sync += self.plain.eq(self.crc.value.word_select(self.count[:2], 8))
        with m.Else():
            m.d.sync += [self.plain.eq(self.stored), self.pointer.eq(self.pointer + 1)]
        with m.If(self.in_header | self.in_check):
            m.d.sync += self.count.eq(self.count + 1)

    def _send(self, m):
        pointer, plain = self.pointer, self.plain
        escaped = Signal()
        special = (plain == FLAG) | (plain == ESCAPE)
        with m.FSM(name="state"):
            with m.State("IDLE"):
                m.d.comb += self.crc.start.eq(1)
                m.d.sync += [pointer.eq(0), self.count.eq(0), self.in_header.eq(1), self.in_check.eq(0)]
                with m.If(self.start):
                    m.d.sync += self.busy.eq(1)
                    m.next = "OPENING"
            with m.State("OPENING"):
                m.d.comb += [self.o.payload.eq(FLAG), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    m.next = "READ"
            with m.State("READ"):
                m.next = "CHOOSE"
                with m.If(self.in_header & (self.count == protocol.HEADER.size)):
                    m.d.sync += [self.in_header.eq(0), self.count.eq(0)]
                    m.next = "READ"
                with m.Elif(~self.in_header & (pointer == self.header.length)):
                    m.d.sync += self.in_check.eq(1)
                with m.If(self.in_check & (self.count == protocol.CHECK.size)):
                    m.next = "CLOSING"
            with m.State("CHOOSE"):
                self._choose(m)
                m.next = "BODY"
            with m.State("BODY"):
                m.d.comb += [
                    self.o.payload.eq(Mux(escaped, plain ^ FLIP, Mux(special, ESCAPE, plain))),
                    self.o.valid.eq(1),
                ]
                with m.If(self.o.ready & special & ~escaped):
                    m.d.sync += escaped.eq(1)
                with m.Elif(self.o.ready):
                    m.d.comb += self.crc.valid.eq(~self.in_check)
                    m.d.sync += escaped.eq(0)
                    m.next = "READ"
            with m.State("CLOSING"):
                m.d.comb += [self.o.payload.eq(FLAG), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    m.d.sync += self.busy.eq(0)
                    m.next = "IDLE"
