"""No module, class, function, argument, variable or signal has a name that the field calls otherwise.

``docs/glossary.md`` has the terms. Ordinary English uses of such words are in :data:`ALLOWED`, with a reason.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
PACKAGES = ("hw", "pruning", "sim", "bitstreams")


@dataclass(frozen=True)
class Term:
    """pattern: of a name in small letters with words joined by ``_``, matched from its beginning to its end.
    instead: what the field says. where: folders or files in which the word means this. kinds: of names, all
    of them if empty."""

    pattern: str
    instead: str
    where: tuple[str, ...] = PACKAGES
    kinds: tuple[str, ...] = ()


def word(text: str) -> str:
    """A pattern for names that have one of the words among theirs."""
    return rf"_?(?:\w+_)?(?:{text})(?:_\w+)?_?"


PROGRAM = ("hw/compile", "hw/contract", "hw/cost", "hw/explore", "hw/gateware", "sim/rtl")
WEIGHTS = (
    "hw/compile",
    "hw/cost",
    "hw/gateware/connections.py",
    "hw/gateware/control",
    "hw/gateware/core.py",
    "hw/gateware/weights",
)
BUILDS = ("bitstreams/build.py", "bitstreams/commands", "bitstreams/flows", "bitstreams/plans")
VALUES = ("argument", "variable", "attribute")

TERMS = {
    "walk": Term(word("walks?|walker"), "loop nest, loop counter", ("hw",)),
    "slack": Term(word("slack"), "skid buffer", ("hw",)),
    "once": Term("once", "shared module", kinds=("module", "class")),
    "halves": Term(word("halves|half_counter"), "ping-pong buffer, credits", ("hw",)),
    "side by side": Term(word("side_by_side|beside"), "memory striping, batch packing", ("hw/gateware",)),
    "planes": Term(rf"(?!{word('bit_planes?')}$){word('planes?')}", "bit planes", ("hw",)),
    "widened": Term(word("widened"), "sign extension", ("hw",)),
    "take": Term(word("take"), "ready", ("hw/gateware",)),
    "room": Term(word("room|asked"), "credit, requested", ("hw/compile", "hw/cost", "hw/gateware")),
    "copy": Term("_?(copy|loads)", "replicate, max fan-out", ("hw/gateware",)),
    "mirror": Term(word("mirror(?:ed)?"), "fake-quant"),
    "bands": Term(rf"(?!{word('row_bands?')}$){word('bands?')}", "row bands"),
    "entry": Term(word("entry|entries"), "instruction", PROGRAM),
    "sections": Term(word("sections?"), "packed rows", PROGRAM),
    "period": Term(word("periods?"), "interleave", ("hw/compile", "hw/cost", "hw/gateware")),
    "turn": Term(word("turns?"), "interleave, pass, item"),
    "map plan": Term(word("map_plans?"), "feature layout"),
    "step store": Term(word("store|stores|play|played|player"), "weight buffer, replay", WEIGHTS),
    "delivered": Term(word("delivered|delivers"), "word-valid mask", ("hw", "sim")),
    "kinds": Term(word("kinds"), "sparsity patterns", ("pruning",)),
    "fold": Term("_?fold_?", "batch-norm folding"),
    "compact": Term(word("compact"), "channel removal"),
    "lamps": Term(word("lamps?"), "LEDs"),
    "verbs": Term(word("verbs?"), "subcommands", (*PACKAGES, "spec2.py")),
    "facts": Term(word("facts?"), "search log, data sheet"),
    "slices": Term(word("slices?"), "resource extrapolation", ("bitstreams",)),
    "bench": Term(word("bench"), "benchmark; bench is the testbench", ("hw", "pruning", "bitstreams")),
    "order, outcome": Term("_?(order|outcome)", "build request, build result", BUILDS),
    "behind": Term(word("behind"), "after", (*PACKAGES, "spec2.py")),
    "goal": Term(word("goals?"), "target", (*PACKAGES, "spec2.py")),
    "way": Term("_?ways?", "option", kinds=VALUES),
    "place": Term("_?places?", "position", kinds=VALUES),
    "one": Term("one", "item, or the noun", kinds=VALUES),
}

ALLOWED: dict[tuple[str, str], str] = {
    ("hw/gateware/control/drain_control.py", "entries"): "of the table of channels",
    ("hw/gateware/control/drain_control.py", "entry"): "of the table of channels",
    ("hw/gateware/control/drain_control.py", "entry_layout"): "of the table of channels",
    ("hw/gateware/control/issue.py", "entries"): "of the table of channels",
    ("hw/gateware/control/issue.py", "entry"): "of the table of channels",
    ("hw/gateware/control/issue.py", "first_entry"): "of the table of channels",
    ("hw/gateware/control/issue.py", "last_entries"): "of the table of channels",
    ("hw/gateware/control/readout.py", "entries"): "of the table of channels",
    ("hw/gateware/control/readout.py", "entry"): "of the table of channels",
    ("hw/gateware/datapath/fft.py", "halves_start"): "the even and the odd half of a column",
    ("hw/gateware/datapath/ifft.py", "halves"): "the even and the odd half of a column",
    ("hw/gateware/datapath/lane.py", "loads"): "of accumulators, one bit per row",
    ("hw/gateware/datapath/mac.py", "loads"): "of accumulators, one bit per row",
    ("hw/gateware/datapath/row_weights.py", "loads"): "of accumulators, one bit per row",
    ("hw/gateware/ports/axilite.py", "entries"): "of an array of registers",
    ("pruning/training/recipe_file.py", "mirror"): "a key of recipes",
    ("pruning/training/settings.py", "mirror"): "a key of recipes",
    ("pruning/training/settings.py", "mirror_images"): "a key of recipes",
    ("sim/model/fft.py", "mirror"): "the index of the conjugate word",
    ("sim/model/ifft.py", "mirror"): "the index of the conjugate word",
}
"""By file and name: why a word may be there."""

KEPT = ("bank", "drain", "lane", "row", "run ahead", "step", "tile", "word")
"""Words of ours that stay; the glossary explains each."""

PORTS = {"In", "Out", "StructLayout", "Signature"}
"""Calls that give names to signals: in a dictionary's values, or with a dictionary."""


