"""Small accelerators, whole: results are those of the integer model, clocks those of the cost model."""

import numpy as np
import pytest

from hw.compile.onto import onto
from hw.compile.stream_image import stream_image
from hw.contract.artifact import random_artifact
from hw.contract.formats import Format
from hw.contract.network import Conv, Dense, Network
from hw.contract.network.known import residual_stage
from hw.contract.streamed_weights import PAGE
from hw.cost.weight_arrival import MEMORY_LATENCY
from hw.host.driver import MEMORY, STALE
from hw.host_interface.registers import BATCH, CONTROL, INTERRUPT, INTERRUPT_ENABLE, STATUS, WEIGHTS
from hw.host_interface.stream_format import pack_image
from hw.util.errors import DigestMismatch, LinkError, MemoryFault
from sim import model
from tests.hw.another_model import another
from tests.hw.gateware.whole import WEIGHTS_PAGE, Bench, compiled, predicted

SCORES = Network(
    "scores",
    (2, 7, 9),
    (
        Conv("a", 2, 5, 3, padding=1, pool=2, relu=False),
        Conv("b", 5, 3, 1),
        Dense("c", 3 * 3 * 4, 3, relu=False),
    ),
)
MAPS = Network("maps", (3, 4, 11), (Conv("a", 3, 5, 3, padding=1), Conv("b", 5, 3, 3, padding=1, relu=False)))
BESIDE = Network(
    "beside", (2, 4, 4), (Conv("a", 2, 9, 3, padding=1), Conv("b", 9, 4, 3, padding=1, relu=False))
)
SETS = Network(
    "sets", (2, 8, 12), (Conv("a", 2, 16, 3, padding=1), Conv("b", 16, 14, 3, padding=1, relu=False))
)
SHORTCUT = Network(
    "shortcut",
    (3, 12, 12),
    (Conv("x", 3, 8, 3, padding=1), *residual_stage("s", "x", 8, 16, blocks=2)),
)
"""What is added is fetched first, in front of channels whose windows begin above the map."""
CASES = {
    "shortcut": (SHORTCUT, "adaptive", {"rows": 8, "lanes": 4, "batch": 1}, {}),
    "scores": (SCORES, "adaptive", {"rows": 4, "lanes": 2, "batch": 2, "line_pixels": 8}, {}),
    "maps": (MAPS, "adaptive", {"rows": 4, "lanes": 3, "batch": 1, "line_pixels": 16, "stream_bits": 64}, {}),
    "beside": (BESIDE, "kernel", {"rows": 4, "lanes": 2, "batch": 2, "line_pixels": 16}, {}),
    "streamed": (
        SCORES,
        "adaptive",
        {"rows": 4, "lanes": 2, "batch": 2, "stream_weights": True, "bus_bits": 64, "memories": 2},
        {"a": 5, "c": 3},
    ),
    "sets": (
        SETS,
        "thin",
        {
            **{"rows": 4, "lanes": 2, "batch": 1, "stream_bits": 256},
            **{"stream_weights": True, "bus_bits": 64, "weight_steps": 256},
        },
        {},
    ),
    "packed": (
        SCORES,
        "adaptive",
        {"rows": 4, "lanes": 2, "batch": 2, "line_pixels": 8, "products": "packed", "stream_bits": 64},
        {"a": 6, "b": 5, "c": 6},
    ),
    "packed_ahead": (
        BESIDE,
        "kernel",
        {"rows": 4, "lanes": 2, "batch": 2, "line_pixels": 16, "products": "packed", "stream_bits": 128},
        {"a": 6, "b": 6},
    ),
}
NARROW = {"maps": 8, "streamed": 9, "beside": 13, "scores": 11, "packed": 11, "packed_ahead": 9}
"""Widths of narrow spectra: of batches, rows that run ahead, streamed and narrow weights, packed products."""


