"""The loop nest: the order in which passes are made, for every controller.

A *pass* is one block of output channels of one tile group. From the innermost loop outwards::

    word · block of the set · group column · group row · stack · set

Where steps are repeated for every word (``LayerPlan.repeated``), words are a loop as well.

A *set* is the blocks that meet a tile group's spectra before the next group is fetched
(``LayerPlan.blocks_per_transform``): all blocks of a layer where activations stay. A *stack* is an image, or
as many as share the lines of their maps (batch packing).
"""

from amaranth import Array, C, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.program import Program
from hw.contract.spectrum import WORDS
from hw.gateware.primitives.delay import per_layer, without_reset


class LoopNest(wiring.Component):
    """Parameters: ``program``; ``blocks``: whether the blocks of a set are passes of their own
    (not for the fetch, which serves all of them at once); ``dot_images``: whether a fully connected
    layer takes a pass per image (only its fetch does); ``words``: whether repeated words are stepped through,
    one after the other, where a layer has some.

    Members
    -------
    layer: in, a layer. images: in, 0 .. ``batch``. Both constant for two clocks before ``start``.
    start: in, 1. A pulse: return to the first pass of ``layer`` for ``images`` images.
    step: in, 1. A pulse: go on to the next pass (or word).
    word: out, 0 .. 31. Of the pass at hand, where they are repeated, else 0.
    word_wraps: out, 1. The next step takes the word back to 0: the pass ends.
    group_row: out, 0 .. group rows - 1. Of the pass at hand, as all that follows.
    stack: out, 0 .. ``batch``. The number of the stack.
    last_block: out, 1. It is one of the last block of output channels.
    last_group: out, 1. It is one of the last tile group.
    last_set: out, 1. It is one of the last set.
    block_wraps: out, 1. The next step takes the block back to the first one of its set, and the word.
    column_wraps: out, 1. So the group column, and the block with it.
    row_wraps: out, 1. So the group row, with both.
    stack_wraps: out, 1. So the stack, with all three.
    ends: out, 1. It is the layer's last pass.
    last_row: out, 1. It is one of the last row of tile groups; last_column: of the last column.
    """

    def __init__(
        self, program: Program, *, blocks: bool = True, dot_images: bool = False, words: bool = False
    ):
        self.program, self.blocks, self.dot_images = program, blocks, dot_images
        self.words = words and program.repeats
        super().__init__(
            {
                "layer": In(range(len(program.layers))),
                "images": In(range(program.config.batch + 1)),
                "start": In(1),
                "step": In(1),
                **({"word": Out(range(WORDS)), "word_wraps": Out(1)} if self.words else {}),
                "group_row": Out(range(max(2, *(p.group_rows for p in program.layers)))),
                "stack": Out(range(program.config.batch + 1)),
                "last_block": Out(1),
                "last_group": Out(1),
                "last_set": Out(1),
                "block_wraps": Out(1),
                "column_wraps": Out(1),
                "row_wraps": Out(1),
                "stack_wraps": Out(1),
                "ends": Out(1),
                "last_row": Out(1),
                "last_column": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plans = self.program.layers

        def last(name, counts):
            return per_layer(m, self.layer, [n - 1 for n in counts], name=f"last_{name}")

        rows = last("row", [1 if p.dot else p.group_rows for p in plans])
        stacks = self._last_stack(m)
        lasts = [
            last("inner", [p.blocks_per_transform if self.blocks else 1 for p in plans]),
            last("column", [1 if p.dot else p.group_columns for p in plans]),
            rows,
            stacks,
            last("outer", [p.sets for p in plans]),
        ]
        # Counters run down and a flag says that one has arrived: wraps takes one LUT, however long the loops.
        # A start sets all of them, so nothing here is reset.
        left = [Signal.like(count, name=f"left_{i}", reset_less=True) for i, count in enumerate(lasts)]
        over = [Signal(name=f"over_{i}", reset_less=True) for i in range(len(lasts))]
        inner, column, row, stack, outer = over
        last_word = self._count_words(m) if self.words else C(1)
        m.d.comb += [
            self.last_block.eq(inner & outer),
            self.last_group.eq(column & row & stack),
            self.last_set.eq(outer),
            self.last_row.eq(row),
            self.last_column.eq(column),
            self.block_wraps.eq(last_word & inner),
            self.column_wraps.eq(self.block_wraps & column),
            self.row_wraps.eq(self.block_wraps & column & row),
            self.stack_wraps.eq(self.block_wraps & column & row & stack),
            self.ends.eq(self.block_wraps & column & row & stack & outer),
        ]
        inside = [last_word, self.block_wraps, self.column_wraps, self.row_wraps, self.stack_wraps]
        for counter, flag, first, carry in zip(left, over, lasts, inside, strict=True):
            with m.If(self.start | (self.step & carry & flag)):
                m.d.sync += [counter.eq(first), flag.eq(first == 0)]
            with m.Elif(self.step & carry):
                m.d.sync += [counter.eq(counter - 1), flag.eq(counter == 1)]
        # Two of them are wanted as numbers.
        group_row, stack_number = (
            without_reset(m, port, name=name)
            for port, name in ((self.group_row, "group_row_number"), (self.stack, "stack_number"))
        )
        for number, flag, carry in ((group_row, row, inside[2]), (stack_number, stack, inside[3])):
            with m.If(self.start | (self.step & carry & flag)):
                m.d.sync += number.eq(0)
            with m.Elif(self.step & carry):
                m.d.sync += number.eq(number + 1)
        return m

    def _count_words(self, m):
        """Steps through the words; returns whether the one at hand is the last one."""
        words = per_layer(
            m, self.layer, [p.words if p.repeated else 1 for p in self.program.layers], name="words"
        )
        last = Signal(reset_less=True)
        word = without_reset(m, self.word, name="word_number")
        m.d.comb += self.word_wraps.eq(last)
        with m.If(self.start | (self.step & last)):
            m.d.sync += [word.eq(0), last.eq(words == 1)]
        with m.Elif(self.step):
            m.d.sync += [word.eq(word + 1), last.eq(word + 2 == words)]
        return last

    def _last_stack(self, m):
        """The number of the last stack of a run, by how many images a stack of the layer has."""
        plans = self.program.layers
        sizes = sorted({plan.images for plan in plans})
        all_at_once = [plan.dot and not self.dot_images for plan in plans]
        kinds = [
            0 if all_in else 1 + sizes.index(p.images) for p, all_in in zip(plans, all_at_once, strict=True)
        ]
        kind = per_layer(m, self.layer, kinds, name="stack_kind")
        images = range(self.program.config.batch + 1)
        lasts = [C(0)]
        for size in sizes:
            lasts.append(Array(C(max(0, n - 1) // size, self.images.shape()) for n in images)[self.images])
        last = Signal.like(self.images, name="last_stack", reset_less=True)
        m.d.sync += last.eq(Array(lasts)[kind])
        return last
