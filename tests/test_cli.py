"""The command line: results, exit codes, and one sentence for every mistake."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer

import spec2
from bitstreams.commands import command_line
from hw.commands import console
from hw.contract import results
from hw.contract.artifact import load, random_artifact
from hw.contract.network import lenet, tiny
from hw.host_interface.registers import HARDWARE_VERSION
from hw.util.errors import ConfigError, ToolNotFound
from hw.util.own_version import own_version
from pruning import data
from pruning.commands.images import images_for
from pruning.training.recipe import names
from sim.bench.job import Memory

ROOT = Path(__file__).parents[1]
COMMANDS = list(typer.main.get_command(command_line.app).commands)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.npz"
    random_artifact(tiny(), seed=5).save(path)
    return path


# --- help ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches(run, command):
    result = run(command, "--help")
    assert result.code == 0
    assert f"spec2 {command}" in result.out.split("Example")[1], "the help has an example"
    assert "--json" in result.out


def test_the_help_names_every_recipe(run):
    text = " ".join(run("prune", "--help").out.split())
    assert len(names()) > 3 and all(f" {name}," in text for name in names())


def test_without_arguments_the_help(run):
    result = run()
    assert result.code == 2 and all(command in result.out for command in COMMANDS)


def test_the_version_says_what_registers_it_speaks(run):
    result = run("--version")
    assert (result.code, result.out) == (
        0,
        f"spec2 {own_version()} (register interface {HARDWARE_VERSION})\n",
    )


@pytest.mark.parametrize(
    ("words", "position", "completed"),
    [
        ("spec2 robu", 1, "robustness"),
        ("spec2 classify --veri", 2, "--verify"),
        ("spec2 --vers", 1, "--version"),
    ],
)
def test_a_shell_completes_commands_and_options(words, position, completed):
    environment = {"_SPEC2_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    done = subprocess.run(
        [sys.executable, "-c", "import spec2; spec2.main()"],
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.stdout.split(), done.stderr) == ([completed], "")


# --- mistakes -----------------------------------------------------------------------------------------

MISTAKES = {
    "unknown command": (["frob"], "frob"),
    "unknown option": (["boards", "--frob"], "--frob"),
    "missing argument": (["generate"], "model"),
    "no number": (["estimate", "MODEL", "--rows", "x"], "--rows"),
    "no images": (["simulate", "DESIGN", "--images", "0"], "--images"),
    "unknown sparsity": (["prune", "--sparsity", "magic"], "magic"),
    "unknown network": (["prune", "vgg"], "lenet"),
    "a long name": (["prune", "v" * 5000], "there is no recipe"),
    "odd rows": (["estimate", "MODEL", "--rows", "6"], "multiple of 4"),
    "batch over lanes": (
        ["generate", "MODEL", "--lanes", "2", "--batch", "4", "--out", "OUT"],
        "raise lanes",
    ),
    "no model": (["generate", "nothing.npz", "--out", "OUT"], "spec2 prune"),
    "no design": (["simulate", "nothing"], "spec2 generate"),
    "no design to synthesise": (["synth", "nothing"], "spec2 generate"),
    "no report": (["report", "nothing"], "spec2 prune"),
    "unknown board": (["generate", "MODEL", "--board", "de10", "--out", "OUT"], "vc709"),
    "too large": (
        ["generate", "MODEL", "--rows", "64", "--lanes", "32", "--board", "vc709", "--out", "OUT"],
        "6,144 DSP slices of 3,600",
    ),
    "bits without a layer": (["prune", "--layer-bits", "5"], "takes LAYER=BITS, as in conv2=5, not '5'"),
    "bits of many digits": (["prune", "--layer-bits", f"conv2={'9' * 5000}"], "takes LAYER=BITS"),
    "bits of no layer": (["prune", "--layer-bits", "conv9=5"], "names 'conv9', but network 'lenet' has no"),
    "half a bit": (["prune", "--layer-bits", "conv2=4.5"], "not 'conv2=4.5'"),
    "too few bits": (["prune", "--mean-bits", "2"], "mean bits must be 3 (least in [bits]) to 8"),
    "bits found and given": (["prune", "--mean-bits", "5", "--layer-bits", "fc1=5"], "leave one of the two"),
    "untrained bits": (["prune", "--untrained", "--mean-bits", "5"], "--mean-bits needs a trained network"),
    "no data": (["prune", "--data-dir", "nothing", "--out", "OUT"], "mnist_train.npz"),
}


@pytest.mark.parametrize(("arguments", "names"), MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_a_mistake_is_one_sentence_and_writes_nothing(
    run, model, tmp_path, monkeypatch, arguments, names, as_json
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    places = {"MODEL": model, "DESIGN": tmp_path, "OUT": tmp_path / "out"}
    result = run(
        *(places.get(argument, argument) for argument in arguments), *(["--json"] if as_json else [])
    )
    assert result.code == 2
    assert result.out == ""
    sentence = result.err.splitlines()[-1]
    assert sentence.startswith("spec2: ") and names in sentence
    assert "Traceback" not in result.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_damaged_model_is_a_sentence(run, model):
    model.write_bytes(model.read_bytes()[:100])
    result = run("estimate", model)
    assert result.code == 2 and "damaged" in result.err and len(result.err.splitlines()) == 1


def test_a_missing_package_is_a_sentence():
    with pytest.raises(ToolNotFound, match=r"torch.*spec2 doctor"), console.requires("torch"):
        raise ModuleNotFoundError(name="torch")
    # A module of our own that is missing is a bug, and shows.
    with pytest.raises(ModuleNotFoundError), console.requires("torch"):
        raise ModuleNotFoundError(name="pruning.training.recipe")


def test_a_bug_is_not_hidden(monkeypatch, model):
    from hw.compile import compiler

    def bug(*_, **__):
        raise ZeroDivisionError("bug")

    monkeypatch.setattr(compiler, "compile_program", bug)
    with pytest.raises(ZeroDivisionError):
        spec2.main(["estimate", str(model)])


# --- commands -----------------------------------------------------------------------------------------


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


def test_prune_measures_with_the_integer_model(run, monkeypatch, tmp_path):
    """The recipe is replaced by one that needs no time; its artifact is measured for real."""
    job = pytest.importorskip("pruning.training.run")
    digits, seen = _digits(20), {}
    artifact = random_artifact(lenet(), seed=2)

    def train(recipe, *, out, progress, **options):
        seen.update(options, recipe=recipe)
        progress(SimpleNamespace(done=0.5, describe=lambda: "admm, epoch 1 of 2"))
        artifact.save(out / "model.npz")
        return SimpleNamespace(
            accuracy={"dense": 99.0, "pruned": 98.0, "mirror": 97.0}, seconds=61.2, first=True
        )

    monkeypatch.setattr(job, "run", train)
    monkeypatch.setattr(data, "load", lambda name, data_dir: digits)
    out = tmp_path / "net"
    where = ("--data-dir", tmp_path, f"--data-dir={tmp_path}")
    result = run(
        "prune",
        "--sparsity",
        "kernel",
        "--out",
        out,
        "--seed",
        "4",
        "--fresh",
        "--json",
        "--tensorboard",
        *where,
    )
    assert result.code == 0
    report = json.loads(result.out)
    from sim import model

    correct = (model.run(artifact, digits.test_images).argmax(axis=1) == digits.test_labels).mean()
    assert report["accuracy"] == {"dense": 99.0, "pruned": 98.0, "mirror": 97.0, "integer": 100 * correct}
    assert report["model"] == str(out / "model.npz")
    recipe = seen.pop("recipe")
    assert (recipe.name, recipe.sparsity, recipe.seed) == ("lenet", "kernel", 4)
    assert (recipe.weight_bits, recipe.block, recipe.optimiser) == (8, 8, "admm")
    assert seen == {"data_dir": tmp_path, "resume": False, "device": "cpu", "tensorboard": True}
    about = json.loads((out / "training.json").read_text())
    command = f"spec2 prune --sparsity kernel --out {out} --seed 4 --fresh --json --tensorboard"
    command += " --data-dir DIR --data-dir=DIR"  # others have the data elsewhere
    assert about == {"digest": artifact.digest, "seconds": 61, "command": command}


def test_prune_hands_widths_to_the_recipe(run, monkeypatch, tmp_path):
    job, seen = pytest.importorskip("pruning.training.run"), []

    def train(recipe, **options):
        seen.append(recipe)
        return SimpleNamespace(first=False)

    monkeypatch.setattr(job, "run", train)
    given = ("--layer-bits", "conv2=5", "--layer-bits", "fc1=3", "--weight-bits", "6")
    given += ("--spectrum-bits", "11")
    assert run("prune", *given).code == run("prune", "--mean-bits", "4.5").code == 0
    assert seen[0].layer_bits == {"conv2": 5, "fc1": 3} and seen[0].weight_bits == 6
    assert seen[0].spectrum_bits == 11
    assert seen[0].bits is None and seen[1].bits.mean == 4.5 and seen[1].layer_bits == {}


def test_prune_untrained_makes_layers_of_their_own_widths(run, tmp_path):
    pytest.importorskip("torch")
    text = run("prune", "lenet", "--untrained", "--layer-bits", "fc1=3", "--out", tmp_path / "net").out
    assert load(tmp_path / "net" / "model.npz").layer_bits == {"fc1": 3}
    assert "(adaptive, 3 bits)" in " ".join(text.split())


def test_a_design_that_an_earlier_model_left_does_not_spoil_a_training(run, tmp_path):
    """It comes to light after hours. The report is of the model alone, and says what to do."""
    recipe, out = tmp_path / "mine.toml", tmp_path / "net"
    recipe.write_text('network = "tiny"\ndata = "mnist"\n')
    arguments = ["prune", recipe, "--untrained", "--out", out]
    assert run(*arguments).code == 0
    assert run("generate", out / "model.npz", "--rows", "4", "--lanes", "1", "--batch", "1").code == 0
    assert json.loads(run(*arguments, "--json").out)["config"]["rows"] == 4, "the same model again"
    for changed, name, text in (
        (["--seed", "1"], "design.json", None),
        ([], "spec2.v", "module spec2; endmodule\n"),
        ([], "design.json", "{"),
    ):
        if text:
            (out / "design" / name).write_text(text)
        result = run(*arguments, *changed)
        assert result.code == 0 and "The design that lies there is not of this model" in result.out
        assert f"spec2generate{out}/model.npz" in "".join(result.out.split()), "in lines of a terminal"
        kept = json.loads((out / "report.json").read_text())
        assert "config" not in kept and kept["digest"] == load(out / "model.npz").digest


def test_prune_untrained_takes_a_recipe(run, tmp_path):
    """Its network, sets of single layers, widths and seed; options count before it."""
    pytest.importorskip("torch")
    path = tmp_path / "mine.toml"
    text = (
        'network = "tiny"\ndata = "mnist"\nsparsity = "kernel-1:4"\nseed = 3\n[layers]\nfc1 = "uniform-4:8"\n'
    )
    path.write_text(text + "[layer_bits]\nfc2 = 4\n")
    assert run("prune", path, "--untrained", "--out", tmp_path / "a").code == 0
    made = load(tmp_path / "a" / "model.npz")
    assert made.network.name == "tiny" and made.layer_bits == {"fc2": 4} and made.provenance["seed"] == 3
    kinds = {name: (one.kind, one.keep) for name, one in made.sparsity.items()}
    assert kinds["conv1"][0] == kinds["fc2"][0] == "dense" and kinds["fc1"] == ("uniform", 4)
    assert kinds["conv2"] == ("kernel", 8) and made.layers["conv2"].mask.sum(-1).max() <= 8
    assert run("prune", path, "--untrained", "--seed", "4", "--out", tmp_path / "b").code == 0
    assert load(tmp_path / "b" / "model.npz").provenance["seed"] == 4
    for entry, words in (("[target]\ncycles = 9\n", "[target]"), ("[bits]\nmean = 5\n", "[bits]")):
        path.write_text(text + entry)
        answer = run("prune", path, "--untrained", "--out", tmp_path / "c")
        assert answer.code == 2 and f"{words} in recipe 'mine' finds" in answer.err
    assert not (tmp_path / "c").exists()


def test_progress_in_a_log_is_a_line_now_and_then(capsys, monkeypatch):
    clock = iter([0, 4, 11, 12, 30])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with console.progress("working") as show:
        for done in range(3):
            show(done, 4, "sawing")
        show(None, None, "planing")
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "working ...",
        "working 25 % sawing (11 s, about 33 s left)",
        "working planing (30 s)",
    ]
    assert out == ""


def test_what_an_earlier_run_did_took_none_of_the_time(capsys, monkeypatch):
    clock = iter([0, 1, 21, 22])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with console.progress("working") as show:
        for done in (50, 60, 100):
            show(done, 100, "sawing")
    assert capsys.readouterr().err.splitlines()[1] == "working 60 % sawing (21 s, about 80 s left)"


@pytest.mark.parametrize(
    ("done", "seconds", "said"),
    [
        (0, 50, ""),
        (1, 50, ""),  # a hundredth says nothing yet
        (2, 1, "about 49 s left"),
        (50, 0.2, "about 1 s left"),
        (50, 99, "about 99 s left"),
        (50, 100, "about 2 min left"),
        (10, 600, "about 90 min left"),
        (10, 7200, "about 18 h left"),
        (100, 50, ""),
        (None, 50, ""),
    ],
)
def test_the_rest_takes_as_long_as_what_was_done(done, seconds, said):
    assert console._left(done, 100, seconds) == said


def test_options_of_the_program_behind_a_command_are_told_where_they_go(run, model):
    said = run("estimate", model, "--verbose").sentence
    assert said == "spec2: --verbose goes in front of the command: spec2 --verbose …"
    assert "--log goes in front" in run("estimate", f"--log={model}").sentence
    assert "No such option: --quite" in run("estimate", model, "--quite").sentence


def test_a_quiet_program_says_nothing_of_progress(run, model, tmp_path):
    loud = run("estimate", model, "--rows", "4", "--lanes", "2", "--batch", "1")
    assert loud.code == 0 and loud.err
    quiet = run("--quiet", "estimate", model, "--rows", "4", "--lanes", "2", "--batch", "1")
    assert (quiet.code, quiet.err, quiet.out) == (0, "", loud.out)
    assert run("estimate", model, "--rows", "4", "--lanes", "2", "--batch", "1").err == loud.err


def test_boards_and_doctor(run, monkeypatch):
    assert [board["name"] for board in json.loads(run("boards", "--json").out)] == [
        "arty_a7_100",
        "arty_a7_35",
        "basys3",
        "genesys2",
        "kc705",
        "kv260",
        "pynq_z2",
        "u200",
        "u250",
        "vc707",
        "vc709",
        "vcu118",
    ]
    assert "1,470" in run("boards").out
    from bitstreams.tools import doctor

    for kind in doctor.LOOK:
        monkeypatch.setitem(doctor.LOOK, kind, lambda name: "1.0")
    assert run("doctor").code == 0
    for kind, code in {"tool": 0, "loader": 0, "program": 1}.items():
        monkeypatch.setitem(doctor.LOOK, kind, lambda name: None)
        assert run("doctor", "--json").code == code, kind
    needs = json.loads(run("doctor", "--json").out)["needs"]
    assert needs["perl"] == {"found": None, "remedy": "apt install perl", "optional": False}
    assert needs["vivado"]["found"] is None and needs["vivado"]["optional"]
    assert needs["numpy"]["found"] == "1.0"
    text = " ".join(run("doctor").out.split())
    assert "missing, optional:" in text and "missing: apt install perl" in text


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
