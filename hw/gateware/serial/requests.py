"""What a request does: one access at the control port, or beats of a stream. States of the bridge's machine.

The bridge loads the request's bytes before these states, and stores what they leave in ``word`` after them.
"""

from amaranth import C, Cat, Mux, Signal
from amaranth.utils import ceil_log2

from hw.gateware.serial.framing import POINTER_BITS
from hw.host_interface import protocol
from hw.host_interface.protocol import Command, Status
from hw.host_interface.registers import ADDRESS_BITS

WAIT_BITS = 16
"""Width of the time that RECEIVE waits, in its unit."""


class Exchange:
    """A request and its response: the registers that all states share, and the moves that several make.

    Parameters: ``header`` of the request; ``unit_bits``: log2 of the unit of waiting, in clocks;
    ``commands`` that the bridge knows.

    Signals
    -------
    status, length: of the response, the bytes in its buffer.
    bytes: bytes of the request enter at the top; those of the response leave at the bottom of ``word``, its
        upper four.
    left: bytes to load or store.
    beats: of the stream, so far. limit: how many are asked for. final: this one is the last of them.
    last: SEND: the frame ends with this request. RECEIVE: the last beat had ``tlast``.
    stop: no beat of results, or of memory, follows this one.
    offering: a beat of images is offered; pulling: a beat of results is wanted. Registers: what follows from
        them lies far behind.
    timer: counts clocks down to zero, and stays there; over: it is there.
    outside, fits, at_once: of the request that is loaded: its address is none of the control port's; a frame
        may carry the beats that it asks for; it waits for no time.

    Comparisons are registers, a clock behind what they compare. Whatever comes with the header is there long
    before the frame ends; what comes with the payload has the state BEGIN. Nothing but what says that
    something is under way is reset.
    """

    def __init__(self, m, header, unit_bits: int, commands):
        self.header, self.unit_bits = header, unit_bits
        self.status = Signal(Status, reset_less=True)
        self.length = Signal(POINTER_BITS, reset_less=True)
        self.bytes = Signal(48, reset_less=True)
        self.word = self.bytes[16:]
        self.left = Signal(range(7), reset_less=True)
        self.beats = Signal(9, reset_less=True)
        self.limit = Signal(9, reset_less=True)
        self.last, self.final, self.stop = (
            Signal(name=name, reset_less=True) for name in ("last", "final", "stop")
        )
        self.offering, self.pulling = Signal(), Signal()
        self.timer = Signal(WAIT_BITS + max(unit_bits, 1), reset_less=True)
        self.over = Signal(init=1)
        self._commands = {
            command: Signal(name=f"is_{command.name.lower()}", reset_less=True) for command in commands
        }
        self.most = self.bytes[16:32]
        self.address = Mux(self.is_command(Command.READ), self.bytes[32:], self.bytes[:16])
        self.outside, self.fits, self.at_once = (
            Signal(name=name, reset_less=True) for name in ("outside", "fits", "at_once")
        )
        m.d.sync += [
            *(this.eq(header.kind == command) for command, this in self._commands.items()),
            self.final.eq((self.beats + 1)[:9] == self.limit),
            self.outside.eq(self.address[ADDRESS_BITS:].any()),
            self.fits.eq(in_range(self.most, protocol.MAX_BEATS)),
            self.at_once.eq(~self.bytes[32:].any()),
        ]
        with m.If(~self.over):
            m.d.sync += [self.timer.eq(self.timer - 1), self.over.eq(~self.timer[1:].any())]

    def is_command(self, command):
        """Whether the request is this ``command``."""
        return self._commands[command]

    def wait(self, m, clocks: int):
        """Let the timer begin at so many clocks, one or more."""
        m.d.sync += [self.timer.eq(clocks), self.over.eq(0)]

    def bad_request(self, m):
        """Go and answer that it is none."""
        m.d.sync += [self.status.eq(Status.BAD_REQUEST), self.length.eq(0)]
        m.next = "ANSWER"

    def store_word(self, m, value, size):
        """Go and store the lowest ``size`` bytes of ``value``."""
        m.d.sync += [self.word.eq(value), self.left.eq(size)]
        m.next = "STORE"

    def pull(self, m):
        """Go and take a beat of results."""
        m.d.sync += self.pulling.eq(1)
        m.next = "PULL"


