"""Documents keep their word: their commands parse or run, their links lead somewhere, tables are current."""

import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import typer

import pruning
from bitstreams import boards
from bitstreams.boards import data_sheet
from bitstreams.commands import command_line
from bitstreams.flows import memory_map
from bitstreams.synthesis import extrapolation
from hw.contract import sparsity
from hw.host_interface import registers
from pruning.transfer.search import benchmark as search_benchmark
from sim.commands import spread_page, transfer_results
from sim.report import comparison, comparison_page, comparison_plot, explore_page, robustness_tables
from sim.rtl import layers

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
TUTORIAL = ROOT / "docs" / "tutorial.md"
OWN_NETWORKS = ROOT / "docs" / "own_networks.md"
README = ROOT / "README.md"

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """Every ``spec2`` command line in the code blocks of a page."""
    text = "".join(code for language, code in BLOCK.findall(page.read_text()) if language == "sh")
    lines = [shlex.join(shlex.split(line, comments=True)) for line in text.splitlines()]
    return [line for line in lines if line.startswith("spec2 ")]


COMMANDS = sorted({line for page in PAGES for line in commands(page)})


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_in_the_documents_parses(line):
    group = typer.main.get_command(command_line.app)
    parser = group.make_parser(group.context_class(group))  # of options in front of the command's name
    _, (name, *arguments), _ = parser.parse_args(shlex.split(line)[1:])
    group.commands[name].make_context(name, arguments).close()


def test_help_examples_parse():
    group = typer.main.get_command(command_line.app)
    for name, command in group.commands.items():
        examples = re.findall(r"^ +spec2 (.+)$", command.help, re.MULTILINE)
        assert examples, name
        for example in examples:
            used, *arguments = shlex.split(example)
            assert used == name
            command.make_context(name, arguments).close()


def environment() -> dict[str, str]:
    """Of commands: with this interpreter, from this tree, with the digits that come with a package."""
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "default",
        "OMP_NUM_THREADS": "1",  # threads of one training that share a core with another test wait for it
    }
    env.pop("SPEC2_DATA_DIR", None)
    return env


def run_blocks(text: str, folder: Path) -> str:
    """Run the code blocks of a document in ``folder``, as a reader would; returns what they print.

    Blanks and line ends come back as single blanks: where a terminal breaks its lines is not promised.
    """
    # The command as installed, but from this tree.
    prelude = f'set -euo pipefail\nspec2() {{ {shlex.quote(sys.executable)} {ROOT / "spec2.py"} "$@"; }}\n'
    out = ""
    for language, code in BLOCK.findall(text):
        command = [sys.executable, "-c", code] if language == "python" else ["bash", "-c", prelude + code]
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        out += done.stdout
    return " ".join(out.split())


@pytest.mark.verilator
def test_the_first_part_of_the_tutorial_runs(tmp_path):
    text = TUTORIAL.read_text()
    first = text[text.index("## A first accelerator") : text.index("## A trained accelerator")]
    assert len(BLOCK.findall(first)) == 5
    out = run_blocks(first, tmp_path)
    assert "0 mismatches" in out and "operations per DSP slice" in out
    assert (tmp_path / "build/tiny/report.md").exists()


@pytest.mark.slow
@pytest.mark.verilator
def test_the_trained_accelerator_of_the_tutorial_runs(tmp_path):
    text = TUTORIAL.read_text()
    trained = text[text.index("## A trained accelerator") : text.index("## LeNet")]
    assert len(BLOCK.findall(trained)) == 2
    out = run_blocks(trained, tmp_path)
    assert "0 mismatches" in out and "operations per DSP slice" in out


def test_the_page_on_own_networks_runs(tmp_path):
    out = run_blocks(OWN_NETWORKS.read_text(), tmp_path)
    assert "['features_0', 'features_4', 'classifier']" in out and out.endswith(" 19")
    assert (tmp_path / "build/small/model.npz").exists()


def test_the_page_on_the_functions_runs(tmp_path):
    out = run_blocks((ROOT / "docs" / "api" / "spec2.md").read_text(), tmp_path)
    assert out.startswith("11408 the design needs 1,536 DSP slices of 240 ")


