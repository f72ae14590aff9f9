"""The core: what saturates in the drain and in the pixels, both ways, and runs of a part of the layers."""

import re
from dataclasses import replace

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Fragment

from hw.contract.artifact import LayerWeights, random_artifact
from hw.contract.network import Conv, Dense, Network
from hw.gateware.core import Core
from hw.gateware.primitives.shared import Emitter
from hw.util.errors import LinkError
from sim import model
from tests.hw.gateware.whole import Bench, compiled

NETWORK = Network(
    "limits",
    (2, 4, 5),
    (
        Conv("a", 2, 4, 3, padding=1, relu=False),
        Conv("b", 4, 4, 1, pool=2),
        Dense("c", 4 * 2 * 2, 4, relu=False),
    ),
)
DRAINED = (1 << 17) - 1


def loud(artifact, by):
    """The artifact with sums that many bits too large for the drain in some channels, of both signs."""
    layers = {}
    for name, w in artifact.layers.items():
        shift, bias = w.shift.astype(int).copy(), w.bias.copy()
        shift[: len(shift) // 2] = np.maximum(0, shift[: len(shift) // 2] - by)
        bias[0], bias[-1] = -(2**31), 2**31 - 1
        layers[name] = LayerWeights(w.weight, bias, shift)
    return replace(artifact, layers=layers)


def test_sums_and_pixels_saturate_as_in_the_model():
    artifact = loud(random_artifact(NETWORK, seed=5, kind="dense"), 6)
    program = compiled(artifact, rows=4, lanes=2, batch=2, line_pixels=8)
    images = np.zeros((2, 2, 4, 5), np.uint8)
    images[0], images[1, 0] = 255, 255
    trace = model.trace(artifact, images)
    drained = np.concatenate([layer.drained.reshape(-1) for layer in trace.values()])
    assert (drained.min(), drained.max()) == (-DRAINED - 1, DRAINED)
    assert (trace["a"].output.min(), trace["a"].output.max()) == (-128, 127)
    assert (trace["b"].output.min(), trace["b"].output.max()) == (0, 255)
    scores = trace["c"].output
    assert (scores.min(), scores.max()) == (-DRAINED - 1, DRAINED)

    async def test(link, driver):
        return await driver.run(images)

    np.testing.assert_array_equal(Bench(program).run(test), model.run(artifact, images))


@pytest.mark.parametrize("layers", [(0, 0), (1, 1), (1, 2), (2, 2)])
def test_a_run_of_some_layers_takes_and_gives_their_maps(layers):
    artifact = random_artifact(NETWORK, seed=6)
    program = compiled(artifact, rows=4, lanes=2, batch=2, line_pixels=8)
    images = np.random.default_rng(1).integers(0, 256, (2, 2, 4, 5), dtype=np.uint8)
    outputs = [layer.output for layer in model.trace(artifact, images).values()]
    first, last = layers
    given = images if first == 0 else outputs[first - 1].astype(np.uint8)

    async def test(link, driver):
        found = await driver.run(given, layers=layers)
        return found, await driver.counters()

    found, counters = Bench(program).run(test)
    wanted = model.run(artifact, images) if last == 2 else outputs[last]
    np.testing.assert_array_equal(found, wanted)
    ran = [first <= n <= last for n in range(3)]
    assert [layer.cycles > 0 for layer in counters.layers] == ran
    assert [layer.steps > 0 for layer in counters.layers] == ran
    # A layer's first step comes four clocks after its begin, the MAC controller is busy one after it; then
    # the weight memory has a step in every clock.
    assert counters.mac_wait_weights == 3 * sum(ran)
    assert counters.mac_steps == sum(layer.steps for layer in counters.layers)


@pytest.mark.parametrize("wrong", [-2, -1])
def test_a_frame_of_another_length_is_told_of_until_the_next_start(wrong):
    """``tlast`` a beat too early as well, or not at all: counted beats make the images all the same."""
    artifact = random_artifact(NETWORK, seed=6)
    program = compiled(artifact, rows=4, lanes=2, batch=2, line_pixels=8)
    images = np.random.default_rng(1).integers(0, 256, (2, 2, 4, 5), dtype=np.uint8)

    async def test(link, driver):
        send = link.send

        async def cut(frame):
            await send(frame)
            beat, last = link.images[wrong]
            link.images[wrong] = beat, not last

        link.send = cut
        with pytest.raises(LinkError, match="tlast of an image at a wrong place"):
            await driver.run(images)
        link.send = send
        return await driver.run(images)

    np.testing.assert_array_equal(Bench(program).run(test), model.run(artifact, images))


def test_an_abort_resets_modules_that_are_emitted_once_as_well():
    """``ResetInserter`` reaches no instance: where Verilog is emitted, lanes have a reset of their own."""
    program = compiled(random_artifact(NETWORK, seed=6), rows=4, lanes=2, batch=2, line_pixels=8)
    emitter = Emitter("top")
    core = rtlil.convert(Core(program), platform=emitter, emit_src=False)
    while emitter.pending:
        Fragment.get(emitter.pending.pop()[1], emitter)  # Amaranth warns of blocks that are never elaborated
    resets = re.findall(r"cell \\top_lane .*?connect \\rst (\S+)", core, re.S)
    assert len(resets) == 2
    for reset in resets:
        sources = rf"connect \\A \\rst \[0\]\n +connect \\B \\(\w+) \[0\]\n +connect \\Y {re.escape(reset)}\n"
        found = re.search(sources, core)
        assert found, "no second source of a lane's reset"
        register = found[1]
        assert re.search(rf"connect \\D \\abort \[0\]\n.*\n +connect \\Q \\{register}\n", core)