def made(name, spectrum_bits=16):
    network, kind, options, bits = CASES[name]
    thin = {"kind": "adaptive", "density": 0.125} if kind == "thin" else {"kind": kind}
    artifact = random_artifact(network, seed=3, layer_bits=bits, spectrum_bits=spectrum_bits, **thin)
    return artifact, compiled(artifact, **options)


def pictures(network, count, seed=0):
    rng = np.random.default_rng(seed)
    out = rng.integers(0, 256, (count, *network.input), dtype=np.uint8)
    out[0] = 255
    return out


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        # Quick in the Verilog: a graph of whole accelerators is among those of tests/sim/bench.
        pytest.param(name, bits, marks=[pytest.mark.slow] * (name == "shortcut"))
        for name, bits in [*((name, 16) for name in CASES), *NARROW.items()]
    ],
)
def test_results_and_clocks(name, bits):
    artifact, program = made(name, bits)
    batch = program.config.batch
    images = pictures(artifact.network, batch)

    async def test(link, driver):
        found = await driver.run(images)
        return found, await driver.counters()

    found, counters = Bench(program, latency=MEMORY_LATENCY).run(test)
    np.testing.assert_array_equal(found, model.run(artifact, images))
    layers, total = predicted(program, batch)
    if not program.config.stream_weights:
        assert [layer.cycles for layer in counters.layers] == layers
    assert abs(counters.cycles - total) <= max(8, 0.02 * total)
    beats = (
        program.stream.table_beats + sum(program.stream.layer_beats) if program.config.stream_weights else 0
    )
    assert counters.weight_beats == beats


def test_a_layer_of_few_weights_makes_several_blocks_of_a_transform():
    *_, program = made("sets")
    assert [(plan.blocks, plan.blocks_per_transform) for plan in program.layers] == [(4, 2), (4, 4)]
    assert all(plan.weights_stay for plan in program.layers)


def test_narrow_designs_saturate_and_shift_to_the_left():
    """What the runs above compare is not idle: words at their limits, sums that are shifted the other way."""
    for name, bits in NARROW.items():
        artifact, program = made(name, bits)
        assert program.spectrum_bits == bits
        first = next(iter(artifact.layers))
        x = model.trace(artifact, pictures(artifact.network, 2))[first].spectra
        low, high = Format(bits).limits
        assert x.min() >= low and x.max() <= high
        assert bits > 11 or ((x == low) | (x == high)).mean() > 0.01
    assert made("maps", 8)[1].drain_lift > 0 and made("beside", 13)[1].run_ahead


def test_a_run_is_busy_from_its_start_to_its_end_and_takes_no_writes():
    artifact, program = made("maps")
    images = pictures(artifact.network, 1)

    async def status(link):
        return STATUS.unpack(await link.read32(STATUS.address()))

    async def test(link, driver):
        before = await status(link)
        await link.write32(CONTROL.address(), CONTROL.pack(start=1))
        waiting = await status(link)
        for register, value in ((CONTROL, CONTROL.pack(start=1)), (BATCH, 1)):
            with pytest.raises(LinkError, match="answered 2"):
                await link.write32(register.address(), value)
        await link.send(pack_image(images[0], program.config.stream_pixels))
        seen = [await status(link)]
        while seen[-1]["busy"]:
            seen.append(await status(link))
        return before, waiting, seen

    before, waiting, seen = Bench(program).run(test)
    assert not before["busy"] and not before["done"]
    assert waiting["busy"] and not waiting["done"]
    assert [one["done"] for one in seen] == [0] * (len(seen) - 1) + [1]


def test_an_error_of_memory_ends_the_run_and_the_next_one_is_right():
    artifact, program = made("streamed")
    images = pictures(artifact.network, 2)

    async def test(link, driver):
        with pytest.raises(LinkError) as error:
            await driver.run(images)
        return str(error.value), await driver.run(images)

    message, found = Bench(program, bad=frozenset({70})).run(test)
    assert message == MEMORY
    np.testing.assert_array_equal(found, model.run(artifact, images))


