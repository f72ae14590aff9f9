"""Plans for every choice, and their run with stand-ins for the tools."""

import json
import os
import re
import stat
import sys
import tarfile
import textwrap
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from bitstreams import build
from bitstreams.boards import BOARDS
from bitstreams.deploy.memories import bases
from bitstreams.plans import manifest
from bitstreams.plans.manifest import Manifest
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import vgg16
from hw.contract.streamed_weights import stream_files
from hw.generate import generate
from hw.util.errors import ArtifactError, ConfigError, DoesNotFit, TimingNotMet, ToolFailed, ToolNotFound
from tests.bitstreams import vivado_run, vivado_texts
from tests.bitstreams.vivado_design import design as described
from tests.bitstreams.vivado_design import streamed
from tests.design_folder import save_design

FILES = {
    "spec2.v": 'module spec2(input clk);\n  initial $readmemb("a.mem", rom);\nendmodule\n',
    "a.mem": "0101\n",
}
ESTIMATES = {"dsp_total": 24, "lut": 12832, "ff": 17083, "bram36": 8.5, "cycles": 1847}


def save(folder, **estimates):
    """A design folder with the ports of a generated one."""
    save_design(folder, replace(described(), estimates={**ESTIMATES, **estimates}), FILES)
    return folder


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    return save(tmp_path_factory.mktemp("designs") / "design")


@pytest.fixture(scope="module")
def plan(design):
    return build.plan(design, "arty_a7_100")


# --- plans ----------------------------------------------------------------------------------------------

CHOICES = [
    *((name, "vivado", transport) for name, board in BOARDS.items() for transport in board.transports),
    *((name, "openxc7", "uart") for name, board in BOARDS.items() if board.open_clock),
]


@pytest.mark.parametrize(("board", "toolchain", "transport"), CHOICES)
def test_plans_need_no_tool(design, board, toolchain, transport, monkeypatch):
    monkeypatch.setenv("PATH", "")
    plan = build.plan(design, board, toolchain=toolchain, transport=transport)
    with tarfile.open(fileobj=BytesIO(plan.archive())) as tar:
        names = {name.removeprefix(f"{plan.name}/") for name in tar.getnames()}
    assert {"spec2.v", "a.mem", manifest.FILE_NAME} < names
    assert all(re.fullmatch(r"[\w.]+", name) for name in names)
    assert board in plan.name and plan.manifest.flow == toolchain
    assert plan.products[0].endswith(".bit") and plan.manifest.transport == transport
    here = str(build.__file__).rsplit("/bitstreams/", 1)[0].encode()
    assert not any(here in content for content in plan.contents.values()), "a path of this machine"


@pytest.mark.parametrize(
    ("board", "transport"), [("vc709", "uart"), ("vc709", "pcie"), ("pynq_z2", ""), ("kv260", "zynq")]
)
def test_the_archive_runs_under_the_recorder(design, tmp_path, board, transport):
    plan = build.plan(design, board, transport=transport)
    with tarfile.open(fileobj=BytesIO(plan.archive())) as tar:
        tar.extractall(tmp_path, filter="data")
    result = vivado_run.run(tmp_path / plan.name, "build.tcl", board=board)
    assert result.code == 0, result.output + result.errors
    for product in plan.products:
        assert (tmp_path / plan.name / product).exists()


@pytest.mark.parametrize("board", [name for name, board in BOARDS.items() if board.platform])
def test_every_port_of_the_serial_top_has_a_pin(design, tmp_path, board):
    plan = build.plan(design, board)
    result = vivado_run.run(plan.extract(tmp_path / "plan"), "build.tcl", board=board)
    shell = plan.files["shell.v"].decode()
    ports = set(re.search(r"^module top\((.*?)\);", shell, re.M | re.S)[1].replace("\n", "").split(", "))
    placed, standards = set(), set()
    for call in result.of("set_property"):
        if call[0] == "PACKAGE_PIN":
            placed.add(call[2])
        elif call[0] == "IOSTANDARD":
            standards.add(call[2])
    assert ports == placed == standards
    assert {port for port in ports if port.startswith("clock")} & {
        call[-1] for call in result.of("create_clock")
    }


