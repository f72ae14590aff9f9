"""The bridge: requests in, one AXI access, a burst of beats or of memory each, responses out.

::

    bytes ─▶ FrameReceiver ─▶ check ─▶ execute ─▶ FrameSender ─▶ bytes
             request buffer   session   │  ▲  │   response buffer
                              sequence  ▼  │  ▼
                             AXI4-Lite, AXI4-Stream out and in, AXI4

One thing at a time, a byte in two clocks: the wire is slower than that. The response buffer with
``status`` and ``length`` is what a repeated request is answered from, so refusals leave all three alone.
:mod:`sim.model.bridge` is the same in Python.
"""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.gateware.ports.axi import AxiLite, AxiMemory, AxiStream
from hw.gateware.serial.framing import POINTER_BITS, REQUEST, FrameReceiver, FrameSender
from hw.gateware.serial.memory_access import MemoryAccess
from hw.gateware.serial.requests import Exchange, RegisterAccess, in_range, receive_states, send_states
from hw.host_interface import protocol
from hw.host_interface.protocol import (
    BUS_PATIENCE,
    MEMORY_COMMANDS,
    MEMORY_PATIENCE,
    SEND_PATIENCE,
    WAIT_UNIT,
    Command,
    Status,
)
from hw.host_interface.registers import ADDRESS_BITS, MEMORY_ADDRESS_BITS

MEMORY_BITS = 32
"""Width of the port to memory: the wire is slower than any."""


