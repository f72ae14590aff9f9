"""The order in which passes are made: one set of loops for every controller.

A *pass* is one block of output channels of one tile group. From the innermost loop outwards::

    activations stay    block · group column · group row · stack
    weights stay        group column · group row · stack · block

A *stack* is an image, or as many as have their maps side by side. The block is counted by the first counter
or by the last one, as the layer's plan says.
"""

from amaranth import Array, C, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.program import Program
from hw.gateware.primitives.delay import per_layer


class LoopNest(wiring.Component):
    """Parameters: ``program``; ``blocks``: whether blocks inside a tile group are passes of their own
    (not for the fetch, which serves all of them at once); ``dot_images``: whether a fully connected
    layer takes a pass per image (only its fetch does).

    Members: ``start`` (a pulse) returns to the first pass of layer ``layer`` for ``images`` images, both
    constant for two clocks,
    ``step`` (a pulse) goes on to the next one. Of the pass it stands at, all at once: ``group_row``;
    ``last_block``; and which loops the next step takes back to their start, each with all those
    inside it: ``block_wraps``, ``column_wraps``, ``row_wraps``, ``stack_wraps``, and ``ends`` in the
    layer's last pass. ``stack`` is the number of the stack.
    """

    def __init__(self, program: Program, *, blocks: bool = True, dot_images: bool = False):
        self.program, self.blocks, self.dot_images = program, blocks, dot_images
        super().__init__(
            {
                "layer": In(range(len(program.layers))),
                "images": In(range(program.config.batch + 1)),
                "start": In(1),
                "step": In(1),
                "group_row": Out(range(max(2, *(p.group_rows for p in program.layers)))),
                "stack": Out(range(program.config.batch + 1)),
                "last_block": Out(1),
                "block_wraps": Out(1),
                "column_wraps": Out(1),
                "row_wraps": Out(1),
                "stack_wraps": Out(1),
                "ends": Out(1),
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
            last("inner", [1 if p.weights_stay or not self.blocks else p.blocks for p in plans]),
            last("column", [1 if p.dot else p.group_columns for p in plans]),
            rows,
            stacks,
            last("outer", [p.blocks if p.weights_stay else 1 for p in plans]),
        ]
        # Counters run down and a flag says that one has arrived: wraps takes one LUT, however long the loops.
        left = [Signal.like(one, name=f"left_{i}") for i, one in enumerate(lasts)]
        over = [Signal(name=f"over_{i}") for i in range(len(lasts))]
        inner, column, row, stack, outer = over
        m.d.comb += [
            self.last_block.eq(inner & outer),
            self.block_wraps.eq(inner),
            self.column_wraps.eq(inner & column),
            self.row_wraps.eq(inner & column & row),
            self.stack_wraps.eq(inner & column & row & stack),
            self.ends.eq(inner & column & row & stack & outer),
        ]
        inside = [C(1), self.block_wraps, self.column_wraps, self.row_wraps, self.stack_wraps]
        for counter, flag, first, carry in zip(left, over, lasts, inside, strict=True):
            with m.If(self.start | (self.step & carry & flag)):
                m.d.sync += [counter.eq(first), flag.eq(first == 0)]
            with m.Elif(self.step & carry):
                m.d.sync += [counter.eq(counter - 1), flag.eq(counter == 1)]
        # Two of them are wanted as numbers.
        for number, flag, carry in ((self.group_row, row, inside[2]), (self.stack, stack, inside[3])):
            with m.If(self.start | (self.step & carry & flag)):
                m.d.sync += number.eq(0)
            with m.Elif(self.step & carry):
                m.d.sync += number.eq(number + 1)
        return m

    def _last_stack(self, m):
        """The number of the last stack of a run, by how many images a stack of the layer has."""
        plans = self.program.layers
        sizes = sorted({plan.images for plan in plans})
        once = [plan.dot and not self.dot_images for plan in plans]
        kinds = [0 if one else 1 + sizes.index(p.images) for p, one in zip(plans, once, strict=True)]
        kind = per_layer(m, self.layer, kinds, name="stack_kind")
        images = range(self.program.config.batch + 1)
        lasts = [C(0)]
        for size in sizes:
            lasts.append(Array(C(max(0, n - 1) // size, self.images.shape()) for n in images)[self.images])
        last = Signal.like(self.images, name="last_stack", reset_less=True)
        m.d.sync += last.eq(Array(lasts)[kind])
        return last
