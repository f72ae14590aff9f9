"""``report.html``: what a file says stays text, the page asks for nothing, and says what is missing."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from hw.contract.artifact import random_artifact
from hw.contract.network import tiny
from sim.report.data import assemble
from sim.report.html import environment, theme
from sim.report.html import report as page
from sim.report.html.report import html
from sim.rtl import answers
from tests.sim.report.example import BOARDS, IMAGES, example

HTML = Path(page.__file__).parent
HOSTILE = """<script>alert(1)</script><img src=x onerror=alert(2)>"'&{{ 7 * 7 }}$x^2$\x1b]0;"""


class Tags(HTMLParser):
    """All elements of a page, with their attributes, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return example(tmp_path_factory.mktemp("example"))


@pytest.fixture
def report(folder):
    return assemble(folder)


@pytest.fixture(scope="module")
def pixels(folder):
    return answers.load(folder / "design").images


@pytest.fixture(scope="module")
def made(folder, pixels):
    return html(assemble(folder), pixels, BOARDS)


def test_names_and_free_text_stay_text(report, pixels, made):
    """As if nothing had checked them at the door: of network and layer, labels, commands, phases,
    patterns."""
    report["training"]["curves"] = [{"phase": "PHASE", "loss": 1.0, "accuracy": 9.0, "kept": 1.0}]
    report["commands"].append("COMMAND")
    report["verified"] |= {"mismatches": 1, "first_mismatch": "MISMATCH"}
    report["graph"][2]["pattern"] = "PATTERN"
    report["network"] = "NETWORK"
    text = json.dumps(report)
    words = ("conv1", "PHASE", "COMMAND", "MISMATCH", "PATTERN", "NETWORK")
    for word in words:
        assert word in text
        text = text.replace(word, json.dumps(word + HOSTILE)[1:-1])
    found = Tags(html(json.loads(text), pixels, [{**BOARDS[0], "name": HOSTILE, "title": HOSTILE}]))
    plain = Tags(made)
    assert {tag for tag, _ in found.found} == {tag for tag, _ in plain.found}
    names = {name for _, attributes in found.found for name in attributes}
    assert names == {name for _, attributes in plain.found for name in attributes}
    assert not [name for name in names if name.startswith("on")]
    shown = HOSTILE.replace("\x1b", "\\x1b")
    for word in words[2:]:
        assert word + shown in found.text
    assert found.text.count(f"conv1{shown}") > 5 and "\x1b" not in found.text


def test_it_asks_for_nothing(made):
    found = Tags(made).found
    for tag, attributes in found:
        for name in ("src", "href", "srcset", "data", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
        assert tag != "script" and "url(http" not in attributes.get("style", "")
    (policy,) = [a["content"] for _, a in found if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "script-src" not in policy


def test_ids_are_there_once_and_all_links_lead_to_one(made):
    tags = Tags(made).found
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    linked = {value for _, a in tags for value in a.values() if value and value.startswith("#")}
    linked |= {f"#{found}" for _, a in tags for v in a.values() for found in re.findall(r"url\(#(.+?)\)", v)}
    assert {link[1:] for link in linked if not link.startswith("#fe")} <= set(ids) and len(linked) > 10


def test_the_only_markup_is_that_of_plots_and_of_our_own_files():
    """Everything else is escaped by the engine."""
    for path in HTML.rglob("*.py"):
        assert ("Markup(" in path.read_text()) == (path.name in ("svg.py", "environment.py")), path
    for path in (HTML / "templates").iterdir():
        assert not re.search(r"\|\s*safe\b|autoescape", path.read_text()), path
    assert environment._environment().autoescape is True


def test_every_colour_of_a_plot_has_a_name_in_light_dark_and_print():
    style = (HTML / "templates" / "style.css").read_text()
    light, dark, paper = (found[1] for found in re.finditer(r":root \{(.+?)\}", style, re.DOTALL))
    for name in theme.VARIABLES:
        assert all(f"--{name}: #" in block for block in (light, dark, paper)), name
    assert len(set(theme.STAND_INS.values())) == len(theme.VARIABLES)


def test_what_there_is_no_data_of_is_said(tmp_path):
    """A model alone: nothing but its network and words is known."""
    random_artifact(tiny(), seed=1).save(tmp_path / "model.npz")
    made = Tags(html(assemble(tmp_path), None, BOARDS)).text
    for sentence in (
        "There is no design yet: 'spec2 generate' makes one.",
        "There are no training curves",
        "The artifact carries no accuracy",
        "There is no confusion matrix",
        "There are no images",
        "Left out: it needs a design of this version.",
    ):
        assert sentence in made
    assert "spectral words are kept" in made


def test_a_design_that_was_not_simulated_has_the_cost_model(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    for name in ("simulation.json", "answers.npz"):
        (tmp_path / "design" / name).unlink()
    made = Tags(html(assemble(tmp_path), None, BOARDS)).text
    assert "predicted by the cost model" in made and "'spec2 simulate' counts" in made
    assert "counted by the hardware" not in made


def test_figures_of_the_page_are_those_of_the_data(folder, report, made):
    text = Tags(made).text
    assert "16,600 clocks, counted by the hardware" in text and "4,600" in text
    (conv2,) = [row for row in report["stages"]["layers"] if row["name"] == "conv2"]
    assert f"conv2: a step, {conv2['steps']:,} clocks" in made
    need = report["resources"]["dsp_total"]
    assert f"{100 * need / 48:.0f} %" in text and "none there" not in text and f"{need} of 48" in made
    wrong = [image for image in report["images"] if image["wrong"]]
    assert len(wrong) == 1 and report["images"][0] == wrong[0]
    chosen, label = wrong[0]["chosen"], wrong[0]["label"]
    assert f"{chosen}, labelled {label}" in text and made.count(", as labelled</figcaption>") == IMAGES - 1
    assert f"label {label}, taken for {chosen}: 1 of" in text
    assert report["digest"] in text and f"spec2 report {folder}" in text
    assert made.count("data:image/png;base64,") == IMAGES


def test_equal_data_give_an_equal_page_beside_the_others(folder, report, made):
    path = page.write(report, folder, boards=BOARDS)
    assert path == folder / "report.html" and path.read_text() == made and len(made) < 500_000


def test_more_classes_than_fit_are_not_drawn(report):
    report["confusion"]["counts"] = np.eye(21, dtype=int).tolist()
    report["words"] = {name: {**found, "grid": "weight"} for name, found in report["words"].items()}
    report["stages"] = None
    text = Tags(html(report, None, BOARDS)).text
    assert "too many classes for a page" in text and "are left out" in text and "older version" in text