@dataclass(frozen=True)
class Name:
    text: str
    kind: str


def signals(node: ast.AST) -> Iterator[str]:
    """Keys of dictionaries that describe ports or layouts."""
    if isinstance(node, ast.Call) and called(node) in PORTS:
        tables = [part for part in node.args if isinstance(part, ast.Dict)]
    elif isinstance(node, ast.Dict):
        tables = [node] if any(isinstance(v, ast.Call) and called(v) in PORTS for v in node.values) else []
    else:
        return
    for table in tables:
        yield from (k.value for k in table.keys if isinstance(k, ast.Constant) and isinstance(k.value, str))


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def names_in(tree: ast.AST) -> set[Name]:
    """Whatever a file gives a name to."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(Name(name, "function"))
            case ast.ClassDef(name=name):
                found.add(Name(name, "class"))
            case ast.arg(arg=name):
                found.add(Name(name, "argument"))
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(Name(name, "variable"))
            case ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(Name(name, "attribute"))
            case ast.alias(asname=str(name)):
                found.add(Name(name, "variable"))
        found |= {Name(name, "signal") for name in signals(node)}
    return found


@cache
def names() -> dict[str, set[Name]]:
    """By file: its names, its own among them."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {
        str(path.relative_to(ROOT)): names_in(ast.parse(path.read_text(encoding="utf-8")))
        | {Name(path.parent.name if path.stem == "__init__" else path.stem, "module")}
        for path in [*paths, ROOT / "spec2.py"]
    }


@cache
def plain(name: str) -> str:
    """``FooBar`` and ``FOO_BAR`` as ``foo_bar``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def meets(term: Term, name: Name) -> bool:
    return (not term.kinds or name.kind in term.kinds) and bool(re.fullmatch(term.pattern, plain(name.text)))


@cache
def found(term: Term) -> dict[str, list[str]]:
    """By file: names that the term forbids."""
    met = {
        path: sorted(
            {name.text for name in there if meets(term, name)}
            - {text for file, text in ALLOWED if file == path}
        )
        for path, there in names().items()
        if any(path == place or path.startswith(f"{place}/") for place in term.where)
    }
    return {path: texts for path, texts in met.items() if texts}


@pytest.mark.parametrize("term", TERMS)
def test_no_name_has_a_word_that_the_field_says_otherwise(term):
    assert not found(TERMS[term]), f"the field says {TERMS[term].instead}"


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_looked_for_where_there_is_something(term):
    assert [place for place in TERMS[term].where if not (ROOT / place).exists()] == []


def test_what_is_allowed_exists():
    """And would be refused otherwise."""
    for (path, text), reason in ALLOWED.items():
        met = [name for name in names().get(path, ()) if name.text == text]
        assert any(meets(term, name) for name in met for term in TERMS.values()), (path, text)
        assert reason


@pytest.mark.parametrize(
    ("code", "term"),
    [
        ("class SideBySide: pass", "side by side"),
        ("def f(self, take): pass", "take"),
        ("self.step_store = 1", "step store"),
        ("LAMPS = {}", "lamps"),
        ("super().__init__({'delivered': Out(1)})", "delivered"),
        ("layout = StructLayout({'room': 3})", "room"),
        ("import a as verbs", "verbs"),
        ("for one in rows: pass", "one"),
        ("planes = 2", "planes"),
        ("in_bands = 2", "bands"),
    ],
)
def test_names_are_seen(code, term):
    assert any(meets(TERMS[term], name) for name in names_in(ast.parse(code)))


@pytest.mark.parametrize(
    ("code", "term"),
    [
        ("bit_planes = 2", "planes"),
        ("class RowBands: pass", "bands"),
        ("mushroom = broadband = 2", "room"),
        ("def once(): pass", "once"),
        ("fold_batch_norms_ = 1", "fold"),
        ("x = {'take': 1}", "take"),
        ("print(one)", "one"),
    ],
)
def test_other_names_are_not(code, term):
    assert not any(meets(TERMS[term], name) for name in names_in(ast.parse(code)))


@pytest.mark.parametrize("kept", KEPT)
def test_the_glossary_explains_words_that_stay(kept):
    kept_words = GLOSSARY.read_text().split("## Words kept")[1].split("\n## ")[0]
    assert re.search(rf"^\*\*[^*]+\*\* \(\*{kept}\*\)\. ", kept_words, re.MULTILINE)
