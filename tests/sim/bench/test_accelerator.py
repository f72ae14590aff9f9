"""The whole accelerator on Verilator: every result equals the integer model, every clock the cost model."""

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.contract.design import DesignInfo
from hw.cost.cycles import activities, run_cycles, total_cycles
from hw.cost.weight_arrival import MEMORY_LATENCY
from hw.util.errors import Spec2Error
from sim import model, rtl
from sim.bench.job import Memory
from sim.rtl.simulation import FACTOR
from tests.sim.bench.accelerators import images

pytestmark = pytest.mark.verilator

CASES = [
    ("tiny", "adaptive", 8, 4, 4, 0, {}),
    ("map", "kernel", 8, 4, 2, 0, {}),
    ("kernels", "dense", 4, 2, 1, 0, {}),
    ("sections", "adaptive", 4, 10, 2, 64, {"stream_bits": 128, "name": "digits"}),
    ("graph", "adaptive", 8, 4, 2, 0, {}),
]
SLOW = [
    ("beside", "adaptive", 4, 10, 5, 64, {"stream_bits": 256}),
    ("channels", "kernel", 8, 3, 2, 0, {}),
    ("tiny", "kernel", 4, 3, 2, 0, {}),
    ("tiny", "dense", 16, 6, 5, 0, {}),
    ("map", "adaptive", 12, 7, 3, 0, {}),
    ("kernels", "kernel", 8, 5, 2, 0, {}),
    ("tiny", "adaptive", 32, 3, 3, 0, {}),
    ("channels", "kernel", 32, 3, 2, 0, {}),
    ("deep", "adaptive", 8, 4, 1, 8, {"feature_memory": "ultra", "spectrum_memory": "ultra"}),
]


def with_slow(cases, slow):
    return cases + [pytest.param(*case, marks=pytest.mark.slow) for case in slow]


def waited(program, size):
    """Clocks that the array waits in a run, by what for, of all layers together."""
    did = [its for layer in activities(program, size) for its in layer]
    return {kind: sum(its.waits[kind] for its in did) for kind in ("fetch", "output", "weights")}


@pytest.mark.parametrize(
    ("network", "kind", "rows", "lanes", "batch", "line", "options"), with_slow(CASES, SLOW)
)
def test_results_and_clocks(accelerator, network, kind, rows, lanes, batch, line, options):
    folder, artifact = accelerator(network, kind, rows, lanes, batch, line, **options)
    pictures = images(network, 2 * batch + 1)
    expected = model.run(artifact, pictures)

    # Undisturbed, back to back, the last run with a single image: the clocks are those of the model.
    free = rtl.simulate(folder, pictures)
    np.testing.assert_array_equal(free.scores, expected)
    program = compile_program(artifact, DesignInfo.load(folder).config)
    assert program.run_ahead == (kind == "kernel")
    for counters, size in zip(free.counters, (batch, batch, 1), strict=True):
        predicted = run_cycles(program, size)
        assert [layer.cycles for layer in counters.layers] == [layer.cycles for layer in predicted]
        assert [layer.steps for layer in counters.layers] == [layer.steps for layer in predicted]
        assert abs(counters.cycles - total_cycles(program, size)) <= 1
        waits = waited(program, size)
        assert counters.mac_wait_x == waits["fetch"]
        assert counters.mac_wait_drain + counters.mac_wait_y == waits["output"]
        assert waits["weights"] == 0  # counted are the clocks until the first step of every layer

    # Every port paused at random, one run cut off by a reset.
    stalled = rtl.simulate(folder, pictures, stalls=True, seed=3, reset_midway=True)
    np.testing.assert_array_equal(stalled.scores, expected)


STREAMED = [("tiny", "adaptive", 8, 4, 2, 0, {"bus_bits": 128, "memories": 2})]
STREAMED_SLOW = [
    ("channels", "kernel", 32, 3, 2, 0, {"narrow": (("b", 5),)}),
    ("tiny", "adaptive", 8, 4, 4, 0, {"bus_bits": 32, "narrow": (("conv1", 4), ("conv2", 7), ("fc1", 2))}),
    ("beside", "kernel", 4, 10, 4, 64, {"stream_bits": 256}),
    ("graph", "kernel", 8, 3, 2, 0, {"bus_bits": 64}),
    ("tiny", "kernel", 8, 4, 4, 0, {}),
    ("sections", "adaptive", 4, 10, 1, 64, {}),
]


