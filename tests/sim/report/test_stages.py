"""Where clocks go: parts of a run add up, spans and lives follow one another."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from hw.compile.compiler import compile_program
from hw.compile.stream_image import stream_image, streamed_weights
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import Conv, Network
from hw.cost.choices import choices
from hw.cost.cycles import estimates
from sim.report.html import views
from sim.report.html.run_plots import timeline
from sim.report.stages import STAGES, stages
from sim.rtl.verify import Verification
from tests.sim.report.example import example


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    return example(tmp_path_factory.mktemp("example")) / "design"


@pytest.fixture
def info(design):
    return DesignInfo.load(design)


def test_counted_figures_are_the_counters(design, info):
    found = stages(info, Verification.load(design))
    assert found["counted"] is True and found["clocks"] == 16_600
    assert found["run"] == {"array": 800, "fetch": 120, "output": 120, "weights": 8, "idle": 16_600 - 1048}
    assert [row["clocks"] for row in found["layers"]] == [4000] * 4
    assert [row["steps"] for row in found["layers"]] == [200] * 4


def test_predicted_parts_of_the_layers_are_those_of_the_run(info):
    found = stages(info, None)
    figures = info.estimates
    assert found["counted"] is False and found["clocks"] == figures["cycles"]
    assert sum(found["run"].values()) == found["clocks"]
    assert found["run"]["array"] == sum(row["executed"] for row in figures["layers"])
    ends = [row["spans"]["array"][-1][1] for row in found["layers"]]
    parts = [row["steps"] + sum(row["waits"].values()) + row["idle"] for row in found["layers"]]
    assert sum(parts) == ends[-1], "from the run's first clock to the array's last step"
    for bar in views.clocks(found)["layers"]:
        assert 0 < sum(part["percent"] for part in bar["parts"]) <= 100.01


def test_layers_in_row_bands_share_the_clocks_of_the_array():
    """A layer has no clocks in which the array had another one."""
    layers = Conv("a", 1, 8, 3, padding=1), Conv("b", 8, 2, 3, padding=1)
    artifact = random_artifact(Network("narrow", (1, 40, 6), layers), seed=7, kind="adaptive")
    program = compile_program(artifact, AcceleratorConfig(4, 1, 1, 8, memory_lines=270, stream_weights=True))
    figures = estimates(program) | {"layers": choices(program)}
    stream = streamed_weights(stream_image(program), program.stream)
    info = DesignInfo(
        "spec2", artifact.network, program.config, "0" * 64, estimates=figures, numbers=program.numbers,
        stream=stream,
    )  # fmt: skip
    found = stages(info, None)
    assert found["row_bands"] is True and len(found["layers"][0]["spans"]["array"]) > 1
    parts = [row["steps"] + sum(row["waits"].values()) + row["idle"] for row in found["layers"]]
    assert sum(parts) == max(end for row in found["layers"] for _, end in row["spans"]["array"])
    idle = [row["idle"] for row in found["layers"]]
    assert idle[0] + idle[1] <= found["run"]["idle"] and idle[1] > 0
    assert "counted" not in timeline({**found, "counted": True})


def test_stages_go_through_the_layers_in_order(info):
    found = stages(info, None)
    for stage in STAGES:
        spans = [tuple(span) for row in found["layers"] for span in row["spans"][stage]]
        assert all(begin < end <= found["clocks"] for begin, end in spans)
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
    for row in found["layers"]:
        begins = [row["spans"][stage][0][0] for stage in STAGES]
        assert begins == sorted(begins) and row["spans"]["fetch"][0][0] >= found["load"]


def test_maps_are_there_from_their_first_pixel_to_their_last_reader(info):
    found = stages(info, None)
    for its in found["memory"]["maps"]:
        readers = found["layers"][its["last"]]["spans"]["fetch"][-1][1]
        begin = found["layers"][its["made"]]["spans"]["output"][0][0] if its["made"] >= 0 else 0
        assert (its["begin"], its["end"]) == (begin, readers)
        assert its["end"] > its["begin"]
    assert [its["map"] for its in found["memory"]["maps"]] == [0, 1, 2, 3], "scores lie in no memory"


def test_a_design_of_before_has_none(info):
    old = json.loads(json.dumps(dict(info.estimates)))
    for row in old["layers"]:
        del row["spans"]
    assert stages(replace(info, estimates=old), None) is None
    older = {key: value for key, value in info.estimates.items() if key != "feature_memory"}
    assert stages(replace(info, estimates=older), None)["memory"] is None