def test_the_clock_of_the_plan_is_in_its_settings_and_manifest(design):
    plan = build.plan(design, "vc709", transport="pcie", mhz=125)
    assert b"settings(mhz) {125.000}" in plan.files["settings.tcl"]
    assert (plan.manifest.clock_hz, plan.manifest.baud) == (125e6, 0)
    plan = build.plan(design, "vc709", mhz=100, baud=115_200)
    assert (plan.manifest.clock_hz, plan.manifest.baud) == (100e6, 115_200)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"board": "vc999"}, ConfigError, "there is no board 'vc999'"),
        ({"toolchain": "ise"}, ConfigError, "there is no toolchain 'ise': known are vivado, openxc7"),
        ({"board": "vc707", "transport": "pcie"}, ConfigError, "the vc707 has no transport 'pcie'"),
        (
            {"transport": "pcie", "toolchain": "openxc7"},
            ConfigError,
            "open tools cannot build transport 'pcie'",
        ),
        ({"toolchain": "openxc7"}, ConfigError, "no database"),
        ({"dsp": False}, ConfigError, "Vivado needs no plan without DSP slices: leave --no-dsp out"),
        ({"mhz": 0}, ConfigError, "must be positive, not 0 MHz"),
        ({"mhz": 900, "transport": "pcie"}, ConfigError, "must be 10 to 600 MHz, not 900 MHz"),
        ({"board": "kv260", "mhz": 300}, ConfigError, "must be 10 to 250 MHz, not 300 MHz"),
        ({"board": "kv260", "transport": "uart"}, ConfigError, "no transport 'uart': it has zynq"),
        ({"board": "pynq_z2", "toolchain": "openxc7"}, ConfigError, "cannot build transport 'zynq'"),
        ({"baud": -1}, ConfigError, "bit rate must be positive"),
    ],
)
def test_refuses_what_cannot_be_built(design, options, error, message):
    with pytest.raises(error, match=message):
        build.plan(design, **{"board": "vc709", **options})


def test_the_budget_comes_first(tmp_path):
    folder = save(tmp_path / "large", dsp_total=5000)
    with pytest.raises(DoesNotFit, match="5,000 DSP slices of 3,600"):
        build.plan(folder, "vc709", toolchain="no such toolchain")


def test_packed_products_need_slices_that_are_wide_enough(tmp_path):
    folder = save(tmp_path / "wide", wide_port=26)
    with pytest.raises(DoesNotFit, match="port of 26 bits, the DSP48E1 of the vc709 has 25"):
        build.plan(folder, "vc709")
    build.plan(folder, "vcu118")


def save_streamed(folder, memories=2, bits=256):
    """A design folder with the ports of one that reads its weights."""
    weights = {name: bytes([0xF7]) * 4096 for name in stream_files("spec2", memories)}  # no text
    save_design(folder, replace(streamed(memories, bits), estimates=ESTIMATES), FILES | weights)
    return folder


def test_a_design_whose_weights_are_elsewhere_needs_memory(tmp_path):
    folder = save_streamed(tmp_path / "design")
    for toolchain in build.TOOLCHAINS:
        with pytest.raises(ConfigError, match=r"--transport pcie \(kc705, u200, .*without --stream-weights"):
            build.plan(folder, "vc709", toolchain=toolchain)
    with pytest.raises(ConfigError, match="on the kc705 it can be 1: generate it with --memories"):
        build.plan(folder, "kc705", transport="pcie")


@pytest.mark.parametrize(
    ("board", "memories"), [("vc709", 2), ("vcu118", 2), ("u200", 4), ("u250", 1), ("kc705", 1)]
)
def test_a_plan_says_where_every_part_of_the_weights_goes(tmp_path, board, memories, monkeypatch):
    monkeypatch.setenv("PATH", "")
    plan = build.plan(save_streamed(tmp_path / "design", memories), board, transport="pcie")
    rows = Manifest.from_json(json.loads(plan.contents[manifest.FILE_NAME])).memory
    assert [row["ports"] for row in rows] == [
        [f"m_axi_{i}" if memories > 1 else "m_axi"] for i in range(memories)
    ]
    known = BOARDS[board].memories
    for row, memory in zip(rows, known, strict=False):
        assert (row["memory"], row["part"], row["bytes"]) == (memory.name, memory.part, memory.bytes)
        assert row["bits"] == [256] and row["sustained"] < row["peak"]
    assert [row["base"] for row in rows] == [i * known[0].bytes for i in range(memories)]
    assert [row["file"] for row in rows] == list(stream_files("spec2", memories))
    assert not any(name.endswith(".bin") for name in plan.contents), "weights are no part of the device"
    result = vivado_run.run(plan.extract(tmp_path / "plan"), "build.tcl", board=board)
    assert result.code == 0, result.output + result.errors
    assert json.loads(plan.contents[manifest.FILE_NAME])["memory"] == [dict(row) for row in rows]


