"""The accelerator: the core behind its control port, the counters, and the way to external memory."""

from amaranth import C, Cat, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.gateware.axi import AxiLite, AxiRead, AxiStream
from hw.gateware.axilite import AxiLiteRegisters
from hw.gateware.burst_reader import BurstReader
from hw.gateware.core import Core
from hw.gateware.delay import LOADS, copy
from hw.gateware.side_by_side import SideBySide
from hw.program import Program
from hw.registers import ADDRESS_BITS, MEMORY_ADDRESS_BITS

_EVENTS = (
    "load_busy", "fetch_busy", "mac_steps", "mac_wait_x", "mac_wait_drain", "mac_wait_y", "out_busy",
    "result_stall", "mac_wait_weights",
)  # fmt: skip
"""Events that are counted clock by clock: members of the core and registers of the same name."""


class Accelerator(wiring.Component):
    """The top: AXI4-Lite control port ``s_axil``, images in at ``s_axis``, results out at ``m_axis``; where
    weights come from outside, an AXI4 read port ``m_axi`` (``m_axi_0``, ``m_axi_1``, ... to memories side by
    side).
    """

    def __init__(self, program: Program):
        self.program = program
        ports = {"s_axil": In(AxiLite(ADDRESS_BITS)), "s_axis": In(AxiStream()), "m_axis": Out(AxiStream())}
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
        # A register between the address decoder and everything that starts or stops.
        start, abort = Signal(), Signal()
        m.d.sync += [start.eq(control.start), abort.eq(control.abort)]
        m.submodules.core = ResetInserter(abort)(core)
        connect(m, flipped(self.s_axil), control.bus)
        connect(m, flipped(self.s_axis), core.s_axis)
        connect(m, flipped(self.m_axis), core.m_axis)
        m.d.comb += [
            core.start.eq(start),
            core.abort.eq(control.abort),
            core.images.eq(control.batch),
            core.first.eq(control.first),
            core.last.eq(control.last),
            control.status.busy.eq(core.busy | start),
            control.status.done.eq(core.done),
            control.status.framing_error.eq(core.framing_error),
        ]
        beat = self._read_weights(m, control, core, start, abort) if p.config.stream_weights else C(0)
        self._count(m, control, core, beat)
        return m

    def _read_weights(self, m, control, core, start, abort):
        """The burst reader outlives an abort: memory delivers what it was asked for."""
        m.submodules.reader = reader = BurstReader(self.program.stream)
        self._connect_memory(m, reader.memory)
        m.d.comb += [
            reader.start.eq(start),
            reader.first.eq(control.first),
            reader.last.eq(control.last),
            reader.base.eq(control.page << (MEMORY_ADDRESS_BITS - len(control.page))),
            reader.flush.eq(abort),
            reader.room.eq(core.room),
            core.asked.eq(reader.asked),
            core.asked_beats.eq(reader.asked_beats),
            core.beat_valid.eq(reader.valid),
            core.beat.eq(reader.beat),
        ]
        error = Signal()
        m.d.comb += control.status.memory_error.eq(error)
        with m.If(start | abort):
            m.d.sync += error.eq(0)
        with m.Elif(reader.error):
            m.d.sync += error.eq(1)
        return reader.valid

    def _connect_memory(self, m, reader):
        """The reader's port to the memory, or to its parts in several."""
        count = self.program.config.memories
        if count == 1:
            connect(m, flipped(self.m_axi), reader)
            return
        m.submodules.side_by_side = memories = SideBySide(MEMORY_ADDRESS_BITS, len(reader.rdata), count)
        connect(m, reader, memories.wide)
        for port, part in zip(self.m_axi, memories.memories, strict=True):
            connect(m, flipped(port), part)

    def _count(self, m, control, core, beat):
        """Counters hold the last run until the next start, whatever resets the control port."""
        events = {name: getattr(core, name) for name in _EVENTS}
        events |= {"cycles": core.busy, "weight_beats": beat}
        counted = [(getattr(control, name), event) for name, event in events.items()]
        for i in range(len(self.program.network.layers)):
            entries = [core.layer == n for n, number in enumerate(self.program.numbers) if number == i]
            here = core.in_layer & Cat(*entries).any()
            counted += [
                (control.layer_cycles[i], here),
                (control.layer_steps[i], here & core.mac_steps),
            ]
        for i, (port, event) in enumerate(counted):
            counter = Signal(len(port), name=f"counter_{i}", reset_less=True)
            m.d.comb += port.eq(counter)
            if i % (LOADS // len(counter)) == 0:
                clear = copy(m, control.start, name=f"clear_{i}")
            with m.If(clear):
                m.d.sync += counter.eq(0)
            with m.Elif(event):
                m.d.sync += counter.eq(counter + 1)