class RegisterAccess:
    """READ and WRITE at the control port ``bus``. ``pending`` from a request to its answer, however late."""

    def __init__(self, m, exchange: Exchange, bus):
        self.exchange, self.bus = exchange, bus
        self.pending = Signal()
        self.answered = Signal()
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

    def states(self, m, patience: int):
        """On the bus, unless an access before this one is still there; ``patience``: clocks to its answer."""
        exchange, bus = self.exchange, self.bus
        read = exchange.is_command(Command.READ)
        # Both addresses, and the word, stay until the next access.
        address = Signal(ADDRESS_BITS, name="access_address", reset_less=True)
        word = Signal(32, name="access_word", reset_less=True)
        m.d.comb += [bus.araddr.eq(address), bus.awaddr.eq(address), bus.wdata.eq(word)]
        with m.State("ACCESS"):
            exchange.wait(m, patience)
            with m.If(exchange.outside):
                exchange.bad_request(m)
            with m.Elif(self.pending):
                m.d.sync += exchange.status.eq(Status.BUS_TIMEOUT)
                m.next = "ANSWER"
            with m.Else():
                m.d.sync += [
                    self.pending.eq(1),
                    address.eq(exchange.address),
                    word.eq(exchange.word),
                    bus.arvalid.eq(read),
                    bus.awvalid.eq(~read),
                    bus.wvalid.eq(~read),
                ]
                m.next = "WAIT"
        with m.State("WAIT"):
            with m.If(self.answered):
                with m.If(Mux(read, bus.rresp.as_value(), bus.bresp.as_value())[1]):
                    m.d.sync += exchange.status.eq(Status.BUS_ERROR)
                    m.next = "ANSWER"
                with m.Elif(read):
                    exchange.store_word(m, bus.rdata, 4)
                with m.Else():
                    m.next = "ANSWER"
            with m.Elif(exchange.over):
                m.d.sync += exchange.status.eq(Status.BUS_TIMEOUT)
                m.next = "ANSWER"


def send_states(m, exchange: Exchange, images):
    """SEND: offer the loaded beat to the stream ``images``, then load the next one."""
    m.d.comb += [
        images.tvalid.eq(exchange.offering),
        images.tdata.eq(exchange.word),
        images.tlast.eq(exchange.last & exchange.final),
    ]
    with m.State("SEND"):
        with m.If(images.tready | exchange.over):
            m.d.sync += exchange.offering.eq(0)
        with m.If(images.tready):
            m.d.sync += [exchange.beats.eq(exchange.beats + 1), exchange.left.eq(4)]
            m.next = "LOAD"
            with m.If(exchange.final):
                m.next = "SENT"
        with m.Elif(exchange.over):
            m.next = "SENT"
    with m.State("SENT"):
        exchange.store_word(m, exchange.beats, 2)


def receive_states(m, exchange: Exchange, results):
    """RECEIVE: take a beat of the stream ``results``, store it, and so on; the flags are stored when the last
    one is known."""
    with m.State("RECEIVE"):
        wait = Cat(C(0, exchange.unit_bits), exchange.bytes[32:])
        m.d.sync += [exchange.last.eq(0), exchange.timer.eq(wait), exchange.over.eq(exchange.at_once)]
        exchange.pull(m)
        with m.If(~exchange.fits):
            m.d.sync += exchange.pulling.eq(0)
            exchange.bad_request(m)
    m.d.comb += results.tready.eq(exchange.pulling)
    with m.State("PULL"):
        with m.If(results.tvalid | exchange.over):
            m.d.sync += exchange.pulling.eq(0)
        with m.If(results.tvalid):
            m.d.sync += [
                exchange.beats.eq(exchange.beats + 1),
                exchange.last.eq(results.tlast),
                exchange.stop.eq(results.tlast | exchange.final),
            ]
            exchange.store_word(m, results.tdata, 4)
        with m.Elif(exchange.over):
            m.next = "FLAGS"


def in_range(count, most: int):
    """Whether ``count`` is 1 to ``most``, a power of two."""
    return ((count - 1)[: len(count)] >> ceil_log2(most)) == 0
