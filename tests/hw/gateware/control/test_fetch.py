"""Fetch controller and windows: every tile of the integer model reaches its lane, in the order of passes."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract.spectrum import TILE
from hw.gateware.control.fetch import Fetch
from hw.gateware.datapath.window import Window
from sim.model import fetch as model
from tests.hw.gateware.programs import CASES, passes, program, random_maps, signed_source, stored

LATENCY = 5


class Front(wiring.Component):
    """Fetch with the windows of all lanes; feature memory is the test's."""

    def __init__(self, compiled):
        self.fetch, self.mixes_signs = Fetch(compiled, LATENCY), compiled.mixes_signs
        self.windows = [Window(compiled, i) for i in range(compiled.config.lanes)]
        line = compiled.config.line_pixels
        super().__init__({"pixels": In(8 * line), "all": Out(9 * TILE * len(self.windows))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetch = fetch = self.fetch
        for i, window in enumerate(self.windows):
            m.submodules[f"window_{i}"] = window
            m.d.comb += [
                window.layer.eq(fetch.layer),
                window.pixels.as_value().eq(self.pixels),
                window.mask.eq(fetch.mask),
                window.inside.eq(fetch.inside[i]),
                window.beyond.eq(fetch.beyond),
                *([window.signed.eq(fetch.signed[i])] if self.mixes_signs else []),
                self.all[9 * TILE * i :][: 9 * TILE].eq(window.window.as_value()),
            ]
        return m


def line_at(memory, request):
    """What feature memory answers: banks left of the offset, and far ones, from the far line."""
    line, far_line, far, offset = request
    size = memory.shape[1]
    banks = [
        memory[(far_line if far >> bank & 1 or bank < offset else line) % len(memory), bank]
        for bank in range(size)
    ]
    return bytes(banks[offset:] + banks[:offset])


def rows_read(plan):
    """Rows of the map that are there when the instruction reads it: all, or what the ring holds."""
    height = plan.source.shape[1]
    if not plan.source.ring:
        return range(height)
    below = (plan.top_group + plan.group_rows - 1) * plan.group_height - plan.layer.padding
    seen = plan.row_stride if plan.layer.pointwise else TILE
    last = min(height, below + (plan.lane_rows - 1) * plan.row_stride + seen)
    return range(max(0, last - plan.source.ring), last)


def windows_of(plan, maps):
    """Per tile row: the windows (y, 8 x, c, tile column, image) of the integer model; of a pointwise
    convolution as many rows as its tiles have."""
    if not plan.layer.pointwise:
        padded = model.pad(maps.transpose(1, 2, 3, 0), plan.layer)
        return [model.windows(padded, plan.layer, row) for row in range(plan.tile_rows)]
    step, rows = plan.layer.sampling, plan.rows_made
    pixels = maps[:, :, ::step, ::step].transpose(2, 3, 1, 0)
    pixels = np.pad(pixels, ((0, TILE), (0, TILE), (0, 0), (0, 0)))
    pixels = pixels[: plan.tile_rows * rows, : plan.tile_columns * TILE]
    parts = pixels.reshape(plan.tile_rows, rows, plan.tile_columns, TILE, *pixels.shape[2:])
    return list(parts.transpose(0, 1, 3, 4, 2, 5))


def order_of(compiled, instruction):
    """The channels of an instruction's tile group in the order in which they are fetched."""
    channels = compiled.layers[instruction].source.shape[0]
    first = compiled.head_starts[instruction].first_channel
    return [*range(first, channels), *range(first)]


def tiles_of(plan, maps, images, order):
    """Per pass and input channel in ``order``: {lane: pixels} of lanes with a tile."""
    rows_of_image = plan.source.image_packing if plan.images > 1 else plan.lane_rows
    windows = windows_of(plan, maps)
    for _, group_row, column, stack in passes(plan, images, blocks=False, dot_images=True):
        for channel in order:
            found = {}
            for lane in range(plan.lane_rows * plan.lane_columns):
                row, q = divmod(lane, plan.lane_columns)
                image = stack * plan.images + row // rows_of_image
                y = (plan.top_group + group_row) * rows_of_image + row % rows_of_image
                x = column * plan.lane_columns + q
                if image < images and y < plan.tile_rows and x < plan.tile_columns:
                    found[lane] = windows[y][:, :, channel, x, image]
            yield found


def run(simulate, compiled, instruction, images, memory, rng=None):
    """Clock by clock: what leaves the memory's side and, a clock later, the windows of all lanes.

    ``rng``: halves are free at random, lines wait at random ends of channels and groups; else never.
    """
    dut, plan, log = Front(compiled), compiled.layers[instruction], []
    fetch = dut.fetch
    expected = len(passes(plan, images, blocks=False, dot_images=True))
    clocks = expected * (plan.source.shape[0] * plan.lines_per_channel + 1)

    async def bench(ctx):
        ctx.set(fetch.layer, instruction)
        ctx.set(fetch.images, images)
        await ctx.tick().repeat(3)
        ctx.set(fetch.start, 1)
        await ctx.tick()
        ctx.set(fetch.start, 0)
        asked, idle, taken, paused = [], 0, 0, False
        while idle < LATENCY + TILE + 4:
            ctx.set(fetch.half_free, int(rng is None or rng.random() < 0.3))
            opens = rng is None or rng.random() < 0.3
            ctx.set(fetch.open, int(opens))
            ends = {name: ctx.get(getattr(fetch, name)) for name in ("channel_ends", "group_ends", "done")}
            # Up in other clocks as well: what pauses is known before anything ends.
            of_channel, of_group = (bool(rng and rng.random() < 0.3) for _ in range(2))
            ctx.set(fetch.channel_pauses, int(of_channel))
            ctx.set(fetch.group_pauses, int(of_group))
            pauses = bool((of_channel and ends["channel_ends"]) or (of_group and ends["group_ends"]))
            request = [
                ctx.get(port) for port in (fetch.r_line, fetch.r_far_line, fetch.r_far, fetch.r_offset)
            ]
            asked.append(request)
            if len(asked) > LATENCY:
                ctx.set(dut.pixels, int.from_bytes(line_at(memory, asked[-1 - LATENCY]), "little"))
            log.append(
                {
                    name: ctx.get(getattr(fetch, name))
                    for name in ("starts", "channel", "half", "row", "busy", "half_taken", "half_filled")
                }
                | {"window": ctx.get(dut.all), "paused": paused}
                | ends
            )
            taken += log[-1]["half_taken"]
            paused = (paused and not opens) or pauses
            idle = 0 if log[-1]["busy"] or paused or taken < halves(plan, images) else idle + 1
            await ctx.tick()
            assert len(log) < 20 * clocks + 100, "fetch does not end"

    simulate(dut, bench)
    return log


def ends_of(log):
    """The clocks of the pulses that tell what ends."""
    names = ("channel_ends", "group_ends", "done")
    return {name: [clock for clock, sample in enumerate(log) if sample[name]] for name in names}


def halves(plan, images):
    return 1 if plan.dot else len(passes(plan, images, blocks=False))


def window_of(value, lane):
    """The 8 pixels of a lane, signed, out of all windows."""
    bits = value >> 9 * TILE * lane
    raw = [bits >> 9 * i & 0x1FF for i in range(TILE)]
    return [pixel - 512 if pixel > 255 else pixel for pixel in raw]


CONV = [
    (name, streamed, instruction)
    for name in CASES
    for streamed in (False, True)
    for instruction, plan in enumerate(program(name, streamed).layers)
    if not plan.dot and (not streamed or (plan.weights_stay and plan.blocks > 1))
]


@pytest.mark.parametrize(("name", "streamed", "instruction"), CONV)
def test_every_lane_gets_the_tiles_of_the_model(simulate, name, streamed, instruction):
    compiled, rng = program(name, streamed), np.random.default_rng(instruction)
    plan, images = compiled.layers[instruction], compiled.config.batch
    maps = random_maps(plan.source, images, signed_source(compiled, instruction), rng)
    log = run(
        simulate, compiled, instruction, images, stored(compiled, plan.source, maps, rows_read(plan), rng)
    )

    order = order_of(compiled, instruction)
    tiles, channels = list(tiles_of(plan, maps, images, order)), plan.source.shape[0]
    channel_of = len(tiles) // channels * order
    skews = [row * plan.rows_made if plan.packing == 1 else 0 for row in range(plan.lane_rows)]
    for lane in range(compiled.config.lanes):
        starts = [clock for clock, sample in enumerate(log) if sample["starts"] >> lane & 1]
        if lane >= plan.lane_rows * plan.lane_columns:
            assert not starts, "an idle lane starts"
            continue
        assert len(starts) == len(tiles)
        lead = [clock for clock, sample in enumerate(log) if sample["starts"] & 1]
        assert starts == [clock + skews[lane // plan.lane_columns] for clock in lead]
        for n, (clock, wanted) in enumerate(zip(starts, tiles, strict=True)):
            assert (log[clock]["channel"], log[clock]["half"]) == (channel_of[n], n // channels % 2)
            if lane in wanted:
                found = [window_of(log[clock + 1 + y]["window"], lane) for y in range(len(wanted[lane]))]
                np.testing.assert_array_equal(found, wanted[lane], f"tile {n} of lane {lane}")
    assert any(tiles)

    # A line in every clock but one per half.
    lines = channels * plan.lines_per_channel
    count = halves(plan, images)
    assert [sample["busy"] for sample in log][: count * (lines + 1)] == count * [0, *(lines * [1])]
    assert sum(sample["busy"] for sample in log) == count * lines
    assert [clock for clock, sample in enumerate(log) if sample["half_taken"]] == [
        n * (lines + 1) for n in range(count)
    ]
    assert [clock for clock, sample in enumerate(log) if sample["half_filled"]] == [
        (n + 1) * (lines + 1) - 1 + LATENCY for n in range(count)
    ]
    ends = ends_of(log)
    assert ends["group_ends"] == [(n + 1) * (lines + 1) - 1 for n in range(count)]
    assert ends["channel_ends"] == [
        n * (lines + 1) + (c + 1) * plan.lines_per_channel for n in range(count) for c in range(channels)
    ]
    assert ends["done"] == ends["group_ends"][-1:]


@pytest.mark.parametrize(
    ("name", "images"), [("plain", 1), ("plain", 3), ("beside", 1), ("beside", 3), ("graph", 2)]
)
def test_fully_connected_layers_take_an_image_per_lane(simulate, name, images):
    compiled, rng = program(name), np.random.default_rng(images)
    instruction, plan = next((i, plan) for i, plan in enumerate(compiled.layers) if plan.dot)
    maps = random_maps(plan.source, images, signed_source(compiled, instruction), rng)
    memory = stored(compiled, plan.source, maps, range(plan.source.shape[1]), rng)
    log = run(simulate, compiled, instruction, images, memory)
    _, height, width = plan.source.shape
    found = np.full((images, plan.source.shape[0], plan.lines_per_channel, TILE), 999)
    for clock, sample in enumerate(log):
        for lane in range(compiled.config.lanes):
            if sample["starts"] >> lane & 1:
                assert sample["half"] == 0
                found[lane, sample["channel"], sample["row"]] = window_of(log[clock + 1]["window"], lane)
    wanted = np.zeros_like(found)
    wanted[:, :, :height, :width] = maps
    np.testing.assert_array_equal(found, wanted)
    assert [sum(sample[name] for sample in log) for name in ("half_taken", "half_filled")] == [1, 1]
    busy = [clock for clock, sample in enumerate(log) if sample["busy"]]
    assert len(busy) == images * plan.source.shape[0] * plan.lines_per_channel == busy[-1] - busy[0] + 1
    each = plan.channels * plan.lines_per_channel
    ends = ends_of(log)
    assert ends["group_ends"] == [busy[0] + (n + 1) * each - 1 for n in range(images)]
    assert ends["done"] == [busy[-1]]


def test_waits_for_free_halves_and_where_it_is_paused_without_losing_a_line(simulate):
    compiled, instruction = program("plain"), 1
    plan, rng = compiled.layers[instruction], np.random.default_rng(0)
    maps = random_maps(plan.source, 2, signed_source(compiled, instruction), rng)
    memory = stored(compiled, plan.source, maps, range(plan.source.shape[1]), rng)
    log = run(simulate, compiled, instruction, 2, memory, rng)
    starts = [clock for clock, sample in enumerate(log) if sample["starts"] & 1]
    for clock, wanted in zip(starts, tiles_of(plan, maps, 2, order_of(compiled, instruction)), strict=True):
        found = [window_of(log[clock + 1 + y]["window"], 0) for y in range(TILE)]
        np.testing.assert_array_equal(found, wanted[0])
    assert sum(sample["paused"] for sample in log) > 20
    assert not any(sample["paused"] and sample["busy"] for sample in log)
    groups = len(passes(plan, 2, blocks=False))
    counts = {name: len(clocks) for name, clocks in ends_of(log).items()}
    channels = groups * plan.source.shape[0]
    assert counts == {"channel_ends": channels, "group_ends": groups, "done": 1}
