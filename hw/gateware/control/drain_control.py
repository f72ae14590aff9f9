"""Drain controller: hands the drain each channel's bias and shift, and the Y buffer its addresses.

The channel table has one entry per D rows of every block: D biases (32 bit) and D shifts (5 bit), 37·D
bits wide, as deep as the network has output channels / D: a few RAMB36 or LUTRAM. Where weights come from
outside, so does the table, at the beginning of a run (:mod:`hw.gateware.weights.channel_loader`).
"""

from itertools import chain

from amaranth import Array, C, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.channel_table import drain_group_bits
from hw.compile.program import Program
from hw.contract.formats import BIAS, MAX_DRAIN_SHIFT
from hw.contract.memory_shares import SHARE_BITS
from hw.gateware.primitives.delay import delay, per_layer, replicate

SHIFT_BITS = MAX_DRAIN_SHIFT.bit_length()


def entry_layout(drain: int, shift_bits: int = SHIFT_BITS) -> data.StructLayout:
    """An entry of the channel table, for ``drain`` rows."""
    return data.StructLayout(
        {
            "bias": data.ArrayLayout(signed(BIAS.bits), drain),
            "shift": data.ArrayLayout(unsigned(shift_bits), drain),
        }
    )


def table_write(program: Program) -> data.StructLayout:
    """A write to the channel table: ``en``, number of the ``entry``, its ``data``."""
    return data.StructLayout(
        {
            "en": 1,
            "entry": range(max(2, len(program.channel_bias))),
            "data": drain_group_bits(program.config.drain, program.shift_bits),
        }
    )


class DrainControl(wiring.Component):
    """Ports:

    =========== ==== ============ =====================================================================
    port        flow width        meaning
    =========== ==== ============ =====================================================================
    load        in   1            a pulse: the drain may begin with the sums of a word. Of the step that
                                  completed it:
    word        in   5            the word,
    half        in   1            the Y half to fill,
    entry       in   channels     the first entry of the block in the table of channels,
    entries     in   groups       the clocks of the drain - 1,
    end_of_pass in   1            and whether it was the last one of a pass
    active      out  1            from the clock of ``load`` on: rows are read out in this clock,
    group       out  groups       these D,
    o_word      out  5            of this word,
    o_half      out  1            for this half;
    end         out  1            the last ones of a pass
    bias        out  D × 32       signed: ``table_latency`` clocks after ``active``, 0 but for word 0, and for
                                  every word of a pointwise convolution
    shift       out  D × shifts   likewise; of narrow spectra less by what the word was cut
    layer       in   ⌈log2 L⌉     narrow spectra, pointwise convolutions: instruction of the layer program
    table       in   struct       streamed weights: :func:`table_write`
    =========== ==== ============ =====================================================================
    """

    def __init__(self, program: Program):
        self.program = program
        self.table_latency = 5 if program.narrow else 4
        self.groups = program.config.rows // program.config.drain
        self.layout = entry_layout(program.config.drain, program.shift_bits)
        entries = len(program.channel_bias)
        super().__init__(
            {
                "load": In(1),
                "word": In(5),
                "half": In(1),
                "entry": In(range(max(2, entries))),
                "entries": In(range(max(2, self.groups))),
                "end_of_pass": In(1),
                "active": Out(1),
                "group": Out(range(max(2, self.groups))),
                "o_word": Out(5),
                "o_half": Out(1),
                "end": Out(1),
                "bias": Out(self.layout["bias"].shape),
                "shift": Out(self.layout["shift"].shape),
                **({"layer": In(range(len(program.layers)))} if program.narrow or program.pointwise else {}),
                **({"table": In(table_write(program))} if program.config.stream_weights else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        running, group = Signal(), Signal.like(self.group, reset_less=True)
        word, half, last = (Signal(bits, reset_less=True) for bits in (5, 1, 1))
        address, left = (Signal.like(port, reset_less=True) for port in (self.entry, self.entries))

        now_left = Mux(self.load, self.entries, left)
        now_address = Mux(self.load, self.entry, address)
        m.d.comb += [
            self.active.eq(self.load | running),
            self.group.eq(Mux(self.load, 0, group)),
            self.o_word.eq(Mux(self.load, self.word, word)),
            self.o_half.eq(Mux(self.load, self.half, half)),
            self.end.eq(self.active & (now_left == 0) & Mux(self.load, self.end_of_pass, last)),
        ]
        with m.If(self.load):
            m.d.sync += [word.eq(self.word), half.eq(self.half), last.eq(self.end_of_pass)]
        with m.If(self.active):
            m.d.sync += [
                running.eq(now_left != 0),
                left.eq(now_left - 1),
                address.eq(now_address + 1),
                group.eq(self.group + 1),
            ]
        # Word 0 brings the bias. Gated once here, not in every lane.
        entry = data.View(self.layout, self._read_table(m, now_address))
        has_bias = self.o_word == 0
        if self.program.pointwise:
            kinds = [int(plan.layer.pointwise) for plan in self.program.layers]
            has_bias |= per_layer(m, self.layer, kinds, name="pointwise")
        has_bias = delay(m, has_bias, 2, name="has_bias")
        bias, shift = Signal.like(self.bias, reset_less=True), Signal.like(self.shift, reset_less=True)
        m.d.sync += shift.eq(entry.shift)
        for row in range(self.program.config.drain):
            with_bias = replicate(m, has_bias, name=f"with_bias_{row}")
            m.d.sync += bias[row].eq(Mux(with_bias, entry.bias[row], 0))
        if self.program.narrow:
            bias, shift = self._less_cut(m, bias, shift)
        m.d.comb += [self.bias.eq(bias), self.shift.eq(shift)]
        return m

    def _read_table(self, m, address):
        """The entry at ``address``, three clocks later, from the memories' output registers."""
        held, found = not self.program.config.stream_weights, []
        for share, first in enumerate(range(0, self.layout.size, SHARE_BITS)):
            width = min(SHARE_BITS, self.layout.size - first)
            image = [entry >> first & (1 << width) - 1 for entry in self.program.channel_table]
            table = memory.Memory(shape=width, depth=len(image), init=image if held else [])
            m.submodules[f"channels_{share}"] = table
            port = table.read_port()
            m.d.comb += port.addr.eq(replicate(m, address, name=f"port_address_{share}"))
            found.append(delay(m, port.data, 1, name=f"out_{share}"))
            if not held:
                write = table.write_port()
                m.d.comb += [
                    write.en.eq(self.table.en),
                    write.addr.eq(self.table.entry),
                    write.data.eq(self.table.data[first : first + width]),
                ]
        return Cat(*found)

    def _less_cut(self, m, bias, shift):
        """A clock later: the shifts less what the word was cut by, in its layer."""
        tables = self.program.word_shifts
        chosen = [tables.index(plan.word_shift) for plan in self.program.layers]
        table = per_layer(m, self.layer, chosen, name="table")
        most = max(map(max, tables))
        cuts = Array(C(cut, range(most + 1)) for cut in chain(*tables))
        index = delay(m, Cat(self.o_word, table), 2, name="cut_index")
        cut = delay(m, cuts[index], 2, name="cut")
        less = Signal.like(self.shift, name="less", reset_less=True)
        for i in range(self.program.config.drain):
            m.d.sync += less[i].eq(shift[i] - cut)
        return delay(m, bias.as_value(), 1, name="late_bias"), less
