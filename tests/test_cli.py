"""The command line as a whole: help, version, completion, mistakes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import spec2
from bitstreams.commands import command_line
from hw.commands import console
from hw.host_interface.registers import HARDWARE_VERSION
from hw.util.errors import ToolNotFound
from hw.util.own_version import own_version
from pruning.training.recipe import names

ROOT = Path(__file__).parents[1]


COMMANDS = list(typer.main.get_command(command_line.app).commands)


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


def test_options_of_the_program_behind_a_command_are_told_where_they_go(run, model):
    said = run("estimate", model, "--verbose").sentence
    assert said == "spec2: --verbose goes in front of the command: spec2 --verbose …"
    assert "--log goes in front" in run("estimate", f"--log={model}").sentence
    assert "No such option: --quite" in run("estimate", model, "--quite").sentence


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
