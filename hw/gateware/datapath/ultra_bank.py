"""A column bank of the feature memory in UltraRAM: lines of a byte, several in each of its wide words."""

from amaranth import C, Cat, Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.contract.formats import PIXEL_BITS
from hw.contract.ultra_ram import ultra_shape
from hw.gateware.primitives.delay import delay
from hw.gateware.primitives.shared import Shared


class UltraBank(wiring.Component):
    """``depth`` pixels; place it with :meth:`shared`. Ports and timing of
    :class:`hw.gateware.datapath.bank.Bank`, without its enables of reading.

    Write: ``w_data`` at ``w_addr`` while ``w_en``. Read: ``r_data`` shows what was at ``r_addr`` ``latency``
    clocks ago: behind the block's own output register. Reading an address in the clock it is written is
    undefined.
    """

    latency = 2

    def __init__(self, depth: int):
        self.shape, self.depth = ultra_shape(depth), depth
        address = ceil_log2(max(2, depth))
        super().__init__(
            {
                "w_en": In(1),
                "w_addr": In(address),
                "w_data": In(PIXEL_BITS),
                "r_addr": In(address),
                "r_data": Out(PIXEL_BITS),
            }
        )

    def shared(self) -> Shared:
        """This bank as a submodule; banks of one depth are one module."""
        return Shared(self, self.depth)

    def elaborate(self, platform):
        m = Module()
        words, count = self.shape.words, self.shape.bytes
        # UltraRAM cannot be filled by a bitstream, so it starts empty; block RAM is what small ones become
        # without the attribute.
        m.submodules.memory = words_of = memory.Memory(
            shape=count * PIXEL_BITS, depth=words, init=[], attrs={"ram_style": "ultra"}
        )
        write = words_of.write_port(granularity=PIXEL_BITS)
        read = words_of.read_port()
        word_bits = len(read.addr)
        number = self.r_addr[word_bits:] if count > 1 else C(0)
        byte = delay(m, number, self.latency, name="byte")
        out = delay(m, read.data, 1, name="out")
        m.d.comb += [
            write.en.eq(Cat(self.w_en & (self.w_addr[word_bits:] == i) for i in range(count))),
            write.addr.eq(self.w_addr),
            write.data.eq(self.w_data.replicate(count)),
            read.addr.eq(self.r_addr),
            self.r_data.eq(out.word_select(byte, PIXEL_BITS)),
        ]
        return m
