"""The list of a recipe's entries in ``docs/training.md`` is whole, and its defaults are those of the code."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import msgspec
import pytest

from hw.contract.config import AcceleratorConfig

pytest.importorskip("torch")

from pruning.data import LOADERS
from pruning.optimisers import CONFIGS, AdmmConfig
from pruning.training import augment, recipe_file

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "docs" / "training.md").read_text().split("### Every entry of a recipe")[1]
(TEXT,) = re.findall(r"^```toml\n(.*?)^```", SECTION.split("\n## ")[0], re.MULTILINE | re.DOTALL)
WHOLE = tomllib.loads(re.sub(r"^# (?=\[|\w+ = )", "", TEXT, flags=re.MULTILINE))
GIVEN = tomllib.loads(TEXT)
TABLES = {"layers", "layer_bits", "pruning", "config"}
"""Those whose names are of layers, of an optimiser, of the array."""


def names(of) -> dict:
    """Names of a struct's entries, and of those below them."""
    found = {}
    for field in msgspec.structs.fields(of):
        kinds = [
            kind for kind in (field.type, *getattr(field.type, "__args__", ())) if isinstance(kind, type)
        ]
        below = next((kind for kind in kinds if issubclass(kind, msgspec.Struct)), None)
        found[field.encode_name] = names(below) if below else None
    return found


def keys(table) -> dict:
    return {name: keys(value) if isinstance(value, dict) else None for name, value in table.items()}


def test_every_entry_is_there():
    listed, known = keys(WHOLE), names(recipe_file.RecipeFile)
    assert listed.keys() == known.keys()
    for name in known.keys() - TABLES:
        assert listed[name] == known[name], name
    assert WHOLE["config"].keys() <= {field.name for field in fields(AcceleratorConfig)}


def test_what_it_says_holds_without_a_recipe():
    """The list without what has no default is a recipe, and that of a file that says nothing more."""
    said = msgspec.convert({**GIVEN, "pruning": {}}, recipe_file.RecipeFile)
    assert said == msgspec.convert({"network": "lenet", "data": "mnist"}, recipe_file.RecipeFile)
    own = {field.name for field in fields(AdmmConfig)} - {"default", "layers"}
    assert GIVEN["pruning"] == {name: getattr(AdmmConfig, name) for name in own}
    assert (
        f"# mean = {WHOLE['mean']}" in TEXT and WHOLE["target"]["rows"] == recipe_file.Target(cycles=1).rows
    )
    shown = msgspec.convert(WHOLE, recipe_file.RecipeFile)
    assert shown.target == recipe_file.Target(cycles=300_000) and shown.bits == recipe_file.Bits(mean=5.0)


@pytest.mark.parametrize(
    ("entry", "known"),
    [("data", LOADERS), ("optimiser", CONFIGS), ("augment", augment.AUGMENTATIONS)],
)
def test_choices_are_all_named(entry, known):
    (line,) = [line for line in TEXT.splitlines() if line.startswith(f"{entry} = ") and "adam" not in line]
    assert all(re.search(rf"(?<![\w-]){name}(?![\w-])", line) for name in known), line


@pytest.mark.parametrize("name", CONFIGS)
def test_entries_of_every_optimiser_are_named(name):
    table = TEXT.split("\n[pruning]")[1].split("\n[training]")[0]
    for field in fields(CONFIGS[name]):
        if field.name not in ("default", "layers"):
            assert re.search(rf"\b{field.name} = {re.escape(str(field.default))}\b", table), field.name
