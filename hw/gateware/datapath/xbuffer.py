"""X buffer: the spectra of a tile group, between the forward transform and the product array.

The transform writes four words of one channel per clock, the array reads one word of eight channels.
Bank c mod 8 holds input channel c; a memory word of a bank is what one write delivers, so the four
sub-banks of a bank, spectrum word mod 4, lie side by side in it.
"""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.compile.step_format import WORD_BITS
from hw.contract.config import BANKS, CLOCKS_PER_TILE
from hw.contract.formats import SPECTRUM
from hw.contract.spectrum import DUAL_REAL, WORDS
from hw.gateware.primitives.delay import delay, replicate
from hw.gateware.primitives.layouts import complex_layout, words_layout

SUB_BANKS = WORDS // CLOCKS_PER_TILE

LUT_ADDRESS_BITS = 6
"""Of the deepest memory that goes to LUTs: 64 words."""


class XBuffer(wiring.Component):
    """Two halves of ``groups`` × 8 channels, 32 words each, for one lane.

    Memory: 8 banks of 16·groups (groups rounded up to a power of two) × 128 bit, one write and one read
    port. They should become LUTRAM up to 4 groups (43 RAM64M per bank), above that 2 RAMB36 per bank
    up to 32 groups (256 channels) and 4 at 64, or 2 UltraRAM blocks up to 256; so Yosys 0.66 maps them.
    Beside them 330 LUT.

    ========= ==== ========== ======================================================================
    port      flow width      meaning
    ========= ==== ========== ======================================================================
    w_en      in   1          write ``w_words``: words 4·``w_t`` to 4·``w_t`` + 3
    w_bank    in   3          of channel 8·``w_group`` + ``w_bank``
    w_half    in   1          of this half
    w_group   in   groups     (see ``w_bank``)
    w_t       in   3          (see ``w_en``)
    w_words   in   4 × 32     complex words
    w_swap    in   1          store dual-real words with their parts exchanged (see the modes of
                              :class:`hw.gateware.datapath.row_weights.RowWeights`)
    r_half    in   1          the half to read
    r_groups  in   8 × groups per bank k: the channel is 8·``r_groups[k]`` + k,
    r_words   in   1 or 8 × 5 the word ``r_words[k]``, without ``own_words`` ``r_words[0]`` for all
    x         out  8 × 32     complex words, one per bank
    ========= ==== ========== ======================================================================

    Parameters: ``groups``; ``own_words``: every bank reads a word of its own; ``bits`` of a part of a word
    (figures above: 16); ``ultra``: banks too large for LUTs are UltraRAM.
    Latency, no back pressure: ``x`` follows a request by ``latency`` clocks; requests see what was
    written at least ``write_latency`` clocks earlier, and nothing that is written ``read_latency`` clocks
    later.
    """

    latency = 4
    read_latency = 1
    write_latency = 1

    def __init__(self, groups: int, own_words: bool = False, bits: int = SPECTRUM.bits, ultra: bool = False):
        self.group_bits, self.bits, self.ultra = max(1, ceil_log2(groups)), bits, ultra
        self.address_bits = ceil_log2(CLOCKS_PER_TILE) + self.group_bits + 1
        self.in_luts = self.address_bits <= LUT_ADDRESS_BITS
        super().__init__(
            {
                "w_en": In(1),
                "w_bank": In(range(BANKS)),
                "w_half": In(1),
                "w_group": In(self.group_bits),
                "w_t": In(range(CLOCKS_PER_TILE)),
                "w_words": In(words_layout(bits, SUB_BANKS)),
                "w_swap": In(1),
                "r_half": In(1),
                "r_groups": In(data.ArrayLayout(unsigned(self.group_bits), BANKS)),
                "r_words": In(data.ArrayLayout(WORD_BITS, BANKS if own_words else 1)),
                "x": Out(words_layout(bits, BANKS)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Clock 0: exchange the parts of dual-real words, decode the bank, register the addresses.
        words = Signal(self.w_words.shape(), reset_less=True)
        enables = Signal(BANKS)
        m.d.sync += [words.eq(self._stored()), enables.eq(self.w_en << self.w_bank)]
        w_address = delay(m, Cat(self.w_t, self.w_group, self.w_half), 1, name="w_address")
        # No bitstream fills UltraRAM, nor has to: these start empty.
        attributes = {"ram_style": "ultra"} if self.ultra and not self.in_luts else {}
        for k in range(BANKS):
            word = self.r_words[k % len(self.r_words)]
            request = Cat(word[2:], self.r_groups[k], self.r_half)
            name = f"r_address_{k}"
            r_address = delay(m, request, 1, name=name)
            # Memories in LUTs are many: each bank keeps an address of its own, where all are the same too.
            # They need no output register; a clock later than others they read.
            if self.in_luts:
                r_address = replicate(m, r_address, name=f"own_{name}")
            bank = memory.Memory(shape=words.shape(), depth=1 << self.address_bits, init=[], attrs=attributes)
            m.submodules[f"bank_{k}"] = bank
            write, read = bank.write_port(), bank.read_port()
            # Clock 1: the memory, clock 2: its output register; every bank has a replica of what selects.
            # Clock 3: one sub-bank of four.
            sub = replicate(m, delay(m, word[:2], self.latency - 2, name=f"early_sub_{k}"), name=f"sub_{k}")
            read_words = read.data if self.in_luts else delay(m, read.data, 1, name=f"out_{k}")
            m.d.comb += [
                write.addr.eq(w_address),
                write.data.eq(words),
                write.en.eq(enables[k]),
                read.addr.eq(r_address),
                read.en.eq(1),
            ]
            x = Signal(complex_layout(self.bits), name=f"x_{k}", reset_less=True)
            m.d.sync += x.eq(read_words[sub])
            m.d.comb += self.x[k].eq(x)
        return m

    def _stored(self):
        """The words of a write as they are stored."""
        swap = self.w_swap & (self.w_t == 0)
        exchanged = [
            Mux(swap, Cat(word.im, word.re), word.as_value()) if i in DUAL_REAL else word.as_value()
            for i, word in enumerate(self.w_words[i] for i in range(SUB_BANKS))
        ]
        return Cat(*exchanged)