@pytest.mark.parametrize(
    ("board", "toolchain", "transport"),
    [("arty_a7_100", "openxc7", "uart"), ("vc709", "vivado", "uart"), ("vc709", "vivado", "pcie")],
)
def test_plans_take_a_design_of_any_name(tmp_path, board, toolchain, transport):
    """Files under their names, and a shell that has its top module inside."""
    names = {name.replace("spec2", "digits"): text.replace("spec2", "digits") for name, text in FILES.items()}
    info = streamed(2) if transport == "pcie" else described()
    weights = stream_files("digits", 2) if transport == "pcie" else ()
    saved = replace(info, estimates=ESTIMATES, top="digits")
    save_design(tmp_path / "design", saved, names | {name: b"\xf7" for name in weights})
    plan = build.plan(tmp_path / "design", board, toolchain=toolchain, transport=transport)
    assert "digits.v" in plan.files and "spec2.v" not in plan.files
    around = "".join(text.decode() for name, text in plan.files.items() if name.endswith(".v"))
    assert len(re.findall(r"^ +digits (core|accelerator) \(", around, re.M)) == 1
    assert not re.search(r"^ +spec2 ", around, re.M)
    assert [row["file"] for row in plan.manifest.memory] == list(weights)


VGG16 = {
    "vc709": AcceleratorConfig(
        64,
        10,
        1,
        64,
        30720,
        stream_weights=True,
        bus_bits=512,
        memories=2,
        weight_steps=16384,
        stream_bits=256,
    ),
    "vcu118": AcceleratorConfig(
        64, 20, 1, 128, 15360, stream_weights=True, bus_bits=1024, memories=2, stream_bits=256
    ),
    "u200": AcceleratorConfig(
        64, 20, 1, 128, 15360, stream_weights=True, bus_bits=1024, memories=4, stream_bits=256
    ),
}
"""Designs of VGG16 at 224 × 224 for boards: the VC709's is what ``spec2 explore`` chooses."""


