"""The core: every unit of the accelerator but its control port, and the wires between them.

::

    image port ─▶ feature memory ─▶ P lanes ─▶ writer ─▶ feature memory / result ports
                       ▲               ▲
                     fetch          weights ─▶ issue ─▶ row weights, readout

Fetch, issue and output controllers run on their own; counters of full halves connect them
(:mod:`hw.gateware.primitives.ping_pong`).
"""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.compile.program import Program
from hw.contract.config import BANKS
from hw.contract.spectrum import DUAL_REAL
from hw.gateware.control.fetch import Fetch
from hw.gateware.control.issue import Issue
from hw.gateware.control.output import OutputController
from hw.gateware.control.readout import Readout
from hw.gateware.control.sequencer import Sequencer
from hw.gateware.control.writer import Writer
from hw.gateware.datapath.feature_memory import FeatureMemory
from hw.gateware.datapath.lane import Lane
from hw.gateware.datapath.post import RAW_BITS
from hw.gateware.datapath.row_weights import Mode, RowWeights
from hw.gateware.datapath.window import Window
from hw.gateware.ports.axi import AxiStream
from hw.gateware.ports.image_port import ImagePort
from hw.gateware.ports.result_port import MapPort, ScorePort
from hw.gateware.primitives.delay import delay, replicate
from hw.gateware.primitives.micro_instruction import rows_of
from hw.gateware.primitives.ping_pong import PingPong
from hw.gateware.primitives.shared import Shared
from hw.gateware.weights.sign_extension import sign_extended
from hw.gateware.weights.weight_memory import WeightMemory
from hw.gateware.weights.weight_replay import WeightReplay
from hw.interface.stream_format import BEAT

EVENTS = data.StructLayout(
    {
        "load_busy": 1,  # images are loaded
        "fetch_busy": 1,  # a line is asked for
        "mac_steps": 1,  # a step enters the array
        "mac_wait_x": 1,  # none does, for want of an X half
        "mac_wait_drain": 1,  # since the drain is still at work
        "mac_wait_y": 1,  # for want of a Y half
        "out_busy": 1,  # a token is sent
        "mac_wait_weights": 1,  # no step has come
    }
)
"""What is counted clock by clock, under the names of the registers."""


