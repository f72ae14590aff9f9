"""Image port: layout, framing, one beat in every clock, at every width."""

import numpy as np
import pytest

from hw.gateware.ports.image_port import ImagePort
from hw.host_interface.stream_format import pack_image
from tests.hw.gateware.programs import position_of
from tests.hw.gateware.streams import PORTS, beats_of, port_program

EMPTY = 7
"""What lies in memory where nothing was written."""


@pytest.mark.parametrize(
    ("name", "misplaced"), [*((name, None) for name in PORTS), ("map-32", 0), ("map-32", 30), ("map-256", 4)]
)
def test_image_port_fills_the_first_map(simulate, name, misplaced):
    """Back to back, then with gaps. ``misplaced``: a beat with a tlast it should not have."""
    compiled, rng = port_program(name), np.random.default_rng(2)
    dut, source, line = ImagePort(compiled), compiled.layers[0].source, compiled.config.line_pixels
    batch, beat = compiled.config.batch, compiled.config.stream_pixels
    size = (compiled.memory_lines + 1) * line
    errors = []

    async def run(ctx, images, pace):
        memory = np.full(size, EMPTY, dtype=np.uint8)
        frames = [beats_of(pack_image(image, beat), beat) for image in images]
        todo = [(b, k == len(one) - 1) for one in frames for k, b in enumerate(one)]
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        number, offset = 0, 0
        while ctx.get(dut.busy) or ctx.get(dut.w_en):
            if ctx.get(dut.w_en):
                place = ctx.get(dut.w_line) * line + offset
                pixels, mask = ctx.get(dut.w_pixels.as_value()), ctx.get(dut.w_mask)
                for i in range(beat):
                    if mask >> i & 1:
                        memory[place + i] = pixels >> 8 * i & 255
            offer = number < len(todo) and rng.random() < pace
            ctx.set(dut.stream.tvalid, int(offer))
            if offer:
                data, last = todo[number]
                ctx.set(dut.stream.tdata, data)
                ctx.set(dut.stream.tlast, int(last) ^ int(number == misplaced))
                assert ctx.get(dut.stream.tready)
                errors.append((number, ctx.get(dut.framing_error)))
                number += 1
            assert ctx.get(dut.w_next) == offer
            offset = ctx.get(dut.w_offset)
            await ctx.tick()
        assert number == len(todo)
        return memory

    async def bench(ctx):
        ctx.set(dut.images, batch)
        await ctx.tick()  # constants of the layer are registered
        for pace in (1.0, 0.7):
            images = rng.integers(0, 256, (batch, *source.shape), dtype=np.uint8)
            expected = np.full(size, EMPTY, dtype=np.uint8)
            for image, channel, y in np.ndindex(batch, *source.shape[:2]):
                first, pixel = position_of(source, image, channel, y)
                expected[first * line + pixel :][: source.shape[2]] = images[image, channel, y]
            np.testing.assert_array_equal(await run(ctx, images, pace), expected)

    simulate(dut, bench)
    wrong = [number for number, error in errors if error]
    assert wrong == ([] if misplaced is None else [misplaced, misplaced])
