"""Weight replay: steps in the order in which the array wants them.

Where weights stay, a set of blocks lies in the weight buffer as a whole and is read for one tile group after
another. So does a block of a pointwise convolution, for one word after another.
"""

from amaranth import Array, C, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.compile.program import Program
from hw.contract.latencies import SETTLE
from hw.gateware.control.loop_nest import LoopNest
from hw.gateware.primitives.delay import replicas, replicate
from hw.gateware.primitives.micro_instruction import ends_layout, step_layout
from hw.gateware.primitives.skid_buffer import SkidBuffer
from hw.gateware.weights.weight_buffer import WeightBuffer


class WeightReplay(wiring.Component):
    """The weight memory of a design whose weights come from outside: it has the ``ends`` and the ``step`` of
    :class:`hw.gateware.weights.weight_memory.WeightMemory`, which holds them itself. It runs ahead of the
    array through all layers, as far as steps are stored.

    Members
    -------
    start: in, 1. A pulse: begin a run of ``images`` images through layers ``first`` to ``last``.
    images: in, 0 .. ``batch``. Images of the run, constant in it.
    first, last: in, a layer each. Constant in a run.
    credit: out, 1. There is room for a whole burst.
    requested: in, 1. A pulse: the burst reader requests a burst.
    requested_beats: in, 0 .. ``burst_beats``. Its beats, with ``requested``.
    beat_valid: in, 1. A beat comes; it cannot be stalled.
    beat: in, ``bus_bits``. Its data, with ``beat_valid``.
    ends: out, a stream of ``ends_layout``: what the next step ends.
    step: out, ``step_layout``. All of a step, in the clock after that in which ``ends`` was taken.
    """

    def __init__(self, program: Program):
        self.program, self.plan = program, program.stream
        self.buffer = WeightBuffer(self.plan)
        layers = range(len(program.layers))
        super().__init__(
            {
                "start": In(1),
                "images": In(range(program.config.batch + 1)),
                "first": In(layers),
                "last": In(layers),
                "credit": Out(1),
                "requested": In(1),
                "requested_beats": In(range(self.plan.burst_beats + 1)),
                "beat_valid": In(1),
                "beat": In(self.plan.bus_bits),
                "ends": Out(stream.Signature(ends_layout(program.step_format))),
                "step": Out(step_layout(program.step_format)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = self.buffer
        m.submodules.loop_nest = nest = LoopNest(self.program, words=True)
        m.submodules.skid = skid = SkidBuffer(self.program.step_format, full=buffer.shares + buffer.o_shares)
        # The buffer delivers a step: now, and in the next clock.
        offered, next_offered = (Signal(name=name) for name in ("offered", "next_offered"))
        self._connect(m, skid, offered)

        layer = Signal.like(self.first, reset_less=True)
        block = Signal(range(len(self.plan.block_steps) + 1), reset_less=True)
        m.d.comb += [nest.layer.eq(layer), nest.images.eq(self.images)]
        position = Signal(self._position, reset_less=True)
        first_start, next_start = self._block_starts(m, block)
        address = Signal.like(buffer.stored, reset_less=True)
        next_address, coming = (Signal.like(address, name=name) for name in ("next_address", "coming"))
        # Where the set begins: its first block, that one's first step, and where this lies.
        set_block, set_start, set_address = map(_without_reset, (block, position, address))
        if nest.words:
            begin_position, begin_address = self._block_begin(m, nest, position, address)
        wait = Signal(range(SETTLE + 1))
        entering = Signal()  # a layer whose constants settle

        stepped = Signal()  # the last clock's read went on by one
        rewound = Signal()  # it went back to the start of the set, or of the block
        playing = Signal()
        again = nest.block_wraps & ~nest.stack_wraps  # after this block the set begins again
        last_time, back = nest.last_group, again
        if nest.words:
            last_time, back = last_time & nest.word_wraps, back | ~nest.word_wraps
        advance = ~offered | skid.i.ready
        readable = playing & (wait == 0) & self._is_stored(m, address, next_address, stepped, rewound)
        read = advance & readable
        m.d.sync += [stepped.eq(read), rewound.eq(read & position.last & back)]
        m.d.comb += [
            next_address.eq(address + 1),
            next_offered.eq(offered),
            coming.eq(address),
            buffer.freed.eq(read & last_time),
            nest.step.eq(read & position.last),
        ]

        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.If(entering & (wait == 1)):
            m.d.comb += nest.start.eq(1)
            m.d.sync += [entering.eq(0), *(start.eq(first_start) for start in (position, set_start))]
        with m.If(advance):
            m.d.comb += next_offered.eq(readable)
        with m.If(read):
            m.d.comb += coming.eq(next_address)
            m.d.sync += [position.left.eq(position.left - 1), position.last.eq(position.left == 1)]
            with m.If(position.last):
                # A block's start is known a clock after its number: in time, unless it is one step long.
                m.d.sync += [block.eq(block + 1), position.eq(next_start), wait.eq(next_start.last)]
                with m.If(again):
                    m.d.sync += [block.eq(set_block), position.eq(set_start), wait.eq(set_start.last)]
                    m.d.comb += coming.eq(set_address)
                with m.If(nest.stack_wraps):
                    m.d.sync += [set_block.eq(block + 1), set_start.eq(next_start)]
                    m.d.sync += set_address.eq(next_address)
                with m.If(nest.ends):
                    m.d.sync += [layer.eq(layer + 1), wait.eq(SETTLE), playing.eq(layer != self.last)]
                    m.d.sync += entering.eq(1)
                if nest.words:
                    with m.If(~nest.word_wraps):
                        m.d.sync += [block.eq(block), wait.eq(0), position.eq(begin_position)]
                        m.d.comb += coming.eq(begin_address)
        with m.If(self.start):
            m.d.sync += [
                playing.eq(1),
                entering.eq(1),
                wait.eq(SETTLE),
                layer.eq(self.first),
                *(number.eq(self._first_block(self.first)) for number in (block, set_block)),
            ]
            m.d.comb += next_offered.eq(0)
        self._rewind(m, coming, set_address)
        self._read(m, address, coming, offered, next_offered, skid.full)
        return m

    def _rewind(self, m, coming, set_address):
        """To the first address, a clock after the start, which has much to set: nothing is read before the
        first layer has settled."""
        with m.If(replicate(m, self.start, name="start_late", reset=True)):
            m.d.comb += coming.eq(0)
            m.d.sync += set_address.eq(0)

    def _read(self, m, address, coming, offered, next_offered, full):
        """The step at ``coming``, in the next clock, unless the one that is offered has to wait: said to each
        share of the buffer by registers of its own. What an abort leaves in them is gone a clock later."""
        buffer = self.buffer
        m.d.sync += [offered.eq(next_offered), address.eq(coming)]
        addresses = replicas(m, coming[: len(buffer.r_steps[0])], buffer.shares, name="read_address")
        waits = Cat(replicas(m, next_offered, buffer.shares, name="read_offered")) & full[: buffer.shares]
        m.d.comb += [
            buffer.r_steps.eq(Cat(addresses)),
            buffer.r_en.eq(~waits),
            buffer.o_en.eq(~full[buffer.shares :]),
        ]

    def _block_begin(self, m, nest, position, address):
        """Where the block at hand begins, which is repeated for every word: its first step and where this
        lies."""
        here = Cat(position, address)
        kept, fresh = Signal.like(here, name="block_begin"), Signal()
        with m.If(fresh):
            m.d.sync += [kept.eq(here), fresh.eq(0)]
        with m.If(nest.start | (nest.step & nest.word_wraps)):
            m.d.sync += fresh.eq(1)
        begin = Mux(fresh, here, kept)
        return begin[: len(position.as_value())], begin[len(position.as_value()) :]

    def _connect(self, m, skid, offered):
        """Beats to the buffer, its steps through the skid buffer to the array."""
        buffer = self.buffer
        m.d.comb += [
            buffer.start.eq(self.start),
            buffer.first.eq(self.first),
            buffer.requested.eq(self.requested),
            buffer.requested_beats.eq(self.requested_beats),
            buffer.valid.eq(self.beat_valid),
            buffer.beat.eq(self.beat),
            self.credit.eq(buffer.credit),
            skid.i.valid.eq(offered),
            skid.i.payload.as_value().eq(buffer.bits),
            skid.clear.eq(self.start),
            self.step.eq(skid.step),
        ]
        connect(m, skid.ends, flipped(self.ends))

    @property
    def _position(self):
        """Where in a block a step is: how many come after it, and whether there are none."""
        return data.StructLayout({"left": range(max(self.plan.block_steps)), "last": 1})

    def _block_starts(self, m, block):
        """The positions of the first step of number ``block`` and of the block after it, a clock later."""
        first_start, next_start = (
            Signal(self._position, name=name, reset_less=True) for name in ("first_start", "next_start")
        )
        starts = Array(
            self._position.const({"left": n - 1, "last": n == 1}) for n in (*self.plan.block_steps, 1)
        )
        m.d.sync += [first_start.eq(starts[block]), next_start.eq(starts[block + 1])]
        return first_start, next_start

    def _is_stored(self, m, address, next_address, stepped, rewound):
        """Whether the step at ``address`` lies in the buffer.

        Comparisons are made a clock ahead, for the address of then and the one after it; an address that was
        ``rewound`` has been read before.
        """
        none_here, none_next = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [
            none_here.eq(address == self.buffer.stored),
            none_next.eq(next_address == self.buffer.stored),
        ]
        return rewound | ~Mux(stepped, none_next, none_here)

    def _first_block(self, layer):
        """The number of the first block of ``layer``, among the blocks of all layers."""
        blocks = [plan.blocks for plan in self.program.layers]
        return Array(C(sum(blocks[:i])) for i in range(len(blocks)))[layer]


def _without_reset(value):
    """A register like ``value``: a start sets it, or what it enters does."""
    return Signal.like(value, reset_less=True)
