"""The search for the programs of others."""

import re
from importlib.resources import files as resources

import pytest

from bitstreams.flows import openxc7
from bitstreams.tools import programs
from hw.util.errors import ToolNotFound


def tool(folder, name, says, code=0):
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("name", "says", "version"),
    [
        ("yosys", "Yosys 0.68+14 (git sha1 abc, g++ 13)", "0.68+14"),
        ("nextpnr-xilinx", '"nextpnr-xilinx" -- Next Generation Place and Route (Version 0.8.2-57-g724db28b)',
         "0.8.2-57-g724db28b"),
        ("vivado", "vivado v2023.2 (64-bit)", "2023.2"),
        ("openFPGALoader", "openFPGALoader v1.1.1", "1.1.1"),
        ("fasm2frames", "never asked", "unknown"),
        ("hw_server", "", "unknown"),
    ],
)  # fmt: skip
def test_finds_a_tool_with_its_version(tmp_path, name, says, version):
    tool(tmp_path, name, says)
    found = programs.find(name, str(tmp_path))
    assert found.version == version and found.path == tmp_path / name
    assert programs.versions(programs.find_all((name,), str(tmp_path))) == {name: version}


def test_missing_tools_are_named_with_the_way_to_get_them(tmp_path):
    with pytest.raises(ToolNotFound, match=r"vivado is not installed.*settings64"):
        programs.find("vivado", str(tmp_path))
    tool(tmp_path, "yosys", "Yosys 0.68")
    with pytest.raises(ToolNotFound, match=r"^nextpnr-xilinx, fasm2frames are not.*openXC7 \(https://[^;]*$"):
        programs.find_all(("yosys", "nextpnr-xilinx", "fasm2frames"), str(tmp_path))
    tool(tmp_path, "yosys", "no library", code=127)
    with pytest.raises(ToolNotFound, match="does not start"):
        programs.find("yosys", str(tmp_path))


def test_the_environment_may_name_another_program(tmp_path, monkeypatch):
    """As build.sh has it: what is checked and written down must be what is run."""
    tool(tmp_path, "yosys", "Yosys 0.68")
    tool(tmp_path, "mine", "Yosys 0.99")
    monkeypatch.setenv("YOSYS", str(tmp_path / "mine"))
    assert programs.find("yosys", str(tmp_path)).version == "0.99"
    monkeypatch.setenv("YOSYS", "mine")
    assert programs.find("yosys", str(tmp_path)).path == tmp_path / "mine"
    monkeypatch.setenv("YOSYS", str(tmp_path / "gone"))
    with pytest.raises(ToolNotFound, match=r"YOSYS names .*gone, which is no program: unset it, or install"):
        programs.find("yosys", str(tmp_path))
    monkeypatch.setenv("YOSYS", "")
    assert programs.find("yosys", str(tmp_path)).version == "0.68"


def test_the_variables_are_those_of_the_script():
    script = resources("bitstreams.flows").joinpath("openxc7.sh").read_text()
    named = dict(re.findall(r"\$\{(\w+):-([\w-]+)\}", script))
    assert {
        tool.variable: tool.name for tool in programs.TOOLS.values() if tool.variable
    }.items() <= named.items()
    assert {programs.TOOLS[name].variable for name in openxc7.TOOLS} <= set(named)