def test_the_recipe_on_the_page_on_own_networks_is_one():
    pytest.importorskip("torch")
    from pruning import patterns
    from pruning.training import recipe

    (text,) = re.findall(r"^```toml\n(.*?)^```", OWN_NETWORKS.read_text(), re.MULTILINE | re.DOTALL)
    file = recipe.RecipeFile(**tomllib.loads(text))
    assert file.network.endswith(recipe.ONNX_SUFFIX) and file.data in recipe.data.LOADERS
    assert [patterns.parse(scheme).keep for scheme in file.layers.values()] == [1]


def test_the_readme_begins_with_two_commands():
    """Nothing has to be done before them, and ``make`` knows both."""
    first = BLOCK.search(README.read_text())
    assert first
    typed = [line.split("#")[0].strip() for line in first[2].splitlines()]
    assert typed == ["make demo", "make test"]


def save_digits(folder: Path, every: int) -> Path:
    """A folder of MNIST as ``DATA`` names it: one in ``every`` of the digits that come with a package."""
    digits = pytest.importorskip("pruning.data").load("mnist")
    for name in ("train", "test"):
        images, labels = (getattr(digits, f"{name}_{what}")[::every] for what in ("images", "labels"))
        np.savez(folder / f"mnist_{name}.npz", image=images[:, 0], label=labels)
    return folder


@pytest.mark.verilator
@pytest.mark.parametrize("every", [32, pytest.param(1, marks=pytest.mark.slow)])
def test_the_first_commands_of_the_readme_run(tmp_path, wheel, every):
    """``make demo`` without the installation, with the program of the wheel in its place; then what comes
    after it. Slow as a reader has it; else with a folder of fewer digits, for training takes longest."""
    stamp = tmp_path / ".installed"
    stamp.touch()  # newer than pyproject.toml: nothing is to be installed
    python = Path(sys.executable)
    chosen = {
        "BIN": python.parent,
        "STAMP": stamp,
        "SPEC2": f"{python} {wheel.site / 'spec2.py'}",
        "BUILD": tmp_path / "build",
        "DATA": save_digits(tmp_path, every) if every > 1 else "",
    }
    command = ["make", "-C", ROOT, "demo", *(f"{name}={value}" for name, value in chosen.items())]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "0 mismatches" in " ".join(done.stdout.split())
    ((page, report),) = re.findall(r"the report: (\S+) and (\S+);", done.stdout)
    assert "operations per DSP" in Path(page).with_name(report).read_text()
    assert Path(page).read_text().lower().startswith("<!doctype html>")

    (block,) = [code for _, code in BLOCK.findall(README.read_text()) if "spec2 classify" in code]
    activate, *lines = block.splitlines()
    assert activate == "source .venv/bin/activate" and len(lines) == 3
    out = run_blocks("```sh\n" + "\n".join(lines) + "\n```\n", tmp_path)
    assert "0 mismatches" in out and "All scores of 8 images equal the integer model's." in out


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
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


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
    assert not board.pcie or memory_map.markdown(board) in page


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


RESULTS = ROOT / "docs" / "results"
SPARSITY, SEARCH, WORDS, ROBUSTNESS = (
    RESULTS / f"{name}.json" for name in ("sparsity", "search", "words", "robustness")
)
"""Their tables have pages of their own."""


@pytest.mark.parametrize(
    "data", sorted({*RESULTS.glob("*.json")} - {SPARSITY, SEARCH, WORDS, ROBUSTNESS}), ids=lambda p: p.stem
)
def test_the_results_page_holds_the_tables_of_its_data(data):
    page, rows = (ROOT / "docs" / "results.md").read_text(), json.loads(data.read_text())
    if isinstance(rows, list):
        tables = [comparison.markdown(rows)]
    elif "images_per_second" in rows:
        tables = [pytest.importorskip("pruning.training.benchmark").markdown(rows)]
    elif "slices" in rows:
        tables = [extrapolation.markdown(rows, rows["budget"], rows["device"])]
    else:
        tables = layers.markdown(rows)
    for table in tables:
        assert table in page, f"{data.name} has changed: put what its command prints into the page"


def test_the_sparsity_page_holds_the_table_and_the_plot_of_its_data():
    """Or no section at all where nothing was measured."""
    page = (ROOT / "docs" / "sparsity.md").read_text()
    if not SPARSITY.exists():
        assert comparison_page.BEGIN not in page
        return
    rows = json.loads(SPARSITY.read_text())
    assert comparison_page.section(rows, "results/sparsity.svg") in page, (
        "sparsity.json has changed: run 'make compare-sparsity'"
    )
    assert page.count(comparison_page.BEGIN) == 1
    drawn = SPARSITY.with_suffix(".svg").read_text()
    labels = [comparison_plot.label(row) for row in rows if row["accuracy_integer"] is not None]
    assert labels and all(f">{label}<" in drawn for label in labels)


