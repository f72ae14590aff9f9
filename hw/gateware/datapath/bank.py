"""A memory bank of which a design has many: one write port, one read port, emitted once."""

from amaranth import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.gateware.primitives.shared import Shared


class Bank(wiring.Component):
    """``depth`` × ``width`` bit; place it with :meth:`shared`.

    Write: ``w_data`` at ``w_addr`` while ``w_en``. Read: ``r_data`` shows what was at ``r_addr`` one clock
    ago, and keeps it while ``r_en`` is down. Reading an address in the clock it is written is undefined.
    """

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
                "r_data": Out(width),
            }
        )

    def shared(self) -> Shared:
        """This bank as a submodule; banks of one size are one module."""
        return Shared(self, (self.width, self.depth))

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = bank = memory.Memory(shape=self.width, depth=self.depth, init=[])
        write, read = bank.write_port(), bank.read_port()
        m.d.comb += [
            write.en.eq(self.w_en),
            write.addr.eq(self.w_addr),
            write.data.eq(self.w_data),
            read.en.eq(self.r_en),
            read.addr.eq(self.r_addr),
            self.r_data.eq(read.data),
        ]
        return m
