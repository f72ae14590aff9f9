"""Image port: AXI4-Stream beats of four pixels to the map in feature memory that a run begins with."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.formats import PIXEL_BITS
from hw.frames import BEAT, row_beats
from hw.gateware.axi import AxiStream
from hw.gateware.delay import per_layer
from hw.gateware.rows import RowPointer
from hw.program import Program


class ImagePort(wiring.Component):
    """Members: ``start`` (a pulse) takes ``images`` images for layer ``layer`` from ``stream``: channel by
    channel, row by row, each row padded to whole beats. ``busy`` until the last beat; ``framing_error``
    pulses when ``tlast`` is not on the last beat of an image. Drives the feature memory's write
    port, one clock behind the beat. Takes a beat every clock.
    """

    def __init__(self, program: Program):
        self.program = program
        line = program.config.line_pixels
        super().__init__(
            {
                "start": In(1),
                "layer": In(range(len(program.layers))),
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
        maps = [plan.source for plan in self.program.layers]

        def setting(name, values):
            return per_layer(m, self.layer, values, name=name)

        last_beat = setting("last_beat", [row_beats(plan.shape[2]) - 1 for plan in maps])
        last_row = setting("last_row", [plan.shape[1] - 1 for plan in maps])
        last_channel = setting("last_channel", [plan.shape[0] - 1 for plan in maps])
        width = setting("width", [plan.shape[2] for plan in maps])
        channel_lines = setting("channel_lines", [plan.channel_lines for plan in maps])
        base = setting("base", [plan.base for plan in maps])
        beat, row, channel = Signal.like(last_beat), Signal.like(last_row), Signal.like(last_channel)
        image = Signal(range(self.program.config.batch + 1))
        line, channel_line = (
            Signal.like(self.w_line, name="line"),
            Signal.like(self.w_line, name="channel_line"),
        )
        pointer = RowPointer(m, self.layer, maps, line)

        accept = self.busy & self.stream.tvalid
        end_row = beat == last_beat
        end_channel = end_row & (row == last_row)
        end_image = end_channel & (channel == last_channel)
        m.d.comb += [
            self.stream.tready.eq(self.busy),
            self.framing_error.eq(accept & (self.stream.tlast != end_image)),
        ]
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), Cat(beat, row, channel, image).eq(0)]
            m.d.sync += [channel_line.eq(base), *pointer.restart(base)]
        with m.Elif(accept):
            m.d.sync += beat.eq(beat + 1)
            with m.If(end_row):
                m.d.sync += [beat.eq(0), row.eq(row + 1)]
                pointer.step(m)
            with m.If(end_channel):
                # Channels and images lie one behind the other.
                following = Signal.like(channel_line)
                m.d.comb += following.eq(channel_line + channel_lines)
                m.d.sync += [row.eq(0), channel.eq(channel + 1), channel_line.eq(following)]
                m.d.sync += pointer.restart(following)
            with m.If(end_image):
                m.d.sync += [channel.eq(0), image.eq(image + 1)]
                with m.If(image == self.images - 1):
                    m.d.sync += self.busy.eq(0)

        x = Signal(len(beat) + ceil_log2(BEAT))
        m.d.comb += x.eq(beat * BEAT)
        m.d.sync += [
            self.w_en.eq(accept),
            self.w_line.eq(line + (x >> ceil_log2(self.program.config.line_pixels))),
            self.w_offset.eq(x + pointer.first_pixel),
            self.w_pixels.as_value().eq(self.stream.tdata),
            *(self.w_mask[i].eq(x + i < width) for i in range(BEAT)),
        ]
        return m
