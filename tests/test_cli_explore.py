"""'spec2 explore', and the configuration it hands to 'spec2 generate'."""

import json

import pytest

from hw.commands.exploration import Target
from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import tiny
from hw.cost.cycles import estimates
from hw.explore.objective import Objective

SMALL = ["--rows", "4", "--rows", "8", "--lanes", "1", "--lanes", "2", "--lanes", "4"]


def test_the_goals_are_the_objectives():
    assert [target.value for target in Target] == [objective.value for objective in Objective]


def test_explores_a_network_and_writes_four_files(run, tmp_path):
    out = tmp_path / "found"
    result = run("explore", "lenet", "--board", "Arty_A7_100", "--out", out, "--json")
    assert result.code == 0
    shown, data = json.loads(result.out), json.loads((out / "explore.json").read_text())
    assert shown.pop("config_file") == str(out / "config.json")
    points = data.pop("points")
    assert shown == data and data["counts"]["compiled"] == len(points) > len(data["front"]) > 1
    assert data["steps"].startswith("uniform: 2 of 8 words stay") and data["clock_mhz"] == 100
    assert json.loads((out / "config.json").read_text())["config"] == data["chosen"]["config"]
    assert data["chosen"]["needs"]["dsp"] <= data["budget"]["dsp"] == 240
    svg = (out / "explore.svg").read_text()
    assert "lenet on the arty_a7_100" in svg and "chosen: N=" in svg
    page = (out / "explore.html").read_text()
    assert "lenet on the arty_a7_100" in page and "spec2 generate build/lenet/model.npz --config" in page


def test_says_it_in_words(run, tmp_path):
    text = run("explore", "lenet", "--board", "vc709", *SMALL, "--out", tmp_path).out
    words = " ".join(text.split())
    assert "lenet on the vc709 at 200 MHz" in words and "Scarcest are" in words
    assert "streams of images and results" in words and "256 bits" in words
    assert "layers bound by" in words and "conv2" in words and "generate --config" in words


def test_a_model_is_taken_exactly_and_its_configuration_generates(run, model, tmp_path):
    """The chosen design of a real model: explore, estimate and generate give the same figures."""
    out = tmp_path / "found"
    explored = json.loads(run("explore", model, "--board", "arty_a7_100", *SMALL, "--out", out, "--json").out)
    chosen = explored["chosen"]
    assert explored["steps"].startswith("exact: the masks of model")
    config = AcceleratorConfig(**chosen["config"])
    expected = estimates(compile_program(random_artifact(tiny(), seed=5), config))
    assert chosen["cycles"] == expected["cycles"]
    assert [layer["cycles"] for layer in chosen["layers"]] == [one["cycles"] for one in expected["layers"]]
    assert {name: chosen["needs"][name] for name in ("lut", "ff", "bram36")} == {
        name: expected[name] for name in ("lut", "ff", "bram36")
    }
    generated = run("generate", model, "--config", out / "config.json", "--board", "arty_a7_100", "--json")
    assert generated.code == 0
    info = json.loads(generated.out)
    assert info["config"] == chosen["config"] and info["estimates"]["cycles"] == chosen["cycles"]


def test_options_override_the_file(run, model, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"config": {"rows": 16, "lanes": 2, "batch": 2, "stream_weights": True}}))

    def figures(*arguments):
        return json.loads(run("estimate", model, *arguments, "--json").out)

    artifact = random_artifact(tiny(), seed=5)
    for options, config in [
        ([], AcceleratorConfig(16, 2, 2, stream_weights=True)),
        (["--rows", "4", "--batch", "1"], AcceleratorConfig(4, 2, 1, stream_weights=True)),
        (["--hold-weights"], AcceleratorConfig(16, 2, 2)),
        (["--stream-bits", "128"], AcceleratorConfig(16, 2, 2, stream_weights=True, stream_bits=128)),
        (
            ["--bus-bits", "128", "--memories", "2"],
            AcceleratorConfig(16, 2, 2, stream_weights=True, bus_bits=128, memories=2),
        ),
    ]:
        expected = json.loads(json.dumps(estimates(compile_program(artifact, config))))
        assert figures("--config", path, *options) == expected
    assert figures() == json.loads(json.dumps(estimates(compile_program(artifact, AcceleratorConfig())))), (
        "without a file the defaults"
    )


