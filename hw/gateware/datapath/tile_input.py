"""Tile input: a lane's pixels through the forward transform into the X buffer."""

from collections.abc import Sequence

from amaranth import C, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.config import BANKS, CLOCKS_PER_TILE
from hw.contract.formats import PIXEL_BITS, SPECTRUM
from hw.contract.spectrum import TILE
from hw.gateware.datapath.fft import ForwardFFT
from hw.gateware.datapath.spectrum_rounding import SpectrumRounding
from hw.gateware.datapath.xbuffer import SUB_BANKS
from hw.gateware.primitives.delay import MAX_FANOUT, delay, replicas
from hw.gateware.primitives.layouts import words_layout
from hw.gateware.primitives.shared import Shared


def bank_and_group(channel):
    """Where input channel c lies in the X buffer: bank c mod 8, group c div 8."""
    return channel[:3], channel[3:]


class TileInput(wiring.Component):
    """Ports:

    ======= ==== ======== =====================================================================
    port    flow width    meaning
    ======= ==== ======== =====================================================================
    dot     in   1        the layer is fully connected: pixels pass as they are
    raw     in   1        it is pointwise: they do so too, and rows of a tile follow its first one (only with
                          ``pairs``)
    window  in   8 × 9    signed: pixels, row by row
    start   in   1        a clock before: row 0 of a tile (dot mode: any row)
    row     in   3        a clock before, dot mode: its index
    channel in   channels a clock before: of the tile
    half    in   1        likewise
    w_en    out  1        to the X buffer, as it calls them
    w_bank  out  3
    w_half  out  1
    w_group out  groups
    w_t     out  3
    w_words out  4 × 2·bits
    w_swap  out  1
    table   in   tables   narrow spectra: which of ``tables`` the layer's words are cut by
    ======= ==== ======== =====================================================================

    Parameters: ``channels``; ``group_bits`` of the X buffer; ``bits`` of a part of a word; ``tables`` of word
    shifts, where they are less than 16; ``pairs``: some layer is pointwise. Words of a tile leave ``latency``
    clocks after its row 0 came, pixels that pass as they are in the clock in which they come. No back
    pressure.
    """

    def __init__(
        self,
        channels: int,
        group_bits: int,
        bits: int = SPECTRUM.bits,
        tables: Sequence[Sequence[int]] = (),
        pairs: bool = False,
    ):
        self.pairs = pairs
        narrow = bits < SPECTRUM.bits
        self.fft = ForwardFFT(exact=narrow)
        self.rounding = SpectrumRounding(bits, tables) if narrow else None
        self.latency = self.fft.latency + (self.rounding.latency if self.rounding else 0)
        super().__init__(
            {
                "dot": In(1),
                **({"raw": In(1)} if pairs else {}),
                "window": In(data.ArrayLayout(signed(PIXEL_BITS + 1), TILE)),
                "start": In(1),
                "row": In(3),
                "channel": In(range(channels)),
                "half": In(1),
                "w_en": Out(1),
                "w_bank": Out(range(BANKS)),
                "w_half": Out(1),
                "w_group": Out(group_bits),
                "w_t": Out(range(CLOCKS_PER_TILE)),
                "w_words": Out(words_layout(bits, SUB_BANKS)),
                "w_swap": Out(1),
                **({"table": self.rounding.signature.members["table"]} if self.rounding else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.fft = Shared(self.fft)
        # Clock 0: everything else keeps up with the window.
        window = self.window
        start = Signal()
        m.d.sync += start.eq(self.start)
        channel = delay(m, self.channel, 1, name="channel")
        half = delay(m, self.half, 1, name="half")
        row = delay(m, self.row, 1, name="row")

        # The tile's channel travels beside the transform and is held for its 8 clocks.
        raw = self.raw if self.pairs else C(0)
        m.d.comb += [self.fft.start.eq(start & ~self.dot & ~raw), self.fft.pixels.eq(window)]
        fresh, words = self._rounded(m)
        self._choose_words(m, self.dot | raw, words)
        moved_channel = delay(m, channel, self.latency, name="moved_channel")
        moved_half = delay(m, half, self.latency, name="moved_half")
        if self.pairs:
            fresh = Mux(raw, start, fresh)
            moved_channel, moved_half = Mux(raw, channel, moved_channel), Mux(raw, half, moved_half)
        kept_channel = Signal.like(moved_channel, reset_less=True)
        kept_half = Signal(reset_less=True)
        clock, running = Signal(3, reset_less=True), Signal()
        with m.If(fresh):
            m.d.sync += [
                clock.eq(1),
                running.eq(1),
                kept_channel.eq(moved_channel),
                kept_half.eq(moved_half),
            ]
        with m.Elif(running):
            m.d.sync += clock.eq(clock + 1)
            with m.If(clock == TILE - 1):
                m.d.sync += running.eq(0)

        with m.If(self.dot):
            bank, group = bank_and_group(channel)
            m.d.comb += [
                self.w_en.eq(start),
                self.w_bank.eq(bank),
                self.w_group.eq(group),
                self.w_half.eq(half),
                self.w_t.eq(row),
            ]
        with m.Else():
            bank, group = bank_and_group(Mux(fresh, moved_channel, kept_channel))
            m.d.comb += [
                self.w_en.eq(fresh | running),
                self.w_bank.eq(bank),
                self.w_group.eq(group),
                self.w_half.eq(Mux(fresh, moved_half, kept_half)),
                self.w_t.eq(Mux(fresh, 0, clock)),
                self.w_swap.eq(~raw),
            ]
        return m

    def _choose_words(self, m, passes, words):
        """Transformed words, or pairs of pixels as they are where the layer's ``passes``."""
        shared = max(1, MAX_FANOUT // words[0].shape().size)  # words that share a register of that
        of_pixels = replicas(m, passes, -(-SUB_BANKS // shared), name="of_pixels")
        for i in range(SUB_BANKS):
            to, word, choice = self.w_words[i], words[i], of_pixels[i // shared]
            m.d.comb += [
                to.re.eq(Mux(choice, self.window[2 * i], word.re)),
                to.im.eq(Mux(choice, self.window[2 * i + 1], word.im)),
            ]

    def _rounded(self, m):
        """When words 0..3 of a tile are there, and the words."""
        if self.rounding is None:
            return self.fft.o_start, self.fft.words
        m.submodules.rounding = rounding = self.rounding
        m.d.comb += [
            rounding.start.eq(self.fft.soon),
            rounding.table.eq(self.table),
            rounding.words.eq(self.fft.words),
        ]
        fresh = delay(m, self.fft.o_start, rounding.latency, name="rounded_start", reset=True)
        return fresh, rounding.o_words
