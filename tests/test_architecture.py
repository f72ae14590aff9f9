"""Rules about the code base that a machine can check: import arrows, light imports, names."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import spec2
from bitstreams.commands import command_line
from tests.structure import structure

ROOT = Path(__file__).parents[1]
PACKAGES = ("hw", "pruning", "sim", "bitstreams")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

ALLOWED_OUTSIDE = {"numpy"}
"""What the integer model may import beside the standard library."""

ALLOWED_BELOW_GATEWARE = ALLOWED_OUTSIDE | {"msgspec"}
"""What neither builds gateware nor talks to a terminal also reads files, and checks what they hold."""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Every module that the file imports, anywhere in it, and ``a.b`` for ``from a import b``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the package's name"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def tops(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


LIGHT_ROOMS = ("util", "host_interface", "contract", "host", "compile", "cost", "explore")
"""The rooms of hw that know no gateware; of all others, ``generate``, ``serial_design`` and ``emit`` do."""

LIGHT = [path for room in LIGHT_ROOMS for path in sorted((ROOT / "hw" / room).rglob("*.py"))]


STAGES = ("pruning", "sim", "bitstreams")
"""The packages above hw, in the order of the work."""


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_import_arrows(path):
    """pruning, sim and bitstreams import hw, and never one another; nobody imports the command line.

    Subcommands alone put several together: they may import the packages that come before their own, since a
    command line of one file grew too long.
    """
    own, *rest = path.relative_to(ROOT).parts
    before = STAGES[: STAGES.index(own)] if own in STAGES and rest[0] == "commands" else ()
    others = (set(PACKAGES) | {"spec2", "tests"}) - {own, "hw", *before}
    assert not tops(path) & others


@pytest.mark.parametrize("path", LIGHT, ids=module_name)
def test_below_the_gateware_numpy_and_msgspec_are_enough(path):
    """But for Pillow, where pictures are read."""
    allowed = ALLOWED_BELOW_GATEWARE | ({"PIL"} if path.name == "pictures.py" else set())
    assert tops(path) - set(sys.stdlib_module_names) - {"hw"} <= allowed
    assert not any(name.startswith(("hw.gateware", "hw.emit")) for name in imports(path))


MOST_ROOMS = {"hw": 12, "hw/gateware": 10, "pruning": 12, "sim": 7, "bitstreams": 11}
MOST_FLOORS = {"hw": 9, "hw/gateware": 7, "pruning": 6, "sim": 4, "bitstreams": 5}


@pytest.mark.parametrize("folder", MOST_ROOMS)
def test_the_house(folder):
    """Few enough rooms and floors to hold in mind, and no arrow runs back: ``python -m tests.structure``."""
    found = structure(folder)
    assert not found.circles
    assert len(found.floors) <= MOST_ROOMS[folder]
    assert found.height <= MOST_FLOORS[folder]


LONGEST_ELABORATE = 80
"""Lines of an ``elaborate``: what a reader holds in mind at once."""

STILL_LONGER: set[str] = set()
"""Files with a longer one. This list shrinks: one that is not longer any more leaves it."""


@pytest.mark.parametrize("path", sorted((ROOT / "hw" / "gateware").rglob("*.py")), ids=module_name)
def test_no_elaborate_is_long(path):
    lengths = [
        node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == "elaborate"
    ]
    longer = max(lengths, default=0) > LONGEST_ELABORATE
    assert longer == (str(path.relative_to(ROOT)) in STILL_LONGER)


@pytest.mark.parametrize("path", sorted((ROOT / "sim" / "model").rglob("*.py")), ids=module_name)
def test_the_integer_model_needs_numpy_only(path):
    assert tops(path) - set(sys.stdlib_module_names) - {"hw", "sim"} <= ALLOWED_OUTSIDE


@pytest.mark.parametrize("path", sorted((ROOT / "pruning").rglob("*.py")), ids=module_name)
def test_training_does_not_see_the_gateware(path):
    assert not any(name.startswith(("hw.gateware", "hw.generate", "amaranth")) for name in imports(path))


def test_the_contract_and_the_simulation_import_fast():
    """Neither torch nor Amaranth nor cocotb may hang on ``import hw, sim`` or on the command line."""
    modules = [module_name(path) for path in LIGHT]
    code = (
        f"import sys, sim, sim.model, spec2, {', '.join(modules)}\n"
        "heavy = {'torch', 'PIL', 'amaranth', 'cocotb', 'scipy', 'matplotlib', 'pandas', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


WHICH_LAYER = {
    "hw/contract/network/graph.py": "semantics: what a network may hold",
    "sim/model/accelerator.py": "integer model",
    "sim/reference.py": "real arithmetic",
    "pruning/layers/models.py": "training",
    "pruning/layers/word_layers.py": "training in word form",
    "pruning/quant/additions.py": "what a layer adds, as weights",
}
"""What decides what a layer computes. All others ask a layer for its properties (``dot``, ``pool``, ...)."""


def asks_which_layer(path: Path) -> bool:
    """Whether a file has an ``isinstance(..., Conv)`` or of ``Dense``, alone, in a tuple or in a union."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    kinds = [call.args[1] for call in calls if ast.unparse(call.func) == "isinstance" and len(call.args) == 2]
    names = {node.id for kind in kinds for node in ast.walk(kind) if isinstance(node, ast.Name)}
    return bool(names & {"Conv", "Dense"})


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_only_what_computes_a_layer_asks_which_one_it_is(path):
    assert asks_which_layer(path) == (str(path.relative_to(ROOT)) in WHICH_LAYER)


