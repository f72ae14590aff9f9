"""Files from others: a name in them is refused at every door, other text means nothing where it comes out.

The payloads are harmless: one that were run would leave a file ``marker``.
"""

import json
import os
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import asdict, replace

import numpy as np
import pytest

from bitstreams.flows import vivado_files
from bitstreams.plans import manifest
from hw.commands.console import emit, progress
from hw.contract import results
from hw.contract.artifact import random_artifact
from hw.contract.features import About, features_of
from hw.contract.features import save as save_features
from hw.contract.network import Conv, Network, tiny
from hw.util import names
from sim.report import comparison_page, explore_plot, page
from sim.report.comparison_plot import plot
from sim.rtl import answers
from tests.bitstreams.vivado_design import design as described
from tests.design_folder import save_design
from tests.sim.report.test_comparison_plot import ROWS

PAYLOADS = (
    "x\ntouch marker",
    "$(touch marker)",
    "../../../marker",
    "a b",
    "[red]x",
    "x\x1b[2J",
    "$x^2$",
    "| x |",
)


def fooled(monkeypatch, make):
    """What ``make`` makes where nothing checks names, as another program may write it."""
    with monkeypatch.context() as context:
        context.setattr(names, "check", lambda *given: None)
        return make()


def files(folder):
    return {path for path in folder.rglob("*")}


def check_sentence(sentence):
    assert sentence.isprintable() and "letters, digits" in sentence and len(sentence) < 500


# --- names, door by door --------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["network", "layer"])
@pytest.mark.parametrize("name", PAYLOADS, ids=ascii)
def test_a_model(run, tmp_path, monkeypatch, of, name):
    def make():
        layers = tiny().layers
        network = Network(name if of == "network" else "x", tiny().input, layers)
        if of == "layer":
            network = replace(network, layers=(replace(layers[0], name=name), *layers[1:]))
        random_artifact(network).save(tmp_path / "in" / "model.npz")

    (tmp_path / "in").mkdir()
    fooled(monkeypatch, make)
    before = files(tmp_path)
    monkeypatch.chdir(tmp_path / "in")
    for command in (["estimate"], ["generate"], ["explore", "--board", "vc709"], ["schedule"]):
        check_sentence(run(command[0], "model.npz", *command[1:]).sentence)
    check_sentence(run("report", tmp_path / "in").sentence)
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", PAYLOADS, ids=ascii)
def test_a_design(run, tmp_path, monkeypatch, name):
    folder = tmp_path / "in" / "design"

    def make():
        network = Network(name, (1, 8, 8), (Conv("c", 1, 1, 3),))
        info = replace(described(), network=network, numbers=(), estimates={"dsp_total": 1})
        save_design(folder, info, {"spec2.v": "module spec2; endmodule\n"})

    fooled(monkeypatch, make)
    before = files(tmp_path)
    monkeypatch.chdir(tmp_path)
    for more in (["--plan-only"], ["--toolchain", "openxc7", "--plan-only"], []):
        check_sentence(run("build", folder, "--board", "arty_a7_100", *more).sentence)
    for command in ("synth", "simulate", "classify --design", "board --virtual"):
        check_sentence(run(*command.split(), folder).sentence)
    random_artifact(tiny(), seed=1).save(tmp_path / "in" / "model.npz")
    np.save(tmp_path / "in" / "images.npy", np.zeros((1, *tiny().input), np.uint8))
    before = files(tmp_path)
    own = ["features", tmp_path / "in" / "model.npz", tmp_path / "in" / "images.npy", "--layer", "conv1"]
    check_sentence(run(*own, "--verilog", "--design", folder).sentence)
    assert files(tmp_path) == before


