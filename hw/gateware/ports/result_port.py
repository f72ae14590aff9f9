"""Result port: class scores, or the last feature map, as AXI4-Stream beats."""

from amaranth import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.compile.program import Program
from hw.contract.formats import PIXEL_BITS
from hw.gateware.ports.axi import AxiStream
from hw.gateware.primitives.delay import delay
from hw.gateware.primitives.row_pointer import MapBeats
from hw.gateware.primitives.wide_queue import WideQueue
from hw.host_interface.stream_format import SCORE


def queued(bits: int) -> data.StructLayout:
    """A beat in a queue, with so many bits of data."""
    return data.StructLayout({"data": bits, "last": 1})


class ScorePort(wiring.Component):
    """Class scores, class-major: class 0 of every image, then class 1, and so on, sign-extended to 32 bits;
    above them a wider beat is zero.

    Members: ``valid`` with ``score`` (never stalled: the queue holds all scores of a run);
    ``images`` of the run; ``stream``.
    """

    def __init__(self, program: Program, score_bits: int):
        self.program = program
        super().__init__(
            {
                "valid": In(1),
                "score": In(signed(score_bits)),
                "images": In(range(program.config.batch + 1)),
                "stream": Out(AxiStream(program.config.stream_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        classes, batch = self.program.network.classes, self.program.config.batch
        depth = 1 << ceil_log2(classes * batch)
        layout = queued(8 * SCORE)
        m.submodules.queue = queue = WideQueue(layout.size, max(2, depth))
        beat = Signal(layout)
        out = Signal(layout)
        image = Signal(range(batch + 1))
        number = Signal(range(classes))
        end_class = image == self.images - 1
        last = end_class & (number == classes - 1)
        m.d.comb += [
            beat.data.eq(self.score),
            beat.last.eq(last),
            queue.w_data.eq(beat),
            queue.w_en.eq(self.valid),
        ]
        with m.If(self.valid):
            m.d.sync += image.eq(image + 1)
            with m.If(end_class):
                m.d.sync += [image.eq(0), number.eq(number + 1)]
            with m.If(last):
                m.d.sync += number.eq(0)
        _connect(m, queue, out, self)
        return m


class MapPort(wiring.Component):
    """A feature map: image by image, channel by channel, row by row, rows padded to beats.

    A beat per clock unless the host stalls. Parameters: ``program``; ``latency`` of the feature memory.

    Members
    -------
    start: in, 1. A pulse: send what layer ``layer`` made of ``images`` images.
    layer: in, a layer. Constant from two clocks before ``start`` on.
    images: in, 0 .. ``batch``. Constant until the last beat was taken.
    r_line: out, 0 .. ``memory_lines`` - 1. The line to read, in every clock.
    r_far_line: out, 0 .. ``memory_lines`` - 1. The one after it, for pixels beyond its end.
    r_offset: out, 0 .. ``line_pixels`` - 1. The pixel at which to begin.
    pixels: in, ``line_pixels`` pixels, ``latency`` clocks later.
    stream: out, AXI4-Stream: ``stream_pixels`` pixels, the first one lowest; ``tlast`` on the last beat.
    """

    def __init__(self, program: Program, latency: int):
        self.program, self.latency = program, latency
        line = program.config.line_pixels
        super().__init__(
            {
                "start": In(1),
                "layer": In(range(len(program.layers))),
                "images": In(range(program.config.batch + 1)),
                "r_line": Out(range(program.memory_lines)),
                "r_far_line": Out(range(program.memory_lines)),
                "r_offset": Out(range(line)),
                "pixels": In(data.ArrayLayout(PIXEL_BITS, line)),
                "stream": Out(AxiStream(program.config.stream_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        maps = [plan.dest for plan in self.program.layers]
        config = self.program.config
        beats = MapBeats(m, self.layer, maps, self.images, self.r_line, config.stream_pixels)
        depth = 1 << ceil_log2(2 * self.latency + 4)
        layout = queued(config.stream_bits)
        m.submodules.queue = queue = WideQueue(layout.size, depth)

        running = Signal()
        # Beats read and not yet taken by the host: they must all fit the queue.
        pending = Signal(range(depth + 1))
        few = Signal()  # a clock ago, so that one more fits whatever was asked for since
        m.d.sync += few.eq(pending < depth - 1)
        ask = running & few
        accepted = Signal()  # a clock late: the host decides it, far away
        m.d.sync += [
            accepted.eq(self.stream.tvalid & self.stream.tready),
            pending.eq(pending + ask - accepted),
        ]
        with m.If(self.start):
            m.d.sync += running.eq(1)
        # The start comes late in its clock, the layer long before.
        with m.If(~running):
            beats.start(m)
        with m.Elif(ask):
            beats.advance(m)
            with m.If(beats.last):
                m.d.sync += running.eq(0)
        m.d.comb += [
            self.r_line.eq(beats.row_line + (beats.x >> ceil_log2(config.line_pixels))),
            self.r_far_line.eq(self.r_line + 1),
            self.r_offset.eq(beats.pixel),
        ]
        word = Signal(layout)
        out = Signal(layout)
        m.d.comb += [
            word.data.eq(self.pixels.as_value()[: config.stream_bits]),
            word.last.eq(delay(m, beats.last, self.latency, name="last")),
            queue.w_data.eq(word),
            queue.w_en.eq(delay(m, ask, self.latency, name="ask", reset=True)),
        ]
        _connect(m, queue, out, self)
        return m


def _connect(m, queue, out, port):
    """The queue's head to the port's stream."""
    m.d.comb += [
        out.eq(queue.r_data),
        port.stream.tdata.eq(out.data),
        port.stream.tlast.eq(out.last),
        port.stream.tvalid.eq(queue.r_rdy),
        queue.r_en.eq(port.stream.tready),
    ]
