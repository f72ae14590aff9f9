"""Pages keep up with the code: names, tables, sentences, targets, links."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer

import pruning
from bitstreams import boards
from bitstreams.boards import data_sheet
from bitstreams.commands import command_line
from bitstreams.flows import memory_map
from hw.contract import sparsity
from hw.host_interface import registers
from sim.report import comparison
from tests.docs.pages import PAGES, README, ROOT, blocks

PICTURES = ROOT / "docs" / "pictures"


def test_pictures_are_what_their_script_draws(tmp_path):
    subprocess.run([sys.executable, PICTURES / "draw.py", "--out", tmp_path], check=True)
    drawn = {path.name: path.read_text() for path in tmp_path.glob("*.svg")}
    assert drawn == {path.name: path.read_text() for path in PICTURES.glob("*.svg")}, "run 'make pictures'"
    for text in drawn.values():
        ElementTree.fromstring(text)


def test_the_api_page_has_every_public_name_of_pruning():
    page = (ROOT / "docs" / "api" / "pruning.md").read_text()
    shown = re.findall(r"^\.\. auto\w+:: pruning\.(\w+)$", page, re.MULTILINE)
    assert sorted({*shown} - {"patterns"}) == sorted(pruning.__all__)


def test_the_readme_lists_every_command():
    listed = re.findall(r"^\| `spec2 (\w+)` \|", README.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(typer.main.get_command(command_line.app).commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", prose(page)):
        if "://" in target:
            continue  # make links
        there = page.parent / target if target else page
        assert there.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(there), f"{page.name} links to {target}#{anchor}"


def prose(page: Path) -> str:
    """A page without its code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links: on GitHub and in the documentation."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def test_the_register_page_holds_the_current_table():
    page = (ROOT / "docs" / "registers.md").read_text()
    assert registers.markdown() in page, (
        "hw/host_interface/registers.py has changed: put the output of markdown() into the page"
    )


BOARD_PAGES = sorted((ROOT / "docs" / "boards").glob("*.md"))


@pytest.mark.parametrize("path", BOARD_PAGES, ids=lambda path: path.stem)
def test_the_page_of_a_board_has_its_current_table(path):
    page, board = path.read_text(), boards.BOARDS[path.stem]
    assert data_sheet.markdown(board) in page, (
        f"{board.name} has changed: put the output of bitstreams.boards.data_sheet.markdown() into the page"
    )
    assert "no board was used" in page and "## Known gaps" in page
    assert not board.connected or memory_map.markdown(board) in page


def test_the_host_finds_its_registers_where_the_page_says():
    page = (ROOT / "docs" / "deploying.md").read_text()
    told = re.findall(r"^\| `0x(\w{4})` \|", page, re.M)
    assert [int(offset, 16) for offset in told] == list(memory_map.WINDOWS.values())


def test_the_index_takes_every_page_of_a_board():
    assert len(BOARD_PAGES) >= 6 and "\nboards/*\n" in (ROOT / "docs" / "index.md").read_text()


def messages() -> str:
    """What the code can say: its text with adjacent literals joined."""
    files = [ROOT / "spec2.py"]
    for package in ("hw", "pruning", "sim", "bitstreams"):
        files += [path for path in (ROOT / package).rglob("*") if path.suffix in (".py", ".tcl", ".sh")]
    text = "\n".join(path.read_text() for path in files)
    return re.sub(r'"\s*\\?\n?\s*f?"', "", text)


def test_sentences_of_the_troubleshooting_page_are_those_of_the_program():
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    first = "".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| *"))
    sentences = re.findall(r"\*([^*]+)\*", first)
    assert len(sentences) > 80
    said = messages()
    for sentence in sentences:
        parts = [part for part in (part.strip(" :,") for part in sentence.split("…")) if len(part) > 2]
        assert parts, sentence
        for part in parts:
            assert part in said, f"nothing says {part!r}"


def test_the_sparsity_page_explains_every_pattern():
    page = (ROOT / "docs" / "sparsity.md").read_text()
    assert sparsity.markdown() in page, (
        "hw/contract/sparsity.py has changed: put what 'python -m hw.contract.sparsity --markdown' prints "
        "into the page"
    )
    explained = [name.split(",")[0] for name in re.findall(r"^\*\*([^*]+)\.\*\*", page, re.MULTILINE)]
    assert [comparison.family(name) for name in explained] == list(comparison.FAMILIES)


def test_makefile_targets_in_documents_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.MULTILINE))
    used = {
        name for page in PAGES for name in re.findall(r"^make ([a-z0-9-]+)", page.read_text(), re.MULTILINE)
    }
    assert used and used <= targets


SHELL = [line for page in PAGES for code in blocks(page, "sh") for line in code.splitlines()]
MADE = sorted({line.split("#")[0].strip() for line in SHELL if line.startswith("make ")})
MODULES = sorted({found for line in SHELL for found in re.findall(r"^python -m ([\w.]+)", line)})


@pytest.mark.parametrize("line", MADE)
def test_what_make_is_told_to_do_it_would_do(line):
    """A run that only prints: variables of the line are known, what it depends on is there or is made."""
    done = subprocess.run([*shlex.split(line), "-n", "-C", ROOT], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr
    given = [word for word in shlex.split(line) if "=" in word]
    assert all(word.split("=")[1].split("=")[0] in done.stdout for word in given), done.stdout
    for module in re.findall(r" -m ((?:hw|pruning|sim|bitstreams|tests)\.[\w.]+)", done.stdout):
        assert importlib.util.find_spec(module), module


@pytest.mark.parametrize("module", MODULES)
def test_modules_that_are_run_are_there(module):
    assert importlib.util.find_spec(module)


def test_continuous_integration_runs_make_test():
    script = (ROOT / ".ci" / "run").read_text()
    assert script.splitlines()[-1] == "exec make test"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_every_dependency_has_a_reason():
    """One comment on each dependency, on its own line."""
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    extras = [name for group in project["optional-dependencies"].values() for name in group]
    for name in project["dependencies"] + extras:
        line = next(line for line in text.splitlines() if f'"{name}"' in line)
        assert "#" in line, line
