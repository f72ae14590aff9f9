"""Readout: from the step that completes a word to its sums in the Y buffers, for all lanes.

The end of a word follows it through the array. When its sums are complete it starts the drain control, which
names a group of rows per clock. Everything here waits, so that each part of a lane hears of a group in the
clock in which it gets it; the clocks are those of the lane's blocks.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.program import Program
from hw.contract.spectrum import WORDS
from hw.gateware.control.drain_control import DrainControl
from hw.gateware.datapath.lane import Lane
from hw.gateware.primitives.delay import delay, without_reset
from hw.gateware.primitives.ping_pong import BUFFERS


class Readout(wiring.Component):
    """Ports:

    =========== ==== ============ =====================================================================
    port        flow width        meaning
    =========== ==== ============ =====================================================================
    issued      in   1            a step enters the array,
    end_of_word in   1            and completes a word,
    word        in   5            this one (0 in dot mode),
    end_of_pass in   1            maybe the last one of its pass,
    half        in   1            for this Y half;
    entry       in   channels     the first entry of its block in the table of channels
    entries     in   groups       and the clocks of the drain - 1
    group       out  groups       to the lanes' drains: the rows to read,
    bias        out  drain × 32   signed: their biases
    shift       out  drain × shifts and shifts
    y_en        out  1            to the lanes' Y buffers: write what the drain delivers next,
    y_half      out  1            to this half,
    y_group     out  groups       these rows,
    y_word      out  5            this word
    word_valid  out  2 × 32       the words of each half's pass that were written so far
    pass_full   out  1            a pulse: the output controller may begin with a pass
    layer       in   ⌈log2 L⌉     narrow spectra, pointwise convolutions: instruction of the layer program
    table       in   struct       streamed weights: :func:`hw.gateware.control.drain_control.table_write`
    =========== ==== ============ =====================================================================

    Parameters: ``program``; ``lane``: any lane, for its latencies.
    """

    def __init__(self, program: Program, lane: Lane):
        self.lane, self.control = lane, DrainControl(program)
        shapes = {name: member.shape for name, member in self.control.signature.members.items()}
        super().__init__(
            {
                "issued": In(1),
                "end_of_word": In(1),
                "word": In(5),
                "end_of_pass": In(1),
                "half": In(1),
                "entry": In(shapes["entry"]),
                "entries": In(shapes["entries"]),
                "group": Out(shapes["group"]),
                "bias": Out(shapes["bias"]),
                "shift": Out(shapes["shift"]),
                "y_en": Out(1),
                "y_half": Out(1),
                "y_group": Out(shapes["group"]),
                "y_word": Out(5),
                "word_valid": Out(data.ArrayLayout(WORDS, BUFFERS)),
                "pass_full": Out(1),
                **{name: In(shapes[name]) for name in ("layer", "table") if name in shapes},
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.control = self.control
        self._through_the_array(m)
        control, lane = self.control, self.lane
        for name in {"layer", "table"} & set(self.signature.members):
            m.d.comb += getattr(control, name).eq(getattr(self, name))
        wait = lane.drain.table_latency - control.table_latency + self._lead
        active, end, group, word, half = (
            delay(m, value, self._lead, name=name, reset=name in ("active", "end"))
            for name, value in {
                "active": control.active,
                "end": control.end,
                "group": control.group,
                "word": control.o_word,
                "half": control.o_half,
            }.items()
        )
        m.d.comb += [
            self.group.eq(group),
            self.bias.eq(delay(m, control.bias.as_value(), wait, name="bias")),
            self.shift.eq(delay(m, control.shift.as_value(), wait, name="shift")),
            self.pass_full.eq(delay(m, end, lane.pass_latency, name="pass_end", reset=True)),
        ]
        wait = lane.drain.latency - lane.y.lead
        target = delay(m, Cat(half, group, word), wait, name="y_write")
        end = delay(m, end, wait, name="y_end")
        m.d.comb += [
            self.y_en.eq(delay(m, active, wait, name="y_en", reset=True)),
            Cat(self.y_half, self.y_group, self.y_word).eq(target),
        ]
        self._mark_words(m, end)
        return m

    @property
    def _lead(self) -> int:
        """Clocks that the drain control is ahead: its table takes longer than the drain can wait."""
        return max(0, self.control.table_latency - self.lane.drain.table_latency)

    def _through_the_array(self, m):
        """The end of a word, as long as its last product takes."""
        control, clocks = self.control, self.lane.array_latency - self._lead
        ended = Cat(self.word, self.half, self.entry, self.entries, self.end_of_pass)
        load = self.issued & self.end_of_word
        m.d.comb += [
            control.load.eq(delay(m, load, clocks, name="load", reset=True)),
            Cat(control.word, control.half, control.entry, control.entries, control.end_of_pass).eq(
                delay(m, ended, clocks, name="ended")
            ),
        ]

    def _mark_words(self, m, end):
        """The word-valid mask of a half: the first word of a pass clears the others of the one before."""
        lead = self.lane.y.lead
        written = delay(m, self.y_en, lead, name="y_written", reset=True)
        target = delay(m, Cat(self.y_half, self.y_group, self.y_word), lead, name="y_target")
        ended = delay(m, end, lead, name="y_ended")
        half, word = target[0], target[1 + len(self.y_group) :]
        fresh = Signal(init=1)  # hence the mask itself needs no reset
        valid = without_reset(m, self.word_valid, name="valid")
        with m.If(written):
            m.d.sync += fresh.eq(ended)
            for h in range(BUFFERS):
                with m.If(half == h):
                    m.d.sync += valid[h].eq(Mux(fresh, 0, valid[h]) | (1 << word))
