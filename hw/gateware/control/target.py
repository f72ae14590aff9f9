"""Targets of output rows: where in feature memory the rows of a token go."""

from collections.abc import Sequence

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.utils import ceil_log2

from hw.compile.layer_plan import LayerPlan
from hw.compile.program import Program
from hw.contract.spectrum import TILE
from hw.gateware.control.loop_nest import LoopNest
from hw.gateware.primitives.delay import per_layer
from hw.gateware.primitives.row_pointer import phase_bits, slot_bits


def target_layout(program: Program) -> data.StructLayout:
    """Where a token's first row goes, and how many rows of the map there are from it on.

    ``line``: address in feature memory; ``slot``: which of the rows packed in that line; ``phase``: lines of
    the interleave above it; ``x``: column of the map; ``rows`` (signed): rows of the map from this one on.
    """
    plans = program.layers
    columns = max(p.dest.shape[2] for p in plans) + TILE * program.config.lanes
    rows = max(p.dest.shape[1] for p in plans) + TILE * program.config.lanes
    return data.StructLayout(
        {
            "line": ceil_log2(max(2, program.memory_lines)),
            "slot": slot_bits([p.dest for p in plans]),
            "phase": phase_bits([p.dest for p in plans]),
            "x": ceil_log2(columns) + 1,
            "rows": signed(ceil_log2(rows) + 2),
        }
    )


def group_targets(plan: LayerPlan) -> list[tuple[int, int, int]]:
    """Per row of tile groups of an instruction: line (from the channel's first), slot and phase of its first
    output row."""
    dest, found = plan.dest, []
    for group in range(1 if plan.dot else plan.group_rows):
        y = (plan.top_group + group) * plan.out_group_height
        found.append((*dest.position(y), (y + dest.padding) % dest.interleave))
    return found


class TargetPointer:
    """Adds its registers to ``m``; the caller steps it, in a state and under conditions of its own.

    Signal: ``target``, a view of :func:`target_layout`: where the first image's part of the token at hand
    goes, and how many rows of the image at hand there are. Of a fully connected layer a token is an element
    of a vector: element i is pixel i % 8 of line i // 8, and ``rows`` counts images.

    Parameters: ``layer`` selects a layer of ``program``; ``loops`` stands at the pass of the token. Signals:
    ``dot``: the layer is fully connected; ``missing``: the run has no such image, so no row is written.
    """

    def __init__(
        self, m: Module, layer: Signal, program: Program, loops: LoopNest, *, dot: Signal, missing: Signal
    ):
        self._loops, self._dot = loops, dot
        plans, config = program.layers, program.config
        self._settings(m, layer, plans, config.rows)
        group_line, slot, phase = self._group_table(m, layer, plans)

        self.target = target = Signal(target_layout(program))
        # A start sets all that follows: nothing is reset.
        outputs = range(max(2, *(p.outputs + config.rows for p in plans)))
        self._output = Signal(outputs, name="output", reset_less=True)
        # The first line of the first channel of the set of blocks, and of this channel, in the first image.
        self._set_line, self._line = (
            Signal.like(target.line, name=name, reset_less=True) for name in ("set_line", "line")
        )
        self._x = Signal.like(target.x, name="x", reset_less=True)
        self._rows = Signal.like(target.rows, name="rows", reset_less=True)
        with m.If(dot):
            m.d.comb += [target.line.eq(self._base + self._output[3:]), target.x.eq(self._output[:3])]
        with m.Else():
            m.d.comb += [target.line.eq(self._line + group_line), target.x.eq(self._x)]
        m.d.comb += [
            target.rows.eq(Mux(missing, 0, self._rows)),
            target.slot.eq(slot),
            target.phase.eq(phase),
        ]

    def _settings(self, m: Module, layer: Signal, plans: Sequence[LayerPlan], block: int) -> None:
        """Constants of the layer; ``block``: output channels of a block."""

        def setting(name: str, values: Sequence[int]) -> Signal:
            return per_layer(m, layer, values, name=name)

        # Rows of the map from this instruction's first one on.
        self._height = setting("height", [p.dest.shape[1] - p.top_group * p.out_group_height for p in plans])
        self._channel_lines = setting("channel_lines", [p.dest.channel_lines for p in plans])
        lines = [p.blocks_per_transform * block * p.dest.channel_lines for p in plans]
        lines = [n if p.sets > 1 else 0 for n, p in zip(lines, plans, strict=True)]
        self._set_lines = setting("set_lines", lines)
        self._base = setting("base", [p.dest.base for p in plans])
        self._group_height = setting("group_height", [p.out_group_height for p in plans])
        self._group_width = setting("group_width", [p.lane_columns * p.out_stride for p in plans])

    def _group_table(self, m: Module, layer: Signal, plans: Sequence[LayerPlan]) -> list[Signal]:
        """Line, slot and phase of the row of tile groups at hand: a table of all layers."""
        table, first = [], []
        for plan in plans:
            first.append(len(table))
            table += group_targets(plan)
        index = Signal(range(max(2, len(table))), name="group_index")
        m.d.comb += index.eq(per_layer(m, layer, first, name="first_group") + self._loops.group_row)
        columns = zip(("group_line", "slot", "phase"), zip(*table, strict=True), strict=True)
        return [per_layer(m, index, values, name=name) for name, values in columns]

    def start(self, m: Module, images: Signal) -> None:
        """Go to the layer's first token; a run of ``images`` images."""
        m.d.sync += [
            self._output.eq(0),
            self._x.eq(0),
            *(line.eq(self._base) for line in (self._line, self._set_line)),
            self._rows.eq(Mux(self._dot, images, self._height)),
        ]

    def next_channel(self, m: Module) -> None:
        """Go to the next output channel."""
        m.d.sync += [self._output.eq(self._output + 1), self._line.eq(self._line + self._channel_lines)]

    def next_group(self, m: Module) -> None:
        """Go to another tile group: its rows of the same channels, or of the next set's."""
        loops = self._loops
        m.d.sync += [
            self._output.eq(0),
            self._x.eq(self._x + self._group_width),
            self._line.eq(self._set_line),
        ]
        with m.If(loops.column_wraps):
            m.d.sync += [self._x.eq(0), self._rows.eq(self._rows - self._group_height)]
        with m.If(loops.row_wraps):
            m.d.sync += self._rows.eq(self._height)
        with m.If(loops.stack_wraps):
            following = self._set_line + self._set_lines
            m.d.sync += [line.eq(following) for line in (self._line, self._set_line)]
