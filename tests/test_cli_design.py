"""spec2 estimate, generate, simulate, report and synth."""

import json

import numpy as np
import pytest

from hw.contract import results
from hw.contract.artifact import random_artifact
from hw.contract.network import lenet, tiny
from hw.util.errors import ConfigError
from pruning import data
from pruning.commands.images import images_for
from sim.bench.job import Memory


def test_estimate_agrees_with_the_cost_model_and_states_the_share_of_the_board(run, model):
    from hw.compile.compiler import compile_program
    from hw.contract.config import AcceleratorConfig
    from hw.cost.cycles import estimates

    arguments = ["estimate", model, "--rows", "16", "--lanes", "2", "--batch", "2"]
    figures = json.loads(run(*arguments, "--board", "VC709", "--json").out)
    program = compile_program(random_artifact(tiny(), seed=5), AcceleratorConfig(16, 2, 2))
    expected = json.loads(json.dumps(estimates(program)))
    assert figures.pop("use_percent")["dsp"] == round(100 * expected["dsp_total"] / 3600, 1)
    assert figures == expected
    text = run(*arguments).out
    assert f"{expected['cycles']:,}" in text and "conv2" in text


def test_simulate_compares_and_reports(run, fake_design):
    result = run(
        "simulate", fake_design.design, "--images", "6", "--stalls", "--seed", "9", "--gap", "2", "--json"
    )
    assert result.code == 0
    data = json.loads(result.out)
    assert (data["images"], data["mismatches"], data["stalls"], data["seed"]) == (6, 0, True, 9)
    assert data["batch"]["cycles"] == 16_600
    memory = Memory(latency=60, gap=2)
    assert fake_design.calls[0] == {"images": 6, "batch": 4, "stalls": True, "seed": 9, "memory": memory}
    text = run("simulate", fake_design.design).out
    assert "0 mismatches" in text and "16,600" in text


def test_simulate_takes_the_images_that_are_named(run, fake_design, tmp_path):
    """Of a set or a file; what does not fit is refused, and so are two sources at once."""
    shape = fake_design.info.network.input
    pixels = np.random.default_rng(5).integers(0, 256, (40, *shape), np.uint8)
    np.savez(tmp_path / "mine.npz", images=pixels, labels=np.arange(40) % 3)
    command = ("simulate", fake_design.design, "--images", "8")
    result = run(*command, "--data", tmp_path / "mine.npz", "--json")
    assert result.code == 0 and json.loads(result.out)["correct"] is not None
    assert "those of mnist are 1×28×28: take others" in run(*command, "--data", "mnist").sentence
    assert "--random takes no images of a set" in run(*command, "--data", "mnist", "--random").sentence


def test_simulate_ends_with_1_on_a_mismatch_and_names_it(run, fake_design):
    fake_design.errors[3] = 2
    result = run("simulate", fake_design.design, "--images", "4")
    assert result.code == 1
    assert "image 3, class 2" in " ".join(result.out.split())


def test_simulate_takes_test_digits_where_the_network_takes_digits(monkeypatch):
    digits = _digits(30)
    monkeypatch.setattr(data, "load", lambda name, data_dir: digits)
    images, labels = images_for(lenet(), 7, None, False, 0)
    spread = [0, 4, 8, 12, 17, 21, 25]  # from end to end: a data set may be sorted by label
    assert np.array_equal(images, digits.test_images[spread])
    assert np.array_equal(labels, digits.test_labels[spread])
    images, labels = images_for(lenet(), 40, None, True, 3)
    assert images.shape == (40, 1, 28, 28) and labels is None
    with pytest.raises(ConfigError, match="there are 30 test images, not 31: ask for fewer"):
        images_for(lenet(), 31, None, False, 0)


