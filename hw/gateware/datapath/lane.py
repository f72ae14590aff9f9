"""A lane: the path of one tile from its window of pixels to rows of output pixels.

::

    window ─▶ forward FFT ─▶ X buffer ─▶ N MACs ─▶ drain ─▶ Y buffer ─▶ inverse FFT ─▶ post
       └──── dot mode ──────────▲

All lanes are one module and run in step on shared control; what differs is when a tile starts (``start``
and ``token``).
"""

from amaranth import Module, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.program import Program
from hw.contract.config import BANKS, TRANSFORM_WORDS
from hw.contract.formats import PIXEL_BITS
from hw.contract.spectrum import TILE, WORDS
from hw.gateware.datapath.accumulator_drain import Drain
from hw.gateware.datapath.ifft import InverseFFT
from hw.gateware.datapath.mac import MacLane, factors_layout
from hw.gateware.datapath.post import RAW_BITS, Post
from hw.gateware.datapath.tile_input import TileInput
from hw.gateware.datapath.window import Window
from hw.gateware.datapath.window_pool import EDGES
from hw.gateware.datapath.xbuffer import XBuffer
from hw.gateware.datapath.ybuffer import YBuffer
from hw.gateware.primitives.delay import delay, per_layer
from hw.gateware.primitives.shared import Shared


