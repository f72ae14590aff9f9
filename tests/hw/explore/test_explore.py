"""The sweep: what it returns fits, nothing beats it, and it says what limits it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Network, lenet, tiny, vgg16
from hw.cost.cycles import total_cycles
from hw.cost.resources import resources
from hw.cost.stages import Stages, layer_work, least_cycles
from hw.explore.bottlenecks import TOLERANCE, next_faster
from hw.explore.device import DRAM_EFFICIENCY, Device
from hw.explore.lengths import Density
from hw.explore.objective import Objective, best, front, speed
from hw.explore.point import Point, evaluate, price
from hw.explore.report import report
from hw.explore.space import Space, in_row_bands, larger, smaller
from hw.explore.sweep import explore
from hw.explore.workload import ModelWorkload, UniformWorkload
from hw.util.errors import ConfigError, DoesNotFit

LABELS = {
    "dsp": "DSP slices",
    "bram36": "RAMB36 blocks",
    "lut": "LUTs",
    "ff": "flip-flops",
    "uram": "UltraRAM",
}
DEVICE = Device(
    "toy", 100e6, {"dsp": 300, "bram36": 150, "lut": 90_000, "ff": 200_000, "uram": 0}, LABELS, 2e9
)
SPACE = Space(rows=(8, 16, 32), lanes=tuple(range(1, 13)), weight_bits=(8, 16))
LENET = UniformWorkload(lenet(), Density())


def test_narrow_spectra_take_less_memory_and_hardly_more_clocks():
    config = AcceleratorConfig(16, 4, 1, stream_weights=True)
    wide, narrow = (UniformWorkload(vgg16(), Density(), bits).program(config, 8) for bits in (16, 11))
    one, other = resources(wide), resources(narrow)
    assert (wide.spectrum_bits, narrow.spectrum_bits, narrow.drain_lift) == (16, 11, 0)
    assert other.bram36 == one.bram36 - 4 * 12, "of 512 channels, 12 a lane"
    assert other.dsp == one.dsp and other.lut < one.lut
    assert total_cycles(wide, 1) < total_cycles(narrow, 1) < 1.001 * total_cycles(wide, 1)


def test_a_model_is_explored_with_the_spectra_it_has():
    artifact = random_artifact(tiny(), spectrum_bits=10)
    config = AcceleratorConfig(8, 2, 1, line_pixels=16)
    explored, compiled = ModelWorkload(artifact).program(config, 8), compile_program(artifact, config)
    assert explored.spectrum_bits == 10 and explored.accumulator_bits == compiled.accumulator_bits
    assert [plan.word_shift for plan in explored.layers] == [plan.word_shift for plan in compiled.layers]
    assert resources(explored) == resources(compiled)


def test_leaky_relus_take_luts_and_no_clocks():
    layers = (replace(tiny().layers[0], leak=3), *tiny().layers[1:])
    config, networks = AcceleratorConfig(8, 2, 1), (tiny(), replace(tiny(), layers=layers))
    without, leaky = (UniformWorkload(network, Density()).program(config, 8) for network in networks)
    assert total_cycles(leaky, 1) == total_cycles(without, 1)
    one, other = resources(without), resources(leaky)
    assert other.lut - one.lut == 2 * 20 * leaky.post_columns and replace(other, lut=one.lut) == one


def point(cycles, dsp, bits, bram=1.0, batch=1):
    needs = {"dsp": float(dsp), "bram36": bram, "lut": 1.0, "ff": 1.0}
    return Point(AcceleratorConfig(8, 4, batch), bits, 1, 0, needs, True, 1000, 1e6, 1, cycles)


POINTS = st.lists(
    st.builds(
        point,
        st.integers(1, 6),
        st.integers(1, 6),
        st.sampled_from([8, 16]),
        st.sampled_from([1.0, 2.0]),
        st.sampled_from([1, 2]),
    ),
    min_size=1,
    max_size=30,
)


def no_worse(one, other, objective):
    """As fast, as small and as wide."""
    return (
        speed(one, objective) >= speed(other, objective)
        and one.dsp <= other.dsp
        and one.weight_bits >= other.weight_bits
    )


@given(POINTS, st.sampled_from(list(Objective)))
def test_nothing_beats_the_front_and_the_front_beats_all_else(points, objective):
    kept = front(points, objective)
    assert kept and all(one in points for one in kept)
    for one in kept:
        assert not any(no_worse(other, one, objective) for other in kept if other is not one)
        # An equal one that is cheaper would have been taken.
        key = (speed(one, objective), one.dsp, one.weight_bits)
        equal = [o for o in points if (speed(o, objective), o.dsp, o.weight_bits) == key]
        assert one.needs["bram36"] == min(o.needs["bram36"] for o in equal)
    for one in points:
        assert any(no_worse(other, one, objective) for other in kept)
    assert [speed(one, objective) for one in kept] == sorted(
        (speed(one, objective) for one in kept), reverse=True
    )


def test_objectives_differ():
    quick, many, lean = point(10, 100, 8), point(15, 100, 8, batch=2), point(100, 5, 8)
    chosen = {objective: best([quick, many, lean], objective) for objective in Objective}
    assert chosen == {Objective.latency: quick, Objective.throughput: many, Objective.dsp: lean}


@pytest.fixture(scope="module")
def found():
    return explore(LENET, DEVICE, SPACE)


def test_what_is_found_is_what_estimate_says_and_fits(found):
    assert found.chosen in found.front
    for one in found.front:
        program = LENET.program(one.config, one.weight_bits)
        assert one.cycles == total_cycles(program, 1) and one.needs == price(program)
        assert all(need <= DEVICE.budget[name] for name, need in one.needs.items())
    assert all(one.cycles is None for one in found.points if not one.fits)
    assert any(one.cycles is None for one in found.points if one.fits), "some were too slow to be timed"


def test_skipping_loses_nothing(found):
    """Every design of the space timed one by one: none that fits beats what the sweep found."""
    for design in SPACE.designs(LENET, DEVICE, DEVICE.budget["dsp"]):
        one = evaluate(LENET, DEVICE, design.config, design.weight_bits, lambda _: True)
        if one.fits:
            assert any(no_worse(kept, one, Objective.latency) for kept in found.front)


def test_a_wider_link_saves_the_clocks_of_beats_and_nothing_else():
    workload = UniformWorkload(vgg16(), Density())
    clocks, needs = {}, {}
    for bits in (32, 256):
        config = AcceleratorConfig(64, 10, 1, line_pixels=64, stream_weights=True, stream_bits=bits)
        program = workload.program(config, 8)
        clocks[bits], needs[bits] = total_cycles(program, 1), price(program)
    # 3 × 224 rows of 56 beats and of 7 in, 512 × 7 rows of 2 beats and of one out.
    assert clocks[32] - clocks[256] == 3 * 224 * (56 - 7) + 512 * 7 * (2 - 1)
    assert 0 < needs[256]["lut"] - needs[32]["lut"] < 2000 and 0 < needs[256]["ff"] - needs[32]["ff"] < 1000
    assert all(needs[256][name] == needs[32][name] for name in ("dsp", "bram36"))


def test_streams_are_as_wide_as_the_link_and_the_line_let_them(found):
    assert {one.config.stream_bits for one in found.points} == {32}
    wide = explore(LENET, replace(DEVICE, stream_bits=256), replace(SPACE, weight_bits=(8,)))
    assert wide.chosen.seconds < found.chosen.seconds and wide.chosen.config.stream_bits == 256
    for one in wide.points:
        assert one.config.stream_bits == min(256, 8 * one.config.line_pixels)
    assert report(wide)["chosen"]["config"]["stream_bits"] == 256
    one = evaluate(LENET, DEVICE, AcceleratorConfig(8, 4, 1, 32, stream_bits=256), 8, lambda _: True)
    assert [d.config.stream_bits for d in smaller(one)] == [128]
    assert [d.config.stream_bits for d in larger(one, DEVICE)] == [32], "as the device's link"


@pytest.mark.parametrize("workload", [LENET, UniformWorkload(vgg16(), Density())], ids=["lenet", "vgg16"])
@pytest.mark.parametrize("stream", [False, True])
def test_no_run_is_faster_than_the_least_that_is_claimed(workload, stream):
    for rows, lanes, batch in [(8, 1, 1), (16, 9, 2), (64, 10, 1), (32, 25, 4)]:
        program = workload.program(AcceleratorConfig(rows, lanes, batch, stream_weights=stream), 8)
        assert (
            0.4 * total_cycles(program, batch) < least_cycles(program, batch) <= total_cycles(program, batch)
        )


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["dsp", "bram36", "lut", "ff"]), st.floats(0.05, 0.9))
def test_a_smaller_budget_is_kept_and_never_helps(name, share):
    tight = replace(DEVICE, budget={**DEVICE.budget, name: int(share * DEVICE.budget[name])})
    whole = explore(LENET, DEVICE, replace(SPACE, weight_bits=(8,)))
    try:
        less = explore(LENET, tight, replace(SPACE, weight_bits=(8,)))
    except DoesNotFit as error:
        assert "no design for lenet fits the toy" in str(error) or "DSP slices" in str(error)
        return
    assert less.chosen.needs[name] <= tight.budget[name]
    assert less.chosen.seconds >= whole.chosen.seconds


@pytest.mark.parametrize(
    ("resource", "budget"), [("dsp", 200), ("bram36", 70), ("lut", 40_000), ("ff", 35_000)]
)
def test_the_resource_that_runs_out_is_named(resource, budget):
    plenty = {"dsp": 5000, "bram36": 5000, "lut": 5_000_000, "ff": 5_000_000, "uram": 0}
    device = replace(DEVICE, budget={**plenty, resource: budget})
    found = explore(LENET, device, replace(SPACE, weight_bits=(8,)))
    faster = next_faster(found)
    assert faster and not faster.point.fits
    assert set(device.over(faster.point.needs)) == {resource}
    assert faster.point.seconds < found.chosen.seconds / (1 + TOLERANCE) * 1.0001
    sentences = report(found)["limits"]
    assert LABELS[resource] in sentences[0]
    assert any(f"{LABELS[resource]} of {budget:,}" in sentence for sentence in sentences[1:])


def test_memory_that_is_too_slow_is_what_bounds_the_layers():
    """Four tile groups: memory that takes longer for a step than the array for four of them binds."""
    network = Network("late", (64, 12, 12), (Conv("c", 64, 256, 3, padding=1),))
    workload = UniformWorkload(network, Density())
    for bus_bits, bound in [(128, "array"), (32, "weights")]:
        config = AcceleratorConfig(8, 1, 1, stream_weights=True, bus_bits=bus_bits)
        (layer,) = layer_work(workload.program(config, 8), 1)
        assert layer.stages.busiest == bound
        assert layer.stages.array == 4 * (64 * 32 * 256 // 8)  # the first layer is dense


def test_packed_products_are_chosen_where_slices_are_wide_enough():
    """Of the same array they take two thirds of the slices; of the same slices they are a larger array."""
    space = Space(rows=(8,), lanes=tuple(range(1, 13)), weight_bits=(6,))
    few = replace(DEVICE, budget={**DEVICE.budget, "dsp": 100})
    narrow, wide = (explore(LENET, replace(few, wide_port=port), space) for port in (25, 27))
    assert {p.config.products for p in narrow.points} == {"three"}
    assert {p.config.products for p in wide.points} == {"three", "packed"}
    chosen = wide.chosen.config
    assert chosen.products == "packed" and chosen.macs > narrow.chosen.config.macs
    assert wide.chosen.seconds < narrow.chosen.seconds
    assert wide.chosen.dsp == 2 * chosen.macs <= 100
    assert report(wide)["chosen"]["config"]["products"] == "packed"
    only = explore(LENET, replace(few, wide_port=27), replace(space, products=("three",)))
    assert only.chosen == narrow.chosen


def test_stages_name_the_one_with_most_work():
    assert Stages(1, 2, 3, 0).busiest == "output" and Stages(5, 5, 0, 0).busiest == "array"


def test_the_bus_is_as_wide_as_memory_can_feed():
    for rate, bits in [(0, 0), (0.3e9, 0), (0.5e9, 32), (7e9, 256), (100e9, 1024)]:
        assert replace(DEVICE, dram_rate=rate).bus_bits == bits
    assert DRAM_EFFICIENCY < 1
    assert replace(DEVICE, dram_rate=12.8e9, clock_hz=200e6).bus_bits == 256, "not all of the peak"


def test_memories_are_reckoned_with_at_what_they_sustain():
    """Two of which the second is slower: one alone gives more than half of both."""
    pair = replace(
        DEVICE, clock_hz=200e6, dram_rate=26e9, dram_interfaces=2, dram_sustained=(10.24e9, 19.4e9)
    )
    assert pair.bus_bits == 512 and pair.memories(512) == 2
    assert pair.memories(256) == 1 and pair.sustained(1) == 10.24e9
    alone = replace(pair, dram_interfaces=1)
    assert alone.bus_bits == 256
    assert replace(pair, dram_sustained=(13e9, 26e9)).bus_bits == 1024
    assert replace(DEVICE, dram_interfaces=4).sustained(2) == DRAM_EFFICIENCY * DEVICE.dram_rate / 2


def test_bands_make_a_design_fit_that_whole_maps_do_not():
    network = Network(
        "tall", (8, 200, 60), tuple(Conv(f"c{i}", 8 if i == 0 else 16, 16, 3, padding=1) for i in range(3))
    )
    workload, space = UniformWorkload(network, Density()), Space(rows=(16,), lanes=(6,), weight_bits=(8,))
    (design, *_) = space.designs(workload, DEVICE, 300)
    whole = evaluate(workload, DEVICE, design.config, 8, lambda _: True)
    tight = replace(DEVICE, budget={**DEVICE.budget, "bram36": int(whole.needs["bram36"] - 14)})
    chosen = explore(workload, tight, space).chosen
    assert 0 < chosen.config.memory_lines < whole.memory_lines
    assert chosen.memory_lines <= chosen.config.memory_lines


def test_maps_lie_in_ultraram_where_there_is_enough_of_it():
    """None of it, too little for a bank each, enough: what chooses sees the budget of each."""
    network = Network(
        "tall", (8, 200, 60), tuple(Conv(f"c{i}", 8 if i == 0 else 16, 16, 3, padding=1) for i in range(3))
    )
    workload, space = UniformWorkload(network, Density()), Space(rows=(16,), lanes=(6,), weight_bits=(8,))
    found = {}
    for blocks in (0, 7, 960):
        device = replace(DEVICE, budget={**DEVICE.budget, "uram": blocks})
        explored = explore(workload, device, space)
        found[blocks] = explored.chosen
        told = f"UltraRAM: {found[blocks].needs.get('uram', 0):,g} of {blocks}"
        assert (told in report(explored)["limits"][0]) == (blocks == 960)
    assert found[960].config.feature_memory == "ultra"
    assert found[960].needs["uram"] == found[960].config.line_pixels, "spectra of so few channels are in LUTs"
    assert found[960].needs["bram36"] < found[0].needs["bram36"]
    assert found[7].config.feature_memory == found[0].config.feature_memory == "block"
    assert "uram" not in found[0].needs and found[7].cycles == found[0].cycles


def test_bands_fill_the_ultraram_that_there_is():
    """Of more lines than the blocks hold, as many as they do; spectra have three of the blocks."""
    config = AcceleratorConfig(8, 2, 1, line_pixels=16, feature_memory="ultra", stream_weights=True)
    needs = {"bram36": 1, "uram": 16 * 4 + 3}
    point = SimpleNamespace(config=config, memory_lines=100_000, weight_bits=8, needs=needs)
    for blocks, lines in ((35, 65_536), (19, 32_768), (18, None)):
        device = replace(DEVICE, budget={**DEVICE.budget, "uram": blocks})
        assert [design.config.memory_lines for design in in_row_bands(point, device)] == [lines] * bool(lines)


def test_too_slow_and_too_large_are_refused_with_the_closest():
    with pytest.raises(
        DoesNotFit, match=r"takes at most 0\.001 ms: the fastest, N=\d+ P=\d+, takes 0\.\d+ ms"
    ):
        explore(LENET, DEVICE, SPACE, most_seconds=1e-6)
    none = replace(DEVICE, budget={**DEVICE.budget, "bram36": 10})
    with pytest.raises(DoesNotFit, match=r"no design for lenet fits the toy: .* RAMB36 blocks of 10; choose"):
        explore(LENET, none, SPACE)
    with pytest.raises(DoesNotFit, match="no array of N = 128 fits the 300 DSP slices of the toy"):
        explore(LENET, DEVICE, Space(rows=(128,)))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"rows": (6,)}, "rows must be a multiple of 4"),
        ({"lanes": (65,)}, r"lanes must be 1\.\.64, not 65"),
        ({"batches": (9,), "lanes": (8,)}, r"batch must be 1\.\.8"),
        ({"weight_bits": (17,)}, r"weight bits must be 2\.\.16, not 17"),
        ({"products": ("two",)}, "products must be three or packed, not 'two'"),
    ],
)
def test_refuses_spaces_that_hold_no_accelerator(choice, message):
    with pytest.raises(ConfigError, match=message):
        Space(**choice)


@pytest.mark.parametrize(
    ("board", "clock", "budget", "rate", "most_ms"),
    [
        ("vc709", 200e6, {"dsp": 3600, "bram36": 1470, "lut": 433_200, "ff": 866_400}, 2 * 14.9e9, 5.0),
        ("vcu118", 250e6, {"dsp": 6840, "bram36": 2160, "lut": 1_182_240, "ff": 2_364_480}, 2 * 19.2e9, 2.2),
    ],
)
def test_vgg16_meets_its_goals_on_the_large_boards(board, clock, budget, rate, most_ms):
    """With N=64, where the best designs lie; `spec2 explore` searches all N."""
    device = Device(board, clock, {**budget, "uram": 0}, LABELS, rate, 2)
    found = explore(UniformWorkload(vgg16(), Density()), device, Space(rows=(64,), weight_bits=(8,)))
    assert 1e3 * found.chosen.seconds < most_ms
    data = report(found)
    assert "RAMB36 blocks" in data["limits"][0]
    assert sum(layer["cycles"] for layer in data["chosen"]["layers"]) < data["chosen"]["cycles"]
