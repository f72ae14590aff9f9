"""Image port: AXI4-Stream beats of pixels to the map in feature memory that a run begins with."""

from amaranth import Cat, Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.compile.program import Program
from hw.contract.formats import PIXEL_BITS
from hw.gateware.ports.axi import AxiStream
from hw.gateware.primitives.delay import delay, per_layer
from hw.gateware.primitives.row_pointer import MapBeats


class ImagePort(wiring.Component):
    """Images of a stream, channel by channel, row by row, each row padded to whole beats, to the feature
    memory's write port. Takes a beat of B = ``stream_pixels`` pixels every clock.

    Members
    -------
    start: in, 1. A pulse: take ``images`` images for layer ``layer``.
    layer: in, a layer. Constant from two clocks before ``start`` on.
    images: in, 0 .. ``batch``. Constant while ``busy``.
    busy: out, 1. From ``start`` until the last beat.
    framing_error: out, 1. A pulse: ``tlast`` is not on the last beat of an image, or is on another one.
    stream: in, AXI4-Stream: B pixels, the first one lowest.
    w_next: out, 1. A beat is taken: its pixels are written in the next clock.
    w_offset: out, 0 .. ``line_pixels`` - 1. Where they begin in the line, with ``w_next``.
    w_en: out, 1. Write, one clock after ``w_next``.
    w_line: out, 0 .. ``memory_lines`` - 1. The line, with ``w_en``.
    w_pixels: out, B pixels. With ``w_en``.
    w_mask: out, B. Those of them that belong to the row, with ``w_en``.
    """

    def __init__(self, program: Program):
        self.program = program
        line, beat = program.config.line_pixels, program.config.stream_pixels
        super().__init__(
            {
                "start": In(1),
                "layer": In(range(len(program.layers))),
                "images": In(range(program.config.batch + 1)),
                "busy": Out(1),
                "framing_error": Out(1),
                "stream": In(AxiStream(program.config.stream_bits)),
                "w_next": Out(1),
                "w_en": Out(1),
                "w_line": Out(range(program.memory_lines)),
                "w_offset": Out(range(line)),
                "w_pixels": Out(data.ArrayLayout(PIXEL_BITS, beat)),
                "w_mask": Out(beat),
            }
        )

    def elaborate(self, platform):
        m = Module()
        maps = [plan.source for plan in self.program.layers]
        pixels = self.program.config.stream_pixels
        beats = MapBeats(m, self.layer, maps, self.images, self.w_line, pixels)
        width = per_layer(m, self.layer, [plan.shape[2] for plan in maps], name="width")

        accept = self.busy & self.stream.tvalid
        m.d.comb += [
            self.stream.tready.eq(self.busy),
            self.framing_error.eq(accept & (self.stream.tlast != beats.end_image)),
            self.w_next.eq(accept),
            self.w_offset.eq(beats.pixel),
        ]
        with m.If(self.start):
            m.d.sync += self.busy.eq(1)
            beats.start(m)
        with m.Elif(accept):
            beats.advance(m)
            with m.If(beats.last):
                m.d.sync += self.busy.eq(0)
        line = (beats.row_line + (beats.x >> ceil_log2(self.program.config.line_pixels)))[: len(self.w_line)]
        mask = Cat(beats.x + i < width for i in range(pixels))
        m.d.sync += self.w_en.eq(accept)
        m.d.comb += [
            self.w_line.eq(delay(m, line, 1, name="line")),
            self.w_pixels.as_value().eq(delay(m, self.stream.tdata, 1, name="pixels")),
            self.w_mask.eq(delay(m, mask, 1, name="mask")),
        ]
        return m
