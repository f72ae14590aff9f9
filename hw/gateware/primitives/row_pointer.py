"""Walking a map in feature memory: row by row, whether it lies in sections or not, and beat by beat."""

from collections.abc import Sequence

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.utils import ceil_log2

from hw.compile.feature_layout import FeatureLayout
from hw.gateware.primitives.delay import per_layer
from hw.interface.stream_format import BEAT, row_beats


def phase_bits(maps: Sequence[FeatureLayout]) -> int:
    """Bits of a row's place in its period."""
    return ceil_log2(max(2, *(plan.interleave for plan in maps)))


def section_bits(maps: Sequence[FeatureLayout]) -> int:
    """Bits of a section's number."""
    return ceil_log2(max(2, *(plan.packing for plan in maps)))


class RowPointer:
    """Signals ``line``, ``section``, ``phase`` of a row of ``maps[layer]``, and ``first_pixel``, where its
    column 0 lies in the line. ``row_lines``: lines from a row to the next of a map without sections, by
    default the map's own.
    """

    def __init__(
        self,
        m: Module,
        layer: Signal,
        maps: Sequence[FeatureLayout],
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
            "lines", [1 if p.packing > 1 else n for p, n in zip(maps, lines, strict=True)]
        )
        self._period = setting("period", [p.interleave if p.packing > 1 else 0 for p in maps])
        self._last_section = setting("last_section", [p.packing - 1 for p in maps])
        self.first_line = setting("first_line", [p.position(0)[0] for p in maps])
        self.first_section = setting("first_section", [p.position(0)[1] for p in maps])
        self.first_phase = setting("first_phase", [p.padding % p.interleave for p in maps])
        pixels = [
            setting(f"first_pixel_{s}", [s * p.slot_pixels + p.padding if s < p.packing else 0 for p in maps])
            for s in range(max(p.packing for p in maps))
        ]
        self.first_pixel = Array(pixels)[self.section]

    def restart(self, first_row, sections=0):
        """Statements: go to row 0 of a channel, which lies in line ``first_row``, of an image whose sections
        begin with number ``sections``.
        """
        return [
            self.line.eq(first_row),
            self.section.eq(self.first_section + sections),
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


class MapBeats:
    """The beats of whole maps in the order of the streams: image by image, channel by channel, row by row.

    Signals: ``row_line``, the line in which the row at hand begins; ``x``, the beat's first column;
    ``pixel``, where that lies, counted from the line's start; ``end_image`` and ``last``: the beat is the
    last one of an image, of all ``images``. Constants of ``maps[layer]`` are registered. ``line``: a signal
    of its shape.
    """

    def __init__(self, m: Module, layer: Signal, maps: Sequence[FeatureLayout], images: Signal, line: Signal):
        def setting(name: str, values: Sequence[int]) -> Signal:
            return per_layer(m, layer, values, name=name)

        self._last_beat = setting("last_beat", [row_beats(plan.shape[2]) - 1 for plan in maps])
        self._last_row = setting("last_row", [plan.shape[1] - 1 for plan in maps])
        last_channel = setting("last_channel", [plan.shape[0] - 1 for plan in maps])
        self._channel_lines = setting("channel_lines", [plan.channel_lines for plan in maps])
        self._base = setting("base", [plan.base for plan in maps])
        self._base_row = setting("base_row", [plan.base + plan.position(0)[0] for plan in maps])
        self._beat, self._row = Signal.like(self._last_beat), Signal.like(self._last_row)
        self._channel, self._image = Signal.like(last_channel), Signal.like(images)
        row_line, self._first_row = (Signal.like(line, name=name) for name in ("row_line", "first_row"))
        self._pointer = RowPointer(m, layer, maps, row_line)
        self._next = _NextImage(m, maps, self._pointer, setting, line)

        self._end_row = self._beat == self._last_beat
        self._end_channel = self._end_row & (self._row == self._last_row)
        self.end_image = self._end_channel & (self._channel == last_channel)
        self.last = self.end_image & (self._image == images - 1)
        self.x = Signal(len(self._beat) + ceil_log2(BEAT))
        m.d.comb += self.x.eq(self._beat * BEAT)
        self.pixel = self.x + self._pointer.first_pixel
        self.row_line = row_line

    def start(self, m: Module):
        """Go to the first beat of the first map."""
        m.d.sync += [
            Cat(self._beat, self._row, self._channel, self._image).eq(0),
            self._first_row.eq(self._base_row),
            *self._pointer.restart(self._base_row),
            *self._next.start(self._base),
        ]

    def advance(self, m: Module):
        """Go to the next beat, in the clock and under the conditions of the caller."""
        m.d.sync += self._beat.eq(self._beat + 1)
        with m.If(self._end_row):
            m.d.sync += [self._beat.eq(0), self._row.eq(self._row + 1)]
            self._pointer.step(m)
        with m.If(self._end_channel):
            following = Signal.like(self._first_row, name="following")
            m.d.comb += following.eq(self._first_row + self._channel_lines)
            m.d.sync += [
                self._row.eq(0),
                self._channel.eq(self._channel + 1),
                self._first_row.eq(following),
                *self._pointer.restart(following, self._next.sections),
            ]
        with m.If(self.end_image):
            m.d.sync += [self._channel.eq(0), self._image.eq(self._image + 1)]
            # Where no images lie side by side the next one is where a channel more would be.
            if self._next.beside:
                m.d.sync += [
                    self._first_row.eq(self._next.first_row),
                    *self._pointer.restart(self._next.first_row, self._next.next_sections),
                    *self._next.go(),
                ]


class _NextImage:
    """Where the map of the image behind the one at hand lies, if it may lie beside that one: known two clocks
    after the image has begun, and no image has fewer beats than ``hw.interface.stream_format.LEAST_BEATS``.

    Signals: ``sections``, ``next_sections``: the first section of the image at hand, and of the next one;
    ``first_row``: the line of the next one's first row.
    """

    def __init__(self, m: Module, maps: Sequence[FeatureLayout], pointer: RowPointer, setting, line: Signal):
        self.beside = max(plan.images for plan in maps) > 1
        self._last = setting("last_beside", [plan.images - 1 for plan in maps])
        self._left = Signal.like(self._last, name="left_beside")
        # The stack's first line, this image's and the next one's.
        self._stack, self._next_stack = (Signal.like(line, name=name) for name in ("stack", "next_stack"))
        self.first_row = Signal.like(line, name="next_first_row")
        self.sections, self.next_sections = (
            Signal.like(pointer.section, name=name) for name in ("sections", "next_sections")
        )
        if self.beside:
            map_lines = setting("map_lines", [plan.lines for plan in maps])
            image_sections = setting("image_sections", [plan.image_packing for plan in maps])
            last = self._left == 0
            m.d.sync += [
                self._next_stack.eq(self._stack + Mux(last, map_lines, 0)),
                self.next_sections.eq(Mux(last, 0, self.sections + image_sections)),
                self.first_row.eq(self._next_stack + pointer.first_line),
            ]

    def start(self, base):
        """Statements: begin with the first image, whose map lies at ``base``."""
        return [self._stack.eq(base), self._left.eq(self._last), self.sections.eq(0)]

    def go(self):
        """Statements: go to the next image."""
        return [
            self._stack.eq(self._next_stack),
            self._left.eq(Mux(self._left == 0, self._last, self._left - 1)),
            self.sections.eq(self.next_sections),
        ]