@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
def test_a_manifest(run, tmp_path, payload):
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "spec2.bit").write_bytes(b"")
    made = manifest.Manifest("vc709", "p", "vivado", 1e8, 921_600, "ab" * 32, "cd" * 32)
    save_design(tmp_path / "design", described(), {"spec2.v": ""})
    for field in ("board", "artifact"):
        (folder / "manifest.json").write_text(replace(made, **{field: payload}).to_text())
        sentence = run("deploy", folder).sentence
        assert sentence.isprintable() and not (tmp_path / "marker").exists()


@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
def test_features(run, tmp_path, monkeypatch, payload):
    """Names are refused; what made them, and how it was asked to, is shown nowhere."""
    monkeypatch.chdir(tmp_path)
    plain = features_of(random_artifact(tiny(), seed=1), "conv1")
    vectors = np.random.default_rng(1).integers(0, 99, (3, 9), np.int32)
    for field in ("layer", "network", "source", "command"):
        named = {"model": "0" * 64, "images": "0" * 64, "count": 3, "source": "board"}
        fields = {**asdict(plain), **named, field: payload}
        about = fooled(monkeypatch, lambda fields=fields: About(**fields))
        save_features(tmp_path / "f.npz", about, [vectors])
        result = run("index", tmp_path / "f.npz", "--bits", "8", "--out", tmp_path / "i.npz", "--json")
        if field in ("layer", "network"):
            check_sentence(result.sentence)
        else:
            assert result.code == 0
            found = run("search", tmp_path / "i.npz", tmp_path / "f.npz", "--nearest", "1")
            assert found.code == 0 and payload not in found.out
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
def test_a_recipe(run, tmp_path, payload):
    path = tmp_path / "mine.toml"
    quoted = json.dumps(payload)
    for text in (f"network = {quoted}\n", f'network = "lenet"\n[layers]\n{quoted} = "2:8"\n'):
        path.write_text(f'data = "mnist"\n{text}')
        sentence = run("prune", path, "--out", tmp_path / "out").sentence
        assert sentence.isprintable() and "mine.toml" in sentence
    assert files(tmp_path) == {path}


def test_results_and_reports_do_not_follow_links(run, fake_design):
    """What lies in a model's or a design's folder may lead anywhere; what is written there stays there."""
    elsewhere = fake_design.folder.parent / "elsewhere"
    elsewhere.write_text("mine")
    links = [fake_design.design / name for name in (results.SIMULATION, results.SYNTHESIS, answers.FILE_NAME)]
    links += [
        fake_design.folder / name for name in ("report.json", "report.md", "report.html", "predicted.json")
    ]
    for link in links:
        link.symlink_to(elsewhere)
    assert run("report", fake_design.folder).code == 0
    for name in (results.SIMULATION, results.SYNTHESIS):
        results.save(fake_design.design, name, {})
    answers.save(fake_design.design, np.zeros((1, 2, 2), np.uint8), np.zeros((1, 2), np.int32), None)
    assert run("compare", fake_design.folder, "--rows", "8", "--lanes", "4").code == 0
    assert elsewhere.read_text() == "mine" and not any(link.is_symlink() for link in links)


# --- where names and free text come out -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["_a-b.c", "A" * 64])
@pytest.mark.parametrize("toolchain", ["vivado", "openxc7"])
def test_the_printed_hint_unpacks_the_plan_and_runs_it(run, tmp_path, monkeypatch, name, toolchain):
    """In bash, from a folder whose name would do something; the tools of the plan are not there."""
    info = replace(described(), network=replace(tiny(), name=name), estimates={"dsp_total": 1})
    save_design(tmp_path / "design", info, {"spec2.v": "module spec2; endmodule\n"})
    out = tmp_path / "$(touch marker) `touch marker` [red] _x_"
    monkeypatch.setenv("COLUMNS", "1000")
    options = ["--board", "arty_a7_100", "--toolchain", toolchain, "--out", out, "--plan-only"]
    said = run("build", tmp_path / "design", *options).out
    assert f"Wrote the plan to {out}/" in said, "the folder, letter by letter"
    hint = said.strip().partition("Where the tools are: ")[2]
    assert hint.startswith("tar xzf")
    bare = {"PATH": os.defpath}
    done = subprocess.run(["bash", "-c", hint], cwd=out, capture_output=True, text=True, env=bare)
    assert "build.sh: not on PATH" in done.stderr or "vivado: command not found" in done.stderr
    assert not list(tmp_path.rglob("marker"))


