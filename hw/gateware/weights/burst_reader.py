"""Burst reader: the weights of a run out of external memory, in order, as fast as the weight buffer has room.

It lies outside the reset that an abort pulls: bursts that memory still owes are taken in and dropped. So
they are after a reset, which memory may have shared or not (:mod:`hw.gateware.weights.generation`).
"""

from amaranth import Array, C, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.weight_stream import OUTSTANDING, PAGE, StreamPlan
from hw.gateware.ports.axi import ID_BITS, AxiRead
from hw.gateware.weights.generation import Generation
from hw.host_interface.registers import MEMORY_ADDRESS_BITS


class BurstReader(wiring.Component):
    """AXI4 read manager.

    A burst of steps is requested in a clock in which there is credit for it; its beats come later and are
    never stalled, so the credit has to be there for all of them. A run that starts after a ``flush`` waits
    until memory has delivered all that it owes.

    ``memory``: an address that is offered stays, as it is, until it is taken, also through a reset; so do
    those that striped memories have taken in part. Every beat is taken in the clock in which it comes. A
    beat counts as owed from the clock in which its burst is ``requested``, never below zero, given a memory
    that delivers what it was asked for, each burst in order, with the identifier of its address.
    Latency: 1 clock for a beat.

    Members
    -------
    start: in, 1. A pulse: read the channel table, and the steps of layers ``first`` to ``last``.
    first, last: in, a layer each. Constant while a run is being read.
    base: in, MEMORY_ADDRESS_BITS. Byte address of the channel table, a multiple of 4 KiB.
    flush: in, 1. A pulse: the run ends here.
    credit: in, 1. There is room for a whole burst of steps. The table needs none.
    requested: out, 1. A pulse: a burst of steps is requested.
    requested_beats: out, 0 .. ``burst_beats``. The number of its beats, with ``requested``.
    valid: out, 1. A beat of this run; it cannot be stalled.
    channels, weights: out, 1. With ``valid``: it is of the channel table, or of steps.
    beat: out, ``bus_bits``. Its data, with ``valid``.
    error: out, 1. A pulse: a beat of this run whose answer is other than OKAY.
    generation: out, ID_BITS. Identifier of the reads since the last reset, for whoever stands between this
        port and memory.
    reading: out, 1. From the clock after ``start`` until all beats of the run have come, or of one that was
        flushed.
    settled: out, 1. ``generation`` is that of now (:class:`hw.gateware.weights.generation.Generation`).
    memory: out, an AXI4 read port.
    """

    def __init__(self, plan: StreamPlan):
        self.plan = plan
        layers = range(len(plan.layer_steps))
        super().__init__(
            {
                "start": In(1),
                "first": In(layers),
                "last": In(layers),
                "base": In(MEMORY_ADDRESS_BITS),
                "flush": In(1),
                "credit": In(1),
                "requested": Out(1),
                "requested_beats": Out(range(plan.burst_beats + 1)),
                "valid": Out(1),
                "channels": Out(1),
                "weights": Out(1),
                "beat": Out(plan.bus_bits),
                "error": Out(1),
                "reading": Out(1),
                "generation": Out(ID_BITS),
                "settled": Out(1),
                "memory": Out(AxiRead(MEMORY_ADDRESS_BITS, plan.bus_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        memory = self.memory
        m.submodules.of_reads = of_reads = Generation()
        # A beat waits a clock: the weight buffer's logic begins at registers, whatever lies before the port.
        coming, received = Signal(), Signal()  # one that was requested since the last reset
        of_steps = Signal()  # it is none of the channel table
        response = Signal.like(memory.rresp, name="response", reset_less=True)
        data = Signal.like(memory.rdata, name="data", reset_less=True)
        offering = Signal(reset_less=True)  # an address, to memory
        m.d.comb += coming.eq(memory.rvalid & of_reads.settled & (memory.rid == of_reads.number))
        m.d.sync += [
            received.eq(coming),
            response.eq(memory.rresp),
            data.eq(memory.rdata),
        ]
        m.d.comb += [
            self.generation.eq(of_reads.number),
            self.settled.eq(of_reads.settled),
        ]
        requesting = Signal()  # a burst, of the table or of steps
        owed, few = self._count_owed(m, requesting, received)
        waiting, dropping = self._start_and_flush(m, owed, offering)
        idle, table_begins = self._request_bursts(m, waiting, dropping, few, offering, requesting)
        m.d.sync += of_steps.eq(coming & ~self._of_table(m, coming, table_begins))
        m.d.comb += self.reading.eq(waiting | ~idle | (owed != 0))
        with m.If(offering & memory.arready):
            m.d.sync += offering.eq(0)
        m.d.comb += [
            memory.arvalid.eq(offering),
            memory.arsize.eq((self.plan.bus_bits // 8).bit_length() - 1),
            memory.arburst.eq(1),  # incrementing
            memory.rready.eq(1),
            self.valid.eq(received & ~dropping & ~self.flush),
            self.weights.eq(of_steps & ~dropping & ~self.flush),
            self.channels.eq(self.valid & ~of_steps),
            self.error.eq(self.valid & (response != 0)),
            self.beat.eq(data),
        ]
        return m

    def _count_owed(self, m, requesting, received):
        """Beats requested and not yet received; and whether they are so few that a burst may join them, a
        clock old: bursts are two clocks apart, and beats that came since make it careful, not wrong.
        """
        owed = Signal(range(OUTSTANDING * self.plan.burst_beats + 1))
        few = Signal()
        m.d.sync += [
            owed.eq(owed + Mux(requesting, self.requested_beats, 0) - received),
            few.eq(owed <= (OUTSTANDING - 1) * self.plan.burst_beats),
        ]
        return owed, few

    def _of_table(self, m, coming, begins):
        """Whether beats that come are of the channel table: the first ones of a run. A clock before they are
        given, so that nothing has to wait for the answer."""
        filling = Signal()
        left = Signal(range(max(2, self.plan.table_beats)), reset_less=True)
        with m.If(coming & filling):
            m.d.sync += [left.eq(left - 1), filling.eq(left != 0)]
        with m.If(begins):
            m.d.sync += [left.eq(self.plan.table_beats - 1), filling.eq(1)]
        return filling

    def _start_and_flush(self, m, owed, offering):
        """``waiting``: a run is to begin. ``dropping``: beats that come are of one that was flushed."""
        waiting, dropping = (Signal(name=name) for name in ("waiting", "dropping"))
        with m.If(self.flush & (owed != 0)):
            m.d.sync += dropping.eq(1)
        with m.If((owed == 0) & ~offering):
            m.d.sync += dropping.eq(0)
        with m.If(self.start):
            m.d.sync += waiting.eq(1)
        with m.Elif(self.flush):
            m.d.sync += waiting.eq(0)
        return waiting, dropping

    def _request_bursts(self, m, waiting, dropping, few, offering, requesting):
        """The table, then layer by layer, burst by burst; what is requested is offered to memory from the
        next clock on. Returns whether nothing is left to request, and whether the table is next."""
        plan, memory = self.plan, self.memory
        of_table = Signal()
        # The states set all of them before they look at them.
        layer = Signal.like(self.first, reset_less=True)
        last_layer = Signal(reset_less=True)
        m.d.sync += last_layer.eq(layer == self.last)
        # Of the table, and of a layer: bursts after the one at hand, whether there are none, and the beats of
        # the last one.
        of_all = (plan.table_beats, *plan.layer_beats)
        table_full, *full = ((beats - 1) // plan.burst_beats for beats in of_all)
        table_rest, *rest = ((beats - 1) % plan.burst_beats + 1 for beats in of_all)
        left = Signal(range(max(table_full, *full) + 1), reset_less=True)
        final = Signal(reset_less=True)
        last_beats = Signal.like(self.requested_beats, reset_less=True)
        address, offered_address = (
            Signal(MEMORY_ADDRESS_BITS, name=name, reset_less=True) for name in ("address", "offered_address")
        )
        offered_length, offered_id = (
            Signal.like(port, name=name, reset_less=True)
            for port, name in ((memory.arlen, "offered_length"), (memory.arid, "offered_id"))
        )
        m.d.comb += [
            self.requested_beats.eq(Mux(final, last_beats, plan.burst_beats)),
            self.requested.eq(requesting & ~of_table),
            memory.arid.eq(offered_id),
            memory.araddr.eq(offered_address),
            memory.arlen.eq(offered_length),
        ]
        with m.FSM() as fsm:
            with m.State("IDLE"):
                with m.If(waiting & ~dropping & ~self.flush & ~offering):
                    m.d.sync += [waiting.eq(0), layer.eq(self.first)]
                    m.next = "TABLE"
            with m.State("TABLE"):
                m.d.sync += [
                    of_table.eq(1),
                    left.eq(table_full),
                    final.eq(table_full == 0),
                    last_beats.eq(table_rest),
                    address.eq(self.base),
                ]
                m.next = "REQUEST"
                with m.If(self.flush):
                    m.next = "IDLE"
            with m.State("LAYER"):
                m.d.sync += [
                    of_table.eq(0),
                    left.eq(Array(C(n) for n in full)[layer]),
                    final.eq(Array(C(n == 0) for n in full)[layer]),
                    last_beats.eq(Array(C(n) for n in rest)[layer]),
                    address.eq(self.base + PAGE * Array(C(n) for n in plan.layer_pages)[layer]),
                ]
                m.next = "REQUEST"
                with m.If(self.flush):
                    m.next = "IDLE"
            with m.State("REQUEST"):
                with m.If((self.credit | of_table) & ~self.flush & ~offering & few):
                    m.d.comb += requesting.eq(1)
                    m.d.sync += [
                        offering.eq(1),
                        offered_id.eq(self.generation),
                        offered_address.eq(address),
                        offered_length.eq(self.requested_beats - 1),
                        address.eq(address + plan.burst_beats * plan.bus_bits // 8),
                        left.eq(left - 1),
                        final.eq(left == 1),
                    ]
                    with m.If(final):
                        m.d.sync += layer.eq(Mux(of_table, layer, layer + 1))
                        m.next = "LAYER"
                        with m.If(last_layer & ~of_table):
                            m.next = "IDLE"
                with m.If(self.flush):
                    m.next = "IDLE"
        return fsm.ongoing("IDLE"), fsm.ongoing("TABLE")