@pytest.mark.parametrize(
    ("name", "pace"), [("streamed", 0.5), pytest.param("sets", 1.0, marks=pytest.mark.slow)]
)
def test_weights_are_checked_beside_runs_and_the_checksum_is_what_was_read(name, pace):
    """Of all layers and of each, before and after a run, and after an abort in the middle of a check."""
    artifact, program = made(name)
    images = pictures(artifact.network, program.config.batch)
    beats, table = program.stream.layer_beats, program.stream.table_beats

    async def test(link, driver):
        seen = []
        for layer in (None, *range(len(beats)), None):
            seen.append(await driver.check_weights(layer))
            counters = await driver.counters()
            wanted = sum(beats) if layer is None else beats[layer]
            seen.append(counters.weight_beats == table + wanted)
            seen.append(counters.weight_beats < counters.cycles < 400 + 4 * counters.weight_beats)
        await link.write32(CONTROL.address(), CONTROL.pack(check=1))
        busy = STATUS.unpack(await link.read32(STATUS.address()))
        seen.append(busy["busy"] and not busy["leftover"])
        await link.write32(CONTROL.address(), CONTROL.pack(abort=1))
        seen.append(await driver.check_weights(1))
        found = await driver.run(images)
        seen.append(await driver.check_weights())
        return seen, found, await driver.run(images)

    seen, *found = Bench(program, pace=pace).run(test)
    assert all(seen)
    for scores in found:
        np.testing.assert_array_equal(scores, model.run(artifact, images))


def test_another_model_runs_on_the_accelerator():
    """Its biases and shifts come with its weights; of the accelerator's own model nothing is left."""
    artifact, base = made("streamed")
    other = another(artifact)
    program = onto(base, other)
    images = pictures(artifact.network, 2)

    async def test(link, driver):
        return await driver.run(images), await driver.run(images[:1])

    # The Verilog of both is the same (tests/hw/compile/test_onto.py).
    found, again = Bench(program, latency=MEMORY_LATENCY, pace=0.9).run(test)
    expected = model.run(other, images)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(again, expected[:1])
    assert (expected != model.run(artifact, images)).all()


