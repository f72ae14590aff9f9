"""What design.json says of the compiler's choices is what it chose, with the figures that decided."""

import logging
import re

import pytest

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import IMAGES, Conv, Dense, Network
from hw.cost.choices import choices, log_choices
from hw.cost.cycles import run_cycles

NETWORK = Network(
    "choices",
    (2, 61, 33),
    (
        Conv("a", 2, 12, 5, padding=2),
        Conv("b", 12, 6, 3, padding=1, pool=2),
        Conv("c", 6, 3, 3, padding=1, pool=2, relu=True),
        Conv("d", 3, 3, 3, padding=1, pool=2),
        Dense("scores", 3 * 7 * 4, 4, relu=False),
    ),
)


def compiled(**options):
    config = AcceleratorConfig(4, 6, 1, 16, **options)
    return compile_program(random_artifact(NETWORK, seed=1, kind="adaptive"), config)


@pytest.mark.parametrize("options", [{}, {"stream_weights": True}, {"memory_lines": 1800}])
def test_rows_hold_what_the_program_has(options):
    program = compiled(**options)
    rows = choices(program)
    assert [row["cycles"] for row in rows] == [one.cycles for one in run_cycles(program, 1)]
    for number, row in enumerate(rows):
        plans = [plan for plan in program.layers if plan.number == number]
        assert (row["name"], row["entries"]) == (plans[0].layer.name, len(plans))
        assert (row["lane_rows"], row["lane_columns"]) == (plans[0].lane_rows, plans[0].lane_columns)
        assert row["steps"] == len(plans[0].steps)
        assert ("bands" in row["why"]) == (len(plans) > 1)
        assert row["executed"] == run_cycles(program, 1)[number].steps
        assert [len(spans) for spans in row["spans"].values()] == [len(plans)] * 3
        busy = sum(end - begin for begin, end in row["spans"]["array"])
        # Before a span's first clock the array waited for spectra alone.
        assert busy <= row["executed"] + sum(row["waits"].values()) <= busy + row["waits"]["fetch"]
        assert row["why"]["order"].startswith("weights stay") == any(plan.weights_stay for plan in plans)
    assert any("bands" in row["why"] for row in rows) == ("memory_lines" in options)
    assert rows[-1]["why"]["lanes"] == "a lane for each of 1 images"


def test_the_order_of_a_layer_in_row_bands_is_that_of_all_its_instructions():
    """Its last entry has one tile group, in which weights cannot stay; the others have several."""
    layers = Conv("a", 1, 8, 3, padding=1), Conv("b", 8, 2, 3, padding=1)
    artifact = random_artifact(Network("narrow", (1, 40, 6), layers), seed=7, kind="adaptive")
    config = AcceleratorConfig(4, 1, 1, 8, memory_lines=270, stream_weights=True)
    program = compile_program(artifact, config)
    plans = [plan for plan in program.layers if plan.number == 1]
    assert plans[0].weights_stay and not plans[-1].weights_stay
    text = choices(program)[1]["why"]["order"]
    assert text.startswith(f"weights stay: fetched {len(plans)} times, once a band, not for each of")


def test_a_map_that_is_not_packed_for_another_reader_is_not_said_to_be():
    """Two layers read the images, with tiles 6 and 8 apart."""
    layers = (
        Conv("a", 3, 2, 3, padding=1),
        Conv("b", 3, 2, 1, sources=(IMAGES,)),
        Conv("c", 4, 2, 3, padding=1, sources=("a", "b")),
    )
    network, config = Network("ways", (3, 18, 6), layers), AcceleratorConfig(4, 2, 1, 16)
    program = compile_program(random_artifact(network, seed=1), config)
    rows = choices(program)
    for row, plan in zip(rows, program.layers, strict=True):
        chosen = f"{plan.lane_rows} × {plan.lane_columns} takes"
        assert row["why"]["lanes"].startswith(chosen) and plan.images == 1
        assert ("side by side in a line" in row["why"]["lanes"]) == (plan.packing > 1)
    assert [plan.packing for plan in program.layers] == [1, 1, 2]


def test_images_side_by_side_are_named():
    network = Network("small", (3, 4, 4), (Conv("a", 3, 40, 3, padding=1), Conv("b", 40, 40, 3, padding=1)))
    program = compile_program(random_artifact(network, seed=1), AcceleratorConfig(4, 6, 5, 64))
    rows = choices(program)
    assert [row["images_side_by_side"] for row in rows] == [plan.images for plan in program.layers] == [5, 5]
    assert "5 × 1 takes" in rows[1]["why"]["lanes"] and "for 5 images side by side" in rows[1]["why"]["lanes"]


def test_the_layout_is_compared_with_the_next_best():
    text = choices(compiled())[0]["why"]["lanes"]
    chosen, other = (int(number.replace(",", "")) for number in re.findall(r"takes? ([\d,]+)", text))
    assert chosen <= other


@pytest.mark.parametrize("options", [{}, {"stream_weights": True, "bus_bits": 256}, {"memory_lines": 1800}])
def test_records_have_the_reasons_of_every_layer(options, caplog):
    program = compiled(**options)
    with caplog.at_level(logging.INFO, "hw.cost"):
        log_choices(program)
    maps, weights, *layers = (record.getMessage() for record in caplog.records)
    assert maps == f"feature memory: {program.memory_lines:,} lines of 16 pixels"
    where = "external memory, 256 bits a beat" if program.config.stream_weights else "the design"
    assert weights == f"weights: {program.steps:,} steps, {program.stored_bits:,} bits, in {where}"
    for text, row in zip(layers, choices(program), strict=True):
        assert text.startswith(f"layer {row['name']}, {row['cycles']:,} clocks a batch. lanes: ")
        assert all(f"{choice}: {why}" in text for choice, why in row["why"].items())
    caplog.clear()
    with caplog.at_level(logging.WARNING, "hw.cost"):
        log_choices(program)
    assert not caplog.records
