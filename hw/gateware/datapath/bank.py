"""A memory bank of which a design has many: one write port, one read port, emitted once.

What a block RAM reads leaves it much later after a clock than what its output register holds. So a register
follows each block, nothing between them, and Vivado makes it the block's own.
"""

from amaranth import Array, C, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.contract.memory_shares import memory_depths
from hw.gateware.primitives.shared import Shared


class Bank(wiring.Component):
    """``depth`` × ``width`` bit; place it with :meth:`shared`.

    Write: ``w_data`` at ``w_addr`` while ``w_en``. Read: what is at ``r_addr`` leaves the memory a clock
    later and stays while ``r_en`` is down; ``r_data`` shows what left it a clock ago, and keeps that while
    ``o_en`` is down. Reading an address in the clock it is written is undefined.

    A bank whose depth is no power of two lies in several memories (:func:`memory_depths`), four at most up
    to 65,536 words: synthesis would divide it into many of a whole word, and choose among them.
    """

    latency = 2

    def __init__(self, width: int, depth: int):
        self.width, self.depth = width, depth
        address = ceil_log2(max(2, depth))
        super().__init__(
            {
                "w_en": In(1),
                "w_addr": In(address),
                "w_data": In(width),
                "r_en": In(1, init=1),
                "r_addr": In(address),
                "o_en": In(1, init=1),
                "r_data": Out(width),
            }
        )

    def shared(self) -> Shared:
        """This bank as a submodule; banks of one size are one module."""
        return Shared(self, (self.width, self.depth))

    def elaborate(self, platform):
        m = Module()
        parts = memory_depths(self.depth, self.width)
        number = Signal(range(max(2, len(parts))), reset_less=True)
        found = []
        for i, depth in enumerate(parts):
            part = memory.Memory(shape=self.width, depth=depth, init=[])
            m.submodules["memory" if len(parts) == 1 else f"memory_{i}"] = part
            write, read = part.write_port(), part.read_port()
            to_here, from_here = (_lies_in(parts, i, address) for address in (self.w_addr, self.r_addr))
            m.d.comb += [
                write.en.eq(self.w_en & to_here),
                write.addr.eq(self.w_addr),
                write.data.eq(self.w_data),
                read.en.eq(self.r_en),
                read.addr.eq(self.r_addr),
            ]
            out = Signal(self.width, name=f"out_{i}", reset_less=True)
            with m.If(self.o_en):
                m.d.sync += out.eq(read.data)
            with m.If(self.r_en & from_here):
                m.d.sync += number.eq(i)
            found.append(out)
        shown = Signal.like(number, name="shown")
        with m.If(self.o_en):
            m.d.sync += shown.eq(number)
        m.d.comb += self.r_data.eq(Array(found)[shown])
        return m


def _lies_in(parts, i, address):
    """Whether ``address`` is one of memory ``i``, of as many words as ``parts`` says: each begins at a
    multiple of its size, and none is smaller than the one after it."""
    if len(parts) == 1:
        return C(1)
    bits = ceil_log2(parts[i])
    return address[bits:] == sum(parts[:i]) >> bits
