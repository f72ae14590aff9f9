"""Rules about the code base that a machine can check: import arrows, light imports, names."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import spec2
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


LIGHT_ROOMS = ("util", "interface", "contract", "host", "compile", "cost", "explore")
"""The rooms of hw that know no gateware; of all others, ``generate``, ``serial_design`` and ``emit`` do."""

LIGHT = [path for room in LIGHT_ROOMS for path in sorted((ROOT / "hw" / room).rglob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_import_arrows(path):
    """pruning, sim and bitstreams import hw, and never one another; nobody imports the command line."""
    own = path.relative_to(ROOT).parts[0]
    others = (set(PACKAGES) | {"spec2", "tests"}) - {own, "hw"}
    assert not tops(path) & others


@pytest.mark.parametrize("path", LIGHT, ids=module_name)
def test_below_the_gateware_numpy_and_msgspec_are_enough(path):
    """But for Pillow, where pictures are read."""
    allowed = ALLOWED_BELOW_GATEWARE | ({"PIL"} if path.name == "pictures.py" else set())
    assert tops(path) - set(sys.stdlib_module_names) - {"hw"} <= allowed
    assert not any(name.startswith(("hw.gateware", "hw.emit")) for name in imports(path))


MOST_ROOMS = {"hw": 12, "hw/gateware": 10, "pruning": 12, "sim": 12, "bitstreams": 20}
MOST_FLOORS = {"hw": 9, "hw/gateware": 6, "pruning": 6, "sim": 5, "bitstreams": 6}


@pytest.mark.parametrize("folder", MOST_ROOMS)
def test_the_house(folder):
    """Few enough rooms and floors to hold in mind, and no arrow runs back: ``python -m tests.structure``."""
    found = structure(folder)
    assert not found.circles
    assert len(found.floors) <= MOST_ROOMS[folder]
    assert found.height <= MOST_FLOORS[folder]


LONGEST_ELABORATE = 80
"""Lines of an ``elaborate``: what a reader holds in mind at once."""

STILL_LONGER = {"hw/gateware/weights/burst_reader.py", "hw/gateware/weights/weight_replay.py"}
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


INVARIANTS = {
    "bitstreams/boards/board.py": "a board's own part number",
    "bitstreams/links/xdma.py": "what a thread of this module raises",
    "bitstreams/shell/clocks.py": "a search that cannot be empty",
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

ABOVE_HW = set(PACKAGES) - {"hw"}
COMMANDS = [path for path in FILES if "commands" in path.parts]
CONSOLE = {"typer", "rich"}


@pytest.mark.parametrize("path", [path for path in FILES if path not in COMMANDS], ids=module_name)
def test_only_verbs_talk_to_the_terminal(path):
    """What computes knows neither options nor progress bars, nor what verbs share."""
    assert not tops(path) & CONSOLE
    assert not any("commands" in name.split(".") for name in imports(path))


@pytest.mark.parametrize("path", [path for path in COMMANDS if "hw" in path.parts], ids=module_name)
def test_what_verbs_share_needs_the_contract_and_a_terminal(path):
    assert tops(path) - set(sys.stdlib_module_names) - {"hw"} <= ALLOWED_OUTSIDE | CONSOLE
    assert not any(name.startswith(("hw.gateware", "hw.generate")) for name in imports(path))


def needed(verb: str) -> set[str]:
    """Packages above hw that a function of ``spec2.py`` uses, itself or through others of that file."""
    tree = ast.parse((ROOT / "spec2.py").read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    homes = {
        alias.asname or alias.name: node.module.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    found, waiting, seen = set(), [verb], set()
    while waiting:
        seen.add(name := waiting.pop())
        used = {node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)}
        found |= {homes[one] for one in used & set(homes)}
        waiting += used & set(functions) - seen
    return found & ABOVE_HW


@pytest.mark.parametrize("verb", spec2.SUBCOMMANDS, ids=lambda verb: verb.__name__)
def test_a_verb_lives_in_the_package_it_needs(verb):
    """In a file of its name, or with the command line if it needs two of pruning, sim and bitstreams."""
    package, *rest = verb.__module__.split(".")
    if package == "spec2":
        assert len(needed(verb.__name__)) > 1
        return
    assert rest == ["commands", verb.__name__]
    assert package in tops(ROOT / package / "commands" / f"{verb.__name__}.py")


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
    assert (ROOT / "hw" / "gateware" / f"{name}.py").exists()


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