@pytest.mark.slow
@pytest.mark.parametrize("board", VGG16)
def test_vgg16_reaches_a_plan_that_runs_to_its_end(tmp_path, board, monkeypatch):
    made = generate(random_artifact(vgg16(), weight_bits=8), VGG16[board], tmp_path / "design")
    monkeypatch.setenv("PATH", "")
    plan = build.plan(tmp_path / "design", board, transport="pcie")
    result = vivado_run.run(plan.extract(tmp_path / "plan"), "build.tcl", board=board)
    assert result.code == 0, result.output + result.errors
    (record,) = result.of("ports_of_memory")
    memories, bus = VGG16[board].memories, VGG16[board].bus_bits
    assert len(record) == 3 * memories and len(set(record[2::3])) == memories
    assert record[1::3] == (str(bus // memories),) * memories
    assert [row["file"] for row in plan.manifest.memory] == [
        name for name in made.files if name.endswith(".bin")
    ]


def test_a_design_that_lacks_a_file(tmp_path):
    folder = save(tmp_path / "design")
    (folder / "a.mem").unlink()
    with pytest.raises(ArtifactError, match=r"a\.mem.*generate it again"):
        build.plan(folder, "vc709")


# --- runs -----------------------------------------------------------------------------------------------

PROGRAM = """\
#!{python}
import json, os, pathlib, signal, sys, time
if sys.argv[1:] == ["-version"]:
    print("Vivado v2023.2 (64-bit)")
    sys.exit()
here = pathlib.Path(__file__).parent
(here / "arguments").write_text(json.dumps([os.getcwd(), *sys.argv[1:]]))
for name, text in json.loads((here / "reports").read_text()).items():
    pathlib.Path("reports").mkdir(exist_ok=True)
    pathlib.Path("reports", name).write_text(text)
{body}
"""
STAGES = """\
print("SPEC2 TOOL Vivado 2023.2"); print("SPEC2 STAGE synth"); print("WARNING: [Synth 8-1] x")
print("SPEC2 DONE synth 12"); print("SPEC2 STAGE bitstream")
"""
PRODUCTS = 'pathlib.Path("spec2.bit").write_bytes(b"bits"); pathlib.Path("spec2.mcs").write_text(":00")\n'


@pytest.fixture
def vivado(tmp_path, monkeypatch):
    """Installs a program ``vivado`` that does ``body`` and leaves ``reports``; returns its folder."""

    def install(body=STAGES + PRODUCTS, reports=None):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "vivado"
        program.write_text(PROGRAM.format(python=sys.executable, body=textwrap.dedent(body)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        (folder / "reports").write_text(json.dumps(vivado_texts.reports() if reports is None else reports))
        monkeypatch.setenv("PATH", str(folder))
        return folder

    return install


def test_a_build_leaves_products_and_figures(plan, vivado, tmp_path):
    folder, stages = vivado(reports=vivado_texts.reports(period=10.0, wns=2.0)), []
    figures = build.build(plan, tmp_path / "out", progress=stages.append)
    out = tmp_path / "out"
    assert stages == ["synth", "bitstream"]
    assert (out / "spec2.bit").read_bytes() == b"bits" and (out / "spec2.mcs").exists()
    assert json.loads((out / "build.json").read_text()) == figures
    assert figures["toolchain"] == "vivado" and figures["transport"] == "uart"
    assert figures["tools"] == {"vivado": "2023.2"}
    assert figures["timing_met"] and figures["slack_ns"] == 0.045 and figures["clock_mhz"] == 100
    assert figures["fmax_mhz"] == 125
    assert figures["used"] == {"lut": 21345, "ff": 17083, "bram36": 12.5, "dsp": 96}
    assert figures["use_percent"]["dsp"] == 40
    assert figures["warnings"] == 1
    assert figures["details"]["stage_seconds"] == {"synth": 12}
    assert figures["details"]["timing"]["wns"] == 2.0
    assert figures["details"]["hierarchy"]["serial"]["DSP Blocks"] == 96
    assert figures["artifact"] == plan.manifest.artifact and figures["plan"] == plan.digest
    made = Manifest.load(out)
    assert made.tools["vivado"] == "2023.2" and made.files["spec2.v"]
    place, *arguments = json.loads((folder / "arguments").read_text())
    assert place == str(out / plan.name)
    assert arguments[arguments.index("-source") + 1] == "build.tcl"
    assert "--allow-timing-fail" not in arguments


def test_a_build_says_where_weights_go(tmp_path, vivado):
    """In both of its files, as the driver reads them."""
    vivado()
    info = streamed(2)
    plan = build.plan(save_streamed(tmp_path / "design"), "vc709", transport="pcie")
    figures = build.build(plan, tmp_path / "out")
    made = Manifest.load(tmp_path / "out")
    assert (
        figures["memory"] == [dict(row) for row in made.memory] == [dict(row) for row in plan.manifest.memory]
    )
    found = bases(made.memory, info)
    assert found == [row["base"] for row in figures["memory"]] and found[1] - found[0] >= 1 << 31
    with pytest.raises(ArtifactError, match="table of memories is not one for spec2_weights_0"):
        bases(made.memory[:1], info)
    with pytest.raises(ArtifactError, match=r"is not one for spec2_weights\.bin: build the design"):
        bases(made.memory, streamed(1))


MISSED = STAGES + 'print("SPEC2 FAIL timing is missed, setup slack is -0.25 ns: lower"); sys.exit(1)\n'


def test_missed_timing_leaves_figures_and_no_bitstream(plan, vivado, tmp_path):
    out = tmp_path / "out"
    vivado()
    build.build(plan, out)
    vivado(MISSED, vivado_texts.reports(period=10.0, wns=-0.25))
    message = r"missed at 100 MHz, the worst slack is -0\.25 ns; the design reaches 97\.56 MHz: lower --mhz"
    with pytest.raises(TimingNotMet, match=message):
        build.build(plan, out)
    figures = json.loads((out / "build.json").read_text())
    assert not figures["timing_met"] and figures["products"] == {}
    assert not (out / "spec2.bit").exists(), "the bitstream of an earlier build"


def test_missed_timing_can_be_allowed(plan, vivado, tmp_path):
    folder = vivado(STAGES + PRODUCTS, vivado_texts.reports(period=10.0, wns=-0.25))
    figures = build.build(plan, tmp_path / "out", allow_timing_fail=True)
    assert not figures["timing_met"] and figures["products"].keys() == {"spec2.bit", "spec2.mcs"}
    assert "--allow-timing-fail" in json.loads((folder / "arguments").read_text())


def test_reports_decide_whatever_the_exit_code(plan, vivado, tmp_path):
    vivado(STAGES + PRODUCTS, vivado_texts.reports(wns=-0.25))
    with pytest.raises(TimingNotMet):
        build.build(plan, tmp_path / "out")
    vivado(STAGES + PRODUCTS, {**vivado_texts.reports(), "route_status.rpt": vivado_texts.route_status(2)})
    with pytest.raises(ToolFailed, match="2 nets unrouted"):
        build.build(plan, tmp_path / "out")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('print("SPEC2 FAIL 3 nets are not routed"); sys.exit(1)', "Vivado failed: 3 nets are not routed"),
        (
            'print("ERROR: [Synth 8-439] module x not found."); sys.exit(1)',
            "failed: module x not found; its log",
        ),
        ("sys.exit(3)", "it ended with code 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", r"was ended by SIGKILL \(out of memory\?\)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV"),
        ("import shutil; shutil.rmtree('reports')", "Vivado left no report"),
        ("pathlib.Path('reports/timing.rpt').write_text('')", "that can be read"),
        ("pass", r"ended without an error, but left no spec2\.bit"),
        ("import shutil; shutil.rmtree('reports')\n" + MISSED, "Vivado left no report"),
    ],
)
def test_a_tool_that_fails_is_explained(plan, vivado, tmp_path, body, message):
    vivado(body)
    with pytest.raises(ToolFailed, match=message) as caught:
        build.build(plan, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "build.json").exists()


def test_reports_of_an_earlier_run_are_not_read(plan, vivado, tmp_path):
    vivado()
    build.build(plan, tmp_path / "out")
    vivado(STAGES + PRODUCTS, {})
    with pytest.raises(ToolFailed, match="Vivado left no report"):
        build.build(plan, tmp_path / "out")


def gone(process: int, seconds: float = 10) -> bool:
    """Whether a process ends (a zombie has); the kernel takes a moment to carry a signal out."""
    state = Path(f"/proc/{process}/stat")
    for _ in range(int(seconds / 0.05)):
        try:
            if state.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_a_tool_that_hangs_ends_with_all_it_has_started(plan, vivado, tmp_path):
    vivado(
        """
        import subprocess
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        (here / "child").write_text(str(child.pid))
        time.sleep(60)
        """
    )
    start = time.monotonic()
    with pytest.raises(ToolFailed, match=r"vivado took longer than 2 seconds; its log is"):
        build.build(plan, tmp_path / "out", timeout=2)
    assert time.monotonic() - start < 30
    child = int((tmp_path / "bin" / "child").read_text())
    assert gone(child)


def test_without_vivado(plan, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolNotFound, match=r"vivado is not installed, or not on PATH: .*settings64\.sh"):
        build.build(plan, tmp_path / "out")


# --- the open tools -------------------------------------------------------------------------------------

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


def test_multipliers_of_luts_can_be_asked_for(design):
    assert b" -nodsp" in build.plan(design, "arty_a7_100", toolchain="openxc7", dsp=False).files["synth.ys"]


def test_the_open_tools_fail(openxc7, tmp_path):
    with pytest.raises(ToolFailed, match="the open tools failed: no chip database of it"):
        build.build(openxc7(body="echo 'build.sh: no chip database of it' >&2; exit 2"), tmp_path / "out")
    with pytest.raises(ToolFailed, match="the script ended with code 7"):
        build.build(openxc7(code=7), tmp_path / "out")
