"""Where the rows of a feature map lie, whether they are packed into lines or not; and its beats in order."""

from collections.abc import Sequence

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.utils import ceil_log2

from hw.compile.feature_layout import FeatureLayout
from hw.gateware.primitives.delay import per_layer
from hw.host_interface.stream_format import row_beats


def phase_bits(maps: Sequence[FeatureLayout]) -> int:
    """Bits of a row's phase: its number among the interleaved lines that a group of packed rows takes."""
    return ceil_log2(max(2, *(plan.interleave for plan in maps)))


def slot_bits(maps: Sequence[FeatureLayout]) -> int:
    """Bits of a slot's number: a line of packed rows has as many slots as rows."""
    return ceil_log2(max(2, *(plan.packing for plan in maps)))


class RowPointer:
    """A row of ``maps[layer]``.

    Signals: ``line``; ``slot`` of that line, where rows are packed; ``phase``, the number of the line
    among the interleaved ones (:class:`hw.compile.feature_layout.FeatureLayout`);
    ``first_pixel``, where its column 0 lies in the line. ``row_lines``: lines from a row to the next of a map
    without packed rows, by default the map's own.
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
        self.slot = Signal(slot_bits(maps), name=f"{name}_slot", reset_less=True)
        self.phase = Signal(phase_bits(maps), name=f"{name}_phase", reset_less=True)

        def constant(what: str, values: Sequence[int]) -> Signal:
            return per_layer(m, layer, values, name=f"{name}_{what}")

        lines = row_lines or [plan.lines_per_row for plan in maps]
        self._row_lines = constant(
            "lines", [1 if p.packing > 1 else n for p, n in zip(maps, lines, strict=True)]
        )
        self._interleave = constant("interleave", [p.interleave if p.packing > 1 else 0 for p in maps])
        self._last_slot = constant("last_slot", [p.packing - 1 for p in maps])
        self.first_line = constant("first_line", [p.position(0)[0] for p in maps])
        self.first_slot = constant("first_slot", [p.position(0)[1] for p in maps])
        self.first_phase = constant("first_phase", [p.padding % p.interleave for p in maps])
        pixels = [
            constant(
                f"first_pixel_{s}", [s * p.slot_pixels + p.padding if s < p.packing else 0 for p in maps]
            )
            for s in range(max(p.packing for p in maps))
        ]
        self.first_pixel = Array(pixels)[self.slot]

    def restart(self, first_row, first_slot=0):
        """Statements: go to row 0 of a channel, which lies in line ``first_row``, of an image whose packed
        rows begin with slot ``first_slot``.
        """
        return [
            self.line.eq(first_row),
            self.slot.eq(self.first_slot + first_slot),
            self.phase.eq(self.first_phase),
        ]

    def step(self, m: Module):
        """Go to the next row of the channel, in the clock and under the conditions of the caller."""
        m.d.sync += [self.line.eq(self.line + self._row_lines), self.phase.eq(self.phase + 1)]
        with m.If(self.phase + 1 == self._interleave):
            m.d.sync += [self.phase.eq(0), self.slot.eq(self.slot + 1)]
            with m.If(self.slot == self._last_slot):
                m.d.sync += self.slot.eq(0)
            with m.Else():
                m.d.sync += self.line.eq(self.line + 1 - self._interleave)


class MapBeats:
    """The beats of whole maps in the order of the streams: image by image, channel by channel, row by row.

    Signals: ``row_line``, the line in which the row at hand begins; ``x``, the beat's first column;
    ``pixel``, where that lies, counted from the line's start; ``end_image`` and ``last``: the beat is the
    last one of an image, of all ``images``. Constants of ``maps[layer]`` are registered. ``line``: a signal
    of its shape. ``pixels``: of a beat, a power of two. A row, and where no line holds rows of several images
    a whole map, may be one beat.
    """

    def __init__(
        self,
        m: Module,
        layer: Signal,
        maps: Sequence[FeatureLayout],
        images: Signal,
        line: Signal,
        pixels: int,
    ):
        def constant(name: str, values: Sequence[int]) -> Signal:
            return per_layer(m, layer, values, name=name)

        self._last_beat = constant("last_beat", [row_beats(plan.shape[2], pixels) - 1 for plan in maps])
        self._last_row = constant("last_row", [plan.shape[1] - 1 for plan in maps])
        last_channel = constant("last_channel", [plan.shape[0] - 1 for plan in maps])
        self._channel_lines = constant("channel_lines", [plan.channel_lines for plan in maps])
        self._base = constant("base", [plan.base for plan in maps])
        self._base_row = constant("base_row", [plan.base + plan.position(0)[0] for plan in maps])
        # The caller starts before it goes on: nothing is reset.
        self._beat = Signal.like(self._last_beat, reset_less=True)
        self._row = Signal.like(self._last_row, reset_less=True)
        self._channel = Signal.like(last_channel, reset_less=True)
        self._image = Signal.like(images, reset_less=True)
        row_line, self._first_row = (
            Signal.like(line, name=name, reset_less=True) for name in ("row_line", "first_row")
        )
        self._pointer = RowPointer(m, layer, maps, row_line)
        self._next = _NextImage(m, maps, self._pointer, constant, line)
        # Of maps that are some channels of what lies there: lines from the last channel to the next image.
        lines = [plan.channel_lines + plan.stack_lines - plan.lines for plan in maps]
        self._apart = any(plan.stack_lines != plan.lines for plan in maps)
        self._image_lines = constant("image_lines", lines) if self._apart else self._channel_lines

        self._end_row = self._beat == self._last_beat
        self._end_channel = self._end_row & (self._row == self._last_row)
        self.end_image = self._end_channel & (self._channel == last_channel)
        self.last = self.end_image & (self._image == images - 1)
        self.x = Signal(len(self._beat) + ceil_log2(pixels))
        m.d.comb += self.x.eq(self._beat * pixels)
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
            next_row = Signal.like(self._first_row, name="next_channel_row")
            m.d.comb += next_row.eq(self._first_row + self._channel_lines)
            m.d.sync += [
                self._row.eq(0),
                self._channel.eq(self._channel + 1),
                self._first_row.eq(next_row),
                *self._pointer.restart(next_row, self._next.slot),
            ]
        with m.If(self.end_image):
            m.d.sync += [self._channel.eq(0), self._image.eq(self._image + 1)]
            # Where no line holds rows of several images the next one is where a channel more would be, or
            # behind what else lies there.
            if self._apart and not self._next.packed:
                next_map = Signal.like(self._first_row, name="next_map_row")
                m.d.comb += next_map.eq(self._first_row + self._image_lines)
                m.d.sync += [self._first_row.eq(next_map), *self._pointer.restart(next_map)]
            if self._next.packed:
                m.d.sync += [
                    self._first_row.eq(self._next.first_row),
                    *self._pointer.restart(self._next.first_row, self._next.next_slot),
                    *self._next.advance(),
                ]


class _NextImage:
    """Where the map of the image after the one at hand lies, if lines hold both: known two clocks after the
    image has begun, and no image has fewer beats than ``hw.host_interface.stream_format.LEAST_BEATS``.

    Signals: ``slot``, ``next_slot``: the first slot of the image at hand, and of the next one;
    ``first_row``: the line of the next one's first row.
    """

    def __init__(self, m: Module, maps: Sequence[FeatureLayout], pointer: RowPointer, constant, line: Signal):
        self.packed = max(plan.images for plan in maps) > 1
        self._last = constant("last_packed", [plan.images - 1 for plan in maps])
        self._left = Signal.like(self._last, name="left_packed", reset_less=True)
        # The stack's first line, this image's and the next one's.
        self._stack, self._next_stack = (
            Signal.like(line, name=name, reset_less=True) for name in ("stack", "next_stack")
        )
        self.first_row = Signal.like(line, name="next_first_row", reset_less=True)
        self.slot, self.next_slot = (
            Signal.like(pointer.slot, name=name, reset_less=True)
            for name in ("first_slot", "next_first_slot")
        )
        if self.packed:
            map_lines = constant("map_lines", [plan.stack_lines for plan in maps])
            image_slots = constant("image_slots", [plan.image_packing for plan in maps])
            last = self._left == 0
            m.d.sync += [
                self._next_stack.eq(self._stack + Mux(last, map_lines, 0)),
                self.next_slot.eq(Mux(last, 0, self.slot + image_slots)),
                self.first_row.eq(self._next_stack + pointer.first_line),
            ]

    def start(self, base):
        """Statements: begin with the first image, whose map lies at ``base``."""
        return [self._stack.eq(base), self._left.eq(self._last), self.slot.eq(0)]

    def advance(self):
        """Statements: go to the next image."""
        return [
            self._stack.eq(self._next_stack),
            self._left.eq(Mux(self._left == 0, self._last, self._left - 1)),
            self.slot.eq(self.next_slot),
        ]
