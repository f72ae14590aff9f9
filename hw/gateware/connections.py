"""The wires between the units of the core, along the way of an image.

Each function gets the core's module and the core; units are its attributes (:mod:`hw.gateware.core`).
"""

from amaranth import C, Cat, Mux, Signal
from amaranth.lib.wiring import connect, flipped

from hw.contract.config import BANKS
from hw.contract.spectrum import DUAL_REAL
from hw.gateware.datapath.post import RAW_BITS
from hw.gateware.datapath.row_weights import Mode
from hw.gateware.ports.result_port import MapPort, ScorePort
from hw.gateware.primitives.delay import MAX_FANOUT, delay, replicate
from hw.gateware.primitives.micro_instruction import rows_of
from hw.gateware.weights.sign_extension import sign_extended


def connect_units(m, core):
    """Every wire between units but those of the sequencer."""
    for connection in (_feature_memory, _fetch, _array, _readout, _output, _results):
        connection(m, core)


def _feature_memory(m, core):
    """The image port writes before the first layer, the writer from then on."""
    memory, images, writer = core.memory, core.image_port, core.writer
    # A beat's pixels are the first ones of a line, and there are none after them.
    beat, pixels, mask = images.w_pixels.as_value(), writer.w_pixels.as_value(), writer.w_mask
    count = len(images.w_mask)
    m.d.comb += [
        memory.w_en.eq(images.w_en | writer.w_en),
        memory.w_offset.eq(Mux(images.w_next, images.w_offset, writer.w_offset)),
        memory.w_line.eq(Mux(images.w_en, images.w_line, writer.w_line)),
        memory.w_pixels.eq(Cat(*_beat_or_line(m, images, beat, pixels), pixels[len(beat) :])),
        memory.w_mask.eq(Cat(Mux(images.w_en, images.w_mask, mask[:count]), mask[count:])),
    ]
    with m.If(images.w_en):
        m.d.comb += memory.w_mask[count:].eq(0)


def _beat_or_line(m, images, beat, pixels):
    """The bits of a beat while the image port writes, else as many of ``pixels``. What picks the one or the
    other drives no more than ``MAX_FANOUT`` of them."""
    if len(beat) <= MAX_FANOUT:
        return [Mux(images.w_en, beat, pixels[: len(beat)])]
    parts = [slice(first, first + MAX_FANOUT) for first in range(0, len(beat), MAX_FANOUT)]
    selects = [replicate(m, images.w_next, name=f"of_beat_{i}") for i in range(len(parts))]
    return [Mux(select, beat[part], pixels[part]) for select, part in zip(selects, parts, strict=True)]


def _fetch(m, core):
    fetch, ping_pong = core.fetch, core.x_ping_pong
    m.d.comb += [
        core.memory.r_line.eq(fetch.r_line),
        core.memory.r_far_line.eq(fetch.r_far_line),
        core.memory.r_far.eq(fetch.r_far),
        core.memory.r_offset.eq(fetch.r_offset),
        fetch.half_free.eq(ping_pong.can_reserve),
        ping_pong.reserve.eq(fetch.half_taken),
        ping_pong.fill.eq(delay(m, fetch.half_filled, core.lanes[0].fill_latency, name="filled", reset=True)),
        core.events.fetch_busy.eq(fetch.busy),
    ]
    output, head_start = core.output, core.head_start
    m.d.comb += [
        head_start.writes.eq(core.back.layer),
        head_start.starts.eq(core.back.begin),
        head_start.pass_ends.eq(output.pass_ends),
        head_start.last_set.eq(output.last_set),
        head_start.reads.eq(core.front.layer),
        head_start.start.eq(core.front.begin),
        head_start.channel_ends.eq(fetch.channel_ends),
        head_start.group_ends.eq(fetch.group_ends),
        fetch.channel_pauses.eq(head_start.channel_pauses),
        fetch.group_pauses.eq(head_start.group_pauses),
        fetch.open.eq(head_start.open),
    ]
    for i, (lane, window) in enumerate(zip(core.lanes, core.windows, strict=True)):
        m.d.comb += [
            window.layer.eq(core.front.layer),
            window.pixels.eq(core.memory.pixels),
            window.mask.eq(fetch.mask),
            window.inside.eq(fetch.inside[i]),
            window.beyond.eq(fetch.beyond),
            *([window.signed.eq(fetch.signed[i])] if core.program.mixes_signs else []),
            lane.reads.eq(core.front.layer),
            lane.window.eq(window.window),
            lane.start.eq(fetch.starts[i]),
            lane.row.eq(fetch.row),
            lane.channel.eq(fetch.channel),
            lane.half.eq(fetch.half),
        ]


