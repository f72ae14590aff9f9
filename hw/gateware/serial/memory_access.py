"""WRITE_MEMORY and READ_MEMORY: a burst each at an AXI4 port. States of the bridge's machine.

Words go to memory as the bridge has loaded them from the request, and come one by one as it stores them in
the response. A burst that was begun goes on to its end by itself, through a request that is given up and
through a reset of the bridge, of which memory knows nothing: an address that was offered stays, beats that
are still owed follow without strobes, and those that still come are dropped.
"""

from amaranth import C, Cat, Mux, Signal

from hw.gateware.serial.requests import Exchange, in_range
from hw.host_interface.protocol import (
    MAX_UNITS,
    MEMORY_PAGE,
    MEMORY_UNIT,
    WRITE_MEMORY_REQUEST,
    Command,
    Status,
)

UNIT_BITS = 32
"""Width of the number of a unit."""

MORE_BITS = (MAX_UNITS - 1).bit_length()
"""Of the units of a burst after its first one."""

PAGE_BITS = (MEMORY_PAGE // MEMORY_UNIT - 1).bit_length()
"""Of a unit's number within its page."""

BYTE_BITS = (MEMORY_UNIT - 1).bit_length()
"""Of a byte's address within its unit."""

LENGTH_BITS = MORE_BITS + BYTE_BITS - 2
"""Of the beats of a burst after its first one."""


class MemoryAccess:
    """A burst at the port ``bus`` at a time; a request that comes before its end gets MEMORY_TIMEOUT.

    Memory must not be reset while a burst is on its way: what it has forgotten never comes, and the burst has
    no end then.

    Signals
    -------
    of_memory: the request is one of these two. loading: its words are being loaded, no longer its first unit.
    pending: from a burst's beginning to its end; reading: it reads. abandoned: nobody waits for it.
    left: beats after the next one that is offered, or taken; final: there are none. A clock behind: beats are
        two clocks apart or more.
    """

    def __init__(self, m, exchange: Exchange, bus):
        self.exchange, self.bus = exchange, bus
        self.of_memory, self.loading, self.pending, self.reading, self.final, self.failed = (
            Signal(name=name, reset_less=True)
            for name in (
                "of_memory",
                "loading",
                "burst_pending",
                "burst_reads",
                "burst_final",
                "burst_failed",
            )
        )
        self.abandoned = Signal(init=1)
        # Between two bursts it is what it is after the last beat of any: not zero.
        self.left = Signal(LENGTH_BITS, init=-1, name="burst_left", reset_less=True)
        self.unsent = Signal(reset_less=True)  # there are beats that have not been offered
        self.address = Signal(UNIT_BITS, name="burst_address", reset_less=True)
        self.more = Signal(MORE_BITS, name="burst_more", reset_less=True)
        self.aw_valid, self.w_valid, self.w_last, self.ar_valid, self.r_ready, self.strobe = (
            Signal(name=name, reset_less=True)
            for name in ("aw_valid", "w_valid", "w_last", "ar_valid", "r_ready", "strobe")
        )
        self.word = Signal(32, name="burst_word", reset_less=True)
        self._ports(m)
        self._request(m)
        self._channels(m)

    def _ports(self, m):
        bus = self.bus
        for channel in ("aw", "ar"):
            m.d.comb += [
                getattr(bus, f"{channel}addr").eq(Cat(C(0, BYTE_BITS), self.address)),
                getattr(bus, f"{channel}len").eq(Cat(C(-1, LENGTH_BITS - MORE_BITS), self.more)),
                getattr(bus, f"{channel}size").eq(2),  # words
                getattr(bus, f"{channel}burst").eq(1),  # incrementing
            ]
        m.d.comb += [
            bus.awvalid.eq(self.aw_valid),
            bus.arvalid.eq(self.ar_valid),
            bus.wvalid.eq(self.w_valid),
            bus.wdata.eq(self.word),
            bus.wstrb.eq(self.strobe.replicate(len(bus.wstrb))),
            bus.wlast.eq(self.w_last),
            bus.rready.eq(self.r_ready),
            bus.bready.eq(1),
        ]

    def _request(self, m):
        """What is asked for, once it is loaded: its unit two clocks later compared with the page's end."""
        exchange = self.exchange
        read, write = (exchange.is_command(c) for c in (Command.READ_MEMORY, Command.WRITE_MEMORY))
        self.unit = Mux(read, exchange.bytes[:UNIT_BITS], exchange.word)
        units = Mux(read, exchange.bytes[UNIT_BITS:], exchange.header.length[BYTE_BITS:])
        self.more_units = Signal(16, reset_less=True)
        in_page = Signal(PAGE_BITS, name="unit_in_page", reset_less=True)
        self.fits = Signal(name="fits_page", reset_less=True)
        m.d.sync += [
            self.of_memory.eq(read | write),
            self.more_units.eq(units - 1),
            in_page.eq(self.unit),
            self.fits.eq(
                ~self.more_units[MORE_BITS:].any() & ~(in_page + self.more_units[:MORE_BITS])[PAGE_BITS]
            ),
        ]

    def _channels(self, m):
        """What happens by itself: whatever is taken is not offered again, and what is owed is paid."""
        bus = self.bus
        m.d.sync += self.final.eq(self.left == 0)
        for valid, ready in (
            (self.aw_valid, bus.awready),
            (self.w_valid, bus.wready),
            (self.ar_valid, bus.arready),
        ):
            with m.If(ready):
                m.d.sync += valid.eq(0)
        self.taken = Signal(name="beat_taken")
        m.d.comb += self.taken.eq(self.r_ready & bus.rvalid)
        with m.If(self.taken):
            m.d.sync += [
                self.r_ready.eq(0),
                self.left.eq(self.left - 1),
                self.failed.eq(self.failed | (bus.rresp != 0)),
            ]
            with m.If(self.final):
                m.d.sync += self.pending.eq(0)
        with m.If(bus.bvalid & ~self.reading):
            m.d.sync += [self.pending.eq(0), self.failed.eq(bus.bresp != 0)]
        with m.If(self.abandoned & self.pending):
            with m.If(self.reading & ~self.r_ready):
                m.d.sync += self.r_ready.eq(1)
            with m.If(self.unsent & ~self.w_valid):
                self._offer(m, strobe=0)

    def _offer(self, m, strobe: int):
        m.d.sync += [
            self.w_valid.eq(1),
            self.w_last.eq(self.final),
            self.strobe.eq(strobe),
            self.left.eq(self.left - 1),
            self.unsent.eq(~self.final),
        ]

    def whole(self, m, size):
        """Whether a request of so many bytes is a WRITE_MEMORY of whole units. A register."""
        units = Signal(name="whole_units", reset_less=True)
        first = WRITE_MEMORY_REQUEST.size
        m.d.sync += units.eq((size[:BYTE_BITS] == first) & in_range(size[BYTE_BITS:], MAX_UNITS))
        return self.exchange.is_command(Command.WRITE_MEMORY) & units

    def next_word(self, m):
        """A word is stored: go and take the next one, if there is any."""
        m.next = "END"
        with m.If(~self.exchange.stop):
            self.fetch(m)

    def fetch(self, m):
        """Go and take a beat of memory's."""
        m.d.sync += self.r_ready.eq(1)
        m.next = "FETCH"

    def _answer(self, m, status: Status):
        m.d.sync += [self.exchange.status.eq(status), self.exchange.length.eq(0)]
        m.next = "ANSWER"

    def _give_up(self, m):
        m.d.sync += self.abandoned.eq(1)
        self._answer(m, Status.MEMORY_TIMEOUT)

    def states(self, m, patience: int):
        """From the request's first unit, loaded, to the answer; ``patience``: clocks that memory may take."""
        exchange, bus = self.exchange, self.bus
        with m.State("COMPARE"):
            m.next = "BURST"
        with m.State("BURST"):
            exchange.wait(m, patience)
            with m.If(~self.fits):
                exchange.bad_request(m)
            with m.Elif(self.pending):
                self._answer(m, Status.MEMORY_TIMEOUT)
            with m.Else():
                self._begin(m)
        with m.State("GIVE"):
            with m.If(~self.w_valid):
                m.d.sync += [self.word.eq(exchange.word), exchange.left.eq(4)]
                self._offer(m, strobe=1)
                m.next = "LOAD"
                with m.If(self.final):
                    m.next = "END"
            with m.Elif(exchange.over):
                self._give_up(m)
        with m.State("FETCH"):
            with m.If(self.taken):
                m.d.sync += exchange.stop.eq(self.final)
                exchange.store_word(m, bus.rdata, 4)
            with m.Elif(exchange.over):
                self._give_up(m)
        with m.State("END"):
            with m.If(~self.pending):
                m.next = "ANSWER"
                with m.If(self.failed):
                    self._answer(m, Status.MEMORY_ERROR)
            with m.Elif(exchange.over):
                self._give_up(m)

    def _begin(self, m):
        exchange = self.exchange
        read = exchange.is_command(Command.READ_MEMORY)
        m.d.sync += [
            self.pending.eq(1),
            self.abandoned.eq(0),
            self.failed.eq(0),
            self.reading.eq(read),
            self.unsent.eq(~read),
            self.address.eq(self.unit),
            self.more.eq(self.more_units),
            self.left.eq(Cat(C(-1, LENGTH_BITS - MORE_BITS), self.more_units[:MORE_BITS])),
            self.ar_valid.eq(read),
            self.aw_valid.eq(~read),
            self.loading.eq(1),
            exchange.left.eq(4),
        ]
        m.next = "LOAD"
        with m.If(read):
            self.fetch(m)