@pytest.mark.parametrize(("name", "page"), [("lenet", "sparsity.md"), ("pneumonia", "results.md")])
def test_a_page_holds_what_seeds_differ_by(name, page):
    """Of the patterns of the sweep beside it, each with three seeds, and what is said of them."""
    cases = json.loads((ROOT / "docs" / "results" / "spread" / f"{name}.json").read_text())
    sweep = tomllib.loads((ROOT / "docs" / "results" / "spread" / f"{name}.toml").read_text())
    assert [case["case"] for case in cases] == [
        f"sparsity {pattern}" for pattern in sweep["grid"]["sparsity"]
    ]
    assert {case["seeds"] for case in cases} == {len(sweep["seeds"])} == {3}
    assert spread_page.markdown(cases) in (ROOT / "docs" / page).read_text()


def test_what_is_said_of_the_seeds_of_lenet_is_so():
    cases = json.loads((ROOT / "docs" / "results" / "spread" / "lenet.json").read_text())
    integer = [case["measured"]["integer"] for case in cases]
    means = [of["mean"] for of in integer]
    assert max(means) - min(means) < 0.34 and max(of["stdev"] for of in integer) > max(means) - min(means)
    assert all(case["measured"]["lost"]["mean"] < 0.5 for case in cases)


def test_what_is_said_of_the_seeds_of_pneumonia_is_so():
    cases = json.loads((ROOT / "docs" / "results" / "spread" / "pneumonia.json").read_text())
    measured = [case["measured"] for case in cases]
    means = [of["integer"]["mean"] for of in measured]
    assert all(1.5 < of["integer"]["stdev"] < 3.5 and of["lost"]["mean"] < 0 for of in measured)
    assert max(means) - min(means) < min(of["integer"]["stdev"] for of in measured)
    assert 4.5 < max(of["sensitivity"]["stdev"] for of in measured) < 5.5


def test_the_robustness_page_holds_the_tables_of_its_data():
    found = json.loads(ROBUSTNESS.read_text())
    page = (ROOT / "docs" / "robustness.md").read_text()
    assert len(found["models"]) >= 6
    for part in robustness_tables.tables(found):
        assert part.split("\n\n")[-1] in page, (
            "robustness.json has changed: put what its command prints into the page"
        )


def test_the_robustness_page_says_what_its_data_say():
    """Hidden digits cost pruned networks more, patches no more than that, and one patch does for all."""
    found = json.loads(ROBUSTNESS.read_text())
    rows = {(row["scheme"], row["weight_bits"]): row for row in found["models"]}
    assert len(rows) == 9 and found["test_images"] == 1000
    grey = [
        [round(rows[scheme, 8]["grey"][i]) for scheme in ("dense", "adaptive-2:8", "adaptive-1:8")]
        for i in (1, 2)
    ]
    assert grey == [[90, 89, 86], [72, 69, 67]]
    extra = [[row["grey"][i] - row["own"][i] for row in rows.values()] for i in (1, 2)]
    assert 14.5 < min(extra[0]) and max(extra[0]) < 16 and 18.5 < min(extra[1]) and max(extra[1]) < 24.5
    for kind in ("noise", "blur", "jpeg"):
        means = [statistics.mean(row["corruptions"][kind]) for row in rows.values()]
        assert max(means) - min(means) <= 0.9
    names = list(found["across"])
    own = [found["across"][name][i] for i, name in enumerate(names)]
    assert all(abs(found["across"][a][i] - own[i]) < 2.65 for a in names for i in range(len(names)))
    assert all(row["own"][0] == row["shared"][0] for row in rows.values())


def test_the_search_page_holds_the_table_of_words_and_what_it_says():
    """IIQ is ahead of ITQ at 32 bits, level at 64, behind at 96; 12 bytes are a 33rd of the floats."""
    found = json.loads(WORDS.read_text())
    assert search_benchmark.markdown(found, "word") in (ROOT / "docs" / "similarity.md").read_text()
    recall = {(row["method"], row["bits"]): statistics.mean(row["recall"]) for row in found["rows"]}
    ahead = [recall["iiq", bits] - recall["itq", bits] for bits in (32, 64, 96)]
    assert 0.3 < ahead[0] < 0.4 and abs(ahead[1]) < 0.25 and ahead[2] < -0.5
    assert found["seeds"] == 5 and next(row["bytes"] for row in found["rows"]) / 12 > 33


