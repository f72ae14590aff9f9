"""Burst reader: the weights of a run out of external memory, in order, as fast as the store has room.

It lies outside the reset that an abort pulls: bursts that memory still owes are taken in and dropped. So
they are behind a reset, which memory may have shared or not (:mod:`hw.gateware.weights.generation`).
"""

from amaranth import Array, C, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.weight_stream import OUTSTANDING, PAGE, StreamPlan
from hw.gateware.ports.axi import ID_BITS, AxiRead
from hw.gateware.weights.generation import Generation
from hw.interface.registers import MEMORY_ADDRESS_BITS


class BurstReader(wiring.Component):
    """AXI4 read manager.

    Members: ``start`` (a pulse) reads the steps of layers ``first`` to ``last`` from byte address
    ``base``, a multiple of 4 KiB. A burst is asked for while ``room`` is up; ``asked`` pulses with its
    number of beats, ``asked_beats``. ``valid`` with ``beat``: data, never stalled, so there must be
    room for what was asked. ``flush`` (a pulse) ends a run; a start behind it waits until memory has
    delivered all. ``error`` pulses with a beat of this run whose answer is other than OKAY. ``generation``,
    ``settled``: those of the reads, for whoever stands between this port and memory.

    ``memory``: an address that is offered stays, as it is, until it is taken, also through a reset; so do
    those that memories side by side have taken in part. Every beat is taken in the clock in which it comes. A
    beat counts as owed from the clock in which its burst is ``asked``, never below zero, given a memory that
    delivers what it was asked for, each burst in order, with the identifier of its address.
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
                "room": In(1),
                "asked": Out(1),
                "asked_beats": Out(range(plan.burst_beats + 1)),
                "valid": Out(1),
                "beat": Out(plan.bus_bits),
                "error": Out(1),
                "generation": Out(ID_BITS),
                "settled": Out(1),
                "memory": Out(AxiRead(MEMORY_ADDRESS_BITS, plan.bus_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plan, memory = self.plan, self.memory
        beat_bytes = plan.bus_bits // 8
        layer = Signal.like(self.first)
        # Bursts of a layer behind the one at hand, whether there are none, and the beats of the last one.
        full = [(beats - 1) // plan.burst_beats for beats in plan.layer_beats]
        rest = [(beats - 1) % plan.burst_beats + 1 for beats in plan.layer_beats]
        left, final = Signal(range(max(full) + 1)), Signal()
        last_beats = Signal.like(self.asked_beats)
        address, asked_address = (
            Signal(MEMORY_ADDRESS_BITS, name=name, reset_less=True) for name in ("address", "asked_address")
        )
        asked_length = Signal.like(memory.arlen, reset_less=True)
        asking, asked_id = Signal(reset_less=True), Signal.like(memory.arid, reset_less=True)
        m.submodules.of_reads = of_reads = Generation()
        ours = Signal()  # a beat that was asked for since the last reset
        m.d.comb += ours.eq(memory.rvalid & of_reads.settled & (memory.rid == of_reads.number))

        owed = Signal(range(OUTSTANDING * plan.burst_beats + 1))  # beats asked for and not yet delivered
        # Whether there may be another burst, a clock old: bursts are two clocks apart, and beats that came
        # since make it careful, not wrong.
        few = Signal()
        waiting, dropping, last_layer = (Signal(name=name) for name in ("waiting", "dropping", "last_layer"))
        m.d.sync += [
            owed.eq(owed + Mux(self.asked, self.asked_beats, 0) - ours),
            few.eq(owed <= (OUTSTANDING - 1) * plan.burst_beats),
            last_layer.eq(layer == self.last),
        ]
        with m.If(self.flush & (owed != 0)):
            m.d.sync += dropping.eq(1)
        with m.If((owed == 0) & ~asking):
            m.d.sync += dropping.eq(0)
        with m.If(self.start):
            m.d.sync += waiting.eq(1)
        with m.Elif(self.flush):
            m.d.sync += waiting.eq(0)

        with m.FSM():
            with m.State("IDLE"):
                with m.If(waiting & ~dropping & ~self.flush & ~asking):
                    m.d.sync += [waiting.eq(0), layer.eq(self.first)]
                    m.next = "LAYER"
            with m.State("LAYER"):
                m.d.sync += [
                    left.eq(Array(C(n) for n in full)[layer]),
                    final.eq(Array(C(n == 0) for n in full)[layer]),
                    last_beats.eq(Array(C(n) for n in rest)[layer]),
                    address.eq(self.base + PAGE * Array(C(n) for n in plan.layer_pages)[layer]),
                ]
                m.next = "ASK"
                with m.If(self.flush):
                    m.next = "IDLE"
            with m.State("ASK"):
                with m.If(self.room & ~self.flush & ~asking & few):
                    m.d.comb += self.asked.eq(1)
                    m.d.sync += [
                        asking.eq(1),
                        asked_id.eq(of_reads.number),
                        asked_address.eq(address),
                        asked_length.eq(self.asked_beats - 1),
                        address.eq(address + plan.burst_beats * beat_bytes),
                        left.eq(left - 1),
                        final.eq(left == 1),
                    ]
                    with m.If(final):
                        m.d.sync += layer.eq(layer + 1)
                        m.next = "LAYER"
                        with m.If(last_layer):
                            m.next = "IDLE"
                with m.If(self.flush):
                    m.next = "IDLE"
        with m.If(asking & memory.arready):
            m.d.sync += asking.eq(0)
        m.d.comb += [
            self.asked_beats.eq(Mux(final, last_beats, plan.burst_beats)),
            self.generation.eq(of_reads.number),
            self.settled.eq(of_reads.settled),
            memory.arvalid.eq(asking),
            memory.arid.eq(asked_id),
            memory.araddr.eq(asked_address),
            memory.arlen.eq(asked_length),
            memory.arsize.eq(beat_bytes.bit_length() - 1),
            memory.arburst.eq(1),  # incrementing
            memory.rready.eq(1),
            self.valid.eq(ours & ~dropping & ~self.flush),
            self.error.eq(self.valid & (memory.rresp != 0)),
            self.beat.eq(memory.rdata),
        ]
        return m