def test_settings_of_a_plan_hold_any_text_as_text():
    """Behind the check of names, which lets none of it so far."""
    made = vivado_files._settings({"top": "a]; exec touch marker; [", "verilog": ["a b", "$c"]})
    assert "exec touch" not in made and made.count("\n") == 2


def test_an_error_moves_no_cursor(run):
    for word in ("x\x1b[2J\x07.npz", "\u202etxt.npz", "a\nspec2: all is well\n.npz"):
        result = run("estimate", word)
        (line,) = result.err.splitlines()
        assert line.isprintable() and line.startswith("spec2: there is no artifact at")
    result = run("estimate", "model.npz", "--\x1b[2J")
    assert result.code == 2 and result.err.strip().isprintable()


def test_progress_and_results_show_what_they_are_given(capsys, monkeypatch):
    for forced in ("", "1"):  # a log, and a terminal
        monkeypatch.setenv("FORCE_COLOR", forced) if forced else monkeypatch.delenv("FORCE_COLOR", False)
        with progress("working") as show:
            show(1, 2, "[bold]layer[/bold] \x07\x1b]0;title")
        shown = capsys.readouterr().err
        assert "working" in shown and "\x07" not in shown and "\x1b]0" not in shown
        assert not forced or "[bold]layer[/bold] \\x07" in shown
    monkeypatch.delenv("FORCE_COLOR")
    emit(False, {}, "first\x1b[2J", "second\x07")
    assert capsys.readouterr().out.split() == ["first\\x1b[2J", "second\\x07"]


def test_pages_show_text_as_text():
    result = {"stalls": False, "images": 1, "mismatches": 1, "correct": None}
    text = page.verified({**result, "first_mismatch": "<b>a</b>\n# b | *c*"})
    assert r"\<b\>a\</b\>\\n# b \| \*c\*." in text and "\n" not in text
    row = {**ROWS[1], "network": "*x*", "command": "spec2 prune\n```\n# heading\n```sh\nx", "storage_bits": 1}
    whole = comparison_page.section([row | {"accuracy_float": 1.0, "seconds": 1}], "a b)](x.svg")
    assert "## Measured: \\*x\\*\n" in whole and "](a%20b%29%5D%28x.svg)" in whole
    assert whole.count("\n# heading") == 0 and "\n````sh\nspec2 prune\\n```\\n# heading" in whole


def test_pictures_show_text_as_text(tmp_path):
    rows = [{**ROWS[1], "network": "$x^2$ \x1b[31m", "scheme": "$y$ a$"}, ROWS[2]]
    svg = plot(rows, tmp_path / "a.svg").read_text()
    texts = [element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert "$x^2$ \\x1b[31m" in texts and "$y$ a$ 75 %" in texts
    chosen = {"needs": {"dsp": 5}, "ms": 1.0, "images_per_second": 1.0, "weight_bits": 8, "fits": True}
    chosen["config"] = {"rows": 8, "lanes": 4}
    found = {"objective": "latency", "chosen": chosen, "points": [chosen], "front": [chosen]}
    found |= {"space": {"rows": [8]}, "budget": {"dsp": 10}, "clock_mhz": 100.0}
    explore_plot.plot(found | {"network": "$n$", "board": "$b$"}, tmp_path / "b.svg")
    texts = [
        element.text for element in ET.parse(tmp_path / "b.svg").iter("{http://www.w3.org/2000/svg}text")
    ]
    assert "$n$ on the $b$ at 100 MHz" in texts and "DSP slices of the $b$" in texts