INVARIANTS = {
    "bitstreams/boards/board.py": "a board's own part number",
    "bitstreams/links/xdma.py": "what a thread of this module raises",
    "bitstreams/shell/clocks.py": "a search that cannot be empty",
    "hw/compile/onto.py": "plans that were taken over, and blocks that were filled up",
    "hw/serial_design.py": "a module of this project without a memory image",
}
"""Assertions about our own code; they may go with ``python -O``."""


SEES_FILES = [p for p in FILES if not p.is_relative_to(ROOT / "hw" / "gateware")]
SEES_FILES = [p for p in SEES_FILES if not p.is_relative_to(ROOT / "sim" / "model")]


@pytest.mark.parametrize("path", SEES_FILES, ids=module_name)
def test_guards_are_no_assertions(path):
    """What keeps a file of somebody else out raises an error of its own. ``is not None`` is for mypy."""
    tests = [node.test for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assert)]
    guards = [
        ast.unparse(test)
        for test in tests
        if not (isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.IsNot))
    ]
    assert not guards or str(path.relative_to(ROOT)) in INVARIANTS


# --- the command line ----------------------------------------------------------------------------------

COMMANDS = [path for path in FILES if "commands" in path.parts]
CONSOLE = {"typer", "rich"}


@pytest.mark.parametrize("path", [path for path in FILES if path not in COMMANDS], ids=module_name)
def test_only_subcommands_talk_to_the_terminal(path):
    """What computes knows neither options nor progress bars, nor what subcommands share."""
    assert not tops(path) & CONSOLE
    assert not any("commands" in name.split(".") for name in imports(path))


@pytest.mark.parametrize("path", [path for path in COMMANDS if "hw" in path.parts], ids=module_name)
def test_what_subcommands_share_needs_the_contract_and_a_terminal(path):
    assert tops(path) - set(sys.stdlib_module_names) - {"hw"} <= ALLOWED_OUTSIDE | CONSOLE
    assert not any(name.startswith(("hw.gateware", "hw.generate")) for name in imports(path))


@pytest.mark.parametrize("subcommand", command_line.SUBCOMMANDS, ids=lambda subcommand: subcommand.__name__)
def test_a_subcommand_lives_in_the_package_it_needs(subcommand):
    """In a file of its name; of several packages in the last one."""
    package, *rest = subcommand.__module__.split(".")
    assert rest == ["commands", subcommand.__name__]
    used = tops(ROOT / package / "commands" / f"{subcommand.__name__}.py") & set(STAGES)
    assert package == max(used, key=STAGES.index, default="hw")


def test_the_command_line_is_a_table():
    """It defines what becomes of errors, and no subcommand."""
    tree = ast.parse(Path(command_line.__file__).read_text(encoding="utf-8"))
    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef)] == ["main", "_call"]


def test_spec2_is_a_list_of_names():
    """What is public from Python; nothing is made there."""
    tree = ast.parse((ROOT / "spec2.py").read_text(encoding="utf-8"))
    assert not [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert sorted(spec2.__all__) == spec2.__all__


def test_the_help_is_instant():
    """It waits for no array and no table; that it waits for nothing larger is tested above."""
    code = "import sys, spec2; print(sorted({'numpy', 'rich', 'asyncio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- names ---------------------------------------------------------------------------------------------

MODEL = sorted(p.stem for p in (ROOT / "sim" / "model").glob("*.py") if p.name != "__init__.py")


@pytest.mark.parametrize("name", MODEL)
def test_every_block_of_the_model_has_its_gateware(name):
    """Equal names are what lets a reader hold the two next to each other."""
    assert list((ROOT / "hw" / "gateware").rglob(f"{name}.py"))


def exporting() -> list[Path]:
    return [p for p in FILES if "__all__" in p.read_text(encoding="utf-8") and "bench" not in p.parts]


@pytest.mark.parametrize("path", exporting(), ids=module_name)
def test_exported_names_exist(path):
    if "pruning" in path.parts:
        pytest.importorskip("torch")
    module = importlib.import_module(module_name(path))
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    assert not missing
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_every_module_says_what_it_is(path):
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module starts with a docstring"


def test_tests_have_no_packages():
    """An ``__init__.py`` below tests would shadow the package of that name."""
    assert not list((ROOT / "tests").rglob("__init__.py"))


PATH = re.compile(r"(?<![\w./-])(?:hw|pruning|sim|bitstreams|tests)/[\w/]+\.(?:py|v|tcl|toml)\b")
TEXTS = [
    *(path for top in (*PACKAGES, "tests") for path in sorted((ROOT / top).rglob("*.py"))),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile")),
]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_that_is_named_exists(path):
    """In code, docstrings and pages: what moves takes its mentions along."""
    named = set(PATH.findall(path.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
