"""Image port: AXI4-Stream beats of four pixels to the first map in feature memory."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.formats import PIXEL_BITS
from hw.frames import BEAT, row_beats
from hw.gateware.axi import AxiStream
from hw.program import Program


class ImagePort(wiring.Component):
    """Members: ``start`` (a pulse) takes ``images`` images from ``stream``: channel by channel, row by
    row, each row padded to whole beats. ``busy`` until the last beat; ``framing_error`` pulses when
    ``tlast`` is not on the last beat of an image. Drives the feature memory's write port, one clock
    behind the beat. Takes a beat every clock.
    """

    def __init__(self, program: Program):
        self.program = program
        line = program.config.line_pixels
        super().__init__(
            {
                "start": In(1),
                "images": In(range(program.config.batch + 1)),
                "busy": Out(1),
                "framing_error": Out(1),
                "stream": In(AxiStream()),
                "w_en": Out(1),
                "w_line": Out(range(program.memory_lines)),
                "w_offset": Out(range(line)),
                "w_pixels": Out(data.ArrayLayout(PIXEL_BITS, line)),
                "w_mask": Out(line),
            }
        )

    def elaborate(self, platform):
        m = Module()
        source = self.program.layers[0].source
        channels, height, width = source.shape
        beats = row_beats(width)
        rows = channels * height
        beat, row = Signal(range(beats)), Signal(range(rows))
        image = Signal(range(self.program.config.batch + 1))
        line = Signal.like(self.w_line)

        accept = self.busy & self.stream.tvalid
        end_row = beat == beats - 1
        end_image = end_row & (row == rows - 1)
        m.d.comb += [
            self.stream.tready.eq(self.busy),
            self.framing_error.eq(accept & (self.stream.tlast != end_image)),
        ]
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), beat.eq(0), row.eq(0), image.eq(0), line.eq(source.base)]
        with m.Elif(accept):
            m.d.sync += beat.eq(beat + 1)
            with m.If(end_row):
                # Rows, channels and images lie one behind the other.
                m.d.sync += [beat.eq(0), row.eq(row + 1), line.eq(line + source.lines_per_row)]
            with m.If(end_image):
                m.d.sync += [row.eq(0), image.eq(image + 1)]
                with m.If(image == self.images - 1):
                    m.d.sync += self.busy.eq(0)

        x = Signal(range(beats * BEAT))
        m.d.comb += x.eq(beat * BEAT)
        m.d.sync += [
            self.w_en.eq(accept),
            self.w_line.eq(line + (x >> ceil_log2(self.program.config.line_pixels))),
            self.w_offset.eq(x),
            self.w_pixels.as_value().eq(self.stream.tdata),
            self.w_mask.eq((1 << BEAT) - 1),
        ]
        return m