class Bridge(wiring.Component):
    """From bytes to the accelerator's ports.

    Parameters: ``memory``: it has a port to the board's memories. ``bus_patience``, ``send_patience``,
    ``memory_patience`` in clocks, ``wait_unit`` in clocks and a power of two; only tests choose other values
    than :mod:`hw.host_interface.protocol`.

    Members
    -------
    i_byte, i_valid: bytes of the host, one in three clocks at most, no back pressure.
    o: bytes to the host, as a stream.
    axil: to the control port. An access that is not answered in time stays on the bus, as AXI asks.
    images: to the image stream. Giving up withdraws ``tvalid``, so that the host knows which beats
        went and none is left over for the next run. AXI4-Stream forbids that; the image port, which
        looks at ``tvalid`` in clocks with ``tready`` only, cannot tell. Put nothing in between.
    results: from the result stream; ``tready`` is high only while the host asks for beats.
    memory: where there is one, to the board's memories; a burst at a time, which ends as AXI4 demands
        whatever becomes of its request (:mod:`hw.gateware.serial.memory_access`).
    """

    def __init__(
        self,
        *,
        memory=False,
        bus_patience=BUS_PATIENCE,
        send_patience=SEND_PATIENCE,
        memory_patience=MEMORY_PATIENCE,
        wait_unit=WAIT_UNIT,
    ):
        if wait_unit & (wait_unit - 1):
            raise ValueError(f"the unit of waiting must be a power of two, not {wait_unit}")
        self.bus_patience, self.send_patience = bus_patience, send_patience
        self.memory_patience, self.has_memory = memory_patience, memory
        self.unit_bits = wait_unit.bit_length() - 1
        to_memory = {"memory": Out(AxiMemory(MEMORY_ADDRESS_BITS, MEMORY_BITS))} if memory else {}
        super().__init__(
            {
                "i_byte": In(8),
                "i_valid": In(1),
                "o": Out(stream.Signature(8)),
                "axil": Out(AxiLite(ADDRESS_BITS)),
                "images": Out(AxiStream()),
                "results": In(AxiStream()),
                **to_memory,
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = self.receiver = receiver = FrameReceiver()
        m.submodules.sender = self.sender = sender = FrameSender()
        # A repeated request has the numbers of the last one, and is answered from the response buffer with
        # ``status`` and ``length`` of the exchange.
        self.opened = Signal()
        self.session = Signal(16, reset_less=True)
        self.sequence = Signal(8, reset_less=True)
        self.refusal = Signal(Status, reset_less=True)
        self.address = Signal(POINTER_BITS, reset_less=True)  # in the request's buffer
        self.first = Signal(name="first_byte", reset_less=True)  # of the request's payload
        self.header = header = receiver.header
        commands = [command for command in Command if self.has_memory or command not in MEMORY_COMMANDS]
        self.exchange = exchange = Exchange(m, header, self.unit_bits, commands)
        self.burst = MemoryAccess(m, exchange, self.memory) if self.has_memory else None
        kind = Signal(Status, name="answer_kind", reset_less=True)
        length = Signal(POINTER_BITS, name="answer_length", reset_less=True)
        m.d.comb += [
            receiver.byte.eq(self.i_byte),
            receiver.valid.eq(self.i_valid),
            receiver.address.eq(self.address),
            sender.header.session.eq(header.session),
            sender.header.sequence.eq(header.sequence),
            sender.header.kind.eq(kind),
            sender.header.length.eq(length),
        ]
        # The sender looks at them a clock after its start.
        m.d.sync += [
            kind.eq(Mux(self.refusal == Status.OK, exchange.status, self.refusal)),
            length.eq(Mux(self.refusal == Status.OK, exchange.length, 0)),
        ]
        connect(m, sender.o, flipped(self.o))
        access = RegisterAccess(m, exchange, self.axil)
        with m.FSM(name="state"):
            self._check(m)
            self._decode(m)
            self._load(m)
            access.states(m, self.bus_patience)
            send_states(m, exchange, self.images)
            receive_states(m, exchange, self.results)
            self._store(m)
            self._answer(m)
            if self.burst:
                self.burst.states(m, self.memory_patience)
        return m

    def _check(self, m):
        """Wait for a frame, then for its turn: execute it, answer it again, or refuse it."""
        header, exchange = self.header, self.exchange
        same_session, same, following = (
            Signal(name=name, reset_less=True) for name in ("same_session", "same_sequence", "next_sequence")
        )
        m.d.sync += [
            same_session.eq(header.session == self.session),
            same.eq(header.sequence == self.sequence),
            following.eq(header.sequence == (self.sequence + 1)[:8]),
        ]
        with m.State("IDLE"):
            m.d.comb += self.receiver.listen.eq(1)
            m.d.sync += [self.refusal.eq(Status.OK), self.address.eq(REQUEST)]
            with m.If(self.receiver.frame):
                m.next = "CHECK"
        with m.State("CHECK"):
            with m.If(exchange.is_command(Command.OPEN)):
                m.d.sync += [self.opened.eq(1), self.session.eq(header.session)]
                m.d.sync += self.sequence.eq(header.sequence)
                m.next = "DECODE"
            with m.Elif(~self.opened | ~same_session):
                m.d.sync += self.refusal.eq(Status.WRONG_SESSION)
                m.next = "ANSWER"
            with m.Elif(same):
                m.next = "ANSWER"
            with m.Elif(following):
                m.d.sync += self.sequence.eq(header.sequence)
                m.next = "DECODE"
            with m.Else():
                m.d.sync += self.refusal.eq(Status.WRONG_SEQUENCE)
                m.next = "ANSWER"

    def _decode(self, m):
        """Is it a command, of the right size? How many bytes to load, before what?"""
        exchange, size = self.exchange, self.header.length
        sizes = {
            Command.OPEN: 0,
            Command.READ: protocol.READ_REQUEST.size,
            Command.WRITE: protocol.WRITE_REQUEST.size,
            Command.RECEIVE: protocol.RECEIVE_REQUEST.size,
        }
        if self.burst:
            sizes[Command.READ_MEMORY] = protocol.READ_MEMORY_REQUEST.size
        sound, beats = (Signal(name=name, reset_less=True) for name in ("sound", "whole_beats"))
        m.d.sync += [
            sound.eq(Cat(exchange.is_command(command) & (size == n) for command, n in sizes.items()).any()),
            beats.eq((size[:2] == 1) & in_range(size[2:], protocol.MAX_BEATS)),
        ]
        whole = exchange.is_command(Command.SEND) & beats
        first = Mux(exchange.is_command(Command.SEND), 1, size)
        if self.burst:
            whole |= self.burst.whole(m, size)
            first = Mux(exchange.is_command(Command.WRITE_MEMORY), 4, first)
        with m.State("DECODE"):
            m.d.sync += [
                exchange.status.eq(Status.OK),
                # The flags of a RECEIVE come first, and are stored last.
                exchange.length.eq(exchange.is_command(Command.RECEIVE)),
                self.first.eq(1),
                exchange.beats.eq(0),
                exchange.limit.eq(size >> 2),
                exchange.left.eq(first),
            ]
            if self.burst:
                m.d.sync += self.burst.loading.eq(0)
            with m.If(exchange.is_command(Command.OPEN) & sound):
                answer = protocol.OPEN_RESPONSE.pack(protocol.VERSION, protocol.MAX_DATA)
                exchange.store_word(m, C(int.from_bytes(answer, "little"), 32), len(answer))
            with m.Elif(sound | whole):
                m.next = "LOAD"
            with m.Else():
                exchange.bad_request(m)

    def _load(self, m):
        """``left`` bytes of the request into ``bytes``."""
        exchange = self.exchange
        with m.State("LOAD"):
            # The buffer's byte is there in the next clock; the address is ahead of it.
            m.d.sync += self.address.eq(self.address + 1)
            m.next = "LOADED"
        with m.State("LOADED"):
            m.d.sync += [
                exchange.bytes.eq(Cat(exchange.bytes[8:], self.receiver.data)),
                self.first.eq(0),
                exchange.left.eq(exchange.left - 1),
            ]
            m.next = "LOAD"
            with m.If(exchange.is_command(Command.SEND) & self.first):
                m.d.sync += [exchange.last.eq(self.receiver.data[0] & protocol.LAST), exchange.left.eq(4)]
                exchange.wait(m, self.send_patience)
            with m.Elif(exchange.left == 1):
                m.next = "BEGIN"
                with m.If(exchange.is_command(Command.SEND)):
                    m.d.sync += exchange.offering.eq(1)
                    m.next = "SEND"
                if self.burst:
                    with m.If(self.burst.loading):
                        m.next = "GIVE"
        with m.State("BEGIN"):
            # What is asked for is compared meanwhile.
            m.next = "ACCESS"
            with m.If(exchange.is_command(Command.RECEIVE)):
                m.d.sync += exchange.limit.eq(exchange.most)
                m.next = "RECEIVE"
            if self.burst:
                with m.If(self.burst.of_memory):
                    m.next = "COMPARE"

    def _store(self, m):
        """``left`` bytes of ``word`` into the response."""
        sender, exchange = self.sender, self.exchange
        m.d.comb += [sender.w_address.eq(exchange.length), sender.w_data.eq(exchange.word[:8])]
        with m.State("STORE"):
            m.d.comb += sender.w_en.eq(1)
            m.d.sync += [
                exchange.bytes.eq(Cat(exchange.bytes[8:], self.receiver.data)),
                exchange.length.eq(exchange.length + 1),
                exchange.left.eq(exchange.left - 1),
            ]
            with m.If(exchange.left == 1):
                m.next = "ANSWER"
                with m.If(exchange.is_command(Command.RECEIVE)):
                    with m.If(exchange.stop):
                        m.next = "FLAGS"
                    with m.Else():
                        exchange.pull(m)
                if self.burst:
                    with m.If(exchange.is_command(Command.READ_MEMORY)):
                        self.burst.next_word(m)
        with m.State("FLAGS"):
            m.d.comb += [sender.w_address.eq(0), sender.w_data.eq(exchange.last), sender.w_en.eq(1)]
            m.next = "ANSWER"

    def _answer(self, m):
        starts = Signal()  # no path leads from state to state
        m.d.sync += starts.eq(0)
        m.d.comb += self.sender.start.eq(starts)
        with m.State("ANSWER"):
            m.d.sync += starts.eq(1)
            m.next = "ANSWERING"
        with m.State("ANSWERING"):
            with m.If(~self.sender.busy & ~starts):
                m.next = "IDLE"
