"""Image port: layout, framing, one beat in every clock."""

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Network
from hw.gateware.ports.image_port import ImagePort
from hw.host_interface.stream_format import pack_image

MAP = Network("map", (2, 9, 10), (Conv("a", 2, 3, 3, padding=1),))  # 9 × 10: rows end within a beat
BATCH = 3
CONFIG = AcceleratorConfig(4, 3, BATCH, 8)


@pytest.mark.parametrize("misplaced", [None, 0, 30])
def test_image_port_fills_the_first_map(simulate, misplaced):
    """``misplaced``: a beat with a tlast it should not have."""
    compiled, rng = compile_program(random_artifact(MAP, kind="dense"), CONFIG), np.random.default_rng(2)
    dut, source = ImagePort(compiled), compiled.layers[0].source
    images = rng.integers(0, 256, (BATCH, 2, 9, 10), dtype=np.uint8)
    beats = [np.frombuffer(pack_image(image), dtype="<u4") for image in images]
    memory = np.full(compiled.memory_lines * 8 + 16, 7, dtype=np.uint8)
    errors = []

    async def bench(ctx):
        ctx.set(dut.images, BATCH)
        await ctx.tick()  # constants of the layer are registered
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        todo = [(int(b), k == len(one) - 1) for one in beats for k, b in enumerate(one)]
        number, offset = 0, 0
        while ctx.get(dut.busy) or ctx.get(dut.w_en):
            if ctx.get(dut.w_en):
                place = ctx.get(dut.w_line) * 8 + offset
                for i in range(4):
                    if ctx.get(dut.w_mask) >> i & 1:
                        memory[place + i] = ctx.get(dut.w_pixels[i])
            offer = number < len(todo) and rng.random() < 0.7
            ctx.set(dut.stream.tvalid, int(offer))
            if offer:
                data, last = todo[number]
                ctx.set(dut.stream.tdata, data)
                ctx.set(dut.stream.tlast, int(last) ^ int(number == misplaced))
                assert ctx.get(dut.stream.tready)
                errors.append(ctx.get(dut.framing_error))
                number += 1
            assert ctx.get(dut.w_next) == offer
            offset = ctx.get(dut.w_offset)
            await ctx.tick()

    simulate(dut, bench)
    lines = memory[: source.base * 8 + BATCH * source.lines * 8].reshape(-1, 8)[source.base :]
    stored = lines.reshape(BATCH, 2, 9, source.lines_per_row * 8)
    np.testing.assert_array_equal(stored[..., :10], images)
    assert (stored[..., 10:] == 7).all(), "what pads a beat is written"
    assert [i for i, error in enumerate(errors) if error] == ([] if misplaced is None else [misplaced])
