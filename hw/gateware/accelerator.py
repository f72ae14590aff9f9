"""The accelerator: the core behind its control port, the counters, and the path to external memory."""

from amaranth import C, Cat, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.compile.program import Program
from hw.gateware.core import EVENTS, Core
from hw.gateware.ports.axi import AxiLite, AxiRead, AxiStream
from hw.gateware.ports.axilite import AxiLiteRegisters
from hw.gateware.ports.interrupt import Interrupt
from hw.gateware.ports.result_gate import ResultGate
from hw.gateware.primitives.delay import MAX_FANOUT, replicate
from hw.gateware.weights.beat_checksum import BeatChecksum
from hw.gateware.weights.burst_reader import BurstReader
from hw.gateware.weights.memory_striping import MemoryStriping
from hw.host_interface.registers import ADDRESS_BITS, MEMORY_ADDRESS_BITS


class Accelerator(wiring.Component):
    """The top: AXI4-Lite control port ``s_axil``, images in at ``s_axis``, results out at ``m_axis``; where
    weights come from outside, an AXI4 read port ``m_axi`` (``m_axi_0``, ``m_axi_1``, ... to memories that
    share its beats). ``interrupt`` is level-sensitive and high (:mod:`hw.gateware.ports.interrupt`).

    Two things end a run early, and leave ports as their protocols want them:

    * An *abort*: written by the host, or by a memory error as soon as all images have been taken. It resets
      the core; control port, burst reader and result gate live on.
    * A *reset*, ``rst``: of every register but those of ``m_axi`` that a memory which is not reset with the
      accelerator has to find unchanged. ``s_axil`` and the streams are reset, so the other side of each has
      to be reset too, or to know that nothing is under way (:mod:`hw.gateware.pcie.stream_sync`).
    """

    def __init__(self, program: Program):
        self.program = program
        stream = AxiStream(program.config.stream_bits)
        ports = {"s_axil": In(AxiLite(ADDRESS_BITS)), "s_axis": In(stream), "m_axis": Out(stream)}
        ports["interrupt"] = Out(1)
        if program.config.stream_weights:
            count = program.config.memories
            port = Out(AxiRead(MEMORY_ADDRESS_BITS, program.stream.bus_bits // count))
            ports["m_axi"] = port if count == 1 else port.array(count)
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        p = self.program
        m.submodules.control = control = AxiLiteRegisters(
            p.config, len(p.network.layers), p.digest, entries=len(p.layers)
        )
        core = Core(p)
        m.submodules.gate = gate = ResultGate(p.config.stream_bits)
        # A register between the address decoder and everything that starts or stops.
        start, abort = Signal(), Signal()
        stop, failed = Signal(), Signal()  # stop: a clock before abort. failed: by a memory error
        m.d.comb += stop.eq(control.abort | failed)
        m.d.sync += [start.eq(control.start), abort.eq(stop)]
        m.submodules.core = ResetInserter(abort)(core)
        connect(m, flipped(self.s_axil), control.bus)
        connect(m, flipped(self.s_axis), core.s_axis)
        connect(m, core.m_axis, gate.i)
        connect(m, flipped(self.m_axis), gate.o)
        busy = core.busy | gate.held
        m.d.comb += [
            core.start.eq(start),
            core.abort.eq(stop),
            gate.abort.eq(abort),
            core.images.eq(control.batch),
            core.first.eq(control.first),
            core.last.eq(control.last),
            control.status.done.eq((core.done & ~gate.held) | control.status.memory_error),
            control.status.framing_error.eq(core.framing_error),
            control.status.leftover.eq(gate.leftover),
        ]
        events = {name: core.events[name] for name, _ in EVENTS}
        events |= {"weight_beats": C(0), "result_stall": gate.held & ~gate.o.tready}
        if p.config.stream_weights:
            checking, events["weight_beats"] = self._read_weights(m, control, core, start, abort)
            m.d.comb += failed.eq(self._end_on_error(m, control, core, gate, checking, abort))
            busy |= checking
        events["cycles"] = busy
        m.d.comb += control.status.busy.eq(busy | start)
        self._interrupt(m, control)
        self._count(m, control, core, events)
        return m

    def _interrupt(self, m, control):
        """Events of the status; an abort by the host is none, and takes two clocks to end what it ends."""
        m.submodules.interrupt = interrupt = Interrupt()
        aborted = Signal()
        m.d.sync += aborted.eq(control.abort)
        m.d.comb += [
            interrupt.busy.eq(control.status.busy),
            interrupt.framing_error.eq(control.status.framing_error),
            interrupt.memory_error.eq(control.status.memory_error),
            interrupt.abort.eq(control.abort | aborted),
            interrupt.enable.eq(control.interrupt_enable),
            interrupt.clear.eq(control.interrupt_clear),
            control.interrupt.eq(interrupt.pending),
            self.interrupt.eq(interrupt.line),
        ]

    def _read_weights(self, m, control, core, start, abort):
        """The burst reader outlives an abort: memory delivers what it was asked for. Returns whether it reads
        for a check, and its beats.

        A check needs no room for what comes, and the core sees nothing of it.
        """
        m.submodules.reader = self.reader = reader = BurstReader(self.program.stream)
        m.submodules.checksum = checksum = BeatChecksum(self.program.stream.bus_bits)
        self._connect_memory(m, reader)
        check, checking = Signal(), Signal()
        m.d.sync += check.eq(control.check)
        with m.If(control.check):
            m.d.sync += checking.eq(1)
        with m.Elif(abort | ~(check | reader.reading)):
            m.d.sync += checking.eq(0)
        m.d.comb += [
            checksum.start.eq(start | check),
            checksum.valid.eq(reader.valid),
            checksum.beat.eq(reader.beat),
            control.checksum.eq(checksum.value),
            reader.start.eq(start | check),
            reader.first.eq(control.first),
            reader.last.eq(control.last),
            reader.base.eq(control.page << (MEMORY_ADDRESS_BITS - len(control.page))),
            reader.flush.eq(abort),
            reader.credit.eq(core.credit | checking),
            core.requested.eq(reader.requested & ~checking),
            core.requested_beats.eq(reader.requested_beats),
            core.channels_valid.eq(reader.channels & ~checking),
            core.beat_valid.eq(reader.weights & ~checking),
            core.beat.eq(reader.beat),
        ]
        return checking, reader.valid

    def _end_on_error(self, m, control, core, gate, checking, abort):
        """A memory error ends the run: up in the clock in which it does, a clock before ``abort``.

        Images are taken to their end, so that the next run's come first. The host gets what results there are
        and an end of the frame; of a check none is due.
        """
        error, bad, failed = Signal(), Signal(), Signal()
        m.d.comb += [
            control.status.memory_error.eq(error),
            failed.eq(bad & ~core.events.load_busy),
        ]
        with m.If(self.reader.error):
            m.d.sync += bad.eq(1)
        with m.If(failed):
            m.d.sync += error.eq(1)
        with m.If(control.start | control.check | control.abort):
            m.d.sync += error.eq(0)
        with m.If(failed | control.abort | abort):
            m.d.sync += bad.eq(0)
        m.d.sync += gate.answer.eq(failed & ~control.abort & ~checking)
        return failed

    def _connect_memory(self, m, reader):
        """The reader's port to the memory, or to its parts in several."""
        count = self.program.config.memories
        if count == 1:
            connect(m, flipped(self.m_axi), reader.memory)
            return
        m.submodules.striping = striping = MemoryStriping(
            MEMORY_ADDRESS_BITS, len(reader.memory.rdata), count
        )
        connect(m, reader.memory, striping.wide)
        m.d.comb += [striping.generation.eq(reader.generation), striping.settled.eq(reader.settled)]
        for port, part in zip(self.m_axi, striping.memories, strict=True):
            connect(m, flipped(port), part)

    def _count(self, m, control, core, events):
        """Counters hold the last run until the next start, whatever resets the control port."""
        counted = [(getattr(control, name), event) for name, event in events.items()]
        for i in range(len(self.program.network.layers)):
            numbers = [n for n, number in enumerate(self.program.numbers) if number == i]
            here, steps = (
                Cat(*(layer == n for n in numbers)).any() for layer in (core.layer, core.steps_layer)
            )
            counted += [
                (control.layer_cycles[i], core.in_layer & here),
                (control.layer_steps[i], steps & core.events.mac_steps),
            ]
        for i, (port, event) in enumerate(counted):
            counter = Signal(len(port), name=f"counter_{i}", reset_less=True)
            m.d.comb += port.eq(counter)
            if i % (MAX_FANOUT // len(counter)) == 0:
                clear = replicate(m, control.start | control.check, name=f"clear_{i}")
            with m.If(clear):
                m.d.sync += counter.eq(0)
            with m.Elif(event):
                m.d.sync += counter.eq(counter + 1)
