"""Windows of every lane: first pixel in the line, zero outside the map, and the sign of the layer before."""

import numpy as np
import pytest

from hw.contract.spectrum import TILE
from hw.gateware.datapath.window import Window
from tests.hw.gateware.programs import CASES, program, signed_source


def first_pixel(compiled, plan, lane, beyond):
    """First pixel of a lane's window in the line, None where the layer leaves the lane idle."""
    row, column = divmod(lane, plan.lane_columns)
    if row >= plan.lane_rows:
        return None
    if plan.dot:
        return 0
    if plan.packing == 1:
        return column * plan.tile_stride
    below_in_other_image = plan.images > 1 and (row + 1) % plan.source.image_packing == 0
    slot = row if below_in_other_image else (row + beyond) % plan.packing
    return slot * plan.source.slot_pixels + column * plan.tile_stride


@pytest.mark.parametrize("name", list(CASES))
def test_window_of_every_lane_and_instruction(simulate, name):
    compiled, rng = program(name), np.random.default_rng(1)
    line = compiled.config.line_pixels
    variants = set()
    for lane in range(compiled.config.lanes):
        dut = Window(compiled, lane)

        async def bench(ctx, dut=dut, lane=lane):
            for instruction, plan in enumerate(compiled.layers):
                ctx.set(dut.layer, instruction)
                ctx.set(dut.beyond, 0)
                await ctx.tick().repeat(2)
                before = 0
                for clock in range(24):
                    pixels = rng.integers(0, 256, line)
                    mask = rng.random(line) < 0.7
                    inside, beyond = int(rng.random() < 0.8), int(rng.random() < 0.5)
                    ctx.set(dut.pixels, pixels.tolist())
                    ctx.set(dut.mask, sum(int(bit) << i for i, bit in enumerate(mask)))
                    ctx.set(dut.inside, inside)
                    sign = bool(rng.choice(signed_source(compiled, instruction)))
                    if compiled.mixes_signs:  # which may change from line to line
                        ctx.set(dut.signed, int(sign))
                    ctx.set(dut.beyond, beyond)  # for the next line
                    await ctx.tick()
                    first = first_pixel(compiled, plan, lane, before)
                    before = beyond
                    if first is None or not clock:
                        continue
                    signed = pixels.astype(np.uint8).astype(np.int8) if sign else pixels
                    step = plan.layer.sampling
                    wanted = np.where(mask & bool(inside), signed, 0)[first : first + TILE * step : step]
                    found = ctx.get(dut.window.as_value())
                    raw = [found >> 9 * i & 0x1FF for i in range(TILE)]
                    assert [pixel - 512 if pixel > 255 else pixel for pixel in raw] == wanted.tolist()

        simulate(dut, bench)
        assert dut.latency == 1  # as measured above
        variants.add(dut.first_pixels)
    assert (len(variants) == 1) == (name == "wide")  # there all lanes are one column
