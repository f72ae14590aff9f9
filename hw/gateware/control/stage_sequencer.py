"""Stage sequencer: takes one of the three stages of the pipeline through the layer program."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.program import Program
from hw.contract.latencies import SETTLE


class StageSequencer(wiring.Component):
    """Fetch, array and output have one each, so a stage goes on to its next layer while those behind it are
    still at work on the last one.

    ========== ==== ========== =====================================================================
    port       flow width      meaning
    ========== ==== ========== =====================================================================
    go         in   1          a pulse: begin a run
    first      in   ⌈log2 L⌉   from this instruction of the layer program
    last       in   ⌈log2 L⌉   to this one; both constant from two clocks before ``go`` to the end of the run
    layer      out  ⌈log2 L⌉   the instruction at work, known ``SETTLE`` clocks before
    begin      out  1          a pulse: the stage's controller begins with it
    done       in   1          a pulse: the controller has done its last clock of it
    may        in   1          the stage may go on to the instruction after it
    begun      out  1          it has begun with ``layer``
    active     out  1          between ``go`` and ``finished``
    finished   out  1          a pulse: what it made of the last instruction has left the stage
    ========== ==== ========== =====================================================================

    Parameters: ``program``; ``tail``: clocks from ``done`` until nothing in the stage looks at ``layer`` any
    more, and what it made can be read.
    """

    def __init__(self, program: Program, tail: int):
        self.program, self.tail = program, tail
        layer = range(len(program.layers))
        super().__init__(
            {
                "go": In(1),
                "first": In(layer),
                "last": In(layer),
                "layer": Out(layer),
                "begin": Out(1),
                "done": In(1),
                "may": In(1),
                "begun": Out(1),
                "active": Out(1),
                "finished": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        wait = Signal(range(max(self.tail, SETTLE) + 1), reset_less=True)
        # A register each for what starts a layer, and for the clock in which a wait is over: both are at the
        # head of long paths.
        over, done = Signal(), Signal()
        at_last = Signal(reset_less=True)
        m.d.sync += at_last.eq(self.layer == self.last)
        m.d.sync += [done.eq(self.done), self.begin.eq(0)]
        m.d.comb += self.active.eq(1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.active.eq(0)
                # Before the run: per-layer constants are registered.
                m.d.sync += [self.layer.eq(self.first), wait.eq(SETTLE), over.eq(0)]
                with m.If(self.go):
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.sync += [wait.eq(wait - 1), over.eq(wait == 1), self.begin.eq(wait == 1)]
                with m.If(over):
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.begun.eq(1)
                m.d.sync += wait.eq(self.tail - 1)
                with m.If(done):
                    m.next = "TAIL"
            with m.State("TAIL"):
                m.d.comb += self.begun.eq(1)
                m.d.sync += [wait.eq(wait - 1), over.eq(over | (wait == 1))]
                with m.If(over & at_last):
                    m.d.comb += self.finished.eq(1)
                    m.next = "IDLE"
                with m.Elif(over & self.may):
                    m.d.sync += [self.layer.eq(self.layer + 1), wait.eq(SETTLE), over.eq(0)]
                    m.next = "SETTLE"
        return m