class Core(wiring.Component):
    """Everything but the control port.

    ============= ==== ========== =====================================================================
    port          flow width      meaning
    ============= ==== ========== =====================================================================
    start         in   1          a pulse: a run of ``images`` images through these instructions
    abort         in   1          a clock before the reset around the core: ends a run at once. What
                                  ``m_axis`` offers is then gone (:mod:`hw.gateware.ports.result_gate`
                                  keeps it for the host)
    images        in   batch      constant while ``busy``, as are
    first, last   in   ⌈log2 L⌉   the first and the last instruction of the run
    busy, done    out  1          a run is under way; the last one has ended
    framing_error out  1          an image of this run had not the right number of beats
    s_axis        in   stream     images
    m_axis        out  stream     results
    layer         out  ⌈log2 L⌉   instruction of the layer program
    in_layer      out  1          that is at work
    events        out  EVENTS     for the counters
    ============= ==== ========== =====================================================================

    Where weights come from outside, the burst reader's side:

    =============== ==== ======== =====================================================================
    credit          out  1        the weight buffer has room for a burst
    requested       in   1        a pulse: a burst was asked for
    requested_beats in   beats    of so many beats
    beat_valid      in   1        a beat has come
    beat            in   bus bits its weights
    =============== ==== ======== =====================================================================
    """

    def __init__(self, program: Program):
        self.program = program
        instruction = range(len(program.layers))
        super().__init__(
            {
                "start": In(1),
                "abort": In(1),
                "images": In(range(program.config.batch + 1)),
                "first": In(instruction),
                "last": In(instruction),
                "busy": Out(1),
                "done": Out(1),
                "framing_error": Out(1),
                "s_axis": In(AxiStream()),
                "m_axis": Out(AxiStream()),
                "layer": Out(instruction),
                "in_layer": Out(1),
                "events": Out(EVENTS),
                **(_beats_signature(program) if program.config.stream_weights else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        p = self.program
        m.submodules.memory = self.memory = FeatureMemory(p.config.line_pixels, p.memory_lines)
        m.submodules.image_port = self.image_port = ImagePort(p)
        m.submodules.fetch = self.fetch = Fetch(p, self.memory.latency)
        streamed = p.config.stream_weights
        m.submodules.weights = self.weights = WeightReplay(p) if streamed else WeightMemory(p)
        m.submodules.issue = self.issue = Issue(p)
        m.submodules.row_weights = self.row_weights = RowWeights(
            p.config.rows, p.weight_bits, p.config.drain, p.run_ahead, p.packed
        )
        m.submodules.writer = self.writer = Writer(p, RAW_BITS)
        self.lanes = [Lane(p) for _ in range(p.config.lanes)]
        self.windows = [Window(p, i) for i in range(p.config.lanes)]
        for i, (lane, window) in enumerate(zip(self.lanes, self.windows, strict=True)):
            m.submodules[f"lane_{i}"] = Shared(lane, reset=replicate(m, self.abort, name=f"abort_{i}"))
            m.submodules[f"window_{i}"] = Shared(window, window.first_pixels)
        m.submodules.readout = self.readout = Readout(p, self.lanes[0])
        m.submodules.output = self.output = OutputController(p, self.lanes[0].reuse_lead)
        m.submodules.x_ping_pong = self.x_ping_pong = PingPong()
        m.submodules.y_ping_pong = self.y_ping_pong = PingPong()
        m.submodules.sequencer = self.sequencer = Sequencer(p, self._tail())

        self._sequence(m)
        self._feature_memory(m)
        self._fetch(m)
        self._array(m)
        self._readout(m)
        self._output(m)
        self._results(m)
        return m

    def _tail(self) -> int:
        """Clocks from a layer's last token until its last pixel can be read.

        The last lane row's last row leaves R·S - 1 clocks after the token began, which is within it.
        """
        return 1 + self.lanes[0].output_latency + self.writer.latency + self.memory.write_latency

    def _sequence(self, m):
        s = self.sequencer
        m.d.comb += [
            s.start.eq(self.start),
            s.first.eq(self.first),
            s.last.eq(self.last),
            self.image_port.layer.eq(s.layer),
            self.busy.eq(s.busy),
            self.done.eq(s.done),
            self.image_port.start.eq(s.load),
            self.image_port.images.eq(self.images),
            s.loading.eq(self.image_port.busy),
            s.layer_done.eq(self.output.done),
            self.layer.eq(s.layer),
            self.in_layer.eq(s.in_layer),
            self.events.load_busy.eq(self.image_port.busy),
        ]
        if self.program.config.stream_weights:
            self._stream_weights(m)
        else:
            m.d.comb += [self.weights.layer.eq(s.layer), self.weights.rewind.eq(s.begin)]
        for unit in (self.fetch, self.issue, self.output):
            m.d.comb += [unit.start.eq(s.begin), unit.layer.eq(s.layer), unit.images.eq(self.images)]

    def _stream_weights(self, m):
        """The weight replay runs ahead of the sequencer, through all layers of the run."""
        weights = self.weights
        m.d.comb += [
            weights.start.eq(self.start),
            weights.images.eq(self.images),
            weights.first.eq(self.first),
            weights.last.eq(self.last),
            weights.requested.eq(self.requested),
            weights.requested_beats.eq(self.requested_beats),
            weights.beat_valid.eq(self.beat_valid),
            weights.beat.eq(self.beat),
            self.credit.eq(weights.credit),
        ]

    def _feature_memory(self, m):
        """The image port writes before the first layer, the writer from then on."""
        memory, images, writer = self.memory, self.image_port, self.writer
        # A beat's pixels are the first ones of a line, and there are none after them.
        beat, pixels, mask = images.w_pixels.as_value(), writer.w_pixels.as_value(), writer.w_mask
        m.d.comb += [
            memory.w_en.eq(images.w_en | writer.w_en),
            memory.w_offset.eq(Mux(images.w_next, images.w_offset, writer.w_offset)),
            memory.w_line.eq(Mux(images.w_en, images.w_line, writer.w_line)),
            memory.w_pixels.eq(Cat(Mux(images.w_en, beat, pixels[: len(beat)]), pixels[len(beat) :])),
            memory.w_mask.eq(Cat(Mux(images.w_en, images.w_mask, mask[:BEAT]), mask[BEAT:])),
        ]
        with m.If(images.w_en):
            m.d.comb += memory.w_mask[BEAT:].eq(0)

    def _fetch(self, m):
        fetch, ping_pong = self.fetch, self.x_ping_pong
        m.d.comb += [
            self.memory.r_line.eq(fetch.r_line),
            self.memory.r_far_line.eq(fetch.r_far_line),
            self.memory.r_far.eq(fetch.r_far),
            self.memory.r_offset.eq(fetch.r_offset),
            fetch.half_free.eq(ping_pong.can_reserve),
            ping_pong.reserve.eq(fetch.half_taken),
            ping_pong.fill.eq(
                delay(m, fetch.half_filled, self.lanes[0].fill_latency, name="filled", reset=True)
            ),
            self.events.fetch_busy.eq(fetch.busy),
        ]
        for i, (lane, window) in enumerate(zip(self.lanes, self.windows, strict=True)):
            m.d.comb += [
                window.layer.eq(self.layer),
                window.pixels.eq(self.memory.pixels),
                window.mask.eq(fetch.mask),
                window.inside.eq(fetch.inside[i]),
                window.beyond.eq(fetch.beyond),
                lane.layer.eq(self.layer),
                lane.window.eq(window.window),
                lane.start.eq(fetch.starts[i]),
                lane.row.eq(fetch.row),
                lane.channel.eq(fetch.channel),
                lane.half.eq(fetch.half),
            ]

    def _array(self, m):
        """A step to the X buffers at once, to the row weights so that both meet at the MACs."""
        issue, ping_pong, row_weights = self.issue, self.x_ping_pong, self.row_weights
        step = self.weights.step
        connect(m, self.weights.ends, issue.ends)
        m.d.comb += [
            issue.half_full.eq(ping_pong.can_begin),
            ping_pong.begin.eq(issue.half_freed),
            ping_pong.free.eq(issue.half_freed),
            issue.pass_free.eq(self.y_ping_pong.can_reserve),
            self.y_ping_pong.reserve.eq(issue.pass_taken),
            self.events.mac_steps.eq(issue.issued),
            self.events.mac_wait_x.eq(issue.wait_x),
            self.events.mac_wait_drain.eq(issue.wait_drain),
            self.events.mac_wait_y.eq(issue.wait_y),
            self.events.mac_wait_weights.eq(issue.busy & ~self.weights.ends.valid),
        ]
        dot = Signal()
        m.d.comb += dot.eq(self._dot_mode())
        words, ahead = [step.word], self.program.run_ahead
        if ahead:
            words = [Mux(of_next, step.next_word, step.word) for of_next in step.of_next]
        modes = Cat(Mux(dot, Mode.DOT, Mux(_any_of(w, DUAL_REAL), Mode.DUAL, Mode.COMPLEX)) for w in words)
        head_start = self.lanes[0].x.latency - row_weights.latency
        bit_planes = sign_extended(m, self.program, self.layer, step.bit_planes)
        rows = rows_of(self.program.step_format, step, bit_planes)
        m.d.comb += [
            row_weights.valid.eq(delay(m, issue.issued, head_start, name="issued", reset=True)),
            row_weights.first.eq(delay(m, issue.first, head_start, name="first")),
            row_weights.modes.eq(delay(m, modes, head_start, name="modes")),
            row_weights.weights.eq(delay(m, rows, head_start, name="rows")),
        ]
        for lane in self.lanes:
            m.d.comb += [
                lane.x_half.eq(issue.x_half),
                lane.x_words.eq(Cat(*words)),
                lane.selects.eq(row_weights.selects),
                lane.factors.eq(row_weights.factors),
            ]
            if ahead:
                m.d.comb += [lane.loads.eq(row_weights.loads), lane.holds.eq(row_weights.holds)]
            else:
                m.d.comb += lane.first.eq(row_weights.o_first)
            for bank in range(BANKS):
                m.d.comb += lane.x_groups[bank].eq(step.groups[bank if ahead else 0])

    def _dot_mode(self):
        """Whether the layer at work is fully connected."""
        return _any_of(self.layer, [i for i, plan in enumerate(self.program.layers) if plan.dot])

    def _readout(self, m):
        """Every step that completes a word; what comes of it, to all lanes alike."""
        issue, readout, step = self.issue, self.readout, self.weights.step
        m.d.comb += [
            readout.issued.eq(issue.issued),
            readout.end_of_word.eq(step.end_of_word),
            readout.word.eq(Mux(self._dot_mode(), 0, step.word)),
            readout.end_of_pass.eq(step.end_of_pass),
            readout.half.eq(issue.y_half),
            readout.entry.eq(issue.entry),
            readout.entries.eq(issue.entries),
            self.y_ping_pong.fill.eq(readout.pass_full),
        ]
        for lane in self.lanes:
            m.d.comb += [
                lane.group.eq(readout.group),
                lane.bias.eq(readout.bias),
                lane.shift.eq(readout.shift),
                lane.y_en.eq(readout.y_en),
                lane.y_half.eq(readout.y_half),
                lane.y_group.eq(readout.y_group),
                lane.y_word.eq(readout.y_word),
                lane.word_valid.eq(readout.word_valid),
            ]

    def _output(self, m):
        output, ping_pong, writer = self.output, self.y_ping_pong, self.writer
        # The writer learns a token's target one clock before its first row can arrive.
        wait = self.lanes[0].output_latency - 2
        m.d.comb += [
            output.pass_full.eq(ping_pong.can_begin),
            ping_pong.begin.eq(output.pass_begun),
            ping_pong.free.eq(output.pass_freed),
            self.events.out_busy.eq(output.busy),
            writer.layer.eq(self.layer),
            writer.token.eq(delay(m, output.token, wait, name="token", reset=True)),
            writer.target.eq(delay(m, output.target.as_value(), wait, name="target")),
        ]
        for i, lane in enumerate(self.lanes):
            m.d.comb += [
                lane.token.eq(output.starts[i]),
                lane.token_row.eq(output.row),
                lane.token_half.eq(output.half),
                writer.valid[i].eq(lane.valid),
                writer.rows[i].eq(lane.out_row),
                writer.pixels[i].eq(lane.out_pixels),
                writer.raw[i].eq(lane.raw),
            ]

    def _results(self, m):
        """Class scores from the writer, or the map of the last layer from feature memory."""
        program, final = self.program, len(self.program.layers) - 1
        m.submodules.map_port = maps = MapPort(program, self.memory.latency)
        scored, sent = Signal(), Signal()  # scored: the run ends in class scores
        m.d.comb += [
            maps.start.eq(self.sequencer.send_map & ~scored),
            maps.layer.eq(self.layer),
            maps.images.eq(self.images),
            maps.pixels.eq(self.memory.pixels),
            sent.eq(maps.done),
        ]
        m.d.sync += self.sequencer.sent.eq(sent)  # the host decides it, late in its clock
        with m.If(~self.in_layer):
            m.d.comb += [
                self.memory.r_line.eq(maps.r_line),
                self.memory.r_far_line.eq(maps.r_far_line),
                self.memory.r_offset.eq(maps.r_offset),
            ]
        connect(m, flipped(self.m_axis), maps.stream)
        if program.network.classes is not None:
            m.submodules.score_port = scores = ScorePort(program, RAW_BITS)
            m.d.sync += [  # long before they are looked at
                scored.eq(self.last == final),
                self.writer.scores.eq(self.layer == final),
            ]
            m.d.comb += [
                scores.valid.eq(self.writer.score_valid),
                scores.score.eq(self.writer.score),
                scores.images.eq(self.images),
            ]
            with m.If(scored):
                connect(m, flipped(self.m_axis), scores.stream)
                m.d.comb += sent.eq(scores.done)
        connect(m, flipped(self.s_axis), self.image_port.stream)
        with m.If(self.start):
            m.d.sync += self.framing_error.eq(0)
        with m.Elif(self.image_port.framing_error):
            m.d.sync += self.framing_error.eq(1)


def _beats_signature(program):
    """The core's side of the burst reader."""
    plan = program.stream
    return {
        "credit": Out(1),
        "requested": In(1),
        "requested_beats": In(range(plan.burst_beats + 1)),
        "beat_valid": In(1),
        "beat": In(plan.bus_bits),
    }


def _any_of(value, numbers):
    """Whether ``value`` is one of the constants ``numbers``."""
    return Cat(C(0, 1), *(value == n for n in numbers)).any()
