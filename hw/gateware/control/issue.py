"""MAC controller: decides in every clock whether the next step may enter the array.

A step waits for its X half to be filled, an end of word also for the drain to be free again
(rows / drain clocks after the previous one) and for a free Y half. Nothing after this point stalls.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.program import Program
from hw.contract.spectrum import WORDS
from hw.gateware.control.loop_nest import LoopNest
from hw.gateware.primitives.delay import delay, per_layer
from hw.gateware.primitives.micro_instruction import ends_layout


class Issue(wiring.Component):
    """Ports:

    =========== ==== ========== =====================================================================
    port        flow width      meaning
    =========== ==== ========== =====================================================================
    start       in   1          a pulse: begin layer ``layer`` for ``images`` images
    layer       in   ⌈log2 L⌉   instruction of the layer program, constant while ``busy``
    images      in   batch      images of the run
    busy        out  1          until the last step was issued
    done        out  1          a pulse: it is
    ends        in   stream     what the step that the weight memory offers ends (:func:`ends_layout`);
                                transferred, the step enters the array
    half_full   in   1          the next X half holds a tile group
    half_freed  out  1          a pulse with the last step that reads it
    pass_free   in   1          a Y half can be filled
    pass_taken  out  1          a pulse: one is begun
    issued      out  1          one clock after the transfer, beside the step itself; with
    first       out  1 or rows  whether it is the first of a sum (where rows run ahead, a bit per row),
    x_half      out  1          the X half to read,
    y_half      out  1          the Y half to fill,
    entry       out  channels   the first entry of the block in the table of channels
    entries     out  groups     and the clocks of the drain - 1
    word        out  5          where steps are repeated for every word: this one (0 in other layers),
    word_ends   out  1          and whether the step may end a pass
    wait_x      out  1          no step is issued, for want of an X half,
    wait_drain  out  1          since the drain is still at work,
    wait_y      out  1          or for want of a Y half: all for the counters
    =========== ==== ========== =====================================================================
    """

    def __init__(self, program: Program):
        self.program = program
        config = program.config
        per_block = config.rows // config.drain
        super().__init__(
            {
                "start": In(1),
                "layer": In(range(len(program.layers))),
                "images": In(range(config.batch + 1)),
                "busy": Out(1),
                "done": Out(1),
                "ends": In(stream.Signature(ends_layout(program.step_format))),
                "half_full": In(1),
                "half_freed": Out(1),
                "pass_free": In(1),
                "pass_taken": Out(1),
                "issued": Out(1),
                "first": Out(config.rows if program.run_ahead else 1),
                "x_half": Out(1),
                "y_half": Out(1),
                "entry": Out(range(max(2, len(program.channel_bias)))),
                "entries": Out(range(max(2, per_block))),
                **({"word": Out(range(WORDS)), "word_ends": Out(1)} if program.repeats else {}),
                "wait_x": Out(1),
                "wait_drain": Out(1),
                "wait_y": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plans, config = self.program.layers, self.program.config
        per_block = config.rows // config.drain

        def setting(name, values):
            return per_layer(m, self.layer, values, name=name)

        m.submodules.loops = loops = LoopNest(self.program, words=True)
        m.d.comb += [
            loops.layer.eq(self.layer),
            loops.images.eq(self.images),
            loops.start.eq(self.start),
            loops.step.eq(self.ends.ready & self.ends.payload.end_of_pass),
        ]
        first_entry = setting("first_entry", [p.first_drain_group for p in plans])
        last_entries = setting(
            "last_entries", [-(-p.block_rows(p.blocks - 1, config.rows) // config.drain) - 1 for p in plans]
        )

        # Of the block at hand, of the first one of its set, of the one after it.
        names = ("entry", "set_start", "following")
        entry, set_start, following = (Signal.like(self.entry, name=name, reset_less=True) for name in names)
        x_half, y_half, open_pass = Signal(), Signal(), Signal(reset_less=True)
        first = Signal.like(self.first, reset_less=True)
        drain_clocks, draining = Signal(range(per_block + 1), reset_less=True), Signal()  # which is not 0
        entries = Signal.like(self.entries)
        m.d.comb += entries.eq(per_block - 1)
        with m.If(loops.last_block):
            m.d.comb += entries.eq(last_entries)

        m.d.comb += following.eq(entry + per_block)
        end = self.ends.payload.end_of_word
        row_ends = self.ends.payload.rows if self.program.run_ahead else end
        offered = self.busy & self.ends.valid
        m.d.comb += [
            self.wait_x.eq(offered & ~self.half_full),
            self.wait_drain.eq(offered & self.half_full & end & draining),
            self.wait_y.eq(offered & self.half_full & end & ~draining & ~open_pass & ~self.pass_free),
            self.ends.ready.eq(offered & ~self.wait_x & ~self.wait_drain & ~self.wait_y),
            self.half_freed.eq(loops.step & loops.block_wraps),
            self.pass_taken.eq(self.ends.ready & end & ~open_pass),
        ]
        with m.If(draining):
            m.d.sync += [drain_clocks.eq(drain_clocks - 1), draining.eq(drain_clocks != 1)]
        with m.If(self.start):
            m.d.sync += [
                self.busy.eq(1),
                *(number.eq(first_entry) for number in (entry, set_start)),
                first.eq(~0),
                open_pass.eq(0),
            ]
        with m.If(self.ends.ready):
            m.d.sync += first.eq(row_ends)
            with m.If(end):
                m.d.sync += [drain_clocks.eq(entries), draining.eq(entries != 0), open_pass.eq(1)]
        pass_ends = loops.step & loops.word_wraps if self.program.repeats else loops.step
        m.d.comb += self.done.eq(pass_ends & loops.ends)
        with m.If(pass_ends):
            m.d.sync += [open_pass.eq(0), y_half.eq(~y_half)]
            with m.If(loops.block_wraps):
                m.d.sync += x_half.eq(~x_half)
            # The next block, or the set over again.
            m.d.sync += entry.eq(Mux(loops.block_wraps & ~loops.stack_wraps, set_start, following))
            with m.If(loops.stack_wraps):
                m.d.sync += set_start.eq(following)
            with m.If(loops.ends):
                m.d.sync += self.busy.eq(0)

        # What the step needs on its way, one clock later.
        m.d.sync += self.issued.eq(self.ends.ready)
        with_step = Cat(self.first, self.x_half, self.y_half, self.entry, self.entries)
        m.d.comb += with_step.eq(delay(m, Cat(first, x_half, y_half, entry, entries), 1, name="with_step"))
        if self.program.repeats:
            m.d.comb += self.word.eq(delay(m, loops.word, 1, name="issued_word"))
            m.d.comb += self.word_ends.eq(delay(m, loops.word_wraps, 1, name="issued_word_ends"))
        return m
