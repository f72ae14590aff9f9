"""Builds with stand-ins for the open tools: products, timing of routed paths, failures."""

import json
import os

import pytest

from bitstreams import build
from bitstreams.plans.manifest import Manifest
from hw.util.errors import TimingNotMet, ToolFailed
from tests.bitstreams.plan_folder import save


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    return save(tmp_path_factory.mktemp("designs") / "design")


NEXTPNR_LOG = """\
Info: Device utilisation:
Info: 	        SLICE_LUTX:    21000/126800    16%
Info: 	 DSP48E1_DSP48E1:       96/   240    40%
Info: Max frequency for clock 'clk': {mhz:.2f} MHz ({verdict} at 50.00 MHz)
"""


FASM = """\
CLBLL_L_X2Y1.SLICEL_X0.ALUT.INIT[63:0] = 64'b1
CLBLL_L_X2Y1.SLICEL_X0.AFF.ZINI
CLBLM_R_X3Y1.SLICEM_X0.DLUT.INIT[63:0] = 64'b0
CLBLM_R_X3Y1.SLICEM_X0.DLUT.SMALL
CLBLM_R_X3Y1.SLICEL_X1.DLUT.INIT[63:0] = 64'b0
"""


SDF = """\
(DELAYFILE
  (TIMESCALE 1ps)
  (CELL
    (CELLTYPE "top")
    (INSTANCE )
        (INTERCONNECT a/Q ram/ADDRARDADDRL0 (900:900:900) (900:900:900))
        (INTERCONNECT ram/DOADO3 b/D ({wire}:{wire}:{wire}) (0:0:0))
  )
  (CELL
    (CELLTYPE "SLICE_FFX")
    (INSTANCE a)
        (IOPATH CK Q (100:100:100) (100:100:100))
      (SETUPHOLD (posedge D) (posedge CK) (100:100:100) (100:100:100))
  )
  (CELL
    (CELLTYPE "SLICE_FFX")
    (INSTANCE b)
      (SETUPHOLD (posedge D) (posedge CK) (100:100:100) (100:100:100))
  )
)
"""


NETLIST = {
    "creator": "yosys",
    "modules": {"top": {"cells": {"ram": {"type": "RAMB36E1", "parameters": {"DOA_REG": "0" * 32}}}}},
}


@pytest.fixture
def openxc7(tmp_path, monkeypatch, design):
    """Installs stand-ins of the open tools; returns a plan whose script is ``body`` and a log at ``mhz``."""

    def install(mhz=60.0, code=0, body="", wire=5000):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for name in ("yosys", "nextpnr-xilinx", "fasm2frames", "xc7frames2bit"):
            (folder / name).write_text("#!/bin/sh\necho v1.2\n")
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.defpath}")
        plan = build.plan(design, "arty_a7_100", toolchain="openxc7")
        log = NEXTPNR_LOG.format(mhz=mhz, verdict="PASS" if mhz >= 50 else "FAIL")
        script = f"#!/bin/sh\necho '== synthesis (yosys.log)'\n{body}\ncat > nextpnr.log <<'END'\n{log}END\n"
        script += "".join(f"touch {name}\n" for name in plan.products if name != "nextpnr.log")
        made = {"top.fasm": FASM, "top.sdf": SDF.format(wire=wire), "top.json": json.dumps(NETLIST)}
        script += "".join(f"cat > {name} <<'END'\n{text}\nEND\n" for name, text in made.items())
        files = {**plan.files, "build.sh": f"{script}exit {code}\n".encode()}
        return type(plan)(plan.name, plan.run, files, plan.products, plan.manifest)

    return install


def test_the_open_tools_build(openxc7, tmp_path):
    stages = []
    figures = build.build(openxc7(), tmp_path / "out", progress=stages.append)
    assert stages == ["synthesis"]
    assert figures["fmax_mhz"] == 60 and figures["timing_met"] and figures["used"]["dsp"] == 96
    assert figures["used"]["lut"] == 3, "LUTs of the FASM, not the 21,000 bels of the log"
    assert figures["tools"]["nextpnr-xilinx"] == "1.2"
    assert (tmp_path / "out" / "top.bit").exists()


def test_paths_of_block_rams_are_timed_where_nextpnr_has_none(openxc7, tmp_path):
    """2.46 ns to the output of the block RAM, 20 ns of wires, 0.1 ns of setup, unseen by nextpnr-xilinx."""
    with pytest.raises(
        TimingNotMet, match=r"missed at 50 MHz, the worst slack is -2\.56 ns.*reaches 44\.33 MHz"
    ):
        build.build(openxc7(mhz=60, wire=20000), tmp_path / "out")
    figures = json.loads((tmp_path / "out" / "build.json").read_text())
    assert figures["details"]["clocks"][0]["mhz"] == 60 and figures["products"] == {}
    routed = figures["details"]["routed"]
    assert routed["worst"] == {"RAMB36E1 to logic": 22.56, "logic to RAMB36E1": 1.65}
    assert (routed["start"], routed["end"]) == ("ram/DOADO3", "b/D")
    assert routed["nextpnr"].startswith("nextpnr-xilinx' own figure is blind to block RAMs and DSP slices")
    figures = build.build(openxc7(mhz=60, wire=5000), tmp_path / "out")
    assert figures["timing_met"] and figures["fmax_mhz"] == 60, "the slower one of the two"


def test_the_open_tools_miss_timing(openxc7, tmp_path):
    with pytest.raises(TimingNotMet, match=r"missed at 50 MHz.*reaches 40 MHz"):
        build.build(openxc7(mhz=40, code=1), tmp_path / "out")
    assert not (tmp_path / "out" / "top.bit").exists()
    figures = build.build(openxc7(mhz=40), tmp_path / "out", allow_timing_fail=True)
    assert not figures["timing_met"]


def test_the_programs_of_the_environment_are_those_that_are_written_down(openxc7, tmp_path, monkeypatch):
    plan, mine = openxc7(), tmp_path / "mine"
    mine.write_text("#!/bin/sh\necho v7.7\n")
    mine.chmod(0o755)
    for name in ("nextpnr-xilinx", "yosys"):
        (tmp_path / "bin" / name).unlink()
    monkeypatch.setenv("NEXTPNR", str(mine))
    monkeypatch.setenv("YOSYS", str(mine))
    assert build.build(plan, tmp_path / "out")["tools"]["nextpnr-xilinx"] == "7.7"
    assert Manifest.load(tmp_path / "out").tools["yosys"] == "7.7"


def test_the_open_tools_fail(openxc7, tmp_path):
    with pytest.raises(ToolFailed, match="the open tools failed: no chip database of it"):
        build.build(openxc7(body="echo 'build.sh: no chip database of it' >&2; exit 2"), tmp_path / "out")
    with pytest.raises(ToolFailed, match="the script ended with code 7"):
        build.build(openxc7(code=7), tmp_path / "out")
