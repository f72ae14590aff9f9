"""Memory striping: one wide AXI4 read port out of several narrow ones.

Every memory holds its part of each beat, memory 0 the lowest bytes, at the same address; together they give
a beat as often as each of them does.
"""

from amaranth import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.weight_stream import QUEUED_BEATS
from hw.gateware.ports.axi import ID_BITS, AxiRead
from hw.gateware.primitives.wide_queue import WideQueue


class MemoryStriping(wiring.Component):
    """Parameters: ``address_bits``, ``data_bits`` of the wide port, ``count`` of memories (a power of two).

    Members: ``wide`` (the reader's), ``memories``; ``generation`` and ``settled`` of the reads. A burst goes
    to all memories, with its address divided by ``count``; the reader gets a beat when all have given their
    part, and an error that any of them answered.
    An address that is offered stays until it is taken, also through a reset, and goes to every memory once.
    A reset empties the queues; parts that come after it and were requested before are dropped.
    Latency: 2 clocks for a beat.
    """

    def __init__(self, address_bits: int, data_bits: int, count: int):
        self.count = count
        super().__init__(
            {
                "wide": In(AxiRead(address_bits, data_bits)),
                "generation": In(ID_BITS),
                "settled": In(1),
                "memories": Out(AxiRead(address_bits, data_bits // count)).array(count),
            }
        )

    def elaborate(self, platform):
        m = Module()
        wide, shift = self.wide, self.count.bit_length() - 1
        bits = len(wide.rdata) // self.count
        addressed = Signal(self.count, reset_less=True)  # memories that have taken the address at hand
        taking = Cat(port.arvalid & port.arready for port in self.memories)
        m.d.comb += wide.arready.eq((addressed | taking).all())
        with m.If(wide.arvalid):
            m.d.sync += addressed.eq(Mux(wide.arready, 0, addressed | taking))
        # What comes before all is settled is dropped. Hence a reset leads to a queue's registers by a LUT.
        queues = []
        for i, port in enumerate(self.memories):
            queue = WideQueue(bits + len(wide.rresp), QUEUED_BEATS)
            m.submodules[f"queue_{i}"] = ResetInserter(~self.settled)(queue)
            queues.append(queue)
            m.d.comb += [
                port.arid.eq(wide.arid),
                port.araddr.eq(wide.araddr >> shift),
                port.arlen.eq(wide.arlen),
                port.arsize.eq(wide.arsize - shift),
                port.arburst.eq(wide.arburst),
                port.arvalid.eq(wide.arvalid & ~addressed[i]),
                queue.w_data.eq(Cat(port.rdata, port.rresp)),
                queue.w_en.eq(port.rvalid & (port.rid == self.generation)),
                port.rready.eq(queue.w_rdy),
                wide.rdata.word_select(i, bits).eq(queue.r_data[:bits]),
                queue.r_en.eq(wide.rvalid & wide.rready),
            ]
        m.d.comb += wide.rid.eq(self.generation)
        m.d.comb += wide.rvalid.eq(Cat(queue.r_rdy for queue in queues).all())
        for queue in queues:
            with m.If(queue.r_data[bits:] != 0):
                m.d.comb += wide.rresp.eq(queue.r_data[bits:])
        return m
