"""A pointer to a map row in feature memory, stepped row by row, whether the map lies in sections or not."""

from collections.abc import Sequence

from amaranth import Array, Module, Signal
from amaranth.utils import ceil_log2

from hw.gateware.delay import per_layer
from hw.program import MapPlan


def phase_bits(maps: Sequence[MapPlan]) -> int:
    """Bits of a row's place in its period."""
    return ceil_log2(max(2, *(plan.period for plan in maps)))


def section_bits(maps: Sequence[MapPlan]) -> int:
    """Bits of a section's number."""
    return ceil_log2(max(2, *(plan.sections for plan in maps)))


class RowPointer:
    """Signals ``line``, ``section``, ``phase`` of a row of ``maps[layer]``, and ``first_pixel``, where its
    column 0 lies in the line. ``row_lines``: lines from a row to the next of a map without sections, by
    default the map's own.
    """

    def __init__(
        self,
        m: Module,
        layer: Signal,
        maps: Sequence[MapPlan],
        line: Signal,
        *,
        row_lines: Sequence[int] | None = None,
        name: str = "row",
    ):
        self.line = line
        self.section = Signal(section_bits(maps), name=f"{name}_section", reset_less=True)
        self.phase = Signal(phase_bits(maps), name=f"{name}_phase", reset_less=True)

        def setting(what: str, values: Sequence[int]) -> Signal:
            return per_layer(m, layer, values, name=f"{name}_{what}")

        lines = row_lines or [plan.lines_per_row for plan in maps]
        self._row_lines = setting(
            "lines", [1 if p.sections > 1 else n for p, n in zip(maps, lines, strict=True)]
        )
        self._period = setting("period", [p.period if p.sections > 1 else 0 for p in maps])
        self._last_section = setting("last_section", [p.sections - 1 for p in maps])
        self.first_line = setting("first_line", [p.place(0)[0] for p in maps])
        self.first_section = setting("first_section", [p.place(0)[1] for p in maps])
        self.first_phase = setting("first_phase", [p.padding % p.period for p in maps])
        pixels = [
            setting(
                f"first_pixel_{s}", [s * p.section_pixels + p.padding if s < p.sections else 0 for p in maps]
            )
            for s in range(max(p.sections for p in maps))
        ]
        self.first_pixel = Array(pixels)[self.section]

    def restart(self, channel_line):
        """Statements: go to row 0 of the channel that begins at ``channel_line``."""
        return [
            self.line.eq(channel_line + self.first_line),
            self.section.eq(self.first_section),
            self.phase.eq(self.first_phase),
        ]

    def step(self, m: Module):
        """Go to the next row of the channel, in the clock and under the conditions of the caller."""
        m.d.sync += [self.line.eq(self.line + self._row_lines), self.phase.eq(self.phase + 1)]
        with m.If(self.phase + 1 == self._period):
            m.d.sync += [self.phase.eq(0), self.section.eq(self.section + 1)]
            with m.If(self.section == self._last_section):
                m.d.sync += self.section.eq(0)
            with m.Else():
                m.d.sync += self.line.eq(self.line + 1 - self._period)
