"""Maps in order: every beat of every map lies where the map's plan puts it, in the order of the streams."""

import numpy as np
import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.feature_layout import FeatureLayout
from hw.gateware.primitives.row_pointer import MapBeats, RowPointer, phase_bits, slot_bits
from hw.host_interface.stream_format import LEAST_BEATS, map_beats, row_beats
from tests.hw.gateware.programs import CASES, position_of, program

MORE = [
    FeatureLayout((2, 20, 5), 7, packing=3, slot_pixels=10, interleave=4, padding=2),
    FeatureLayout((1, 9, 30), 90, lines_per_row=2),
    FeatureLayout((3, 3, 2), 3, packing=4, slot_pixels=8, interleave=6, padding=1, images=4),
    FeatureLayout((2, 5, 6), 40, packing=4, slot_pixels=8, interleave=4, padding=1, images=2),
]

FEWEST = [
    # As few beats as a map may have in a network whose images lie side by side, in rows of one beat.
    FeatureLayout((2, 2, 3), 5, packing=2, slot_pixels=8, interleave=4, padding=1, images=2),
    FeatureLayout((4, 1, 4), 60, packing=4, slot_pixels=8, interleave=6, padding=2, images=4),
    FeatureLayout((1, 4, 2), 90),
]

ONES = [FeatureLayout((1, 1, 1), 9), FeatureLayout((3, 1, 4), 20), FeatureLayout((1, 2, 3), 40)]

APART = [
    # Some channels of what lies there: images are further apart, in lines of their own and not.
    FeatureLayout((2, 3, 5), 4, pitch=21),
    FeatureLayout((1, 4, 20), 30, lines_per_row=3, pitch=12),
    FeatureLayout((3, 9, 5), 60, packing=2, slot_pixels=8, interleave=4, padding=1, pitch=50),
    FeatureLayout((1, 1, 1), 9, pitch=2),
]

STACKS = [
    FeatureLayout((3, 3, 2), 3, packing=4, slot_pixels=8, interleave=6, padding=1, images=4, pitch=40),
    FeatureLayout((2, 3, 5), 50, pitch=21),
    FeatureLayout((2, 5, 6), 90, packing=4, slot_pixels=8, interleave=4, padding=1, images=2),
]


class Beats(wiring.Component):
    """MapBeats with ports."""

    def __init__(self, maps, images, pixels):
        self.maps, self.pixels = maps, pixels
        super().__init__(
            {
                "layer": In(range(max(2, len(maps)))),
                "images": In(range(images + 1)),
                "start": In(1),
                "step": In(1),
                "row_line": Out(12),
                "x": Out(12),
                "pixel": Out(12),
                "end_image": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beats = MapBeats(m, self.layer, self.maps, self.images, Signal(12), self.pixels)
        with m.If(self.start):
            beats.start(m)
        with m.Elif(self.step):
            beats.advance(m)
        for name in ("row_line", "x", "pixel", "end_image", "last"):
            m.d.comb += getattr(self, name).eq(getattr(beats, name))
        return m


LISTS = {"more": MORE, "fewest": FEWEST, "ones": ONES, "apart": APART, "stacks": STACKS}
MAPS = {name: [plan.dest for plan in program(name).layers] for name in CASES} | LISTS
NARROW = [(name, 4) for name in MAPS]
WIDE = [(name, pixels) for name in LISTS for pixels in (8, 16, 32)] + [("beside", 16), ("packed", 8)]


@pytest.mark.parametrize(("name", "pixels"), NARROW + WIDE)
def test_every_beat_lies_where_the_plan_says(simulate, name, pixels):
    """In rows of several beats, of one, and in maps of as few as there may be, most beats back to back."""
    maps, most, rng = MAPS[name], 5, np.random.default_rng(1)
    dut = Beats(maps, most, pixels)
    if any(plan.images > 1 for plan in maps):
        assert min(map_beats(plan.shape, pixels) for plan in maps) >= LEAST_BEATS

    async def bench(ctx):
        for layer, plan in enumerate(maps):
            if plan.ring:
                continue  # no map in a ring is sent or received
            for images in (most, 1, 3):
                ctx.set(dut.layer, layer)
                ctx.set(dut.images, images)
                await ctx.tick().repeat(3)
                ctx.set(dut.start, 1)
                await ctx.tick()
                ctx.set(dut.start, 0)
                channels, height, width = plan.shape
                for image in range(images):
                    for channel in range(channels):
                        for y in range(height):
                            line, pixel = position_of(plan, image, channel, y)
                            beats = row_beats(width, pixels)
                            for beat in range(beats):
                                ends = (channel, y, beat) == (channels - 1, height - 1, beats - 1)
                                wanted = (
                                    line,
                                    pixels * beat,
                                    pixel + pixels * beat,
                                    ends,
                                    ends and image == images - 1,
                                )
                                if rng.random() < 0.1:
                                    await ctx.tick()
                                found = (dut.row_line, dut.x, dut.pixel, dut.end_image, dut.last)
                                assert tuple(ctx.get(signal) for signal in found) == wanted, (
                                    image,
                                    channel,
                                    y,
                                    beat,
                                )
                                ctx.set(dut.step, 1)
                                await ctx.tick()
                                ctx.set(dut.step, 0)

    simulate(dut, bench)


class Pointer(wiring.Component):
    """RowPointer with ports: ``line`` and ``first_pixel`` of a row."""

    def __init__(self, maps, row_lines):
        self.maps, self.row_lines = maps, row_lines
        super().__init__(
            {
                "layer": In(range(max(2, len(maps)))),
                "start": In(1),
                "step": In(1),
                "line": Out(12),
                "first_pixel": Out(12),
            }
        )

    def elaborate(self, platform):
        m = Module()
        line = Signal(12)
        pointer = RowPointer(m, self.layer, self.maps, line, row_lines=self.row_lines)
        with m.If(self.start):
            m.d.sync += pointer.restart(pointer.first_line)
        with m.Elif(self.step):
            pointer.step(m)
        m.d.comb += [self.line.eq(line), self.first_pixel.eq(pointer.first_pixel)]
        return m


@pytest.mark.parametrize("apart", [None, [11, 12, 13, 14]])
def test_rows_follow_each_other_at_the_distance_asked_for(simulate, apart):
    """``apart``: lines between rows of maps without packed rows, as a fully connected layer's images are."""
    dut = Pointer(MORE, apart)

    async def bench(ctx):
        for layer, plan in enumerate(MORE):
            ctx.set(dut.layer, layer)
            await ctx.tick().repeat(2)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.step, 1)
            for y in range(plan.shape[1]):
                line, pixel = position_of(plan, 0, 0, y)
                line -= plan.base
                if apart and plan.packing == 1:
                    line = y * apart[layer]
                assert (ctx.get(dut.line), ctx.get(dut.first_pixel)) == (line, pixel)
                await ctx.tick()
            ctx.set(dut.step, 0)

    simulate(dut, bench)


def test_bits_hold_every_slot_and_phase():
    assert (slot_bits(MORE), phase_bits(MORE)) == (2, 3)
    assert (slot_bits(MORE[1:2]), phase_bits(MORE[1:2])) == (1, 1)
