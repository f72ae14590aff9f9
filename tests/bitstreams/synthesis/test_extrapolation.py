"""Resource extrapolation: what a lane adds to a design, and what follows for many of them."""

import json

import pytest

from bitstreams.synthesis import extrapolation
from hw.contract import results
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import tiny
from tests.design_folder import save_design

PATHS = {
    "levels": {"0": 5, "3": 10, "5": 2},
    "worst": [{"levels": 5, "start": "a", "end": "b", "cells": []}],
    "fanout": [["load", 300]],
}


def synthesised(folder, lanes, lut, *, rows=8, paths=PATHS):
    """A design folder with made-up counts."""
    info = DesignInfo("spec2", tiny(), AcceleratorConfig(rows, lanes, 1), random_artifact(tiny()).digest)
    save_design(folder, info, {"spec2.v": ""})
    counts = {"dsp": 24 * lanes, "bram36": 10 + 3.5 * lanes, "uram": 0, "lut": lut, "ff": 100, "paths": paths}
    results.save(folder, results.SYNTHESIS, counts)
    return folder


def test_a_lane_is_the_difference_and_ten_are_ten_of_it(tmp_path, capsys):
    folders = [synthesised(tmp_path / str(lanes), lanes, 1000 + 400 * lanes) for lanes in (1, 3)]
    out = tmp_path / "deep" / "out.json"
    arguments = [*map(str, folders), "--lanes", "10", "--board", "vc709", "--out", str(out)]
    assert extrapolation.main(arguments) == 0
    data = json.loads(out.read_text())
    assert data["per_lane"] == {"dsp": 24, "bram36": 3.5, "uram": 0, "lut": 400, "ff": 0}
    assert data["whole"] == {"dsp": 240, "bram36": 45, "uram": 0, "lut": 5000, "ff": 100}
    printed = capsys.readouterr().out
    assert "| P = 10, extrapolated | 240 | 45 | 5,000 | 100 |" in printed
    assert "Of 17 register inputs 2 have more than four LUTs" in printed and "300 loads" in printed


def test_what_drives_all_lanes_is_counted_in_a_design_that_has_them(tmp_path, capsys):
    one, two = synthesised(tmp_path / "a", 1, 5), synthesised(tmp_path / "b", 2, 9)
    worst = [{"levels": 3, "start": "a", "end": "b", "cells": []}]
    paths = {"levels": {"3": 1}, "worst": worst, "fanout": [["all", 1700]]}
    wide = synthesised(tmp_path / "wide", 4, 9, rows=4, paths=paths)
    assert extrapolation.main([str(one), str(two), "--lanes", "4", "--wide", str(wide)]) == 0
    assert "With all 4 lanes, of 4 rows each, these figures are 3 and 1,700." in capsys.readouterr().out
    assert extrapolation.main([str(one), str(two), "--lanes", "5", "--wide", str(wide)]) == 2
    assert "has 4 lanes, not 5: generate it with --lanes 5" in capsys.readouterr().err


@pytest.mark.parametrize("other", [{"lanes": 1}, {"lanes": 2, "rows": 16}])
def test_designs_must_differ_in_lanes_alone(tmp_path, capsys, other):
    one, two = synthesised(tmp_path / "a", 1, 5), synthesised(tmp_path / "b", lut=9, **other)
    assert extrapolation.main([str(one), str(two), "--lanes", "4"]) == 2
    assert "must differ in lanes" in capsys.readouterr().err


def test_counts_without_paths_are_refused(tmp_path, capsys):
    one, two = synthesised(tmp_path / "a", 1, 5, paths=None), synthesised(tmp_path / "b", 2, 9)
    assert extrapolation.main([str(one), str(two), "--lanes", "4"]) == 2
    assert "run 'spec2 synth --paths'" in capsys.readouterr().err
