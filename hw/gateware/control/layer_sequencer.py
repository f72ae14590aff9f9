"""Sequencer: loads images, runs the layer program, waits for the results to leave."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.program import Program
from hw.contract.latencies import SETTLE


class Sequencer(wiring.Component):
    """Ports:

    ========== ==== ========== =====================================================================
    port       flow width      meaning
    ========== ==== ========== =====================================================================
    start      in   1          a pulse: a run
    first      in   ⌈log2 L⌉   from this instruction of the layer program
    last       in   ⌈log2 L⌉   to this one
    busy       out  1          a run is under way
    done       out  1          the last one has ended
    load       out  1          a pulse: images are to be loaded
    loading    in   1          until this falls
    layer      out  ⌈log2 L⌉   the instruction at work, known ``SETTLE`` clocks before
    begin      out  1          a pulse: the controllers begin with it
    layer_done in   1          a pulse: its last token was sent
    in_layer   out  1          an instruction is at work
    send_map   out  1          a pulse: the map of the last layer is to be sent
    sent       in   1          a pulse: the results have left
    ========== ==== ========== =====================================================================

    Parameters: ``program``; ``tail``: clocks from a layer's last token until its last pixel can be read.
    """

    def __init__(self, program: Program, tail: int):
        self.program, self.tail = program, tail
        super().__init__(
            {
                "start": In(1),
                "first": In(range(len(program.layers))),
                "last": In(range(len(program.layers))),
                "busy": Out(1),
                "done": Out(1),
                "load": Out(1),
                "loading": In(1),
                "layer": Out(range(len(program.layers))),
                "begin": Out(1),
                "layer_done": In(1),
                "in_layer": Out(1),
                "send_map": Out(1),
                "sent": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        wait = Signal(range(max(self.tail, SETTLE) + 1))
        all_sent, layer_done = Signal(), Signal()
        # A register each for what starts a layer, and for the clock in which a wait is over: both are at the
        # head of long paths.
        over = Signal()
        m.d.sync += [layer_done.eq(self.layer_done), self.begin.eq(0)]
        with m.If(self.sent):
            m.d.sync += all_sent.eq(1)
        with m.If(~self.busy):
            m.d.sync += self.layer.eq(self.first)  # before the start: per-layer constants are registered
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.comb += self.load.eq(1)
                    m.d.sync += [self.busy.eq(1), self.done.eq(0), all_sent.eq(0)]
                    m.next = "LOAD"
            with m.State("LOAD"):
                m.d.sync += [wait.eq(SETTLE), over.eq(0)]
                with m.If(~self.loading):
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.comb += self.in_layer.eq(1)
                m.d.sync += [wait.eq(wait - 1), over.eq(wait == 1), self.begin.eq(wait == 1)]
                with m.If(over):
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.in_layer.eq(1)
                m.d.sync += [wait.eq(self.tail - 1), over.eq(0)]
                with m.If(layer_done):
                    m.next = "TAIL"
            with m.State("TAIL"):
                m.d.comb += self.in_layer.eq(1)
                m.d.sync += [wait.eq(wait - 1), over.eq(wait == 1)]
                with m.If(over):
                    m.d.sync += [wait.eq(SETTLE), over.eq(0)]
                    m.next = "SETTLE"
                    with m.If(self.layer == self.last):
                        m.d.comb += self.send_map.eq(1)
                        m.next = "SEND"
                    with m.Else():
                        m.d.sync += self.layer.eq(self.layer + 1)
            with m.State("SEND"):
                with m.If(all_sent):
                    m.d.sync += [self.busy.eq(0), self.done.eq(1)]
                    m.next = "IDLE"
        return m
