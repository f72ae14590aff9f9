"""Ring pointer: which row of a map's ring the fetch controller stands at.

Where layers are made in row bands, feature memory keeps only ``ring`` rows of a map: row y lies where row
y - ``ring`` lay, and line and tile group step over the ring's end. Maps without a ring (``ring`` = 0) never
wrap, and nobody looks at the position in them.
"""

from collections.abc import Sequence

from amaranth import Module, Mux, Signal

from hw.compile.layer_plan import LayerPlan
from hw.gateware.primitives.delay import per_layer


def top_row(plan: LayerPlan) -> int:
    """Row of the map in which the first window of an instruction begins; negative: it lies above the map."""
    padding = plan.layer.tile_padding
    return plan.top_group * plan.group_height - padding


class RingPointer:
    """Adds its registers to ``m``; the caller steps it, in a state and under conditions of its own.

    Signals, positions counted from the ring's first row:

    * ``position`` (unsigned): of the row at hand, ``top``: of the first row of its window, ``first``: of the
      layer's first window;
    * ``wraps`` (1 bit): the row after the one at hand lies at the ring's start;
    * ``below`` (unsigned), ``below_wraps`` (1 bit): where the window of the tile group below begins, and
      whether that is beyond the ring's end. Ready in the third clock after ``top`` has changed.

    Parameters: ``layer`` selects one of ``plans``; ``group_height``: rows from a tile group to the one below
    it (a signal). If several steps are taken in one clock, the last one counts.
    """

    def __init__(self, m: Module, layer: Signal, plans: Sequence[LayerPlan], group_height: Signal):
        def setting(name: str, values: Sequence[int]) -> Signal:
            return per_layer(m, layer, values, name=name)

        rings = [plan.source.ring for plan in plans]
        self.first = setting(
            "first_position",
            [top_row(plan) % ring if ring else 0 for plan, ring in zip(plans, rings, strict=True)],
        )
        ringed = setting("ringed", [int(ring > 0) for ring in rings])
        last = setting("last_position", [max(0, ring - 1) for ring in rings])
        ring_rows = setting("ring_rows", rings)
        samplings = [plan.layer.sampling for plan in plans]
        self._sampled = setting("ring_sampled", [n - 1 for n in samplings]) if max(samplings) > 1 else None

        self._last = last
        self.position = Signal.like(last, name="position", reset_less=True)
        self.top = Signal.like(last, name="top_position", reset_less=True)
        self.wraps = Signal(name="wraps", reset_less=True)
        self._next = Signal.like(last, name="next_position")
        m.d.comb += self._next.eq(self.position)
        at_end = self._next == last
        if self._sampled is not None:  # every second row: the one before the last row is the last one, too
            at_end |= self._sampled.any() & (self._next + 1 == last)
        m.d.sync += [self.position.eq(self._next), self.wraps.eq(ringed & at_end)]

        beyond = self.top + group_height  # of the group below, were the ring without an end
        ahead = Signal(len(beyond), name="position_below", reset_less=True)
        self.below_wraps = Signal(name="below_wraps", reset_less=True)
        m.d.sync += [ahead.eq(beyond), self.below_wraps.eq(ringed & (ahead >= ring_rows))]
        self.below = ahead - Mux(self.below_wraps, ring_rows, 0)
        self.bits = len(ring_rows)  # of a position below

    def start(self, m: Module) -> None:
        """Go to the first window of the layer."""
        self.go_to(m, self.first)

    def step(self, m: Module) -> None:
        """Go to the next row."""
        following = self.position + 1
        if self._sampled is None:
            m.d.comb += self._next.eq(Mux(self.wraps, 0, following))
            return
        # Of a ring of an odd number of rows the next one may be its second.
        first = (self._sampled.any() & (self.position == self._last))[:1]
        m.d.comb += self._next.eq(Mux(self.wraps, first, following + self._sampled))

    def back_to_top(self, m: Module) -> None:
        """Go to the first row of the window, for the next channel."""
        m.d.comb += self._next.eq(self.top)

    def go_to(self, m: Module, position) -> None:
        """Go to a window whose first row lies at ``position``."""
        m.d.comb += self._next.eq(position)
        m.d.sync += self.top.eq(position)