def test_report_writes_and_prints(run, fake_design):
    """In three forms, the last one with every board that is known."""
    run("simulate", fake_design.design, "--images", "4")
    report = json.loads(run("report", fake_design.folder, "--json").out)
    assert report["cycles"]["per_image"] == 4600
    assert json.loads((fake_design.folder / "report.json").read_text()) == report
    page = (fake_design.folder / "report.html").read_text()
    assert all(f">{board}<" in page for board in ("vc709", "arty_a7_100", "u250"))
    assert "operations per DSP slice and clock" in " ".join(run("report", fake_design.folder).out.split())


def test_report_of_another_design_folder(run, fake_design):
    elsewhere = fake_design.folder / "big"
    fake_design.design.rename(elsewhere)
    assert "resources" not in json.loads(run("report", fake_design.folder, "--json").out)
    report = json.loads(run("report", fake_design.folder, "--design", elsewhere, "--json").out)
    assert report["resources"]["dsp_mac"] == 96


def test_synth_shows_the_count_beside_the_estimate(run, fake_design, monkeypatch):
    from bitstreams.synthesis import yosys

    def synthesise(design, *, family, paths, progress):
        progress("SYNTH_XILINX")
        cells = {"dsp": 99, "lut": 5, "ff": 6, "bram36": 1.5, "uram": 0}
        return yosys.Synthesis(family=family, cells={}, tool="Yosys", seconds=1.0, **cells)

    monkeypatch.setattr(yosys, "synthesise", synthesise)
    data = json.loads(run("synth", fake_design.design, "--family", "xcup", "--json").out)
    assert (data["dsp"], data["family"]) == (99, "xcup")
    row = next(line for line in run("synth", fake_design.design).out.splitlines() if " dsp " in f" {line} ")
    assert row.split() == ["dsp", str(fake_design.info.estimates["dsp_total"]), "99"]


def test_generate_fills_a_folder_that_simulate_can_use(run, model, tmp_path):
    """For real: the gateware is built and emitted."""
    results.discard(tmp_path, results.SIMULATION)
    result = run(
        "generate", model, "--rows", "4", "--lanes", "1", "--batch", "1", "--board", "vc707", "--json"
    )
    assert result.code == 0
    design = tmp_path / "design"
    info = json.loads(result.out)
    assert info["design"] == str(design) and info["digest"] == random_artifact(tiny(), seed=5).digest
    assert (design / "model.npz").exists()
    assert all((design / name).stat().st_size for name in info["files"])


def test_a_full_disk_is_a_sentence_and_the_design_before_stays(run, model, tmp_path, little_room):
    def files():
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    arguments = ("generate", model, "--rows", "4", "--batch", "1", "--lanes")
    assert run(*arguments, "1").code == 0
    before = files()
    little_room(100_000)  # bytes: less than the Verilog, more than anything else
    for command in ([*arguments, "2"], ["simulate", tmp_path / "design", "--random", "--images", "1"]):
        assert "File too large: make room" in run(*command).sentence
        assert {path: files()[path] for path in before} == before


@pytest.mark.slow
@pytest.mark.verilator
def test_generate_simulate_and_report_for_real(run, model, tmp_path):
    """The whole chain on the tiny network, on Verilator: as the tutorial has it, which ``make test`` runs."""
    assert run("generate", model, "--rows", "4", "--lanes", "2", "--batch", "2").code == 0
    result = run("simulate", tmp_path / "design", "--images", "3", "--stalls", "--json")
    data = json.loads(result.out)
    assert result.code == 0 and data["mismatches"] == 0
    report = json.loads(run("report", tmp_path, "--json").out)
    assert report["cycles"]["batch"] == data["batch"]["cycles"] > 1000
    assert 0 < report["occupancy"]["steps"] < 1


def _digits(count):
    rng = np.random.default_rng(21)
    images = rng.integers(0, 256, (count, 1, 28, 28), np.uint8)
    labels = rng.integers(0, 10, count).astype(np.uint8)
    return data.ImageSet(images, labels, images, labels, "random")
