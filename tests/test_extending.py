"""``docs/extending.md``: its paths are there, and its examples work in a copy of the project."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bitstreams.vivado_design import design as described
from tests.design_folder import save_design
from tests.docs.pages import commands

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "extending.md"
PAGE = FILE.read_text()
TOPS = ("bitstreams", "docs", "hw", "pruning", "sim", "tests")


def examples(heading: str) -> list[str]:
    """The Python blocks below a heading of the page."""
    section = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", PAGE, re.M | re.S)[1]
    found = re.findall(r"^( *)```python\n(.*?)^ *```$", section, re.M | re.S)
    return [textwrap.dedent(text) for _, text in found]


@pytest.fixture
def copy(tmp_path):
    """A copy of the code, and a way to run Python in it."""
    folder = tmp_path / "copy"
    for package in ("bitstreams", "hw", "pruning", "sim"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "spec2.py", folder)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.folder = folder
    return run


def typed(copy, command: str, *more: str) -> str:
    """What the page's line with this command prints."""
    (line,) = [
        line for line in commands(FILE) if line.startswith(f"spec2 {command} ") or line == f"spec2 {command}"
    ]
    return copy("spec2.py", *shlex.split(line)[1:], *more)


def test_every_command_of_the_page_is_typed_here():
    assert [line.split()[1] for line in commands(FILE)] == ["prune", "boards", "build"]


def test_every_path_of_the_page_is_there():
    words = re.findall(rf"(?<![\w/.])(?:{'|'.join(TOPS)})/[\w/.]*\w/?", PAGE)
    assert len(set(words)) > 30
    missing = {word for word in words if not (ROOT / word).exists()}
    assert not missing


def test_a_board_is_one_file(copy):
    (text,) = examples("A board")
    (copy.folder / "bitstreams" / "boards" / "toy.py").write_text(text)
    listed = {board["name"]: board for board in json.loads(copy("spec2.py", "boards", "--json"))}
    assert listed["toy"]["transports"] == ["uart", "pcie"] and "vc709" in listed
    design = copy.folder / "build" / "lenet" / "design"
    save_design(
        design, replace(described(), estimates={"dsp_total": 24}), {"spec2.v": "module spec2; endmodule\n"}
    )
    plans = """if True:
        import json
        from bitstreams import build
        choices = [("vivado", "uart"), ("vivado", "pcie"), ("openxc7", "uart")]
        plans = [build.plan("build/lenet/design", "toy", toolchain=a, transport=b) for a, b in choices]
        print(json.dumps([[plan.name, plan.products[0], plan.manifest.board] for plan in plans]))
    """
    assert "toy" in typed(copy, "boards") and "Wrote the plan to" in typed(copy, "build")
    assert json.loads(copy("-c", plans)) == [
        ["tiny-toy-vivado-uart", "spec2.bit", "toy"],
        ["tiny-toy-vivado-pcie", "spec2.bit", "toy"],
        ["tiny-toy-openxc7", "top.bit", "toy"],
    ]


def test_a_link_is_one_file(copy):
    (text,) = examples("A link")
    (copy.folder / "bitstreams" / "links" / "nowhere.py").write_text(text)
    script = """if True:
        from bitstreams.links.opening import Address, open_link
        from hw.util.errors import Spec2Error
        for text in ("nowhere:utopia", "else:x"):
            try:
                open_link(Address.parse(text), 921_600)
            except Spec2Error as error:
                print(error)
    """
    leads, other = copy("-c", script).splitlines()
    assert leads == "utopia leads nowhere: name a board"
    assert "there is no link 'else:x'" in other and "nowhere:NAME (nowhere:utopia)" in other


def test_a_sparsity_pattern_is_a_row_and_a_set(copy):
    row, text = examples("A sparsity pattern")
    table = copy.folder / "hw" / "contract" / "sparsity.py"
    before = table.read_text()
    after = before.replace("PATTERNS = (\n", f"PATTERNS = (\n    {row.strip()},\n")
    assert after != before
    table.write_text(after)
    (copy.folder / "pruning" / "sets" / "first.py").write_text(text)
    report = json.loads(typed(copy, "prune", "--json"))
    kinds = {layer["kind"]: layer["kept"] for layer in report["sparsity"].values()}
    assert 20 < kinds["first"] <= 25