@pytest.mark.parametrize(
    ("network", "kind", "rows", "lanes", "batch", "line", "options"), with_slow(STREAMED, STREAMED_SLOW)
)
def test_weights_from_external_memory(accelerator, network, kind, rows, lanes, batch, line, options):
    """Every weight is read once per run, whatever memory's latency, pace and stalls; results are the same."""
    folder, artifact = accelerator(network, kind, rows, lanes, batch, line, stream_weights=True, **options)
    pictures = images(network, 2 * batch + 1)
    expected = model.run(artifact, pictures)
    program = compile_program(artifact, DesignInfo.load(folder).config)
    assert any(plan.weights_stay for plan in program.layers)

    fast = rtl.simulate(folder, pictures, memory=Memory(latency=MEMORY_LATENCY))
    np.testing.assert_array_equal(fast.scores, expected)
    for counters, size in zip(fast.counters, (batch, batch, 1), strict=True):
        assert counters.weight_beats == program.stream.table_beats + sum(program.stream.layer_beats)
        predicted = run_cycles(program, size)
        assert [layer.cycles for layer in counters.layers] == [layer.cycles for layer in predicted]
        assert abs(counters.cycles - total_cycles(program, size)) <= 1
        # What several are wanting for the hardware and the model call differently; there are as many clocks.
        counted = counters.mac_wait_x + counters.mac_wait_drain + counters.mac_wait_y
        assert counted + counters.mac_wait_weights == sum(waited(program, size).values())

    slow = rtl.simulate(folder, pictures, memory=Memory(latency=300, gap=9))
    np.testing.assert_array_equal(slow.scores, expected)
    assert slow.counters[0].mac_wait_weights > fast.counters[0].mac_wait_weights
    # A run of more clocks than any may take whose weights do not wait for memory, which does not hang. With
    # two memories the longest gap there is.
    most = FACTOR * DesignInfo.load(folder).estimates["cycles"]
    gap = 255 if "memories" in options else -(-most // sum(program.stream.layer_beats))
    slowest = rtl.simulate(folder, pictures[:1], memory=Memory(latency=3000, gap=gap))
    np.testing.assert_array_equal(slowest.scores, expected[:1])
    assert slowest.cycles > most
    # Stalls everywhere, and a reset while bursts are on their way.
    stalled = rtl.simulate(
        folder, pictures, stalls=True, seed=5, reset_midway=True, memory=Memory(latency=40)
    )
    np.testing.assert_array_equal(stalled.scores, expected)


BANDED = [
    (16, 3500, {}),
    pytest.param(64, 1200, {"stream_weights": True, "bus_bits": 64}, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("line", "limit", "options"), BANDED)
def test_layers_in_bands(accelerator, line, limit, options):
    """The early layers in turns, in a memory that does not hold their maps: the same results."""
    folder, artifact = accelerator("bands", "adaptive", 4, 6, 2, line, memory_lines=limit, **options)
    program = compile_program(artifact, DesignInfo.load(folder).config)
    assert len(program.layers) > len(program.network.layers)
    assert program.memory_lines <= limit
    pictures = images("bands", 3)
    expected = model.run(artifact, pictures)
    free = rtl.simulate(folder, pictures, memory=Memory(latency=MEMORY_LATENCY))
    np.testing.assert_array_equal(free.scores, expected)
    for counters, size in zip(free.counters, (2, 1), strict=True):
        predicted = run_cycles(program, size)
        assert [layer.cycles for layer in counters.layers] == [layer.cycles for layer in predicted]
        assert [layer.steps for layer in counters.layers] == [layer.steps for layer in predicted]
        assert abs(counters.cycles - total_cycles(program, size)) <= 1
    stalled = rtl.simulate(folder, pictures, stalls=True, seed=5, reset_midway=True)
    np.testing.assert_array_equal(stalled.scores, expected)
    # Part of the network: all layers in bands, or those after them.
    after = max(number for number in program.numbers if program.numbers.count(number) > 1) + 1
    maps = [layer.output for layer in model.trace(artifact, pictures).values()]
    given = maps[after - 1].astype(np.uint8)
    np.testing.assert_array_equal(rtl.simulate(folder, given, layers=(after, 3)).scores, expected)
    with pytest.raises(Spec2Error, match="made in row bands"):
        rtl.simulate(folder, pictures, layers=(0, 0))


def test_pixels_in_bands_have_the_sign_of_the_layer_before(accelerator):
    """Of the network, not of the layer program: there an entry follows the last layer of its segment."""
    folder, artifact = accelerator("signs", "adaptive", 4, 2, 1, 16, memory_lines=270)
    program = compile_program(artifact, DesignInfo.load(folder).config)
    signs, wrong = [len(channels) > 0 for channels in program.signed_channels], set()
    for number, sign, before in zip(program.numbers[1:], signs[1:], program.layers, strict=False):
        if sign == before.layer.relu:  # another sign than that of what the entry before made
            wrong.add((number, sign))
    assert wrong == {(2, True), (3, True), (4, False), (5, False)}
    pictures = images("signs", 2)
    maps = [layer.output for layer in model.trace(artifact, pictures).values()]
    assert all(map_.min() < 0 for map_ in (maps[1], maps[2], maps[5])) and maps[3].max() > 127
    np.testing.assert_array_equal(rtl.simulate(folder, pictures).scores, maps[-1])


WIDE = {"stream_weights": True, "stream_bits": 256}


@pytest.mark.parametrize(
    ("network", "size", "options", "parts"),
    [
        ("tiny", ("adaptive", 8, 4, 4), {}, [(0, 0), (1, 2), (2, 2), (3, 3), (0, 2)]),
        pytest.param(
            *("beside", ("kernel", 4, 10, 4, 64), WIDE, [(0, 0), (1, 1), (2, 3), (4, 4)]),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_every_part_of_the_network_runs_alone(accelerator, network, size, options, parts):
    """Any first and last layer: the map that goes in is the model's, the one that comes out must be."""
    folder, artifact = accelerator(network, *size, **options)
    pictures = images(network, 4)
    maps = [pictures, *(layer.output for layer in model.trace(artifact, pictures).values())]
    program = compile_program(artifact, DesignInfo.load(folder).config)
    for first, last in parts:
        given = maps[first].astype(np.int8 if maps[first].min() < 0 else np.uint8).view(np.uint8)
        found = rtl.simulate(folder, given, layers=(first, last))
        np.testing.assert_array_equal(found.scores, maps[last + 1])
        (run,) = found.counters
        assert abs(run.cycles - total_cycles(program, 4, (first, last))) <= 1
        idle = [layer.cycles for i, layer in enumerate(run.layers) if not first <= i <= last]
        assert not any(idle)


def test_every_part_of_a_graph_runs_alone(accelerator):
    """A layer is given all that it reads as one map. Longer parts read nothing that they do not make or get
    with their first layer's."""
    folder, artifact = accelerator("graph", "adaptive", 8, 4, 2)
    pictures, network = images("graph", 2), artifact.network
    maps = [pictures, *model.maps(artifact, pictures)]
    program = compile_program(artifact, DesignInfo.load(folder).config)
    count = len(network.layers)
    for first, last in (*((i, i) for i in range(count)), (1, 2), (4, 5), (0, count - 1)):
        read = [maps[number].astype(np.uint8) for number in network.sources[first]]
        found = rtl.simulate(folder, np.concatenate(read, axis=1), layers=(first, last))
        np.testing.assert_array_equal(found.scores, maps[last + 1])
        (run,) = found.counters
        assert abs(run.cycles - total_cycles(program, 2, (first, last))) <= 1
    with pytest.raises(Spec2Error, match="layer 3 also reads what other layers make"):
        rtl.simulate(folder, maps[1], layers=(1, 3))