class Lane(wiring.Component):
    """A lane of ``program``.

    Shared by all lanes but for ``start`` and ``token``, and what comes of them:

    =========== ==== ============== =====================================================================
    port        flow width          meaning
    =========== ==== ============== =====================================================================
    reads       in   ⌈log2 L⌉       instruction of the layer program: of the windows,
    adds        in   ⌈log2 L⌉       of the steps,
    writes      in   ⌈log2 L⌉       and of the tokens
    window      in   8 × 9          signed: the lane's pixels (:class:`hw.gateware.datapath.window.Window`)
    start       in   1              aligned with the feature memory's output, a window's latency before
                                    them: row 0 of a tile; dot mode: every line of the lane's image
    row         in   3              dot mode: the line
    channel     in   channels       input channel
    half        in   1              X half to fill
    x_half      in   1              a read request: the X half,
    x_groups    in   8 × groups     per bank the group of channels,
    x_words     in   1 or 8 × 5     and the word (of its own where rows run ahead)
    selects     in   rows × 3       after the X buffer, as :class:`MacLane` wants them: the bank of a row
    factors     in   rows × factors its factors,
    first       in   1              and whether sums begin; where rows run ahead instead
    loads       in   rows           bit n: row n's sum begins,
    holds       in   rows           or is complete
    group       in   groups         as :class:`Drain` wants them: the rows to read out,
    bias        in   drain × 32     signed: their biases
    shift       in   drain × shifts and shifts
    y_en        in   1              one clock before the drain's output: write it to the Y buffer,
    y_half      in   1              to this half,
    y_group     in   groups         these rows,
    y_word      in   5              this word
    word_valid  in   2 × 32         words written so far, per half; others read as zero
    token       in   1              begin an inverse transform
    token_row   in   rows           of this row
    token_half  in   1              of this Y half
    edges       in   4              sides on which the tile of the tokens reaches beyond the map, constant for
    a pass
                                    (only where pooling windows overlap)
    valid       out  1              a row of pixels leaves in the next clock:
    out_row     out  3              its index in the tile,
    out_pixels  out  8 × 8          a clock later: its pixels,
    raw         out  26             signed: its first one before rounding
    =========== ==== ============== =====================================================================
    """

    def __init__(self, program: Program):
        self.program = program
        config = program.config
        rows, bits = config.rows, program.weight_bits
        channels = max(2, *(p.channels for p in program.layers))
        acc_bits, packed, ahead = program.accumulator_bits, program.packed, program.run_ahead
        x_bits, drain = program.spectrum_bits, config.drain
        self.x = XBuffer(program.groups, ahead, x_bits, config.spectrum_memory == "ultra")
        pairs = program.pointwise
        self.tiles = TileInput(channels, self.x.group_bits, x_bits, program.transform_shifts, pairs)
        self.mac = MacLane(rows, bits, acc_bits, drain, ahead, x_bits, packed)
        self.drain = Drain(
            rows, acc_bits, drain, ahead, packed, program.drain_lift, program.shift_bits, pairs
        )
        self.y = YBuffer(rows, config.drain)
        self.ifft = InverseFFT()
        self.post = Post(program.post_columns, program.strides, program.overlaps, program.leaks)
        super().__init__(
            {
                **{stage: In(range(len(program.layers))) for stage in ("reads", "adds", "writes")},
                "window": In(data.ArrayLayout(signed(PIXEL_BITS + 1), TILE)),
                "start": In(1),
                "row": In(3),
                "channel": In(range(channels)),
                "half": In(1),
                "x_half": In(1),
                "x_groups": In(data.ArrayLayout(unsigned(program.step_format.group_bits), BANKS)),
                "x_words": In(self.x.signature.members["r_words"].shape),
                "selects": In(data.ArrayLayout(unsigned(3), rows)),
                "factors": In(data.ArrayLayout(factors_layout(bits, packed), rows)),
                **({"loads": In(rows), "holds": In(rows)} if program.run_ahead else {"first": In(1)}),
                "group": In(range(max(2, rows // config.drain))),
                "bias": In(data.ArrayLayout(signed(32), config.drain)),
                "shift": In(data.ArrayLayout(unsigned(program.shift_bits), config.drain)),
                "y_en": In(1),
                "y_half": In(1),
                "y_group": In(range(max(2, rows // config.drain))),
                "y_word": In(5),
                "word_valid": In(data.ArrayLayout(WORDS, 2)),
                "token": In(1),
                "token_row": In(range(rows)),
                "token_half": In(1),
                **({"edges": In(EDGES)} if program.overlaps else {}),
                "valid": Out(1),
                "out_row": Out(3),
                "out_pixels": Out(data.ArrayLayout(PIXEL_BITS, TILE)),
                "raw": Out(signed(RAW_BITS)),
            }
        )

    @property
    def fill_latency(self) -> int:
        """Clocks from a tile's last line at the input until the MAC controller may be told of it.

        A step reads X two clocks after that at the earliest: the counter of full halves and the
        issue register lie between.
        """
        return Window.latency + self.tiles.latency + self.x.write_latency - 2

    @property
    def array_latency(self) -> int:
        """Clocks from a step's read request until the drain may be given the number of its first group."""
        return self.x.latency + self.mac.latency - self.drain.lead

    @property
    def pass_latency(self) -> int:
        """Clocks from the number of a group of rows until the output controller may be told of its pass.

        A token reads Y four clocks after that at the earliest: the counter of full halves, the
        controller's state, its output register and the lane's lie between.
        """
        return self.drain.latency + self.y.write_latency - 4

    @property
    def reuse_lead(self) -> int:
        """Clocks before a lane's token in which a Y half may be taken although the lane has yet to read it.

        A token sees its last word leave Y 10 clocks later (two registers, 8 reads), or as much later as Y may
        read. The first word of a pass that is taken now reaches Y after issue register, array and drain.
        """
        first_write = 2 + self.array_latency + self.drain.latency + self.y.write_latency
        return first_write - (2 + TILE + self.y.read_latency) - 1

    @property
    def output_latency(self) -> int:
        """Clocks from ``token`` to the pixels of the first row of an unpooled layer."""
        return 1 + self.y.latency + self.ifft.latency + self.post.latency

    def elaborate(self, platform):
        m = Module()
        m.submodules.tiles, m.submodules.ifft = self.tiles, Shared(self.ifft)
        m.submodules.x_buffer, m.submodules.mac, m.submodules.drain = self.x, self.mac, self.drain
        m.submodules.y_buffer, m.submodules.post = self.y, self.post
        self._front(m)
        self._array(m)
        self._back(m)
        return m

    def _which(self, m, layer, name, quality):
        """Whether ``quality`` is true of the plan of the instruction ``layer``."""
        return per_layer(m, layer, [int(quality(plan)) for plan in self.program.layers], name=name)

    def _front(self, m):
        """Window, forward transform, X buffer."""
        tiles = self.tiles
        m.d.comb += [
            tiles.dot.eq(self._which(m, self.reads, "dot_read", lambda plan: plan.dot)),
            tiles.window.eq(self.window),
            tiles.start.eq(self.start),
            tiles.row.eq(self.row),
            tiles.channel.eq(self.channel),
            tiles.half.eq(self.half),
            self.x.w_en.eq(tiles.w_en),
            self.x.w_bank.eq(tiles.w_bank),
            self.x.w_half.eq(tiles.w_half),
            self.x.w_group.eq(tiles.w_group),
            self.x.w_t.eq(tiles.w_t),
            self.x.w_words.eq(tiles.w_words),
            # Packed products of dual-real words take their parts as they are.
            self.x.w_swap.eq(0 if self.program.packed else tiles.w_swap),
        ]
        if self.program.narrow:
            tables = self.program.transform_shifts
            layers = self.program.layers
            chosen = [tables.index(p.word_shift) if p.layer.transformed else 0 for p in layers]
            m.d.comb += tiles.table.eq(per_layer(m, self.reads, chosen, name="table"))
        if self.program.pointwise:
            m.d.comb += tiles.raw.eq(
                self._which(m, self.reads, "raw_read", lambda plan: plan.layer.pointwise)
            )

    def _array(self, m):
        """X read, products, drain, Y write."""
        m.d.comb += [
            self.x.r_half.eq(self.x_half),
            self.x.r_groups.eq(self.x_groups),
            self.x.r_words.eq(self.x_words),
            self.mac.x.eq(self.x.x),
            self.mac.selects.eq(self.selects),
            self.mac.factors.eq(self.factors),
            self.drain.group.eq(self.group),
            self.drain.bias.eq(self.bias),
            self.drain.shift.eq(self.shift),
            self.y.w_en.eq(self.y_en),
            self.y.w_half.eq(self.y_half),
            self.y.w_group.eq(self.y_group),
            self.y.w_word.eq(self.y_word),
            self.y.w_words.eq(self.drain.o_words),
        ]
        if self.program.run_ahead:
            m.d.comb += [
                self.mac.loads.eq(self.loads),
                self.mac.holds.eq(self.holds),
                self.drain.held.eq(self.mac.held),
            ]
        else:
            m.d.comb += [self.mac.first.eq(self.first), self.drain.sums.eq(self.mac.sums)]
        if self.program.pointwise:
            both = self._which(m, self.adds, "both", lambda plan: plan.layer.pointwise)
            m.d.comb += self.drain.both.eq(both)

    def _back(self, m):
        """Y read, inverse transform, post-processing."""
        plans = self.program.layers
        dot = self._which(m, self.writes, "dot", lambda plan: plan.dot)
        relu = self._which(m, self.writes, "relu", lambda plan: not plan.layer.signed)
        pool = self._which(m, self.writes, "pool", lambda plan: plan.layer.reduction == 2)
        if self.program.strides:
            first = self._which(m, self.writes, "first", lambda plan: plan.layer.reduction > plan.layer.pool)
            m.d.comb += self.post.first.eq(first)
        if self.program.leaks:
            leaks = (0, *self.program.leaks)
            leak = [leaks.index(p.layer.leak) for p in plans]
            m.d.comb += self.post.leak.eq(per_layer(m, self.writes, leak, name="leak"))
        if self.program.overlaps:
            self._pool_windows(m)
        # Clock 0: keep the token, then count the tile's 8 clocks.
        row = Signal.like(self.token_row, reset_less=True)
        half = Signal(reset_less=True)
        clock, fresh = Signal(3, reset_less=True), Signal()
        m.d.sync += [clock.eq(clock + 1), fresh.eq(self.token)]
        with m.If(self.token):
            m.d.sync += [clock.eq(0), row.eq(self.token_row), half.eq(self.token_half)]
        before = delay(m, fresh, self.y.latency - 1, name="fresh", reset=True)
        m.d.comb += [
            self.y.r_half.eq(half),
            self.y.r_row.eq(row),
            self.y.r_t.eq(clock),
            self.y.present.eq(self.word_valid[half].word_select(clock, TRANSFORM_WORDS)),
            self.y.dot.eq(dot),
            self.ifft.start.eq(before),
            self.ifft.words.eq(self.y.words),
            self.post.start.eq(self.ifft.o_start),
            self.post.pixels.eq(self.ifft.pixels),
            self.post.relu.eq(relu),
            self.post.pool.eq(pool),
            self.valid.eq(self.post.valid),
            self.out_row.eq(self.post.row),
            self.out_pixels.eq(self.post.o_pixels),
            self.raw.eq(self.post.raw),
        ]
        if any(p.passes_by for p in plans):
            self._pass_by(m, dot)

    def _pass_by(self, m, dot):
        """Where nothing has to be transformed, words pass the inverse transform by. Every output of a
        transform of word 0 alone would be that word, in dot mode and of an average, so its real part does, a
        token a clock; of a pointwise convolution words are pairs of pixels, four of them a row. The transform
        passes every start on, however close they are."""
        plans, latency = self.program.layers, self.ifft.latency
        raw, parts = dot, [self.y.words[0].re]
        if any(p.passes_by != p.dot for p in plans):
            raw = self._which(m, self.writes, "raw", lambda plan: plan.passes_by)
        if self.program.pointwise:
            parts = [part for word in self.y.words for part in (word.re, word.im)]
        late = [delay(m, part, latency, name=f"passed_{i}") for i, part in enumerate(parts)]
        with m.If(raw):
            m.d.comb += [self.post.pixels[i].eq(part) for i, part in enumerate(late)]

    def _pool_windows(self, m):
        """What pooling windows that overlap have to know of the layer and of the tile."""
        layers = [plan.layer for plan in self.program.layers]

        def setting(name, values):
            return per_layer(m, self.writes, [int(value) for value in values], name=name)

        until_post = 1 + self.y.latency + self.ifft.latency
        kept = Signal(EDGES, reset_less=True)  # the token's, as long as its tile is on its way
        with m.If(self.token):
            m.d.sync += kept.eq(self.edges)
        m.d.comb += [
            self.post.edges.eq(delay(m, kept.as_value(), until_post - 1, name="edges")),
            self.post.wide.eq(setting("wide", [layer.overlaps and layer.window == 3 for layer in layers])),
            self.post.skipped.eq(
                setting("skipped", [layer.pool_padding if layer.overlaps else 0 for layer in layers])
            ),
            self.post.rows_left.eq(setting("rows_left", self._left(1))),
            self.post.columns_left.eq(setting("columns_left", self._left(2))),
        ]

    def _left(self, axis):
        """Per layer: rows (axis 1) or columns (2) that the last tile has in front of pooling."""
        found = []
        for plan in self.program.layers:
            if not plan.layer.overlaps:
                found.append(TILE)
                continue
            size = plan.layer.conv_size(plan.source.shape[axis]) + plan.layer.pool_padding
            tiles = plan.layer.tiles(plan.source.shape)[axis - 1]
            found.append(min(TILE, size - (tiles - 1) * plan.tile_stride))
        return found
