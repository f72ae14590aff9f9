"""Y buffer: the corner turn between the drain and the inverse transform.

The drain delivers one word of four rows per clock, the inverse transform takes four words of one row.
Entry (row n, word b) lies in sub-bank (n + b) mod 4, so neither ever meets a sub-bank twice: a write is
rotated by its word, a read by its row.
"""

from amaranth import Array, Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.config import CLOCKS_PER_TILE, DRAIN
from hw.formats import PRODUCT_SUM
from hw.gateware.delay import delay
from hw.gateware.types import complex_layout, words_layout
from hw.words import WORDS


class YBuffer(wiring.Component):
    """Two halves of ``rows`` × 32 words, for one lane.

    Memory: 4 sub-banks of 16·rows (rounded up to a power of two) × 36 bit, one write and one read port.
    They should become a RAMB18 each up to 32 rows, a RAMB36 at 64, LUTRAM at 4; so Yosys maps them.
    Beside them 300 LUT. All sub-banks are read at one address (half, row, t); their write addresses
    differ in the row within the group.

    Write: ``w_words`` are word ``w_word`` of rows 4·``w_group`` to 4·``w_group`` + 3.
    Read: ``words`` are words 4·``r_t`` to 4·``r_t`` + 3 of row ``r_row``. With ``dot`` only the real part
    of word 0 is let through, all else reads as zero (docs/numbers.md, inverse transform).

    Latency, no back pressure: ``words`` follow a request by ``latency`` clocks; requests see what was
    written at least ``write_latency`` clocks earlier.
    """

    latency = 3
    write_latency = 1

    def __init__(self, rows: int):
        self.rows = rows
        super().__init__(
            {
                "w_en": In(1),
                "w_half": In(1),
                "w_group": In(range(max(2, rows // DRAIN))),
                "w_word": In(range(WORDS)),
                "w_words": In(words_layout(PRODUCT_SUM.bits, DRAIN)),
                "r_half": In(1),
                "r_row": In(range(rows)),
                "r_t": In(range(CLOCKS_PER_TILE)),
                "dot": In(1),
                "words": Out(words_layout(PRODUCT_SUM.bits, DRAIN)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Clock 0: rotate what is written, register the addresses.
        w_en = delay(m, self.w_en, 1, name="w_en", reset=True)
        r_address = delay(m, Cat(self.r_t, self.r_row, self.r_half), 1, name="r_address")
        row_in_group = [Signal(range(DRAIN), name=f"row_in_group_{s}") for s in range(DRAIN)]
        ports = []
        for s in range(DRAIN):
            bank = memory.Memory(shape=complex_layout(PRODUCT_SUM.bits), depth=1 << len(r_address), init=[])
            m.submodules[f"sub_bank_{s}"] = bank
            write, read = bank.write_port(), bank.read_port()
            ports.append(read)
            m.d.comb += row_in_group[s].eq(s - self.w_word)
            row = Cat(row_in_group[s], self.w_group)[: len(self.r_row)]
            word = Array(self.w_words[i].as_value() for i in range(DRAIN))[row_in_group[s]]
            # Clock 1: the memory.
            m.d.comb += [
                write.en.eq(w_en),
                write.addr.eq(delay(m, Cat(self.w_word[2:], row, self.w_half), 1, name=f"w_address_{s}")),
                write.data.eq(delay(m, word, 1, name=f"w_word_{s}")),
                read.en.eq(1),
                read.addr.eq(r_address),
            ]
        self._turn(m, Array(port.data.as_value() for port in ports))
        return m

    def _turn(self, m, banks):
        """Clock 2: word i of row n out of sub-bank (n + i) mod 4; in dot mode one real number."""
        wait = self.latency - 1
        row = delay(m, self.r_row[:2], wait, name="row")
        dot = delay(m, self.dot, wait, name="dot")
        later = delay(m, self.r_t != 0, wait, name="later")
        for i in range(DRAIN):
            rotation = Signal(range(DRAIN), name=f"rotation_{i}")
            word = Signal(complex_layout(PRODUCT_SUM.bits), name=f"word_{i}", reset_less=True)
            m.d.comb += [rotation.eq(row + i), self.words[i].eq(word)]
            m.d.sync += word.eq(banks[rotation])
            with m.If(dot):
                m.d.sync += word.im.eq(0)
            with m.If(dot & later if i == 0 else dot):
                m.d.sync += word.re.eq(0)
