"""The bridge: requests in, one AXI access or a burst of beats each, responses out.

::

    bytes ─▶ FrameReceiver ─▶ check ─▶ execute ─▶ FrameSender ─▶ bytes
             request buffer   session   │  ▲  │   response buffer
                              sequence  ▼  │  ▼
                             AXI4-Lite, AXI4-Stream out and in

One thing at a time, a byte in two clocks: the wire is slower than that. The response buffer with
``status`` and ``length`` is what a repeated request is answered from, so refusals leave all three alone.
:mod:`sim.model.bridge` is the same in Python.
"""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.gateware.ports.axi import AxiLite, AxiStream
from hw.gateware.serial.framing import POINTER_BITS, REQUEST, FrameReceiver, FrameSender
from hw.interface import protocol
from hw.interface.protocol import BUS_PATIENCE, SEND_PATIENCE, WAIT_UNIT, Command, Status
from hw.interface.registers import ADDRESS_BITS

WAIT_BITS = 16


class Bridge(wiring.Component):
    """From bytes to the accelerator's ports.

    Parameters: ``bus_patience``, ``send_patience`` in clocks, ``wait_unit`` in clocks and a power of
    two; only tests choose other values than :mod:`hw.interface.protocol`.

    Members
    -------
    i_byte, i_valid: bytes of the host, one in three clocks at most, no back pressure.
    o_byte, o_valid, o_ready: bytes to the host.
    axil: to the control port. An access that is not answered in time stays on the bus, as AXI asks.
    images: to the image stream. Giving up withdraws ``tvalid``, so that the host knows which beats
        went and none is left over for the next run. AXI4-Stream forbids that; the image port, which
        looks at ``tvalid`` in clocks with ``tready`` only, cannot tell. Put nothing in between.
    results: from the result stream; ``tready`` is high only while the host asks for beats.
    """

    def __init__(self, *, bus_patience=BUS_PATIENCE, send_patience=SEND_PATIENCE, wait_unit=WAIT_UNIT):
        if wait_unit & (wait_unit - 1):
            raise ValueError(f"the unit of waiting must be a power of two, not {wait_unit}")
        self.bus_patience, self.send_patience = bus_patience, send_patience
        self.unit_bits = wait_unit.bit_length() - 1
        super().__init__(
            {
                "i_byte": In(8),
                "i_valid": In(1),
                "o_byte": Out(8),
                "o_valid": Out(1),
                "o_ready": In(1),
                "axil": Out(AxiLite(ADDRESS_BITS)),
                "images": Out(AxiStream()),
                "results": In(AxiStream()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = self.receiver = FrameReceiver()
        m.submodules.sender = self.sender = FrameSender()
        # What a repeated request is answered from: these and the response buffer.
        self.opened, self.session, self.sequence = Signal(), Signal(16), Signal(8)
        self.status, self.length = Signal(Status), Signal(POINTER_BITS)
        self.refusal = Signal(Status)
        # Bytes of the request enter at the top; those of the response leave at the bottom of the upper four.
        self.bytes = Signal(48)
        self.word = self.bytes[16:]
        self.address = Signal(POINTER_BITS)  # in the request's buffer
        self.left = Signal(range(7))  # bytes to load or store
        self.beats, self.limit, self.last = Signal(9), Signal(9), Signal()
        self.final = Signal()  # this beat is the last one asked for
        m.d.comb += self.final.eq((self.beats + 1)[:9] == self.limit)
        self.stop = Signal()
        self.pulling = Signal()  # a beat of results is wanted: what follows from it lies far behind this
        self.timer = Signal(WAIT_BITS + max(self.unit_bits, 1))
        self.pending, self.answered = Signal(), Signal()

        self.header = header = self.receiver.header
        m.d.comb += [
            self.receiver.byte.eq(self.i_byte),
            self.receiver.valid.eq(self.i_valid),
            self.receiver.address.eq(self.address),
            self.sender.header.session.eq(header.session),
            self.sender.header.sequence.eq(header.sequence),
            self.sender.header.kind.eq(Mux(self.refusal == Status.OK, self.status, self.refusal)),
            self.sender.header.length.eq(Mux(self.refusal == Status.OK, self.length, 0)),
            self.o_byte.eq(self.sender.byte),
            self.o_valid.eq(self.sender.valid),
            self.sender.ready.eq(self.o_ready),
        ]
        with m.If(self.timer != 0):
            m.d.sync += self.timer.eq(self.timer - 1)
        self._bus(m)
        with m.FSM(name="state"):
            self._check(m)
            self._decode(m)
            self._load(m)
            self._access(m)
            self._send(m)
            self._receive(m)
            self._store(m)
            self._answer(m)
        return m

    def _is(self, command):
        """Whether the request is this ``command``."""
        return self.header.kind == command

    def _bus(self, m):
        """The channels of the control port. ``pending`` from a request to its response, however late."""
        bus = self.axil
        m.d.comb += [
            bus.wstrb.eq(0b1111),
            bus.rready.eq(1),
            bus.bready.eq(1),
            self.answered.eq(self.pending & (bus.rvalid | bus.bvalid)),
        ]
        for valid, ready in (
            (bus.arvalid, bus.arready),
            (bus.awvalid, bus.awready),
            (bus.wvalid, bus.wready),
        ):
            with m.If(ready):
                m.d.sync += valid.eq(0)
        with m.If(self.answered):
            m.d.sync += self.pending.eq(0)

    def _check(self, m):
        """Wait for a frame, then for its turn: execute it, answer it again, or refuse it."""
        header = self.header
        with m.State("IDLE"):
            m.d.comb += self.receiver.listen.eq(1)
            m.d.sync += self.refusal.eq(Status.OK)
            with m.If(self.receiver.frame):
                m.next = "CHECK"
        with m.State("CHECK"):
            with m.If(self._is(Command.OPEN)):
                m.d.sync += [self.opened.eq(1), self.session.eq(header.session)]
                m.d.sync += self.sequence.eq(header.sequence)
                m.next = "DECODE"
            with m.Elif(~self.opened | (header.session != self.session)):
                m.d.sync += self.refusal.eq(Status.WRONG_SESSION)
                m.next = "ANSWER"
            with m.Elif(header.sequence == self.sequence):
                m.next = "ANSWER"
            with m.Elif(header.sequence == (self.sequence + 1)[:8]):
                m.d.sync += self.sequence.eq(header.sequence)
                m.next = "DECODE"
            with m.Else():
                m.d.sync += self.refusal.eq(Status.WRONG_SEQUENCE)
                m.next = "ANSWER"

    def _decode(self, m):
        """Is it a command, of the right size? How many bytes to load, before what?"""
        size = self.header.length
        with m.State("DECODE"):
            m.d.sync += [
                self.status.eq(Status.OK),
                self.length.eq(self._is(Command.RECEIVE)),  # the flags come first, and are stored last
                self.address.eq(REQUEST),
                self.beats.eq(0),
                self.limit.eq(size >> 2),
                self.left.eq(Mux(self._is(Command.SEND), 1, size)),
            ]
            sizes = {
                Command.READ: protocol.READ_REQUEST.size,
                Command.WRITE: protocol.WRITE_REQUEST.size,
                Command.RECEIVE: protocol.RECEIVE_REQUEST.size,
            }
            sound = Cat(self._is(command) & (size == n) for command, n in sizes.items()).any()
            beats = (size[:2] == 1) & _in_range(size[2:])
            with m.If(self._is(Command.OPEN) & (size == 0)):
                answer = protocol.OPEN_RESPONSE.pack(protocol.VERSION, protocol.MAX_DATA)
                self._store_word(m, C(int.from_bytes(answer, "little"), 32), len(answer))
            with m.Elif(sound | (self._is(Command.SEND) & beats)):
                m.next = "LOAD"
            with m.Else():
                self._bad_request(m)

    def _bad_request(self, m):
        m.d.sync += [self.status.eq(Status.BAD_REQUEST), self.length.eq(0)]
        m.next = "ANSWER"

    def _load(self, m):
        """``left`` bytes of the request into ``bytes``."""
        with m.State("LOAD"):
            # The buffer's byte is there in the next clock.
            m.next = "LOADED"
        with m.State("LOADED"):
            m.d.sync += [
                self.bytes.eq(Cat(self.bytes[8:], self.receiver.data)),
                self.address.eq(self.address + 1),
                self.left.eq(self.left - 1),
            ]
            m.next = "LOAD"
            with m.If(self._is(Command.SEND) & (self.address == REQUEST)):
                m.d.sync += [
                    self.last.eq(self.receiver.data[0] & protocol.LAST),
                    self.left.eq(4),
                    self.timer.eq(self.send_patience),
                ]
            with m.Elif(self.left == 1):
                with m.If(self._is(Command.SEND)):
                    m.next = "SEND"
                with m.Elif(self._is(Command.RECEIVE)):
                    m.next = "RECEIVE"
                with m.Else():
                    m.next = "ACCESS"

    def _access(self, m):
        """READ and WRITE: on the bus, unless an access before them is still there."""
        bus, read = self.axil, self._is(Command.READ)
        address = Mux(read, self.bytes[32:], self.bytes[:16])
        with m.State("ACCESS"):
            m.d.sync += self.timer.eq(self.bus_patience)
            with m.If(address >> ADDRESS_BITS):
                self._bad_request(m)
            with m.Elif(self.pending):
                m.d.sync += self.status.eq(Status.BUS_TIMEOUT)
                m.next = "ANSWER"
            with m.Else():
                m.d.sync += [
                    self.pending.eq(1),
                    bus.araddr.eq(address),
                    bus.awaddr.eq(address),
                    bus.wdata.eq(self.word),
                    bus.arvalid.eq(read),
                    bus.awvalid.eq(~read),
                    bus.wvalid.eq(~read),
                ]
                m.next = "WAIT"
        with m.State("WAIT"):
            with m.If(self.answered):
                with m.If(Mux(read, bus.rresp.as_value(), bus.bresp.as_value())[1]):
                    m.d.sync += self.status.eq(Status.BUS_ERROR)
                    m.next = "ANSWER"
                with m.Elif(read):
                    self._store_word(m, bus.rdata, 4)
                with m.Else():
                    m.next = "ANSWER"
            with m.Elif(self.timer == 0):
                m.d.sync += self.status.eq(Status.BUS_TIMEOUT)
                m.next = "ANSWER"

    def _send(self, m):
        """SEND: offer the loaded beat, then load the next one."""
        stream = self.images
        with m.State("SEND"):
            m.d.comb += [
                stream.tvalid.eq(1),
                stream.tdata.eq(self.word),
                stream.tlast.eq(self.last & self.final),
            ]
            with m.If(stream.tready):
                m.d.sync += [self.beats.eq(self.beats + 1), self.left.eq(4)]
                m.next = "LOAD"
                with m.If(self.final):
                    m.next = "SENT"
            with m.Elif(self.timer == 0):
                m.next = "SENT"
        with m.State("SENT"):
            self._store_word(m, self.beats, 2)

    def _receive(self, m):
        """RECEIVE: take a beat, store it, and so on; the flags are stored when the last one is known."""
        stream = self.results
        most = self.bytes[16:32]
        with m.State("RECEIVE"):
            wait = Cat(C(0, self.unit_bits), self.bytes[32:])
            m.d.sync += [self.limit.eq(most), self.last.eq(0), self.timer.eq(wait)]
            self._pull(m)
            with m.If(~_in_range(most)):
                m.d.sync += self.pulling.eq(0)
                self._bad_request(m)
        m.d.comb += stream.tready.eq(self.pulling)
        with m.State("PULL"):
            with m.If(stream.tvalid | (self.timer == 0)):
                m.d.sync += self.pulling.eq(0)
            with m.If(stream.tvalid):
                m.d.sync += [
                    self.beats.eq(self.beats + 1),
                    self.last.eq(stream.tlast),
                    self.stop.eq(stream.tlast | self.final),
                ]
                self._store_word(m, stream.tdata, 4)
            with m.Elif(self.timer == 0):
                m.next = "FLAGS"

    def _pull(self, m):
        m.d.sync += self.pulling.eq(1)
        m.next = "PULL"

    def _store_word(self, m, value, size):
        """Go and store the lowest ``size`` bytes of ``value``."""
        m.d.sync += [self.word.eq(value), self.left.eq(size)]
        m.next = "STORE"

    def _store(self, m):
        """``left`` bytes of ``word`` into the response."""
        sender = self.sender
        m.d.comb += [sender.w_address.eq(self.length), sender.w_data.eq(self.word[:8])]
        with m.State("STORE"):
            m.d.comb += sender.w_en.eq(1)
            m.d.sync += [
                self.bytes.eq(Cat(self.bytes[8:], self.receiver.data)),
                self.length.eq(self.length + 1),
                self.left.eq(self.left - 1),
            ]
            with m.If(self.left == 1):
                m.next = "ANSWER"
                with m.If(self._is(Command.RECEIVE)):
                    with m.If(self.stop):
                        m.next = "FLAGS"
                    with m.Else():
                        self._pull(m)
        with m.State("FLAGS"):
            m.d.comb += [sender.w_address.eq(0), sender.w_data.eq(self.last), sender.w_en.eq(1)]
            m.next = "ANSWER"

    def _answer(self, m):
        with m.State("ANSWER"):
            m.d.comb += self.sender.start.eq(1)
            m.next = "ANSWERING"
        with m.State("ANSWERING"):
            with m.If(~self.sender.busy):
                m.next = "IDLE"


def _in_range(beats):
    """Whether a frame may carry so many beats. MAX_BEATS is a power of two."""
    return ((beats - 1)[: len(beats)] >> ceil_log2(protocol.MAX_BEATS)) == 0
