"""Output controller: from drained passes to tokens, the starts of inverse transforms.

The controller sends one *token* per output channel of a finished pass to every lane, lane row r
r·S clocks after lane row 0. The lanes' output rows therefore arrive one lane row after another, in the
order of map rows, and the writer (:mod:`hw.gateware.control.writer`) needs no buffer: it writes one line per
row. Where the maps of several images lie side by side, the writer learns anew where to write with the first
lane row of each.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.program import Program
from hw.gateware.control.image_pointer import ImagePointer
from hw.gateware.control.lane_flags import lane_edges, lane_skews
from hw.gateware.control.loop_nest import LoopNest
from hw.gateware.control.target import TargetPointer, target_layout
from hw.gateware.datapath.window_pool import EDGES
from hw.gateware.primitives.delay import delay, per_layer, without_reset


class OutputController(wiring.Component):
    """Ports:

    ========== ==== ========== ======================================================================
    port       flow width      meaning
    ========== ==== ========== ======================================================================
    start      in   1          a pulse: begin layer ``layer`` for ``images`` images
    layer      in   ⌈log2 L⌉   instruction of the layer program, constant while ``busy``
    images     in   batch      images of the run
    busy       out  1          a token is sent
    done       out  1          a pulse with the last clock of the last one
    pass_ends  out  1          a pulse with the last clock of a pass's last token,
    last_set   out  1          of the layer's last set of blocks
    pass_full  in   1          the next Y half holds a pass
    pass_begun out  1          a pulse a clock before its first token
    pass_freed out  1          a pulse: the MAC controller may begin to fill the half again
    starts     out  lanes      bit p: lane p's token,
    row        out  rows       for this channel in the block
    half       out  1          of this Y half
    edges      out  lanes × 4  sides on which the lanes' tiles reach beyond the map (only where pooling
                               windows overlap)
    token      out  1          a pulse one clock after the start of an image's first lane row,
    target     out  target     and where its first row goes (:func:`target_layout`)
    ========== ==== ========== ======================================================================

    Parameters: ``program``; ``reuse_lead``: clocks from ``pass_freed`` until the last lane begins to read the
    last row.
    """

    def __init__(self, program: Program, reuse_lead: int):
        self.program, self.reuse_lead = program, reuse_lead
        config = program.config
        super().__init__(
            {
                "start": In(1),
                "layer": In(range(len(program.layers))),
                "images": In(range(config.batch + 1)),
                "busy": Out(1),
                "done": Out(1),
                "pass_ends": Out(1),
                "last_set": Out(1),
                "pass_full": In(1),
                "pass_begun": Out(1),
                "pass_freed": Out(1),
                "starts": Out(config.lanes),
                "row": Out(range(config.rows)),
                "half": Out(1),
                **({"edges": Out(data.ArrayLayout(EDGES, config.lanes))} if program.overlaps else {}),
                "token": Out(1),
                "target": Out(target_layout(program)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, plans = self.program.config, self.program.layers
        m.submodules.loops = loops = LoopNest(self.program)
        m.d.comb += [loops.layer.eq(self.layer), loops.images.eq(self.images), loops.start.eq(self.start)]
        dot = self._setting(m, "dot", [int(p.dot) for p in plans])
        last_clock = self._setting(m, "last_clock", [p.token_interval - 1 for p in plans])
        last_row = self._setting(m, "last_row", [p.block_rows(p.blocks - 1, config.rows) - 1 for p in plans])
        free_clock = self._setting(m, "free_clock", [p.free_clock(self.reuse_lead) for p in plans])

        m.submodules.image = image = ImagePointer(self.program)
        pointer = TargetPointer(m, self.layer, self.program, loops, dot=dot, missing=image.missing)
        # The states set all of them before they look at them; only the half has to outlast a layer.
        clock, row = Signal.like(last_clock, reset_less=True), Signal.like(self.row, reset_less=True)
        half, running = Signal(), Signal()
        # Flags: the token's last clock, the pass's last token. Rows to come are counted down.
        before_end, end_token, last_token = Signal(reset_less=True), Signal(), Signal(reset_less=True)
        m.d.comb += end_token.eq(
            before_end | self._setting(m, "of_one_clock", [p.token_interval == 1 for p in plans])
        )
        rows_left = Signal.like(row, reset_less=True)
        pass_rows = Mux(loops.last_block, last_row, config.rows - 1)
        end_pass = end_token & last_token

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    pointer.start(m, self.images)
                    m.d.sync += Cat(clock, before_end, row).eq(0)
                    m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += [rows_left.eq(pass_rows), last_token.eq(pass_rows == 0)]
                with m.If(self.pass_full):
                    m.d.comb += self.pass_begun.eq(1)
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += [
                    running.eq(1),
                    loops.step.eq(end_pass),
                    self.pass_freed.eq(last_token & (clock == free_clock)),
                    self.pass_ends.eq(end_pass),
                    self.done.eq(end_pass & loops.ends),
                ]
                m.d.sync += [clock.eq(clock + 1), before_end.eq(clock + 1 == last_clock)]
                with m.If(end_token):
                    m.d.sync += [
                        Cat(clock, before_end).eq(0),
                        rows_left.eq(rows_left - 1),
                        last_token.eq(rows_left == 1),
                        row.eq(row + 1),
                    ]
                    pointer.next_channel(m)
                with m.If(end_pass):
                    m.d.sync += [row.eq(0), half.eq(~half)]
                    with m.If(loops.block_wraps):
                        pointer.next_group(m)
                    m.next = "WAIT"
                    with m.If(loops.ends):
                        m.next = "IDLE"
        m.d.comb += [self.busy.eq(running), self.last_set.eq(loops.last_set)]
        m.d.comb += [
            self.row.eq(delay(m, row, 1, name="sent_row")),
            self.half.eq(delay(m, half, 1, name="sent_half")),
        ]
        self._start_lanes(m, running, clock)
        if self.program.overlaps:
            self._find_edges(m, loops)
        m.d.comb += [
            image.layer.eq(self.layer),
            image.images.eq(self.images),
            image.start.eq(self.start),
            image.running.eq(running),
            image.end_token.eq(end_token),
            image.end_pass.eq(end_pass),
            image.row_wraps.eq(loops.row_wraps),
            image.stack_wraps.eq(loops.stack_wraps),
        ]
        self._send_target(m, pointer.target, image)
        return m

    def _setting(self, m, name, values):
        return per_layer(m, self.layer, values, name=name)

    def _start_lanes(self, m, running, clock):
        """Every lane row starts its ``skew`` after the first one."""
        lanes = self.program.config.lanes
        starts = Signal(lanes)
        for lane in range(lanes):
            skew = self._setting(m, f"skew_{lane}", lane_skews(self.program, lane))
            m.d.comb += starts[lane].eq(running & (clock == skew))
        m.d.sync += self.starts.eq(starts)

    def _find_edges(self, m, loops):
        """Of every lane's tile, with its token."""
        plans = self.program.layers
        first_column = Signal(reset_less=True)
        with m.If(self.start):
            m.d.sync += first_column.eq(1)
        with m.Elif(loops.step & loops.block_wraps):
            m.d.sync += first_column.eq(loops.column_wraps)
        flags = Cat(loops.group_row == 0, loops.last_row, first_column, loops.last_column)
        for lane in range(self.program.config.lanes):
            possible = self._setting(m, f"edges_{lane}", [lane_edges(plan, lane) for plan in plans])
            m.d.comb += (
                self.edges[lane].as_value().eq(delay(m, flags & possible, 1, name=f"sent_edges_{lane}"))
            )

    def _send_target(self, m, target, image):
        """Where the image goes whose lane rows start: the target of the first image, and from there, a clock
        later, on to its own."""
        first_image = Signal.like(target, reset_less=True)
        sent = without_reset(m, self.target, name="sent_target")
        m.d.sync += [
            first_image.eq(target),
            sent.eq(first_image),
            sent.line.eq(first_image.line + image.origin.line),
            sent.slot.eq(first_image.slot + image.origin.slot),
        ]
        m.d.comb += self.token.eq(delay(m, image.begins, 2, name="begins", reset=True))
