"""Weight player: steps out of the store in the order the array wants them, replayed where weights stay."""

from amaranth import Array, C, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.program import Program
from hw.contract.latencies import SETTLE
from hw.gateware.primitives.delay import per_layer
from hw.gateware.primitives.loop_nest import LoopNest
from hw.gateware.primitives.micro_instruction import ends_layout, step_layout
from hw.gateware.primitives.skid_buffer import SkidBuffer
from hw.gateware.weights.weight_buffer import WeightBuffer


class WeightReplay(wiring.Component):
    """The weight memory of a design whose weights come from outside: the ``valid``, ``ends``, ``take`` and
    ``step`` of :class:`hw.gateware.weights.weight_memory.WeightMemory`, which holds them itself.

    Members: ``start`` (a pulse) begins a run of ``images`` images through layers ``first`` to ``last``;
    ``room``, ``asked``, ``asked_beats``, ``beat_valid``, ``beat``: the burst reader's.
    Runs ahead of the array through all layers, as far as steps are stored.
    """

    def __init__(self, program: Program):
        self.program, self.plan = program, program.stream
        self.store = WeightBuffer(self.plan)
        layers = range(len(program.layers))
        super().__init__(
            {
                "start": In(1),
                "images": In(range(program.config.batch + 1)),
                "first": In(layers),
                "last": In(layers),
                "room": Out(1),
                "asked": In(1),
                "asked_beats": In(range(self.plan.burst_beats + 1)),
                "beat_valid": In(1),
                "beat": In(self.plan.bus_bits),
                "valid": Out(1),
                "ends": Out(ends_layout(program.step_format)),
                "take": In(1),
                "step": Out(step_layout(program.step_format)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plans, plan = self.program.layers, self.plan
        m.submodules.store = store = self.store
        m.submodules.walk = walk = LoopNest(self.program)
        m.submodules.slack = slack = SkidBuffer(self.program.step_format)
        stored = Signal()  # the store delivers a step
        m.d.comb += [
            store.start.eq(self.start),
            store.first.eq(self.first),
            store.asked.eq(self.asked),
            store.asked_beats.eq(self.asked_beats),
            store.valid.eq(self.beat_valid),
            store.beat.eq(self.beat),
            self.room.eq(store.room),
            slack.i_valid.eq(stored),
            slack.i_step.as_value().eq(store.bits),
            slack.clear.eq(self.start),
            slack.take.eq(self.take),
            self.valid.eq(slack.valid),
            self.ends.eq(slack.ends),
            self.step.eq(slack.step),
        ]
        layer = Signal.like(self.first)
        weights_stay = per_layer(m, layer, [int(p.weights_stay) for p in plans], name="weights_stay")
        first_blocks = [sum(p.blocks for p in plans[:i]) for i in range(len(plans))]
        m.d.comb += [walk.layer.eq(layer), walk.images.eq(self.images)]

        # Where in a block the player is: steps behind the one at hand, and whether there are none.
        place = data.StructLayout({"left": range(max(plan.block_steps)), "last": 1})
        at = Signal(place)
        # The first step of the block at hand; of number ``block`` and of the block behind, a clock later.
        block = Signal(range(len(plan.block_steps) + 1))
        again, here, behind = (Signal(place, name=name) for name in ("again", "here", "behind"))
        firsts = Array(place.const({"left": n - 1, "last": n == 1}) for n in (*plan.block_steps, 1))
        m.d.sync += [here.eq(firsts[block]), behind.eq(firsts[block + 1])]
        address, block_address = Signal.like(store.stored), Signal.like(store.stored)
        wait = Signal(range(SETTLE + 1))
        entering = Signal()  # a layer whose constants settle

        # Comparisons are made a clock ahead, for the step at hand and the one behind it. What was played
        # before is there.
        following = Signal.like(address)
        moved, jumped, none_here, none_next = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [none_here.eq(address == store.stored), none_next.eq(following == store.stored)]
        playing = Signal()
        there = jumped | ~Mux(moved, none_next, none_here)
        replay = weights_stay & ~walk.stack_wraps
        advance = ~stored | slack.i_take
        ready = playing & (wait == 0) & there
        read = advance & ready
        m.d.sync += [moved.eq(read), jumped.eq(read & at.last & replay)]
        m.d.comb += [
            following.eq(address + 1),
            store.r_step.eq(address),
            store.r_en.eq(advance),
            store.freed.eq(read & ~replay),
            walk.step.eq(read & at.last),
        ]

        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.If(entering & (wait == 1)):
            m.d.comb += walk.start.eq(1)
            m.d.sync += [entering.eq(0), again.eq(here), at.eq(here)]
        with m.If(advance):
            m.d.sync += stored.eq(ready)
        with m.If(read):
            m.d.sync += [address.eq(following), at.left.eq(at.left - 1), at.last.eq(at.left == 1)]
            with m.If(at.last):
                with m.If(replay):
                    m.d.sync += [address.eq(block_address), at.eq(again)]
                with m.Else():
                    m.d.sync += [block_address.eq(following), block.eq(block + 1), wait.eq(1)]
                    m.d.sync += [again.eq(behind), at.eq(behind)]
                with m.If(walk.ends):
                    m.d.sync += [layer.eq(layer + 1), wait.eq(SETTLE), playing.eq(layer != self.last)]
                    m.d.sync += entering.eq(1)
        with m.If(self.start):
            m.d.sync += [
                playing.eq(1),
                entering.eq(1),
                wait.eq(SETTLE),
                stored.eq(0),
                address.eq(0),
                block_address.eq(0),
                layer.eq(self.first),
                block.eq(Array(C(n) for n in first_blocks)[self.first]),
            ]
        return m
