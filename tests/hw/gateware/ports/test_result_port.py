"""Result ports: layouts, framing, back pressure, at every width."""

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.latencies import MAP_START
from hw.contract.network import Dense, Network
from hw.gateware.ports.result_port import MapPort, ScorePort
from hw.host_interface.stream_format import pack_scores, unpack_maps
from tests.hw.gateware.programs import position_of
from tests.hw.gateware.streams import MAP, PORTS, frame_of, port_program

SCORES = Network("scores", (1, 4, 4), (Dense("a", 16, 3, relu=False),))
BATCH = 3


def program(network, bits=32):
    config = AcceleratorConfig(4, 3, BATCH, max(8, bits // 8), stream_bits=bits)
    return compile_program(random_artifact(network, kind="dense"), config)


def collect(ctx, dut, beats, rng, share=0.5):
    """Accept a beat or not; note it."""
    ready = int(rng.random() < share)
    ctx.set(dut.stream.tready, ready)
    if ready and ctx.get(dut.stream.tvalid):
        beats.append((ctx.get(dut.stream.tdata), ctx.get(dut.stream.tlast)))


@pytest.mark.parametrize("bits", [32, 64, 256])
def test_scores_leave_class_by_class_with_one_last(simulate, bits):
    """Negative ones, too: above its 32 bits a score is zero, whatever its sign."""
    rng = np.random.default_rng(3)
    dut, beats = ScorePort(program(SCORES, bits), 26), []
    scores = rng.integers(-(2**17), 2**17, (2, 3))  # two images of at most three

    async def bench(ctx):
        ctx.set(dut.images, 2)
        for _ in range(2):  # two runs
            for value in scores.T.reshape(-1):
                ctx.set(dut.valid, 1)
                ctx.set(dut.score, int(value))
                collect(ctx, dut, beats, rng)
                await ctx.tick()
            ctx.set(dut.valid, 0)
            for _ in range(60):
                collect(ctx, dut, beats, rng)
                await ctx.tick()

    simulate(dut, bench)
    assert len(beats) == 12
    assert [last for _, last in beats] == 2 * ([0] * 5 + [1])
    assert frame_of([beat for beat, _ in beats[6:]], bits // 8) == pack_scores(scores, bits // 8)
    assert min(scores.reshape(-1)) < 0


@pytest.mark.parametrize("name", list(PORTS))
def test_map_port_reads_the_map_under_back_pressure(simulate, name):
    """Two runs: of all images to a host that stalls, and of one to a host that does not."""
    rng, compiled = np.random.default_rng(4), port_program(name)
    latency, line, beat = 5, compiled.config.line_pixels, compiled.config.stream_pixels
    dut, dest, batch = MapPort(compiled, latency), compiled.layers[0].dest, compiled.config.batch
    memory = rng.integers(0, 256, (compiled.memory_lines + 2) * line, dtype=np.uint8)
    c, h, w = dest.shape

    async def run(ctx, images, share):
        beats = []
        ctx.set(dut.images, images)
        await ctx.tick()
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        asked = [0] * latency
        while not (beats and beats[-1][1]):
            asked.append(ctx.get(dut.r_line) * line + ctx.get(dut.r_offset))
            ctx.set(dut.pixels, memory[asked[-1 - latency] :][:line].tolist())
            collect(ctx, dut, beats, rng, share)
            await ctx.tick()
        expected = np.zeros((images, c, h, w), np.uint8)
        for image, channel, y in np.ndindex(images, c, h):
            first, pixel = position_of(dest, image, channel, y)
            expected[image, channel, y] = memory[first * line + pixel :][:w]
        data = frame_of([value for value, _ in beats], beat)
        np.testing.assert_array_equal(
            unpack_maps(data, images, dest.shape, signed=False, beat=beat), expected
        )

    async def bench(ctx):
        await run(ctx, batch, 0.5)
        await run(ctx, 1, 1)

    simulate(dut, bench)


@pytest.mark.parametrize("clocks", [3, 9, 20])
def test_no_beat_of_before_a_reset_comes_after_it(simulate, clocks):
    """However short the reset is: reads that are on their way through memory are forgotten, too."""
    dut, reset = MapPort(program(MAP), 5), Signal()

    async def bench(ctx):
        ctx.set(dut.images, 1)
        ctx.set(dut.stream.tready, 1)
        await ctx.tick()
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for _ in range(clocks):
            await ctx.tick()
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        for _ in range(20):
            assert not ctx.get(dut.stream.tvalid)
            await ctx.tick()

    simulate(ResetInserter(reset)(dut), bench)


@pytest.mark.parametrize(("classes", "batch", "words"), [(3, 3, 16), (4, 2, 8), (1, 1, 2)])
def test_the_queue_holds_all_scores_of_a_run_and_no_more(widths, classes, batch, words):
    """Rounded up to a power of two; the last word is the register at the queue's end."""
    network = Network("scores", (1, 4, 4), (Dense("a", 16, classes, relu=False),))
    made = compile_program(random_artifact(network, kind="dense"), AcceleratorConfig(4, 3, batch, 8))
    assert widths(ScorePort(made, 26))["storage"] == words - 1


@pytest.mark.parametrize(("latency", "words"), [(5, 16), (6, 16), (7, 32)])
def test_the_queue_holds_the_beats_of_two_latencies(widths, latency, words):
    """What is asked for before the first answer comes, and as much again while that is sent."""
    assert widths(MapPort(program(MAP), latency))["storage"] == words - 1


@pytest.mark.parametrize("latency", [3, 6])
def test_the_first_beat_comes_when_the_cost_model_says(simulate, latency):
    """The cost model's clocks are those between start and beat, and the one in front of the start."""
    dut = MapPort(program(MAP), latency)

    async def bench(ctx):
        ctx.set(dut.images, 1)
        ctx.set(dut.stream.tready, 1)
        await ctx.tick().repeat(2)
        ctx.set(dut.start, 1)
        clocks = 0
        while not ctx.get(dut.stream.tvalid):
            await ctx.tick()
            ctx.set(dut.start, 0)
            clocks += 1
        assert clocks == latency + MAP_START - 1

    simulate(dut, bench)