def test_throughput_takes_batches_and_a_limit_is_kept(run, tmp_path):
    def chosen(*arguments):
        result = run("explore", "lenet", "--board", "vc709", *SMALL, *arguments, "--out", tmp_path, "--json")
        return json.loads(result.out)["chosen"]

    quick, many = chosen(), chosen("--objective", "throughput", "--weight-bits", "8")
    assert quick["config"]["batch"] == 1 < many["config"]["batch"]
    assert many["images_per_second"] > quick["images_per_second"] and many["ms"] > quick["ms"]
    lean = chosen("--objective", "dsp", "--batch", "1")
    within = chosen("--objective", "dsp", "--batch", "1", "--max-ms", str(1.5 * quick["ms"]))
    assert lean["op_per_dsp_cycle"] >= within["op_per_dsp_cycle"] > quick["op_per_dsp_cycle"]
    assert within["ms"] <= 1.5 * quick["ms"] < lean["ms"]
    slow = chosen("--clock-mhz", "50", "--memories", "1")
    assert slow["ms"] > 2 * quick["ms"]


MISTAKES = {
    "gates": (["efficientnet", "--board", "vc709"], "SiLU and gates"),
    "unknown network": (["vgg", "--board", "vc709"], "there is no network 'vgg'"),
    "unknown board": (["lenet", "--board", "de10"], "there is no board 'de10'"),
    "no board": (["lenet"], "--board"),
    "no model": (["nothing.npz", "--board", "vc709"], "spec2 prune"),
    "unknown objective": (["lenet", "--board", "vc709", "--objective", "area"], "area"),
    "odd rows": (["lenet", "--board", "vc709", "--rows", "6"], "multiple of 4"),
    "lanes": (["lenet", "--board", "vc709", "--lanes", "0"], "1..64, not 0"),
    "batch": (["lenet", "--board", "vc709", "--batch", "2"], "use throughput"),
    "width": (["lenet", "--board", "vc709", "--weight-bits", "20"], "2..16, not 20"),
    "spectra": (["lenet", "--board", "vc709", "--spectrum-bits", "8"], "9 or more, not 8: the fully"),
    "model and spectra": (["MODEL", "--board", "vc709", "--spectrum-bits", "11"], "and --spectrum-bits"),
    "keep": (["lenet", "--board", "vc709", "--keep", "9"], "not 9"),
    "model and keep": (["MODEL", "--board", "vc709", "--keep", "2"], "leave out --keep"),
    "memories": (["lenet", "--board", "vc709", "--memories", "4"], "2 memory interfaces, not 4"),
    "memories of no design": (["lenet", "--board", "vc709", "--memories", "3"], "1, 2 or 4 memories, not 3"),
    "clock": (["lenet", "--board", "vc709", "--clock-mhz", "0"], "must be positive, not 0 MHz"),
    "no time": (["lenet", "--board", "vc709", "--max-ms", "0"], "must be positive, not 0"),
    "too large": (["vgg16", "--board", "arty_a7_100", "--memories", "1"], "RAMB36 blocks of 135"),
    "nowhere for weights": (
        ["vgg16", "--board", "arty_a7_100"],
        "weights of vgg16 are more than the 135 RAMB36 blocks of arty_a7_100 hold, and there is no memory",
    ),
    "too slow": (["lenet", "--board", "vc709", *SMALL, "--max-ms", "0.001"], "raise --max-ms"),
}


@pytest.mark.parametrize(("arguments", "names"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_sentence_and_writes_nothing(run, model, tmp_path, monkeypatch, arguments, names):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = run("explore", *(model if argument == "MODEL" else argument for argument in arguments))
    assert names in result.sentence
    assert sorted(tmp_path.rglob("*")) == before


def test_a_place_that_cannot_be_written_is_a_sentence(run, tmp_path):
    (tmp_path / "file").touch()
    said = run("explore", "lenet", "--board", "vc709", *SMALL, "--out", tmp_path / "file" / "x").sentence
    assert f"cannot write {tmp_path}/file/x/explore.json" in said


def test_training_a_network_that_cannot_run_says_what_is_missing(run, tmp_path):
    for options in ([], ["--untrained"]):
        assert "SiLU and gates" in run("prune", "efficientnet", *options, "--out", tmp_path / "out").sentence
    assert "there is no recipe 'vgg16'" in run("prune", "vgg16", "--out", tmp_path / "out").sentence


@pytest.mark.parametrize("what", ["generate", "estimate"])
def test_a_bad_configuration_file_is_a_sentence(run, model, tmp_path, what):
    assert "cannot read the configuration" in run(what, model, "--config", tmp_path / "none.json").sentence