def test_the_search_page_holds_the_table_of_its_data_and_what_it_says():
    """8 bytes of ITQ find classes better than floats; IIQ trades precision for exact neighbours."""
    found = json.loads(SEARCH.read_text())
    assert search_benchmark.markdown(found) in (ROOT / "docs" / "similarity.md").read_text()
    mean = {
        (row["method"], row["bits"]): (statistics.mean(row["map"]), statistics.mean(row["recall"]))
        for row in found["rows"]
    }
    assert found["seeds"] == 5 and mean["itq", 64][0] > mean["float", 0][0]
    for bits in (32, 64, 128, 256):
        assert mean["iiq", bits][0] < mean["itq", bits][0] and mean["iiq", bits][1] > mean["itq", bits][1]
    assert [mean["sign", bits][0] for bits in (32, 64, 128, 256)] == sorted(
        (mean["sign", bits][0] for bits in (32, 64, 128, 256)), reverse=True
    )


def test_the_sparsity_page_explains_every_pattern():
    page = (ROOT / "docs" / "sparsity.md").read_text()
    assert sparsity.markdown() in page, (
        "hw/contract/sparsity.py has changed: put what 'python -m hw.contract.sparsity --markdown' prints "
        "into the page"
    )
    explained = [name.split(",")[0] for name in re.findall(r"^\*\*([^*]+)\.\*\*", page, re.MULTILINE)]
    assert [comparison.family(name) for name in explained] == list(comparison.FAMILIES)


@pytest.mark.parametrize("task", ["cifar10", "pneumonia"])
def test_the_page_on_new_classes_holds_the_tables_of_its_data(task):
    page = (ROOT / "docs" / "transfer.md").read_text()
    found = transfer_results.read(RESULTS / "transfer" / f"{task}.json")
    for made in transfer_results.tables(found).split("\n\n"):
        assert made in page, "put what 'python -m sim.commands.transfer_results' prints into the page"


def test_the_readme_quotes_what_was_measured():
    readme = " ".join(README.read_text().split())
    for name in ("vgg16", "vgg16-packed-1in8"):
        total = json.loads((RESULTS / f"{name}.json").read_text())["total"]
        took = f"{total['cycles']:,} clocks on {total['dsp_total']:,} DSP slices"
        assert f"{took}, {total['op_per_dsp_cycle']:.1f}" in readme
    rows = json.loads((RESULTS / "vgg16-cifar.json").read_text())
    (row,) = [one for one in rows if one["scheme"] == "adaptive-1:8"]
    assert (
        f"{row['accuracy_dense']:.2f} % of the test images before pruning; as integers with "
        f"{row['share_pruned']:.1f} % of its words gone, on {row['accuracy_integer']:.2f} %"
    ) in readme


EXPLORED = re.findall(
    r"```sh\nspec2 explore (vgg16 .*)\n```\n\n(\*\*(?:.+\n|\n(?=\*))+)",
    (ROOT / "docs" / "exploring.md").read_text(),
)


ONE_MEMORY, QUICK = "--memories 1", "vgg16 --board vc709 --weight-bits 8"
"""One large board is explored with all memories and with one; all explorations but one are slow."""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(*quoted, id=quoted[0], marks=[pytest.mark.slow] * (quoted[0] != QUICK))
        for quoted in EXPLORED
    ],
)
def test_the_exploring_page_quotes_what_its_commands_say(run, tmp_path, arguments, said):
    data = json.loads(run("explore", *arguments.split(), "--out", tmp_path, "--json").out)
    assert said.split() == explore_page.summary(data).split()


def test_the_exploring_page_shows_both_large_boards():
    commands = [command for command, _ in EXPLORED]
    assert len(commands) == 4 and sum(ONE_MEMORY in command for command in commands) == 1
    assert {command.split()[2] for command in commands} == {"vc709", "vcu118"}
    assert QUICK in commands


def test_makefile_targets_in_documents_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.MULTILINE))
    used = {
        name for page in PAGES for name in re.findall(r"^make ([a-z0-9-]+)", page.read_text(), re.MULTILINE)
    }
    assert used and used <= targets


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
