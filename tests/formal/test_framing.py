"""Frames: what is sent is stuffed as the protocol says, and the receiver tells of whole frames alone."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Elaboratable, Module, Mux, ResetSignal, Signal

from hw.gateware.serial import framing
from hw.gateware.serial.framing import POINTER_BITS, REQUEST, FrameReceiver, FrameSender
from hw.host_interface import protocol
from hw.host_interface.protocol import ESCAPE, FLAG, FLIP
from tests.formal.proof import earlier, offer_stays, state

pytestmark = pytest.mark.formal

HEADER, CHECK = protocol.HEADER.size, protocol.CHECK.size
MOST = protocol.MAX_BODY - protocol.OVERHEAD
"""Bytes of a payload."""

SMALL = 4
"""Bytes of the buffers here: what they hold is anything, and their size tells the solver nothing."""


class Sender(Elaboratable):
    """A user who starts at any time and keeps header and buffer steady while it sends, and a line that takes
    bytes when it likes."""

    def __init__(self, block=FrameSender):
        self.dut = dut = block()
        self.inputs = [dut.start, dut.header.as_value(), dut.w_address, dut.w_data, dut.w_en, dut.o.ready]

    def elaborate(self, platform):
        m = Module()
        dut, reset = self.dut, ResetSignal()
        m.submodules.dut, held = state(dut)
        header = dut.header.as_value()
        before = earlier(m, header, name="header_before")
        with m.If(dut.busy):
            m.d.comb += [Assume(header == before), Assume(~dut.w_en)]
        m.d.comb += Assume(dut.header.length <= MOST)
        offer_stays(m, dut.o.valid, dut.o.ready, dut.o.payload, reset=reset, name="byte")

        # The line, seen from outside: inside a frame, after an escape, and bytes of the body so far.
        sent = dut.o.valid & dut.o.ready
        inside, escaped = (Signal(name=name) for name in ("inside", "after_escape"))
        count = Signal(range(protocol.MAX_BODY + 1))
        whole = count == protocol.OVERHEAD + dut.header.length
        m.d.comb += [Assert(~dut.o.valid | dut.busy), Assert(~inside | dut.busy)]
        with m.If(sent & (dut.o.payload == FLAG)):
            m.d.sync += [inside.eq(~inside), count.eq(0)]
            m.d.comb += [Assert(~escaped), Assert(~inside | whole)]
        with m.Elif(sent):
            m.d.comb += Assert(inside)
            m.d.sync += escaped.eq(dut.o.payload == ESCAPE)
            with m.If(escaped):
                m.d.comb += Assert((dut.o.payload == FLAG ^ FLIP) | (dut.o.payload == ESCAPE ^ FLIP))
            with m.If(dut.o.payload != ESCAPE):
                m.d.sync += count.eq(count + 1)

        # What the registers mean: of header and CRC the bytes chosen so far are counted, the pointer counts
        # those of the payload. The one that is offered is chosen already.
        pointer, chosen = held["pointer"], held["count"]
        offered = held["state_state"] == self._number(held)["BODY"]
        with m.If(inside):
            m.d.comb += [
                Assert(~(held["in_header"] & held["in_check"])),
                Assert(count + offered == Mux(held["in_header"], 0, HEADER + pointer) + chosen),
                Assert(held["in_header"] | held["in_check"] | (chosen == 0)),
                Assert(chosen <= Mux(held["in_header"], HEADER, CHECK)),
                Assert(pointer <= Mux(held["in_header"], 0, dut.header.length)),
                Assert(~held["in_check"] | (pointer == dut.header.length)),
                Assert(escaped == held["escaped"]),
            ]
        with m.Else():
            m.d.comb += [Assert(~escaped), Assert(~held["escaped"])]
        m.d.comb += self._states(held, inside, escaped)
        return m

    def _number(self, held):
        """The states by their names."""
        return {held["state_state"].decoder(i).split("/")[0]: i for i in range(6)}

    def _states(self, held, inside, escaped):
        """What holds in each state."""
        now, pointer, chosen = held["state_state"], held["pointer"], held["count"]
        number = self._number(held)
        opening, read, choose, body, closing = (
            number[name] for name in ("OPENING", "READ", "CHOOSE", "BODY", "CLOSING")
        )
        moving = (now == read) | (now == choose) | (now == body)
        special = (held["plain"] == FLAG) | (held["plain"] == ESCAPE)
        payload = ~held["in_header"] & ~held["in_check"]
        most = Mux(held["in_check"], CHECK, HEADER)
        return [
            Assert(now < len(number)),
            Assert(self.dut.busy == (now != number["IDLE"])),
            Assert(inside == (moving | (now == closing))),
            Assert((now != closing) | (held["in_check"] & (chosen == CHECK) & ~escaped)),
            Assert(~escaped | ((now == body) & special)),
            Assert(
                (now != opening) | ((pointer == 0) & (chosen == 0) & held["in_header"] & ~held["in_check"])
            ),
            Assert((now != choose) | Mux(payload, pointer < self.dut.header.length, chosen < most)),
            Assert((now != body) | Mux(payload, pointer != 0, chosen != 0)),
        ]


class Receiver(Elaboratable):
    """Any bytes, at most every other clock, and a listener that turns away when it likes."""

    def __init__(self, block=FrameReceiver):
        self.dut = dut = block()
        self.inputs = [dut.byte, dut.valid, dut.listen, dut.address]

    def elaborate(self, platform):
        m = Module()
        dut = self.dut
        m.submodules.dut, held = state(dut)
        byte = earlier(m, dut.byte, name="byte_before")
        valid, listens = (Signal(name=name) for name in ("valid_before", "listen_before"))
        m.d.sync += [valid.eq(dut.valid), listens.eq(dut.listen)]

        # The frame as the protocol has it: open since a flag, its bytes so far, the first six of them.
        opened, escaped = (Signal(name=name) for name in ("opened", "after_escape"))
        count = Signal(range(protocol.MAX_BODY + 1))
        first = Signal(8 * HEADER, reset_less=True)
        tells = Signal()  # a frame may be told of: the clock before, a flag ended one that was whole
        length = first[-16:]
        plain = Mux(escaped, byte ^ FLIP, byte)
        m.d.sync += tells.eq(0)
        with m.If(~listens):
            m.d.sync += opened.eq(0)
        with m.Elif(valid & (byte == FLAG)):
            m.d.sync += [opened.eq(1), escaped.eq(0), count.eq(0)]
            m.d.sync += tells.eq(
                opened & ~escaped & (count >= HEADER + CHECK) & (count == length + HEADER + CHECK)
            )
        with m.Elif(valid & opened):
            m.d.sync += escaped.eq(0)
            with m.If(escaped & (byte != FLAG ^ FLIP) & (byte != ESCAPE ^ FLIP)):
                m.d.sync += opened.eq(0)
            with m.Elif(~escaped & (byte == ESCAPE)):
                m.d.sync += escaped.eq(1)
            with m.Else():
                with m.If(count == protocol.MAX_BODY):
                    m.d.sync += opened.eq(0)
                with m.Else():
                    m.d.sync += count.eq(count + 1)
                with m.If(count < HEADER):
                    m.d.sync += first.eq(Cat(first[8:], plain))
        pointer = Signal(POINTER_BITS, name="pointer_wanted")
        m.d.comb += [
            pointer.eq(REQUEST - HEADER + count),
            Assert(held["hunting"] == ~opened),
            Assert(held["listening"] == listens),
            Assert(~dut.frame | tells),
            Assert(count <= protocol.MAX_BODY),
        ]
        with m.If(opened):
            m.d.comb += [Assert(held["escaped"] == escaped), Assert(held["pointer"] == pointer)]
        for taken in range(1, HEADER + 1):
            came = slice(8 * (HEADER - taken), None)
            with m.If(opened & (count >= taken if taken == HEADER else count == taken)):
                m.d.comb += Assert(dut.header.as_value()[came] == first[came])
        return m


def test_the_sender(proven, planted):
    proven(Sender(planted(framing, FrameSender, BUFFER=SMALL)), depth=3)


def test_a_flag_in_a_body_is_found(refuted, planted):
    bare = planted(framing, FrameSender, "special = (plain == FLAG) |", "special =", BUFFER=SMALL)
    refuted(Sender(bare), depth=12)


def test_a_byte_that_changes_while_it_waits_is_found(refuted, planted):
    eager = planted(
        framing,
        FrameSender,
        "m.If(self.o.ready & special & ~escaped)",
        "m.If(special & ~escaped)",
        BUFFER=SMALL,
    )
    refuted(Sender(eager), depth=12)


def test_the_receiver(proven, planted):
    proven(Receiver(planted(framing, FrameReceiver, BUFFER=SMALL)), depth=3)


def test_a_frame_after_a_broken_escape_is_found(refuted, planted):
    careless = planted(
        framing,
        FrameReceiver,
        "& (byte != ESCAPE ^ FLIP)):\n                m.d.sync += hunting.eq(1)",
        "& (byte != ESCAPE ^ FLIP)):\n                m.d.sync += hunting.eq(0)",
        BUFFER=SMALL,
    )
    refuted(Receiver(careless), depth=6)


def test_a_frame_from_before_it_listened_is_found(refuted, planted):
    nosy = planted(
        framing,
        FrameReceiver,
        "with m.If(~listening):\n            m.d.sync += hunting.eq(1)",
        "with m.If(~listening):\n            m.d.sync += escaped.eq(0)",
        BUFFER=SMALL,
    )
    refuted(Receiver(nosy), depth=6)


def test_a_body_that_is_too_long_is_found(proven, refuted, planted):
    """The limit is a thousand bytes away from the state at time 0: found by the step of induction."""
    long = planted(
        framing, FrameReceiver, "protocol.MAX_BODY - protocol.OVERHEAD", "protocol.MAX_BODY", BUFFER=SMALL
    )
    refuted(Receiver(long), depth=3, anywhere=True)
