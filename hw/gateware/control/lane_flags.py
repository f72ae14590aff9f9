"""Lane flags: what a line that is asked for means to every lane, and which of its pixels are in the map."""

from amaranth import Cat, Module, Mux, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.layer_plan import LayerPlan
from hw.compile.program import Program
from hw.gateware.primitives.delay import per_layer


def lane_skews(program: Program, lane: int) -> list[int]:
    """Per layer: clocks lane ``lane`` starts a token after lane 0; -1 where the layer leaves it idle."""
    return [
        row * plan.skew if row >= 0 else -1
        for plan, row in zip(program.layers, _rows(program, lane), strict=True)
    ]


def lane_edges(plan: LayerPlan, lane: int) -> int:
    """The sides, as bits of :data:`EDGES`, on which the tile of lane ``lane`` lies in the outermost tile
    groups of a layer whose pooling windows overlap; 0 for others."""
    if not plan.layer.overlaps:
        return 0
    row, column = divmod(lane, plan.lane_columns)
    rows = plan.source.image_packing if plan.images > 1 else plan.lane_rows
    groups = -(-plan.tile_rows // rows)
    top, bottom = plan.top_group == 0, plan.top_group + plan.group_rows == groups
    last_row, last_column = (plan.tile_rows - 1) % rows, (plan.tile_columns - 1) % plan.lane_columns
    row %= rows
    sides = (top and row == 0, bottom and row == last_row, column == 0, column == last_column)
    return sum(int(side) << i for i, side in enumerate(sides))


def _rows(program: Program, lane: int) -> list[int]:
    """Per layer: the lane row of lane ``lane``, -1 where the layer leaves it idle."""
    rows = [lane // plan.lane_columns for plan in program.layers]
    return [row if row < plan.lane_rows else -1 for row, plan in zip(rows, program.layers, strict=True)]


class LaneFlags(wiring.Component):
    """Combinational but for constants of the layer, which follow ``layer`` one clock later.

    ========== ==== ============ =========================================================================
    port       flow width        meaning
    ========== ==== ============ =========================================================================
    layer      in   ⌈log2 L⌉     instruction of the layer program
    dot        in   1            the layer is fully connected
    stack      in   batch        number of the stack of images (dot mode: of the image)
    line       in   ``lines``    number of the line in its channel
    x, y       in   ``span``     signed: column and row of the map at which the line's window begins
    starts     out  lanes        bit p: the line is row 0 of lane p's tile (dot mode: belongs to lane p)
    inside     out  lanes        bit p: lane p's row is inside the map
    mask       out  line pixels  pixels inside the columns of the map (of packed rows: of theirs)
    ========== ==== ============ =========================================================================

    Parameters: ``program``; ``lines``: shape of ``line``; ``span``: bits of ``x`` and ``y``.
    """

    def __init__(self, program: Program, lines, span: int):
        self.program = program
        config = program.config
        super().__init__(
            {
                "layer": In(range(len(program.layers))),
                "dot": In(1),
                "stack": In(range(config.batch + 1)),
                "line": In(lines),
                "x": In(signed(span)),
                "y": In(signed(span)),
                "starts": Out(config.lanes),
                "inside": Out(config.lanes),
                "mask": Out(config.line_pixels),
            }
        )

    def elaborate(self, platform):
        m = Module()
        height = self._setting(m, "height", [p.seen.shape[1] for p in self.program.layers])
        for lane in range(self.program.config.lanes):
            first, ahead = self._first_line(m, lane)
            row = self.y + ahead
            m.d.comb += [
                self.starts[lane].eq(Mux(self.dot, self.stack == lane, self.line == first)),
                self.inside[lane].eq((row >= 0) & (row < height)),
            ]
        m.d.comb += self.mask.eq(self._columns(m))
        return m

    def _setting(self, m, name, values):
        return per_layer(m, self.layer, values, name=name)

    def _first_line(self, m, lane):
        """Of a lane: the line with which its tile begins, and by how many rows it is ahead of lane 0 in every
        line: 0 but for packed rows."""
        first, ahead = [], []
        for plan, row in zip(self.program.layers, _rows(self.program, lane), strict=True):
            packed = plan.packing > 1
            first.append(-1 if row < 0 else 0 if packed else row * plan.rows_made)
            ahead.append(row % plan.source.image_packing * plan.row_stride if packed and row > 0 else 0)
        return self._setting(m, f"first_{lane}", first), self._setting(m, f"ahead_{lane}", ahead)

    def _columns(self, m):
        """Pixels of the line that lie inside the map's columns (of packed rows: of their own)."""
        plans = self.program.layers
        width = self._setting(m, "width", [p.source.shape[2] for p in plans])
        fixed = self._setting(m, "packed_mask", [p.source.pixel_mask for p in plans])
        packed = self._setting(m, "packed", [int(p.packing > 1) for p in plans])
        inside = Cat((self.x >= -i) & (self.x + i < width) for i in range(len(self.mask)))
        return Mux(packed, fixed, inside)
