"""Run sequencer: loads images, sends the stages through the layer program, waits for the results to leave."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class RunSequencer(wiring.Component):
    """Ports:

    ========== ==== ======= =====================================================================
    port       flow width   meaning
    ========== ==== ======= =====================================================================
    start      in   1       a pulse: a run
    busy       out  1       a run is under way
    done       out  1       the last one has ended
    load       out  1       a pulse: images are to be loaded
    loading    in   1       until this falls
    go         out  1       a pulse: every stage begins with the first instruction
    finished   in   1       a pulse: the last stage has ended with the last one
    send_map   out  1       a pulse: the map of the last layer is to be sent
    sent       in   1       a pulse: the results have left
    ========== ==== ======= =====================================================================
    """

    start: In(1)
    busy: Out(1)
    done: Out(1)
    load: Out(1)
    loading: In(1)
    go: Out(1)
    finished: In(1)
    send_map: Out(1)
    sent: In(1)

    def elaborate(self, platform):
        m = Module()
        all_sent = Signal()
        with m.If(self.sent):
            m.d.sync += all_sent.eq(1)
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.comb += self.load.eq(1)
                    m.d.sync += [self.busy.eq(1), self.done.eq(0), all_sent.eq(0)]
                    m.next = "LOAD"
            with m.State("LOAD"):
                with m.If(~self.loading):
                    m.d.comb += self.go.eq(1)
                    m.next = "RUN"
            with m.State("RUN"):
                with m.If(self.finished):
                    m.d.comb += self.send_map.eq(1)
                    m.next = "SEND"
            with m.State("SEND"):
                with m.If(all_sent):
                    m.d.sync += [self.busy.eq(0), self.done.eq(1)]
                    m.next = "IDLE"
        return m
