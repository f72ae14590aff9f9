"""The documentation as a reader gets it: HTML, notebooks, the manual page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from bitstreams.commands import command_line
from tests.docs.pages import ROOT, environment


@pytest.mark.verilator
def test_the_documentation_is_whole(tmp_path):
    """Built without a warning, its notebooks run: one test, since building takes a minute."""
    folder = build_documentation(tmp_path / "html")
    every_page_is_there(folder)
    notebooks_show_what_they_say(folder)
    commands_have_their_help(folder)


def build_documentation(folder: Path) -> Path:
    """The documentation as HTML: warnings are errors, and so is a notebook that fails."""
    for needed in ("furo", "myst_nb", "torch"):
        pytest.importorskip(needed)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, ROOT / "docs", folder], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def every_page_is_there(built: Path) -> None:
    """Sphinx writes pages of its own last, over ours of the same name and without a word: ``search``."""
    for page in (ROOT / "docs").rglob("*.md"):
        heading = re.search(r"^# (.+)$", page.read_text(), re.MULTILINE)[1]
        text = (built / page.relative_to(ROOT / "docs").with_suffix(".html")).read_text()
        words = re.sub(r"[^a-z0-9]+", " ", re.sub(r"&#?\w+;", " ", heading.lower())).split()
        title = re.search(r"<h1>(.*?)<a class", text, re.DOTALL)[1].lower()
        assert all(word in title for word in words if len(word) > 3), page


def notebooks_show_what_they_say(built: Path) -> None:
    """They were run by the build; a simulation with a wrong value would end it."""
    jupytext = pytest.importorskip("jupytext")
    text = (built / "notebooks" / "from_pytorch.html").read_text()
    shown = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    assert "mismatches 0 of 12 images" in shown
    assert int(re.search(r"right (\d+) of 12 images", shown)[1]) >= 9
    assert text.count("data:image/png;base64,") >= 12 and "srcdoc=" in text
    accuracy = float(re.search(r"pruned, integer model: ([\d.]+) %", shown)[1])
    assert accuracy > 90
    pages = sorted((ROOT / "docs" / "notebooks").glob("*.md"))
    assert len(pages) >= 2
    for page in pages:
        cells = page.read_text().count("```{code-cell}")
        code = (built / "notebooks" / f"{page.stem}.html").read_text()
        read = [cell for cell in jupytext.read(page).cells if cell.cell_type == "code"]
        assert len(read) == cells and not any(cell.source.startswith("```") for cell in read)
        assert code.count('class="cell docutils container"') == cells, page


def commands_have_their_help(built: Path) -> None:
    text = " ".join(re.sub(r"<[^>]+>", "", (built / "commands.html").read_text()).split())
    for name, command in typer.main.get_command(command_line.app).commands.items():
        assert f"Usage: $ spec2 {name} " in text, name
        for option in command.params:
            assert option.opts[-1] in text, (name, option)
    assert "put here when" not in text


@pytest.mark.slow
def test_the_manual_page_is_one(tmp_path):
    made = subprocess.run(
        ["make", "-C", ROOT, "man", f"BUILD={tmp_path}", f"BIN={Path(sys.executable).parent}", "STAMP="],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    page = (tmp_path / "man" / "spec2.1").read_text()
    assert page.count(".SH SPEC2 ") == len(typer.main.get_command(command_line.app).commands)
    assert ".SH NAME\nspec2 \\- FPGA accelerators" in page