def _array(m, core):
    """A step to the X buffers at once, to the row weights so that both meet at the MACs."""
    issue, ping_pong, row_weights = core.issue, core.x_ping_pong, core.row_weights
    step = core.weights.step
    connect(m, core.weights.ends, issue.ends)
    m.d.comb += [
        issue.half_full.eq(ping_pong.can_begin),
        ping_pong.begin.eq(issue.half_freed),
        ping_pong.free.eq(issue.half_freed),
        issue.pass_free.eq(core.y_ping_pong.can_reserve),
        core.y_ping_pong.reserve.eq(issue.pass_taken),
        core.events.mac_steps.eq(issue.issued),
        core.events.mac_wait_x.eq(issue.wait_x),
        core.events.mac_wait_drain.eq(issue.wait_drain),
        core.events.mac_wait_y.eq(issue.wait_y),
        core.events.mac_wait_weights.eq(issue.busy & ~core.weights.ends.valid),
    ]
    dot = Signal()
    m.d.comb += dot.eq(_dot_mode(core))
    words, ahead = [step.word], core.program.run_ahead
    if ahead:
        words = [Mux(of_next, step.next_word, step.word) for of_next in step.of_next]
    dual = [_any_of(word, DUAL_REAL) for word in words]
    if core.program.pointwise:
        pointwise = _pointwise(core)
        dual = [is_dual & ~pointwise for is_dual in dual]
        if core.program.repeats:
            words = [Mux(pointwise, issue.word, word) for word in words]
    modes = Cat(Mux(dot, Mode.DOT, Mux(is_dual, Mode.DUAL, Mode.COMPLEX)) for is_dual in dual)
    head_start = core.lanes[0].x.latency - row_weights.latency
    bit_planes = sign_extended(m, core.program, core.middle.layer, step.bit_planes)
    rows = rows_of(core.program.step_format, step, bit_planes)
    m.d.comb += [
        row_weights.valid.eq(delay(m, issue.issued, head_start, name="issued", reset=True)),
        row_weights.first.eq(delay(m, issue.first, head_start, name="first")),
        row_weights.modes.eq(delay(m, modes, head_start, name="modes")),
        row_weights.weights.eq(delay(m, rows, head_start, name="rows")),
    ]
    for lane in core.lanes:
        m.d.comb += [
            lane.adds.eq(core.middle.layer),
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


def _dot_mode(core):
    """Whether the layer of the steps is fully connected."""
    return _any_of(core.middle.layer, [i for i, plan in enumerate(core.program.layers) if plan.dot])


def _pointwise(core):
    """Whether the layer of the steps is a pointwise convolution."""
    return _any_of(
        core.middle.layer, [i for i, plan in enumerate(core.program.layers) if plan.layer.pointwise]
    )


def _readout(m, core):
    """Every step that completes a word; what comes of it, to all lanes alike."""
    issue, readout, step = core.issue, core.readout, core.weights.step
    word, end_of_pass = step.word, step.end_of_pass
    if core.program.repeats:
        word = Mux(_pointwise(core), issue.word, word)
        end_of_pass &= issue.word_ends
    m.d.comb += [
        readout.issued.eq(issue.issued),
        readout.end_of_word.eq(step.end_of_word),
        readout.word.eq(Mux(_dot_mode(core), 0, word)),
        readout.end_of_pass.eq(end_of_pass),
        readout.half.eq(issue.y_half),
        readout.entry.eq(issue.entry),
        readout.entries.eq(issue.entries),
        core.y_ping_pong.fill.eq(readout.pass_full),
    ]
    if core.program.narrow or core.program.pointwise:
        m.d.comb += readout.layer.eq(core.middle.layer)
    for lane in core.lanes:
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


def _output(m, core):
    output, ping_pong, writer = core.output, core.y_ping_pong, core.writer
    # The writer learns a token's target one clock before its first row can arrive.
    wait = core.lanes[0].output_latency - 2
    m.d.comb += [
        output.pass_full.eq(ping_pong.can_begin),
        ping_pong.begin.eq(output.pass_begun),
        ping_pong.free.eq(output.pass_freed),
        core.events.out_busy.eq(output.busy),
        writer.layer.eq(core.back.layer),
        writer.token.eq(delay(m, output.token, wait, name="token", reset=True)),
        writer.target.eq(delay(m, output.target.as_value(), wait, name="target")),
    ]
    for i, lane in enumerate(core.lanes):
        m.d.comb += [
            lane.writes.eq(core.back.layer),
            lane.token.eq(output.starts[i]),
            lane.token_row.eq(output.row),
            lane.token_half.eq(output.half),
            *([lane.edges.eq(output.edges[i])] if core.program.overlaps else []),
            writer.valid[i].eq(lane.valid),
            writer.rows[i].eq(lane.out_row),
            writer.pixels[i].eq(lane.out_pixels),
            writer.raw[i].eq(lane.raw),
        ]


def _results(m, core):
    """Class scores from the writer, or the map of the last layer from feature memory."""
    program, final = core.program, len(core.program.layers) - 1
    m.submodules.map_port = maps = MapPort(program, core.memory.latency)
    scored = Signal()  # the run ends in class scores
    m.d.sync += maps.start.eq(core.sequencer.send_map & ~scored)  # a register of its own: it comes late
    m.d.comb += [
        maps.layer.eq(core.last),
        maps.images.eq(core.images),
        maps.pixels.eq(core.memory.pixels),
    ]
    # The host decides it, late in its clock. Both ports end a run's frame with it.
    m.d.sync += core.sequencer.sent.eq(core.m_axis.tvalid & core.m_axis.tready & core.m_axis.tlast)
    with m.If(~core.in_layer):
        m.d.comb += [
            core.memory.r_line.eq(maps.r_line),
            core.memory.r_far_line.eq(maps.r_far_line),
            core.memory.r_offset.eq(maps.r_offset),
        ]
    connect(m, flipped(core.m_axis), maps.stream)
    if program.network.classes is not None:
        m.submodules.score_port = scores = ScorePort(program, RAW_BITS)
        m.d.sync += [  # long before they are looked at
            scored.eq(core.last == final),
            core.writer.scores.eq(core.back.layer == final),
        ]
        m.d.comb += [
            scores.valid.eq(core.writer.score_valid),
            scores.score.eq(core.writer.score),
            scores.images.eq(core.images),
        ]
        with m.If(scored):
            connect(m, flipped(core.m_axis), scores.stream)
    connect(m, flipped(core.s_axis), core.image_port.stream)
    with m.If(core.start):
        m.d.sync += core.framing_error.eq(0)
    with m.Elif(core.image_port.framing_error):
        m.d.sync += core.framing_error.eq(1)


def _any_of(value, numbers):
    """Whether ``value`` is one of the constants ``numbers``."""
    return Cat(C(0, 1), *(value == n for n in numbers)).any()
