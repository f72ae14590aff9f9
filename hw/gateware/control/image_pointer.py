"""Image pointer of the output controller: whose rows the lanes make, where the maps of several images lie
side by side."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.program import Program
from hw.gateware.control.target import target_layout
from hw.gateware.primitives.delay import per_layer


class ImagePointer(wiring.Component):
    """A token begins with the first lane row of the stack's first image; its other images follow, each after
    the clocks that the lane rows of an image take.

    =========== ==== =========== =====================================================================
    port        flow width       meaning
    =========== ==== =========== =====================================================================
    layer       in   ⌈log2 L⌉    instruction of the layer program
    images      in   batch       images of the run
    start       in   1           a pulse: begin the layer with image 0
    running     in   1           a token is sent in this clock
    end_token   in   1           it is the last clock of the token: the stack's first image begins again
    end_pass    in   1           and of the pass
    row_wraps   in   1           the pass is the last one of its stack, of this block (:class:`LoopNest`)
    stack_wraps in   1           and its stack the last one
    begins      out  1           the first lane row of an image starts in this clock
    missing     out  1           the run has not so many images
    origin      out  line, slot  one clock later: where its map lies, from that of image 0
    =========== ==== =========== =====================================================================
    """

    def __init__(self, program: Program):
        self.program = program
        target = target_layout(program)
        super().__init__(
            {
                "layer": In(range(len(program.layers))),
                "images": In(range(program.config.batch + 1)),
                "start": In(1),
                "running": In(1),
                "end_token": In(1),
                "end_pass": In(1),
                "row_wraps": In(1),
                "stack_wraps": In(1),
                "begins": Out(1),
                "missing": Out(1),
                "origin": Out(data.StructLayout({n: target[n].shape for n in ("line", "slot")})),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plans, batch = self.program.layers, self.program.config.batch
        targets = [plan.dest.image_position(image) for plan in plans for image in range(batch)]
        lines, slots = zip(*targets, strict=True)

        def setting(name, values):
            return per_layer(m, self.layer, values, name=name)

        # Rows of the table of all layers' images.
        first_index = setting("first_image", [i * batch for i in range(len(plans))])
        size = setting("stack_images", [plan.images for plan in plans])
        # Lane rows of an image take so many clocks.
        last = setting("last_image_clock", [plan.skew * plan.source.image_packing - 1 for plan in plans])
        numbers = range(len(targets) + max(plan.images for plan in plans))
        # Of the image at hand and of its stack's first one: the row of the table, and images from it on.
        index, stack_index = (
            Signal(numbers, name=name, reset_less=True) for name in ("index", "stack_index")
        )
        left, stack_left = (
            Signal.like(self.images, name=name, reset_less=True) for name in ("left", "stack_left")
        )
        clock, begins = Signal.like(last, reset_less=True), Signal(init=1, reset_less=True)
        several = Signal()
        m.d.comb += several.eq(size != 1)

        with m.If(self.running):
            m.d.sync += [clock.eq(clock + 1), begins.eq(0)]
            with m.If(several & (clock == last)):
                m.d.sync += [clock.eq(0), begins.eq(1), index.eq(index + 1)]
                m.d.sync += left.eq(Mux(left == 0, 0, left - 1))
        with m.If(self.end_token):
            m.d.sync += [clock.eq(0), begins.eq(1), index.eq(stack_index), left.eq(stack_left)]
        with m.If(self.end_pass & self.row_wraps):
            following, rest = Signal.like(index), Signal.like(left)
            m.d.comb += [
                following.eq(Mux(self.stack_wraps, first_index, stack_index + size)),
                rest.eq(Mux(self.stack_wraps, self.images, stack_left - size)),
            ]
            m.d.sync += [
                *(number.eq(following) for number in (index, stack_index)),
                *(count.eq(rest) for count in (left, stack_left)),
            ]
        with m.If(self.start):
            m.d.sync += [
                clock.eq(0),
                begins.eq(1),
                *(number.eq(first_index) for number in (index, stack_index)),
                *(count.eq(self.images) for count in (left, stack_left)),
            ]
        m.d.comb += [
            self.begins.eq(self.running & begins),
            self.missing.eq(left == 0),
            self.origin.line.eq(per_layer(m, index, lines, name="image_line")),
            self.origin.slot.eq(per_layer(m, index, slots, name="image_slot")),
        ]
        return m
