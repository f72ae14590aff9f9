"""A design compared layer by layer, for real and with a wrong layer put in."""

import json
from dataclasses import replace

import pytest

from hw.compile.compiler import compile_program
from hw.contract.design import DesignInfo
from hw.cost.cycles import run_cycles
from hw.util.errors import DataError, DigestMismatch
from hw.util.files import write_json
from sim import rtl
from sim.rtl import layers
from tests.sim.bench.accelerators import images

pytestmark = pytest.mark.verilator


def test_every_layer_is_compared_and_counted(accelerator, tmp_path, monkeypatch):
    folder, artifact = accelerator("tiny", "adaptive", 8, 4, 4)
    image = images("tiny", 1)
    found = layers.measure(folder, artifact, image)
    program = compile_program(artifact, DesignInfo.load(folder).config)
    predicted = [layer.cycles for layer in run_cycles(program, 1)]
    assert [row["name"] for row in found["layers"]] == ["conv1", "conv2", "fc1", "fc2"]
    assert [row["cycles_rtl"] for row in found["layers"]] == predicted
    assert found["total"]["mismatches"] == 0 and found["total"]["cycles"] == sum(predicted)
    assert all(0 < row["occupancy"] <= 1 for row in found["layers"])
    assert [row["bound_by"] for row in found["layers"]] == ["output", "array", "array", "array"]
    assert "| bound by |" in layers.markdown(found)[0]
    total = found["total"]
    assert total["op_per_lut_cycle"] == round(program.operations / (total["cycles"] * total["lut"]), 4)
    assert found["convolutions_only"] is False and "convolutions only" not in layers.markdown(found)[1]
    assert "operations, convolutions only, in" in layers.markdown(found | {"convolutions_only": True})[1]
    write_json(tmp_path / "deep" / "rows.json", found)
    assert json.loads((tmp_path / "deep" / "rows.json").read_text()) == found

    # Three wrong values in the map of conv2, and in nothing else: the other layers get the model's maps.
    simulate = rtl.simulate

    def wrong(design, given, **options):
        result = simulate(design, given, **options)
        if options.get("layers") != (1, 1):
            return result
        scores = result.scores.copy()
        scores[0, 2, 0, :3] += 1
        return replace(result, scores=scores)

    monkeypatch.setattr(rtl, "simulate", wrong)
    found = layers.measure(folder, artifact, image)
    assert [row["mismatches"] for row in found["layers"]] == [0, 3, 0, 0]
    assert found["total"]["mismatches"] == 3 and "| conv2 |" in layers.markdown(found)[0]


def test_layers_in_bands_are_measured_together(accelerator):
    folder, artifact = accelerator("bands", "adaptive", 4, 6, 2, 16, memory_lines=3500)
    found = layers.measure(folder, artifact, images("bands", 1))
    program = compile_program(artifact, DesignInfo.load(folder).config)
    assert [row["name"] for row in found["layers"]] == ["a", "b", "c", "d"]
    assert [row["mismatches"] for row in found["layers"]] == [None, 0, 0, 0]
    assert [row.get("bands") for row in found["layers"]] == [4, 4, None, None]
    assert [row["cycles_rtl"] for row in found["layers"]] == [one.cycles for one in run_cycles(program, 1)]
    assert found["total"]["mismatches"] == 0 and "| a |" in layers.markdown(found)[0]


def test_layers_of_a_graph_get_all_that_they_read(accelerator):
    folder, artifact = accelerator("graph", "adaptive", 8, 4, 2)
    found = layers.measure(folder, artifact, images("graph", 1))
    program = compile_program(artifact, DesignInfo.load(folder).config)
    assert [row["name"] for row in found["layers"]] == ["a", "b", "sum", "half", "again", "scores"]
    assert [row["mismatches"] for row in found["layers"]] == 6 * [0]
    assert [row["cycles_rtl"] for row in found["layers"]] == [one.cycles for one in run_cycles(program, 1)]
    # What is added takes steps and is no operation.
    assert program.operations == 2 * (
        13 * 12 * 9 * (2 * 9 + 9 * 11) + 13 * 12 * 4 * 11 * 9 + 7 * 6 * 9 * (11 * 12 + 12 * 10) + 924 * 9
    )


def test_refuses_several_images_and_other_weights(accelerator):
    folder, artifact = accelerator("tiny", "adaptive", 8, 4, 4)
    with pytest.raises(DataError, match="one image, not with 2"):
        layers.measure(folder, artifact, images("tiny", 2))
    with pytest.raises(DigestMismatch, match="generate it again"):
        layers.measure(folder, replace(artifact, score_scale=2.0), images("tiny", 1))