@pytest.mark.parametrize("layer", [0, 1, 2, None])
def test_weights_that_are_not_the_designs_give_no_scores(layer):
    """One bit: the first of a layer, or the last; or one of the channel table."""
    artifact, program = made("streamed")
    images = pictures(artifact.network, 2)

    image = bytearray(stream_image(program))
    if layer is None:
        image[3] ^= 1
    else:
        page, beats = program.stream.layer_pages[layer], program.stream.layer_beats[layer]
        image[page * PAGE + (layer > 0) * (beats * program.stream.bus_bits // 8 - 1)] ^= 1 << 7

    async def again(link, driver):
        with pytest.raises(DigestMismatch) as error:
            await driver.run(images)
        return str(error.value), [await driver.check_weights(number) for number in (None, 0, 1, 2)]

    message, sound = Bench(program, image=bytes(image)).run(again)
    assert message == STALE
    assert sound == [False, *(layer not in (None, number) for number in range(3))]


def test_an_error_of_memory_ends_a_check_without_a_result():
    artifact, program = made("streamed")
    images = pictures(artifact.network, 2)

    async def test(link, driver):
        with pytest.raises(MemoryFault, match="answered a read of weights with an error"):
            await driver.check_weights()
        status = STATUS.unpack(await link.read32(STATUS.address()))
        return status, await driver.check_weights(), await driver.run(images), len(link.frames)

    status, sound, found, frames = Bench(program, bad=frozenset({20})).run(test)
    assert status["memory_error"] and not status["busy"] and not status["leftover"]
    assert sound and frames == 0
    np.testing.assert_array_equal(found, model.run(artifact, images))


async def interrupts(link, clocks=0):
    """The line, with all events enabled, and what has happened, after some clocks; then cleared."""
    if clocks:
        await link.ctx.tick().repeat(clocks)
    line, events = link.ctx.get(link.dut.interrupt), await link.read32(INTERRUPT.address())
    await link.write32(INTERRUPT.address(), events)
    await link.ctx.tick()
    assert not link.ctx.get(link.dut.interrupt)
    return line, {name for name, bit in INTERRUPT.unpack(events).items() if bit}


def test_an_interrupt_comes_when_the_results_are_delivered_and_stays_until_it_is_cleared():
    """Not before: the last beat waits, and so does the line. A host that does not enable it sees nothing."""
    artifact, program = made("maps")
    images = pictures(artifact.network, 1)

    async def test(link, driver):
        lines = []

        async def watch(count):
            for _ in range(count):
                lines.append(link.ctx.get(link.dut.interrupt))
                await link.ctx.tick()

        await driver.run(images)
        await watch(20)
        unknown = max(lines)
        assert await interrupts(link) == (0, {"done"})
        await link.write32(INTERRUPT_ENABLE.address(), INTERRUPT_ENABLE.pack(done=1))
        lines.clear()
        await link.write32(CONTROL.address(), CONTROL.pack(start=1))
        await link.send(pack_image(images[0], program.config.stream_pixels))
        while not link.frames:
            await watch(1)
        early = max(lines[:-1])
        await watch(50)
        assert lines[-40:] == [1] * 40  # a level
        assert STATUS.unpack(await link.read32(STATUS.address()))["busy"] == 0
        return unknown, early, await interrupts(link), await interrupts(link, 20)

    assert Bench(program, pace=0.3).run(test) == (0, 0, (1, {"done"}), (0, set()))


def test_an_interrupt_tells_of_errors_and_an_abort_is_none():
    """Of frames and of memory; an abort takes what is pending with it, and leaves what is enabled."""
    artifact, program = made("streamed")
    images = pictures(artifact.network, 2)
    beat = program.config.stream_pixels

    async def test(link, driver):
        seen = []
        await link.write32(INTERRUPT_ENABLE.address(), INTERRUPT_ENABLE.pack(framing_error=1, memory_error=1))
        await link.write32(WEIGHTS.address(), WEIGHTS_PAGE)
        await link.write32(CONTROL.address(), CONTROL.pack(start=1))
        await link.send(pack_image(images[0], beat))
        while not link.frames:
            await link.ctx.tick()
        seen.append(await interrupts(link, 20))
        link.frames.clear()
        await driver.run(images)
        seen.append(await interrupts(link, 20))
        # An image that ends too early: the run waits for the rest of it, and only the interrupt says so.
        await link.write32(CONTROL.address(), CONTROL.pack(start=1))
        await link.send(pack_image(images[0], beat)[: 2 * beat])
        seen.append(await interrupts(link, 200))
        await link.send(pack_image(images[0], beat)[: 2 * beat])
        await link.ctx.tick().repeat(100)
        await link.write32(CONTROL.address(), CONTROL.pack(abort=1))
        seen.append(await interrupts(link))
        seen.append(await interrupts(link, 100))
        await link.discard()
        seen.append(await link.read32(INTERRUPT_ENABLE.address()))
        found = await driver.run(images)
        return [*seen, await interrupts(link, 20)], found

    bad = frozenset({70})
    seen, found = Bench(program, bad=bad).run(test)
    memory = (1, {"done", "memory_error"})
    assert seen == [
        memory,
        (0, {"done"}),
        (1, {"framing_error"}),
        (0, set()),
        (0, set()),
        0b110,
        (0, {"done"}),
    ]
    np.testing.assert_array_equal(found, model.run(artifact, images))


def test_the_end_of_a_check_is_an_interrupt():
    _, program = made("streamed")

    async def test(link, driver):
        await link.write32(INTERRUPT_ENABLE.address(), INTERRUPT_ENABLE.pack(done=1))
        before = await interrupts(link, 20)
        assert await driver.check_weights()
        return before, await interrupts(link, 20), await interrupts(link, 20)

    assert Bench(program).run(test) == ((0, set()), (1, {"done"}), (0, set()))
