"""``spec2 compare``: a table and a picture from folders, and one sentence for every mistake."""

import json
from dataclasses import replace

import pytest

from hw.contract.artifact import Sparsity, random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import lenet, tiny
from hw.contract.results import ACCURACY_NAME
from sim.report import comparison, models
from sim.rtl.verify import verify

SMALL = ("--rows", "8", "--lanes", "2", "--batch", "2")


@pytest.fixture
def folders(tmp_path):
    """Three models of the tiny network, two of them with an accuracy."""
    for number, kind in enumerate(("kernel", "column", "block")):
        artifact = random_artifact(tiny(), seed=number)
        sparse = {layer.name: Sparsity(kind, 8, 32, 8) for layer in tiny().layers}
        artifact = replace(artifact, sparsity=sparse)
        artifact.save(tmp_path / kind / "model.npz")
        if kind != "block":
            measured = {"digest": artifact.digest, "dense": 99.0, "integer": 98 + number / 2}
            (tmp_path / kind / ACCURACY_NAME).write_text(json.dumps(measured))
    return [tmp_path / kind for kind in ("column", "block", "kernel")]


def test_the_table_of_an_array(run, folders, tmp_path):
    out, picture = tmp_path / "deep" / "rows.json", tmp_path / "deep" / "rows.svg"
    page = tmp_path / "deep" / "rows.html"
    result = run("compare", *folders, *SMALL, "--out", out, "--plot", picture, "--page", page)
    assert result.code == 0
    assert "column" in page.read_text() and 'id="model-2"' in page.read_text()
    text = " ".join(result.out.split())
    assert "N = 8, P = 2, batch 2, predicted by scheduler and cost model" in text
    found = json.loads(out.read_text())
    assert [row["scheme"] for row in found] == ["kernel", "block", "column"]
    assert all(f"{row['cycles']:,}" in text for row in found)
    assert "column" in picture.read_text()
    assert json.loads(run("compare", *folders, *SMALL, "--json").out) == found
    array = AcceleratorConfig(8, 2, 2)
    assert found == json.loads(json.dumps(comparison.rows(models.read(folders), array)))


def test_the_fields_of_a_row(run, folders):
    (row, *_) = json.loads(run("compare", *folders, *SMALL, "--json").out)
    names = "network scheme share_pruned accuracy_dense accuracy_float accuracy_integer cycles storage_bits"
    assert list(row)[:10] == [*names.split(), "seconds", "command"]


def test_options_left_out_are_those_of_the_documented_table(run, folders):
    (one, *_) = json.loads(run("compare", *folders, "--lanes", "3", "--json").out)
    assert (one["rows"], one["lanes"], one["batch"]) == (64, 3, 1)
    (usual, *_) = json.loads(run("compare", *folders, "--json").out)
    assert (usual["rows"], usual["lanes"], usual["clocks_from"]) == (64, 10, comparison.MODEL)


def test_a_configuration_file_is_an_array(run, folders, fake_design):
    (one, *_) = json.loads(
        run("compare", *folders, "--config", fake_design.design / "design.json", "--lanes", "5", "--json").out
    )
    assert (one["rows"], one["lanes"], one["batch"]) == (8, 5, 4)


def test_clocks_that_the_verilog_counted(run, fake_design, tiny_images):
    verify(fake_design.design, fake_design.artifact, tiny_images)
    text = " ".join(run("compare", fake_design.folder).out.split())
    assert "N = 8, P = 4, batch 4, counted by the Verilog" in text and "4,600" in text


def test_trainings_of_a_pattern_as_one_row(run, folders, tmp_path):
    """Of two seeds of *kernel* and one of *column*, in table, picture and page alike."""
    sparse = {layer.name: Sparsity("kernel", 8, 32, 8) for layer in tiny().layers}
    again = replace(random_artifact(tiny(), seed=12), sparsity=sparse)
    again.save(tmp_path / "again" / "model.npz")
    measured = {"digest": again.digest, "dense": 97.0, "integer": 95.0}
    (tmp_path / "again" / ACCURACY_NAME).write_text(json.dumps(measured))
    out, page = tmp_path / "rows.json", tmp_path / "rows.html"
    result = run(
        "compare", *folders, tmp_path / "again", *SMALL, "--over-seeds", "--out", out, "--page", page,
        "--plot", tmp_path / "rows.svg",
    )  # fmt: skip
    assert result.code == 0
    found = {row["scheme"]: row for row in json.loads(out.read_text())}
    assert {name: row["seeds"] for name, row in found.items()} == {"kernel": 2, "block": 1, "column": 1}
    assert (found["kernel"]["accuracy_integer"], found["kernel"]["lost"]) == (96.5, 1.5)
    assert "seeds" in result.out and "96.50 ± 2.12" in page.read_text()
    one, other = (
        row
        for row in json.loads(run("compare", *folders, tmp_path / "again", *SMALL, "--json").out)
        if row["scheme"] == "kernel"
    )
    assert found["kernel"]["cycles"] == round((one["cycles"] + other["cycles"]) / 2)


MISTAKES = {
    "nothing": ([], "folders"),
    "no model": (["FOLDER", "nothing"], "spec2 prune"),
    "other network": (["FOLDER", "OTHER"], "lenet and tiny"),
    "twice": (["FOLDER", "FOLDER"], "hold the same model"),
    "odd rows": (["FOLDER", "--rows", "60"], "of 8 from 32 on"),
    "no lanes": (["FOLDER", "--lanes", "0"], "lanes must be 1..64"),
    "batch over lanes": (["FOLDER", "--lanes", "2", "--batch", "3"], "raise lanes"),
    "no configuration": (["FOLDER", "--config", "nothing.json"], "spec2 explore"),
    "another format": (["FOLDER", "--plot", "a.jpg"], ".svg or a .png file, not a.jpg"),
    "nothing to draw": (["UNTRAINED", "--plot", "a.svg"], "--untrained"),
}


@pytest.mark.parametrize(("arguments", "names"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_sentence_and_writes_nothing(run, folders, tmp_path, monkeypatch, arguments, names):
    monkeypatch.chdir(tmp_path)
    random_artifact(lenet(), seed=1).save(tmp_path / "other" / "model.npz")
    before = sorted(tmp_path.rglob("*"))
    places = {"FOLDER": folders[0], "UNTRAINED": folders[1], "OTHER": tmp_path / "other"}
    result = run("compare", *(places.get(argument, argument) for argument in arguments), "--out", "rows.json")
    assert names in result.sentence
    assert sorted(tmp_path.rglob("*")) == before
