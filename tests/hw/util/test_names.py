"""The one pattern of names, at every place that a name comes in by."""

import re
import string
from dataclasses import replace
from pathlib import Path

import pyslang
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitstreams.shell import top as shell
from hw import serial_design
from hw.contract.network import NETWORKS, Conv, Dense, Network, tiny
from hw.gateware.pcie import register_guard, stream_sync, wrapper
from hw.util import names
from hw.util.errors import ArtifactError, UnsupportedNetwork
from hw.util.keywords import KEYWORDS
from sim.bench import wrapper as bench

ROOT = Path(__file__).parents[3]

HOSTILE = (
    "",
    ".",
    "..",
    ".hidden",
    "-rf",
    "../../../x",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a b",
    "a\nb",
    "name\n",
    "a;b",
    "$(touch marker)",
    "`touch marker`",
    "a'b",
    'a"b',
    "a{b",
    "[exec touch marker]",
    "$x$",
    "<b>x</b>",
    "[red]x",
    "a|b",
    "\x1b[2J",
    "a\x00b",
    "\u202eabc",
    "résumé",
    "卷积",
    "x" * 65,
)
"""What is no name: most would mean something to a shell, a path, Tcl, a page, a picture or a terminal."""

NOT_TEXT = (None, 5, 0.5, True, ["a"], {"a": 1}, b"a")


@pytest.mark.parametrize("name", ["a", "conv1_1", "vgg16-cifar", "features.0", "_x", "8", "a..b", "x" * 64])
def test_names(name):
    names.check("network", name)
    Network(name, (1, 8, 8), (Conv(name, 1, 1, 3),))


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_what_is_no_name_names_neither_network_nor_layer(name):
    for make in (
        lambda: names.check("network", name),
        lambda: Conv(name, 1, 1, 3),
        lambda: Dense(name, 4, 4),
        lambda: Network(name, (1, 8, 8), (Conv("c", 1, 1, 3),)),
        lambda: Network.from_json({**tiny().to_json(), "name": name}),
    ):
        with pytest.raises(UnsupportedNetwork, match="must be of letters, digits") as failed:
            make()
        message = str(failed.value)
        assert message.isprintable() and len(message) < 300


@pytest.mark.parametrize("name", NOT_TEXT, ids=ascii)
def test_what_is_no_text_is_no_name(name):
    for make in (lambda: names.check("network", name), lambda: Conv(name, 1, 1, 3)):
        with pytest.raises(UnsupportedNetwork, match=r"layer|network"):
            make()


@given(st.text(max_size=6))
def test_nothing_but_the_alphabet_passes(text):
    letters = set(string.ascii_letters + string.digits + "_-.")
    assert names.valid(text) == (set(text) <= letters and text[:1] not in ("", "-", "."))


@given(st.text(max_size=150))
def test_the_closest_name_is_one_with_room_behind_it(text):
    found = names.closest(text, "network")
    assert names.valid(found + "_" * 20)
    if names.valid(text) and len(text) <= 44:
        assert found == text or not text.strip("_-.")


def test_what_others_call_their_modules_becomes_a_name():
    assert names.closest("/features/features.0/Conv", "layer") == "_features_features.0_Conv"
    assert names.closest("my net (1)", "network") == "my_net_1_"
    assert names.closest("网络", "network") == "network"


def test_the_networks_that_come_with_the_project_have_names():
    for make in NETWORKS.values():
        network = make()
        assert names.valid(network.name) and all(names.valid(layer.name) for layer in network.layers)
    assert names.valid(replace(tiny(), name="x").name)


@pytest.mark.parametrize("name", [*HOSTILE, *NOT_TEXT, "a.sh", "build", "x.v.sh", "v", ".v"], ids=ascii)
def test_a_file_of_a_design_lies_in_its_folder_and_is_verilog_or_an_image(name):
    for given_ in (name, f"{name}.v") if name in HOSTILE and name and name != "x" * 65 else (name,):
        with pytest.raises(ArtifactError, match="cannot be part of a design"):
            names.check_file(given_, (".v", ".mem"))


@pytest.mark.parametrize("name", ["spec2.v", "spec2_steps.mem"])
def test_files_of_designs(name):
    names.check_file(name, (".v", ".mem"))


@pytest.mark.parametrize("name", [*HOSTILE, *NOT_TEXT, "1a", "a-b", "a.b"], ids=ascii)
def test_an_identifier_is_one_of_verilog(name):
    with pytest.raises(ArtifactError, match="must be an identifier"):
        names.check_identifier("port", name)


# --- modules --------------------------------------------------------------------------------------------


def test_keywords_are_those_of_the_standard():
    """As another reader of the language knows them; its names of them have no underscores."""
    kinds = pyslang.parsing.TokenKind
    known = {name.removesuffix("Keyword").lower() for name in dir(kinds) if name.endswith("Keyword")}
    assert {word.replace("_", "") for word in KEYWORDS} == known
    for word in KEYWORDS:  # and where its underscores are
        tree = pyslang.syntax.SyntaxTree.fromText(f"module {word}; endmodule")
        assert any(found.isError() for found in tree.diagnostics), word


@pytest.mark.parametrize("name", [*HOSTILE, *NOT_TEXT, "1a", "_a", "a-b", "a.b", "a$b", "x" * 33], ids=ascii)
def test_a_module_is_an_identifier(name):
    with pytest.raises(ArtifactError, match="must be an identifier"):
        names.check_module("top", name, "rename it")


@pytest.mark.parametrize("name", ["a", "Digits_2", "spec2", "spec20_a", "x" * 32, "Module"])
def test_modules(name):
    names.check_module("top", name, "rename it")


def test_what_stands_around_an_accelerator_is_not_its_name():
    """Every module of shells, wrappers and benches, and every file of a plan."""
    texts = [path.read_text() for path in (ROOT / "sim" / "bench").glob("*.v")]
    around = {name for text in texts for name in re.findall(r"^module (\w+)", text, re.M)}
    assert len(around) > 5
    around |= {serial_design.TOP, wrapper.WRAPPER, stream_sync.MODULE, register_guard.MODULE}
    around |= {bench.TOP, shell.TOP, "shell"}
    for name in around:
        with pytest.raises(ArtifactError, match="is a name of what spec2 puts around an accelerator"):
            names.check_module("top", name, "rename it")
