"""``explore.html`` and ``compare --page``: figures, commands and links of the pages are those of the data."""

import json
import shlex
import subprocess

import pytest

from hw.contract.config import load_config
from hw.contract.network import lenet
from hw.explore.lengths import Density
from hw.explore.objective import Objective
from hw.explore.report import LAYERED, report
from hw.explore.sweep import explore
from hw.explore.workload import UniformWorkload
from sim.report.comparison import FAMILIES
from sim.report.html import compare
from sim.report.html import explore as explored
from sim.report.html.filters import filter_of
from tests.sim.report.test_comparison_plot import ROWS
from tests.sim.report.test_explore_page import DEVICE, SPACE
from tests.sim.report.test_html import HOSTILE, Tags


@pytest.fixture(scope="module")
def data():
    found = explore(UniformWorkload(lenet(), Density()), DEVICE, SPACE, Objective.latency)
    return json.loads(json.dumps(report(found)))


@pytest.fixture(scope="module")
def page(data):
    return explored.html(data, "build/lenet/model.npz")


def test_every_design_of_the_front_has_its_layers_and_its_command(data, page, tmp_path):
    made = Tags(page)
    front = data["front"]
    articles = [attributes["id"] for tag, attributes in made.found if tag == "article"]
    assert articles == [f"design-{number}" for number in range(len(front))]
    links = {attributes.get("href") for tag, attributes in made.found if tag == "a"}
    assert links == {f"#{name}" for name in articles}
    for design in front[:LAYERED]:
        assert sum(layer["cycles"] for layer in design["layers"]) <= design["cycles"]
        assert all(f"{layer['cycles']:,}" in made.text for layer in design["layers"])
    commands = [explored.command(design["config"], "my model.npz") for design in front]
    assert all(explored.command(design["config"], "build/lenet/model.npz") in made.text for design in front)
    # The words before the pipe give a shell the configuration, which generate reads as a file.
    echoed, _, generate = commands[0].partition(" | ")
    assert shlex.split(generate) == ["spec2", "generate", "my model.npz", "--config", "/dev/stdin"]
    (tmp_path / "config.json").write_text(subprocess.check_output(["sh", "-c", echoed], text=True))
    assert load_config(tmp_path / "config.json") == front[0]["config"]


def test_points_are_those_that_fit(data, page):
    """Each in both widths, those of the front above the others."""
    timed = [design for design in data["points"] if design["fits"] and "ms" in design]
    points = [a["class"].split() for _, a in Tags(page).found if a.get("class", "").startswith("mark point")]
    assert len(points) == 2 * (len(timed) + len(data["front"]))
    rows = sorted({design["config"]["rows"] for design in timed})
    front = sum(design["config"]["rows"] == rows[0] for design in data["front"] + timed)
    assert sum("rows-0" in classes for classes in points) == 2 * front > 0


def test_a_design_without_layers_says_so(data):
    less = {**data, "front": [{k: v for k, v in design.items() if k != "layers"} for design in data["front"]]}
    text = Tags(explored.html(less, "m.npz")).text
    assert text.count("explore.json has the best designs only") == len(data["front"])


def test_models_are_in_the_table_and_the_plot():
    made = Tags(compare.html(ROWS))
    rows = [attributes["id"] for tag, attributes in made.found if tag == "tr" and "id" in attributes]
    assert rows == [f"model-{number}" for number in range(len(ROWS))]
    drawn = [number for number, row in enumerate(ROWS) if row["accuracy_integer"] is not None]
    links = {a["href"] for tag, a in made.found if tag == "a"}
    assert links == {f"#model-{number}" for number in drawn} and drawn
    assert all(f"{row['cycles']:,}" in made.text for row in ROWS)
    none = [{**row, "accuracy_integer": None} for row in ROWS]
    assert "There is no plot" in Tags(compare.html(none)).text


def test_what_others_call_their_networks_and_patterns_stays_text(data):
    rows = [{**row, "network": HOSTILE, "scheme": HOSTILE, "command": HOSTILE} for row in ROWS]
    text = json.dumps(data)
    text = text.replace('"conv1"', json.dumps(HOSTILE)).replace('"lenet"', json.dumps(HOSTILE))
    shown = HOSTILE.replace("\x1b", "\\x1b")
    for made in (Tags(compare.html(rows)), Tags(explored.html(json.loads(text), HOSTILE))):
        tags = {tag for tag, _ in made.found}
        assert not {"script", "img"} & tags and shown in made.text and "\x1b" not in made.text
        assert not [name for _, attributes in made.found for name in attributes if name.startswith("on")]


def test_classes_have_no_word_of_a_value():
    found = filter_of("t", "pattern", [*FAMILIES, HOSTILE, FAMILIES[0]])
    assert [name for name, _ in found.boxes] == [f"pattern-{n}" for n in range(len(FAMILIES) + 1)]
    assert found.class_of(HOSTILE) == f"pattern-{len(FAMILIES)}"
