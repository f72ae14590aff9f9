"""The order in which passes are made: one set of loops for every controller.

A *pass* is one block of output channels of one tile group. From the innermost loop outwards::

    activations stay    block · group column · group row · image
    weights stay        group column · group row · image · block

so the block is counted by the first counter or by the last one, as the layer's plan says.
"""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.delay import per_layer
from hw.program import Program


class Walk(wiring.Component):
    """Parameters: ``program``; ``blocks``: whether blocks inside a tile group are passes of their own
    (not for the fetch, which serves all of them at once); ``dot_images``: whether a fully connected
    layer takes a pass per image (only its fetch does).

    Members: ``start`` (a pulse) returns to the first pass of layer ``layer`` for ``images`` images,
    ``step`` (a pulse) goes on to the next one. Of the pass it stands at, all at once: ``group_row``;
    ``last_block``; and which loops the next step takes back to their start, each with all those
    inside it: ``block_wraps``, ``column_wraps``, ``row_wraps``, ``image_wraps``, and ``ends`` in the
    layer's last pass.
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
                "image": Out(range(program.config.batch + 1)),
                "last_block": Out(1),
                "block_wraps": Out(1),
                "column_wraps": Out(1),
                "row_wraps": Out(1),
                "image_wraps": Out(1),
                "ends": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plans = self.program.layers

        def last(name, counts):
            return per_layer(m, self.layer, [n - 1 for n in counts], name=f"last_{name}")

        last_inner = last("inner", [1 if p.weights_stay or not self.blocks else p.blocks for p in plans])
        last_column = last("column", [1 if p.dot else p.group_columns for p in plans])
        last_row = last("row", [1 if p.dot else p.group_rows for p in plans])
        last_outer = last("outer", [p.blocks if p.weights_stay else 1 for p in plans])
        one_image = per_layer(m, self.layer, [int(p.dot and not self.dot_images) for p in plans], name="once")

        inner, column, outer = Signal.like(last_inner), Signal.like(last_column), Signal.like(last_outer)
        row, image = self.group_row, self.image
        m.d.comb += [
            self.last_block.eq((inner == last_inner) & (outer == last_outer)),
            self.block_wraps.eq(inner == last_inner),
            self.column_wraps.eq(self.block_wraps & (column == last_column)),
            self.row_wraps.eq(self.column_wraps & (row == last_row)),
            self.image_wraps.eq(self.row_wraps & (image == Mux(one_image, 0, self.images - 1))),
            self.ends.eq(self.image_wraps & (outer == last_outer)),
        ]
        with m.If(self.start | (self.step & self.ends)):
            m.d.sync += Cat(inner, column, row, image, outer).eq(0)
        with m.Elif(self.step):
            loops = [
                (inner, self.block_wraps),
                (column, self.column_wraps),
                (row, self.row_wraps),
                (image, self.image_wraps),
            ]
            carry = C(1)
            for counter, wraps in loops:
                with m.If(wraps):
                    m.d.sync += counter.eq(0)
                with m.Elif(carry):
                    m.d.sync += counter.eq(counter + 1)
                carry = wraps
            with m.If(self.image_wraps):
                m.d.sync += outer.eq(outer + 1)
        return m
