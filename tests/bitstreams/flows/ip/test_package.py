"""The folder of an IP: what FuseSoC makes of it, what is written anew, and what is refused."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from bitstreams.flows import ip
from hw.contract.design import DesignInfo
from hw.serial_design import emit_serial
from hw.util.errors import ArtifactError, ConfigError
from sim import model


def test_fusesoc_runs_the_testbench(ips, tmp_path):
    if not shutil.which("iverilog"):
        pytest.skip("Icarus Verilog is not installed: apt-get install iverilog")
    command = [sys.executable, "-W", "ignore", "-m", "fusesoc.main", "--cores-root", str(ips["day"].folder)]
    command += ["run", "--build-root", "build", "--target", "sim", "spec2:ip:day:1.0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "PASS day" in done.stdout + done.stderr, done.stderr


def test_no_module_of_an_ip_is_one_of_another(ips):
    """Not of the wrappers and testbenches either, nor is any of them in the accelerator as well."""
    found = []
    for name, made in ips.items():
        texts = [(made.folder / file).read_text() for file in made.package.files if file.endswith(".v")]
        modules = [each for text in texts for each in re.findall(r"^module \\?([\w$]+)", text, re.M)]
        assert len(set(modules)) == len(modules)
        assert all(re.fullmatch(rf"{name}(_[\w$]+)?", each) for each in modules)
        found.append(set(modules))
    assert not found[0] & found[1]
    shared = set(ips["day"].package.files) & set(ips["night"].package.files)
    assert shared == {"README.md", "component.xml", "design.json"}


def test_the_readme_names_every_file(ips):
    for made in ips.values():
        page = (made.folder / "README.md").read_text()
        short = {name for name in made.package.files if not name.endswith((".hex", "README.md"))}
        assert not [name for name in short if f"`{name}`" not in page]
        assert "{" not in page  # every placeholder was filled in
        assert all(f"`{bus}_*`" in page for bus in ("s_axil", "s_axis", "m_axis"))


def test_an_ip_is_written_anew_and_nothing_else_is_overwritten(ips, tmp_path):
    made, other = ips["day"], ips["night"]
    results = model.run(made.artifact, made.image[None])[0]
    out = tmp_path / "ip"
    first = ip.package(other.design, out, other.image, model.run(other.artifact, other.image[None])[0])
    (out / "mine.txt").write_text("mine")
    again = ip.package(made.design, out, made.image, results)
    assert {path.name for path in out.iterdir()} == {*again.files, "mine.txt"}
    assert set(first.files) - set(again.files)
    # The same bytes, whatever lay there.
    assert all((out / name).read_bytes() == (made.folder / name).read_bytes() for name in again.files)
    assert DesignInfo.load(out).top == "day"
    home = tmp_path / "home"
    home.mkdir()
    for name in ("README.md", "component.xml"):  # of a folder of others, and of an IP of another tool
        (home / name).write_text("mine")
        with pytest.raises(ArtifactError, match="holds files and is no IP of spec2"):
            ip.package(made.design, home, made.image, results)
    with pytest.raises(ArtifactError, match="is no IP of spec2"):
        ip.package(made.design, other.design, made.image, results)
    assert {path.name for path in home.iterdir()} == {"README.md", "component.xml"}
    assert (home / "README.md").read_text() == (home / "component.xml").read_text() == "mine"


def test_a_design_without_an_interrupt_is_not_packaged(ips, tmp_path):
    """One of before the accelerator had it; a board takes it still."""
    made = ips["day"]
    shutil.copytree(made.design, tmp_path / "design")
    ports = {name: width for name, width in made.info.ports.items() if name != "interrupt"}
    replace(made.info, ports=ports).save(tmp_path / "design")
    with pytest.raises(ConfigError, match="the design has no interrupt port: generate it again"):
        ip.package(tmp_path / "design", tmp_path / "ip", made.image, np.zeros(5, np.int64))
    assert ".interrupt(" not in emit_serial(replace(made.info, ports=ports), 16)


def test_the_command_line_packages_a_design(ips, run, tmp_path):
    made = ips["day"]
    shutil.copytree(made.design, tmp_path / "design")
    result = run("package", tmp_path / "design", "--json")
    assert result.code == 0, result.err
    data = json.loads(result.out)
    assert data["ip"] == str(tmp_path / "ip") and data["wrapper"] == "day_ip"
    assert sorted(data["files"]) == sorted(path.name for path in (tmp_path / "ip").iterdir())
    # An image of one's own is in the testbench.
    np.savez(tmp_path / "images.npz", image=made.image[None], label=np.zeros(1, np.int64))
    own = tmp_path / "own"
    assert run("package", tmp_path / "design", "--image", tmp_path / "images.npz", "--out", own).code == 0
    assert (own / "day_tb_result.hex").read_bytes() == (made.folder / "day_tb_result.hex").read_bytes()
    assert "name another folder" in run("package", tmp_path / "design", "--out", tmp_path / "design").sentence
    assert "there is no artifact" in run("package", tmp_path / "nothing").sentence
    (tmp_path / "design" / "day.v").write_text("module day; endmodule\n")
    assert "day.v was edited or damaged" in run("package", tmp_path / "design").sentence
