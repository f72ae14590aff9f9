"""The core: every unit of the accelerator but its control port (:mod:`hw.gateware.connections`: the wires).

::

    image port ─▶ feature memory ─▶ P lanes ─▶ writer ─▶ feature memory / result ports
                       ▲               ▲
                     fetch          weights ─▶ issue ─▶ row weights, readout

Fetch, issue and output controllers run on their own, from layer to layer as well
(:mod:`hw.gateware.control.stage_sequencer`); counters of full halves connect them
(:mod:`hw.gateware.primitives.ping_pong`), and the head start keeps the fetch from what is not yet written
(:mod:`hw.gateware.control.head_start`).
"""

from amaranth import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.program import Program
from hw.gateware.connections import connect_units
from hw.gateware.control.fetch import Fetch
from hw.gateware.control.head_start import HeadStartGate
from hw.gateware.control.issue import Issue
from hw.gateware.control.output import OutputController
from hw.gateware.control.readout import Readout
from hw.gateware.control.run_sequencer import RunSequencer
from hw.gateware.control.stage_sequencer import StageSequencer
from hw.gateware.control.writer import Writer
from hw.gateware.datapath.feature_memory import FeatureMemory
from hw.gateware.datapath.lane import Lane
from hw.gateware.datapath.post import RAW_BITS
from hw.gateware.datapath.row_weights import RowWeights
from hw.gateware.datapath.window import Window
from hw.gateware.ports.axi import AxiStream
from hw.gateware.ports.image_port import ImagePort
from hw.gateware.primitives.delay import replicate
from hw.gateware.primitives.ping_pong import PingPong
from hw.gateware.primitives.shared import Shared
from hw.gateware.weights.channel_loader import ChannelLoader
from hw.gateware.weights.weight_memory import WeightMemory
from hw.gateware.weights.weight_replay import WeightReplay

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
    layer         out  ⌈log2 L⌉   instruction of the layer program whose map is made;
    in_layer      out  1          it is at work
    steps_layer   out  ⌈log2 L⌉   that of the steps in the array
    events        out  EVENTS     for the counters
    ============= ==== ========== =====================================================================

    Where weights come from outside, the burst reader's side:

    =============== ==== ======== =====================================================================
    credit          out  1        the weight buffer has room for a burst
    requested       in   1        a pulse: a burst of weights was asked for
    requested_beats in   beats    of so many beats
    channels_valid  in   1        a beat of the channel table has come; all of them before
    beat_valid      in   1        a beat of weights
    beat            in   bus bits its data
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
                "s_axis": In(AxiStream(program.config.stream_bits)),
                "m_axis": Out(AxiStream(program.config.stream_bits)),
                "layer": Out(instruction),
                "in_layer": Out(1),
                "steps_layer": Out(instruction),
                "events": Out(EVENTS),
                **(_beats_signature(program) if program.config.stream_weights else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        p = self.program
        m.submodules.memory = self.memory = FeatureMemory(
            p.config.line_pixels, p.memory_lines, p.config.feature_memory == "ultra"
        )
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
        m.submodules.sequencer = self.sequencer = RunSequencer()
        m.submodules.front = self.front = StageSequencer(p, self.front_tail)
        m.submodules.middle = self.middle = StageSequencer(p, self.middle_tail)
        m.submodules.back = self.back = StageSequencer(p, self.back_tail)
        m.submodules.head_start = self.head_start = HeadStartGate(p, self.back_tail)

        self._sequence(m)
        connect_units(m, self)
        return m

    @property
    def front_tail(self) -> int:
        """Clocks from a layer's last line until its words are in the X buffer."""
        return self.memory.latency + self.lanes[0].fill_latency + 2

    @property
    def middle_tail(self) -> int:
        """Clocks from a layer's last step until the last of its sums have left the drain."""
        p, lane = self.program, self.lanes[0]
        return 1 + lane.array_latency + p.config.rows // p.config.drain + lane.drain.latency

    @property
    def back_tail(self) -> int:
        """Clocks from a layer's last token until its last pixel can be read.

        The last lane row's last row leaves R·S - 1 clocks after the token began, which is within it.
        """
        return 1 + self.lanes[0].output_latency + self.writer.latency + self.memory.write_latency

    def _sequence(self, m):
        """The run, and the stages of the pipeline: fetch, array and output. The fetch is a layer ahead of the
        output at most."""
        s, front, middle, back = self.sequencer, self.front, self.middle, self.back
        m.d.comb += [
            s.start.eq(self.start),
            self.image_port.layer.eq(self.first),
            self.busy.eq(s.busy),
            self.done.eq(s.done),
            self.image_port.start.eq(s.load),
            self.image_port.images.eq(self.images),
            s.loading.eq(self.image_port.busy),
            s.finished.eq(back.finished),
            front.may.eq(back.begun & (back.layer == front.layer)),
            middle.may.eq(1),
            back.may.eq(1),
            self.layer.eq(back.layer),
            self.in_layer.eq(back.active),
            self.steps_layer.eq(middle.layer),
            self.events.load_busy.eq(self.image_port.busy),
        ]
        for stage, unit in ((front, self.fetch), (middle, self.issue), (back, self.output)):
            m.d.comb += [
                stage.go.eq(s.go),
                stage.first.eq(self.first),
                stage.last.eq(self.last),
                stage.done.eq(unit.done),
                unit.start.eq(stage.begin),
                unit.layer.eq(stage.layer),
                unit.images.eq(self.images),
            ]
        if self.program.config.stream_weights:
            self._stream_weights(m)
        else:
            m.d.comb += [self.weights.layer.eq(middle.layer), self.weights.rewind.eq(middle.begin)]

    def _stream_weights(self, m):
        """The channel table comes first; the weight replay runs ahead of the sequencer, through all layers of
        the run."""
        weights = self.weights
        bits = self.readout.table.shape().members["data"]
        m.submodules.channel_loader = loader = ChannelLoader(self.program.stream, bits)
        m.d.comb += [
            weights.start.eq(self.start),
            weights.images.eq(self.images),
            weights.first.eq(self.first),
            weights.last.eq(self.last),
            weights.requested.eq(self.requested),
            weights.requested_beats.eq(self.requested_beats),
            loader.start.eq(self.start),
            loader.valid.eq(self.channels_valid),
            loader.beat.eq(self.beat),
            self.readout.table.en.eq(loader.w_en),
            self.readout.table.entry.eq(loader.w_addr),
            self.readout.table.data.eq(loader.w_data),
            weights.beat_valid.eq(self.beat_valid),
            weights.beat.eq(self.beat),
            self.credit.eq(weights.credit),
        ]


def _beats_signature(program):
    """The core's side of the burst reader."""
    plan = program.stream
    return {
        "credit": Out(1),
        "requested": In(1),
        "requested_beats": In(range(plan.burst_beats + 1)),
        "channels_valid": In(1),
        "beat_valid": In(1),
        "beat": In(plan.bus_bits),
    }
