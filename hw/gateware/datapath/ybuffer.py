"""Y buffer: the corner turn between the drain and the inverse transform.

The drain delivers one word of D rows per clock (D = 4 or 8), the inverse transform takes four words of one
row. Entry (row n, word b) lies in sub-bank (n + b) mod D, so neither ever meets a sub-bank twice: a write is
rotated by its word, a read by its row and its first word.
"""

from amaranth import Array, Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.contract.config import CLOCKS_PER_TILE, TRANSFORM_WORDS
from hw.contract.formats import PRODUCT_SUM
from hw.contract.spectrum import WORDS
from hw.gateware.datapath.xbuffer import LUT_ADDRESS_BITS
from hw.gateware.primitives.delay import delay, replicate
from hw.gateware.primitives.layouts import complex_layout, words_layout


class YBuffer(wiring.Component):
    """Two halves of ``rows`` × 32 words, for one lane.

    Memory: D sub-banks of 64·rows/D (rounded up to a power of two) × 36 bit, one write and one read
    port. They should become a RAMB18 each up to 512 entries, LUTRAM up to 64; so Yosys maps them.
    Beside them 300 LUT. All sub-banks are read at one address; their write addresses differ in the
    row within the group.

    ======== ==== ======== ========================================================================
    port     flow width    meaning
    ======== ==== ======== ========================================================================
    w_en     in   1        ``lead`` clocks before ``w_words``: write them
    w_half   in   1        likewise, to this half,
    w_group  in   groups   rows D·``w_group`` to D·``w_group`` + D - 1,
    w_word   in   5        this word
    w_words  in   D × 36   complex words
    r_half   in   1        read from this half
    r_row    in   rows     and row
    r_t      in   3        words 4·``r_t`` to 4·``r_t`` + 3
    present  in   4        those of them that were written in this pass; others read as zero
    dot      in   1        imaginary parts read as zero (docs/numbers.md, inverse transform)
    words    out  4 × 36   complex words
    ======== ==== ======== ========================================================================

    Parameters: ``rows`` N, a multiple of ``drain`` D, which is 4 or 8.
    Latency, no back pressure: ``words`` follow a request by ``latency`` clocks; requests see what was
    written at least ``write_latency`` clocks earlier, and nothing that is written ``read_latency`` clocks
    later.
    """

    lead = 1
    latency = 4
    read_latency = 1
    write_latency = 1

    def __init__(self, rows: int, drain: int):
        self.rows, self.drain = rows, drain
        super().__init__(
            {
                "w_en": In(1),
                "w_half": In(1),
                "w_group": In(range(max(2, rows // drain))),
                "w_word": In(range(WORDS)),
                "w_words": In(words_layout(PRODUCT_SUM.bits, drain)),
                "r_half": In(1),
                "r_row": In(range(rows)),
                "r_t": In(range(CLOCKS_PER_TILE)),
                "present": In(TRANSFORM_WORDS),
                "dot": In(1),
                "words": Out(words_layout(PRODUCT_SUM.bits, TRANSFORM_WORDS)),
            }
        )
        self._shared = ceil_log2(drain // TRANSFORM_WORDS)  # reads of one address
        self.address_bits = len(self.r_t) - self._shared + len(self.r_row) + 1
        self.in_luts = self.address_bits <= LUT_ADDRESS_BITS

    def elaborate(self, platform):
        m = Module()
        # Clock -1: where every sub-bank's word comes from; each one's multiplexers have a replica.
        # Clock 0: rotate what is written, register the addresses.
        w_en = delay(m, self.w_en, 2, name="w_en", reset=True)
        drain = self.drain
        request = Cat(self.r_t[self._shared :], self.r_row, self.r_half)
        w_group, w_half, w_word = (
            delay(m, value, 1, name=name)
            for name, value in (("w_group", self.w_group), ("w_half", self.w_half), ("w_word", self.w_word))
        )
        # Memories in LUTs are many: each keeps an address of its own. They need no output register; a clock
        # later than others they read.
        late = delay(m, request, 1, name="request")
        found = []
        for s in range(drain):
            shape = complex_layout(PRODUCT_SUM.bits)
            bank = memory.Memory(shape=shape, depth=1 << self.address_bits, init=[])
            m.submodules[f"sub_bank_{s}"] = bank
            write, read = bank.write_port(), bank.read_port()
            found.append(read.data if self.in_luts else delay(m, read.data, 1, name=f"out_{s}"))
            row_in_group = replicate(m, (s - self.w_word)[: ceil_log2(drain)], name=f"row_in_group_{s}")
            row = Cat(row_in_group, w_group)[: len(self.r_row)]
            word = Array(self.w_words[i].as_value() for i in range(drain))[row_in_group]
            # Clock 1: the memory. Clock 2: its output register.
            m.d.comb += [
                write.en.eq(w_en),
                write.addr.eq(
                    delay(m, Cat(w_word[ceil_log2(drain) :], row, w_half), 1, name=f"w_address_{s}")
                ),
                write.data.eq(delay(m, word, 1, name=f"w_word_{s}")),
                read.en.eq(1),
                read.addr.eq(replicate(m, late, name=f"r_address_{s}") if self.in_luts else late),
            ]
        self._rotate_back(m, Array(words.as_value() for words in found))
        return m

    def _rotate_back(self, m, banks):
        """Clock 3: word 4t + i of row n out of sub-bank (n + 4t + i) mod D; in dot mode one real number."""
        wait = self.latency - 1
        first = delay(
            m, (self.r_row + TRANSFORM_WORDS * self.r_t)[: ceil_log2(self.drain)], wait - 1, name="first"
        )
        dot = delay(m, self.dot, wait, name="dot")
        present = delay(m, self.present, wait, name="present")
        for i in range(TRANSFORM_WORDS):
            rotation = replicate(m, (first + i)[: len(first)], name=f"rotation_{i}")
            word = Signal(complex_layout(PRODUCT_SUM.bits), name=f"word_{i}", reset_less=True)
            m.d.comb += self.words[i].eq(word)
            m.d.sync += word.eq(banks[rotation])
            with m.If(~present[i]):
                m.d.sync += word.re.eq(0)
            with m.If(~present[i] | dot):
                m.d.sync += word.im.eq(0)
