"""An exploration for people: figures of the page are those of the data, the picture is reproducible."""

import json

import pytest

from hw.contract.network import lenet
from hw.explore.device import Device
from hw.explore.lengths import Density
from hw.explore.objective import Objective
from hw.explore.report import report
from hw.explore.space import Space
from hw.explore.sweep import explore
from hw.explore.workload import UniformWorkload
from sim.report.explore_page import MOST_ROWS, markdown
from sim.report.explore_plot import plot

LABELS = {"dsp": "DSP slices", "bram36": "RAMB36 blocks", "lut": "LUTs", "ff": "flip-flops"}
DEVICE = Device("toy", 100e6, {"dsp": 300, "bram36": 150, "lut": 90_000, "ff": 200_000}, LABELS, 2e9)
SPACE = Space(rows=(8, 16), lanes=(1, 2, 3, 4, 6), batches=(1, 2), weight_bits=(8, 12, 16))


@pytest.fixture(scope="module", params=[Objective.latency, Objective.throughput])
def data(request):
    found = explore(UniformWorkload(lenet(), Density()), DEVICE, SPACE, request.param)
    return json.loads(json.dumps(report(found)))


def test_the_page_holds_the_figures(data):
    page = "\n\n".join(markdown(data))
    chosen = data["chosen"]
    assert f"{chosen['cycles']:,} clocks" in page and f"{chosen['op_per_dsp_cycle']:.2f}" in page
    assert f"per LUT and clock | {chosen['op_per_lut_cycle']:.3f} |" in page
    assert f"per RAMB36 block and clock | {chosen['op_per_bram36_cycle']:.2f} |" in page
    assert "| op/DSP/clk | op/LUT/clk | op/BRAM36/clk |" in page and "convolutions only" not in page
    assert "(convolutions only)" in markdown(data | {"convolutions_only": True})[0]
    assert all(sentence in page for sentence in data["limits"])
    for name, share in chosen["use_percent"].items():
        assert f"{LABELS[name]} | {chosen['needs'][name]:,g} of {DEVICE.budget[name]:,}, {share:g} %" in page
    for layer in chosen["layers"]:
        assert f"| {layer['name']} | {layer['cycles']:,} |" in page
    assert ("GB/s" in page) == chosen["config"]["stream_weights"]


def test_a_long_front_is_cut_and_says_so(data):
    one = data["front"][0]
    long = {**data, "front": [{**one, "weight_bits": i % 9 + 8} for i in range(MOST_ROWS + 3)]}
    page = "\n\n".join(markdown(long))
    assert "(3 slower ones are in explore.json)" in page
    assert "slower ones" not in "\n\n".join(markdown({**data, "front": data["front"][:MOST_ROWS]}))


def test_equal_data_give_an_equal_picture(data, tmp_path):
    first, again = (plot(data, tmp_path / name).read_bytes() for name in ("a.svg", "deep/b.svg"))
    assert first == again
    text = first.decode()
    assert "lenet on the toy at 100 MHz" in text
    assert ("ms per run" in text) == (data["objective"] == "latency")
    moved = {**data, "chosen": {**data["chosen"], "ms": 9.0, "images_per_second": 9.0}}
    assert plot(moved, tmp_path / "c.svg").read_bytes() != first
