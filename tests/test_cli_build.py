"""'spec2 build': plans without a tool, the figures of a build, one sentence for every mistake."""

import json
import tarfile
from dataclasses import replace

import pytest

from bitstreams import build
from hw.contract.design import DesignInfo
from hw.util.errors import TimingNotMet
from tests.bitstreams import vivado_design
from tests.design_folder import save_design


@pytest.fixture
def design(tmp_path):
    """A design folder that a plan can be made of."""
    folder = tmp_path / "net" / "design"
    estimates = {"dsp_total": 24, "lut": 20_000, "ff": 17_000, "bram36": 8.5, "cycles": 1800}
    verilog = 'module spec2;\n  initial $readmemb("a.mem", rom);\nendmodule\n'
    info = replace(vivado_design.design(), estimates=estimates)
    save_design(folder, info, {"spec2.v": verilog, "a.mem": "0101\n"})
    return folder


@pytest.mark.parametrize(
    ("board", "options", "name", "program"),
    [
        ("arty_a7_100", ["--toolchain", "openxc7"], "tiny-arty_a7_100-openxc7", "./build.sh"),
        ("VC709", ["--baud", "115200"], "tiny-vc709-vivado-uart", "vivado -mode batch -source build.tcl"),
        (
            "vcu118",
            ["--transport", "pcie", "--mhz", "200"],
            "tiny-vcu118-vivado-pcie",
            "vivado -mode batch -source build.tcl",
        ),
    ],
)
def test_plan_only_writes_an_archive_and_needs_no_tool(
    run, design, monkeypatch, board, options, name, program
):
    monkeypatch.setenv("PATH", "")
    result = run("build", design, "--board", board, *options, "--plan-only", "--json")
    assert result.code == 0
    data = json.loads(result.out)
    archive = design.parent / board.lower() / f"{name}.tar.gz"
    assert data["plan"] == str(archive) and data["run"] == program and len(data["digest"]) == 64
    with tarfile.open(archive) as tar:
        assert {f"{name}/{file}" for file in data["files"]} == set(tar.getnames())
        made = json.loads(tar.extractfile(f"{name}/manifest.json").read())
    assert made["board"] == board.lower()
    assert made["baud"] == {"pcie": 0, "115200": 115_200}.get(options[1], 921_600)
    assert made["clock_hz"] == (50e6 if "openxc7" in options else 200e6)
    assert not list(archive.parent.glob("*.bit"))


def test_a_design_that_reads_its_weights_gets_a_plan(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    folder = tmp_path / "net" / "design"
    save_design(folder, vivado_design.streamed(2), {"spec2.v": "module spec2; endmodule\n"})
    result = run("build", folder, "--board", "u200", "--transport", "pcie", "--plan-only", "--json")
    assert result.code == 0 and "tiny-u200-vivado-pcie" in json.loads(result.out)["plan"]
    assert "vivado" in run("build", folder, "--board", "u200", "--transport", "pcie").sentence.lower()
    slow = run("build", folder, "--board", "u200", "--plan-only", "--json")
    assert slow.code == 0 and "tiny-u200-vivado-uart" in json.loads(slow.out)["plan"]
    none = run("build", folder, "--board", "arty_a7_100", "--plan-only")
    assert none.code == 2 and "which builds with Vivado connect on genesys2, kc705, " in none.sentence
    few = run("build", folder, "--board", "kc705", "--transport", "pcie", "--plan-only")
    assert few.code == 2 and "on the kc705 it can be 1: generate it with --memories" in few.sentence


def test_plan_only_says_what_to_do_next(run, design, tmp_path):
    result = run("build", design, "--board", "vc707", "--plan-only", "--out", tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / "tiny-vc707-vivado-uart.tar.gz").exists()
    text = " ".join(result.out.split())
    assert "tar xzf tiny-vc707-vivado-uart.tar.gz && cd tiny-vc707-vivado-uart && vivado -mode batch" in text


BUILD_MISTAKES = {
    "unknown board": (["--board", "de10"], "there is no board 'de10': known are arty_a7_100"),
    "no board": ([], "--board"),
    "unknown toolchain": (["--board", "vc709", "--toolchain", "quartus"], "quartus"),
    "no database": (["--board", "vc709", "--toolchain", "openxc7"], "no database of the xc7vx690t"),
    "transport of Vivado alone": (
        ["--board", "vc709", "--toolchain", "openxc7", "--transport", "pcie"],
        "the open tools cannot build transport 'pcie'",
    ),
    "no PCI Express": (
        ["--board", "arty_a7_100", "--transport", "pcie"],
        "the arty_a7_100 has no transport 'pcie'",
    ),
    "unknown transport": (["--board", "vc709", "--transport", "usb"], "usb"),
    "clock out of reach": (["--board", "arty_a7_100", "--mhz", "1"], "the nearest design clock is"),
    "no clock": (["--board", "arty_a7_100", "--mhz", "-5"], "must be positive, not -5 MHz"),
    "bit rate of another bridge": (["--board", "kc705", "--baud", "3000000"], "at most 1000000 bit/s"),
}


@pytest.mark.parametrize(("options", "names"), BUILD_MISTAKES.values(), ids=BUILD_MISTAKES)
def test_a_build_that_cannot_be_is_refused_before_anything_is_written(run, design, options, names):
    before = sorted(design.parent.rglob("*"))
    assert names in run("build", design, *options).sentence
    assert sorted(design.parent.rglob("*")) == before


def test_a_design_that_is_too_large_or_absent_is_refused(run, design, tmp_path):
    info = DesignInfo.load(design)
    replace(info, estimates={**info.estimates, "dsp_total": 300}).save(design)
    assert (
        "needs 300 DSP slices of 240 on the arty_a7_100"
        in run("build", design, "--board", "arty_a7_100", "--plan-only").sentence
    )
    assert "spec2 generate" in run("build", tmp_path / "nothing", "--board", "vc709").sentence


@pytest.mark.parametrize(
    ("board", "toolchain", "names"),
    [
        ("vc709", "vivado", "vivado is not installed, or not on PATH: install Vivado"),
        ("arty_a7_100", "openxc7", "yosys, nextpnr-xilinx, fasm2frames, xc7frames2bit are not installed"),
    ],
)
def test_a_missing_tool_is_named_with_the_way_to_get_it(run, design, monkeypatch, board, toolchain, names):
    monkeypatch.setenv("PATH", "")
    assert names in run("build", design, "--board", board, "--toolchain", toolchain).sentence
    assert not (design.parent / board / "build.json").exists()


def test_build_runs_the_plan_and_shows_its_figures(run, design, monkeypatch):
    seen = []

    def stand_in(plan, out, *, allow_timing_fail, progress):
        progress("place")
        seen.append((plan.name, out, allow_timing_fail))
        if not allow_timing_fail:
            raise TimingNotMet("timing is missed at 50 MHz")
        return {"fmax_mhz": 41.5, "used": {"dsp": 24}, "timing_met": False}

    monkeypatch.setattr(build, "build", stand_in)
    arguments = ["build", design, "--board", "arty_a7_100", "--toolchain", "openxc7"]
    assert "timing is missed at 50 MHz" in run(*arguments).sentence
    result = run(*arguments, "--allow-timing-fail", "--json")
    assert result.code == 0 and json.loads(result.out)["fmax_mhz"] == 41.5
    text = " ".join(run(*arguments, "--allow-timing-fail").out.split())
    assert "fmax mhz 41.5" in text and "used dsp 24" in text
    assert seen[1] == ("tiny-arty_a7_100-openxc7", design.parent / "arty_a7_100", True)
