"""The openXC7 flow: a complete plan, its script run with stand-ins for the tools, its synthesis for real."""

import json
import os
import re
import subprocess
import sys

import pytest

from bitstreams import boards
from bitstreams.boards import budget
from bitstreams.flows import nextpnr, openxc7
from bitstreams.flows.packed import FATAL, PACKED, unsupported
from bitstreams.flows.routed_timing import BLIND
from bitstreams.synthesis.yosys import LAUNCH
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import tiny
from hw.generate import generate
from hw.util.errors import ArtifactError, ConfigError, TimingNotMet, ToolFailed

ABLE = [board for board in boards.BOARDS.values() if board.open_clock]


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    folder = tmp_path_factory.mktemp("openxc7") / "design"
    generate(random_artifact(tiny(), seed=1), AcceleratorConfig(4, 2, 1), folder)
    return folder


@pytest.fixture(scope="module")
def plan(design):
    return openxc7.plan(design, boards.find("arty_a7_100"))


# --- the plan -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", ABLE, ids=lambda board: board.name)
def test_a_plan_holds_every_file_its_scripts_name(board, design, monkeypatch):
    monkeypatch.setenv("PATH", "")
    plan = openxc7.plan(design, board)
    assert plan.digest == openxc7.plan(design, board).digest
    text = {name: content.decode() for name, content in plan.contents.items()}
    sources = re.search(r"^read_verilog (.*)$", text["synth.ys"], re.M)[1].split()
    images = re.findall(r'\$readmem[bh]\("([^"]+)"', "".join(text[name] for name in sources))
    assert len(sources) == 2 and images and {*sources, *images, "top.xdc", "synth.ys"} <= set(text)
    assert not re.search(r"@[A-Z]+@", text["synth.ys"] + text["build.sh"])
    for word in (board.part, f"{board.xray}/{board.part}/part.yaml", "--freq 50.000"):
        assert word in text["build.sh"]
    assert plan.manifest.clock_hz == 50e6 and plan.manifest.flow == "openxc7"


def test_clock_bit_rate_and_dsp_can_be_chosen(design):
    board = boards.find("vc707")
    plan = openxc7.plan(design, board, clock_hz=100_000_000, baud=115_200, dsp=False)
    assert b"--freq 100.000" in plan.files["build.sh"]
    assert b"create_clock -name design -period 10.000" in plan.files["top.xdc"]
    assert re.search(rb"synth_xilinx .* -nodsp\n", plan.files["synth.ys"])
    assert b"-nodsp" not in openxc7.plan(design, board).files["synth.ys"]


def test_boards_without_a_database_are_refused_and_others_named(design):
    able = "arty_a7_100, arty_a7_35, basys3, genesys2, kc705, vc707"
    for name in ("vc709", "vcu118"):
        with pytest.raises(ConfigError, match=f"use Vivado, or one of {able}$"):
            openxc7.plan(design, boards.find(name))


def test_a_missing_memory_image_is_no_plan(design, tmp_path):
    for file in design.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    next(tmp_path.glob("*.mem")).unlink()
    with pytest.raises(ArtifactError, match="generate it again"):
        openxc7.plan(tmp_path, boards.find("kc705"))


# --- the script ---------------------------------------------------------------------------------------

LOG = """\
Info: Device utilisation:
Info:             SLICE_LUTX: 12586/126800     9%
Info:              SLICE_FFX:  6139/126800     4%
Info:               RAMB18E1:     8/  270     2%
Info: \t           RAMB36E1:    11/  135     8%
Info:        DSP48E1_DSP48E1:    24/  240    10%
Info:                    PAD:     0/  300     0%
Info: Max frequency for clock 'clk': 51.00 MHz (PASS at 50.00 MHz)
Info: Max frequency for clock   'clk': {mhz} MHz ({verdict} at 50.00 MHz)
"""

PASSED = LOG.format(mhz="52.10", verdict="PASS")

TIED = "".join(
    f"DSP_L_X4Y5.DSP_{half}_{pin}.DSP_GND_L\n"
    for half in (0, 1)
    for pin in (*(f"INMODE{i}" for i in range(5)), "ALUMODE2", "ALUMODE3", "OPMODE6")
)


@pytest.fixture
def run(plan, tmp_path):
    """Run build.sh with stand-ins; gives the finished process and the folder."""
    folder, tools = plan.extract(tmp_path / "plan"), tmp_path / "tools"
    part = tmp_path / "db" / "artix7" / "xc7a100tcsg324-1" / "part.yaml"
    part.parent.mkdir(parents=True)
    part.touch()
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "xc7a100tcsg324.bin").write_text("chip")
    tools.mkdir()

    def call(*arguments, fasm=TIED, log=PASSED, without=(), code=0, yosys="", **environment):
        (tmp_path / "fasm").write_text(fasm)
        (tmp_path / "log").write_text(log)
        scripts = {
            "yosys": f"case $1 in -V) echo 'Yosys 0.68';; *) echo cells | tee synthesis.txt yosys.log; "
            f"{yosys} ;; esac",
            "nextpnr-xilinx": f"case $1 in --version) echo '(Version 0.9)';; *) echo \"$@\" >args; "
            f"cat {tmp_path}/log; cp {tmp_path}/fasm top.fasm; exit {code}; esac",
            "fasm2frames": 'echo "frames of $*"',
            "xc7frames2bit": 'for last; do :; done; echo "bits of $*" >"$last"',
        }
        for name, script in scripts.items():
            (tools / name).unlink(missing_ok=True)
            if name not in without:
                (tools / name).write_text(f"#!/bin/sh\n{script}\n")
                (tools / name).chmod(0o755)
        places = {"CHIPDB": str(tmp_path / "chips"), "PRJXRAY_DB_DIR": str(tmp_path / "db")}
        done = subprocess.run(
            [folder / "build.sh", *arguments],
            cwd=tmp_path,  # anywhere
            env={"PATH": f"{tools}:{os.defpath}"} | places | environment,
            capture_output=True,
            text=True,
        )
        return done, folder

    return call


def test_the_script_hands_every_tool_its_files(run):
    done, folder = run()
    assert done.returncode == 0, done.stderr
    arguments = (folder / "args").read_text()
    assert (
        "xc7a100tcsg324.bin --json top.json --xdc top.xdc --fasm top.fasm --sdf top.sdf --freq 50.000"
        in arguments
    )
    assert "--timing-allow-fail" not in arguments
    assert "--part xc7a100tcsg324-1" in (folder / "top.frames").read_text()
    assert "artix7/xc7a100tcsg324-1/part.yaml" in (folder / openxc7.BITSTREAM).read_text()
    assert BLIND in done.stdout, "no Python times the block RAMs there"
    assert "yosys: Yosys 0.68\n" in (folder / "tools.txt").read_text()
    assert nextpnr.read(folder / openxc7.LOG, clock_hz=50e6).met
    assert all((folder / name).exists() for name in openxc7.PRODUCTS)


def test_the_script_says_what_is_missing(run):
    for changes, message in (
        ({"without": ("fasm2frames",)}, "not on PATH: fasm2frames; install openXC7"),
        ({"CHIPDB": ""}, "no chip database of xc7a100t found: set CHIPDB"),
        ({"PRJXRAY_DB_DIR": ""}, "no Project X-Ray database with artix7/xc7a100tcsg324-1"),
    ):
        done, folder = run(**changes)
        assert done.returncode == 2 and message in done.stderr
        assert not (folder / openxc7.BITSTREAM).exists()
    assert "usage" in run("--fast")[0].stderr


def test_a_run_that_fails_leaves_no_older_bitstream(run):
    assert run()[0].returncode == 0
    done, folder = run(code=1)
    assert done.returncode == 1 and not (folder / openxc7.BITSTREAM).exists()
    assert "build.sh: nextpnr-xilinx failed: it ended with code 1; its log is nextpnr.log" in done.stderr
    run("--allow-timing-fail")
    assert "--timing-allow-fail" in (folder / "args").read_text()


def test_missed_timing_ends_the_script_with_a_sentence(run):
    """nextpnr-xilinx routes, writes its FASM and ends with code 1."""
    missed = LOG.format(mhz="48.50", verdict="FAIL").replace(
        "Info: Max frequency for clock   ", "ERROR: Max frequency for clock   "
    )
    done, folder = run(log=missed, code=1)
    assert done.returncode == 1 and not (folder / openxc7.BITSTREAM).exists()
    assert (
        "build.sh: timing is missed at 50.000 MHz: plan with a lower --mhz, try another SEED" in done.stderr
    )
    done, folder = run(log=missed.replace("ERROR", "Warning"))
    assert done.returncode == 0 and (folder / openxc7.BITSTREAM).exists()
    done, _ = run(log="ERROR: Unable to place cell 'x'.\n", code=1)
    assert "nextpnr-xilinx failed: Unable to place cell 'x'.; its log is" in done.stderr


def test_a_yosys_that_fails_ends_the_script_with_a_sentence(run):
    done, _ = run(yosys="echo 'ERROR: Module x is not part of the design' >>yosys.log; exit 3")
    assert done.returncode == 1
    assert "build.sh: yosys failed: Module x is not part of the design; its log is yosys.log" in done.stderr
    assert "yosys failed: it ended with code 4; its log" in run(yosys="exit 4")[0].stderr


def test_half_configured_dsp_slices_are_not_shipped(run):
    """What an old nextpnr-xilinx writes: a DSP in use, its constant pins left open."""
    open_pin = TIED.replace("DSP_L_X4Y5.DSP_1_INMODE1.DSP_GND_L\n", "")
    done, folder = run(fasm=open_pin)
    assert (
        done.returncode == 2
        and "#159 (0.8.2 has not), or plan with --no-dsp" in done.stderr
        and not (folder / openxc7.BITSTREAM).exists()
    )
    assert run(fasm="DSP_R_X1Y5.DSP_0.MASK[45:0] = 1\n")[0].returncode == 2
    assert run(fasm="CLBLL_L_X2Y1.SLICEL_X0.AFF.ZINI\n")[0].returncode == 0, "no DSP at all"
    assert run(fasm=open_pin, SKIP_DSP_CHECK="1")[0].returncode == 0


# --- the log ------------------------------------------------------------------------------------------


def test_reads_the_clock_after_routing_and_the_use():
    report = nextpnr.parse(LOG.format(mhz="48.50", verdict="FAIL"))
    assert [(c.name, c.mhz, c.target, c.met) for c in report.clocks] == [("clk", 48.5, 50.0, False)]
    assert report.clocks[0].slack_ns == pytest.approx(-0.6186, abs=1e-3)
    assert report.resources == {"ff": 6139, "dsp": 24, "bram36": 15}
    assert report.used["SLICE_LUTX"] == (12586, 126800), "as it was said: two bels a LUT"
    assert "PAD" not in report.used and not report.met
    assert json.dumps(report.to_json())


def test_a_lut_counts_once_whatever_its_halves_do(tmp_path):
    fasm = tmp_path / "top.fasm"
    init = "INIT[63:0] = 64'b1"
    fasm.write_text(
        f"CLBLL_L_X2Y1.SLICEL_X0.ALUT.{init}\nCLBLL_L_X2Y1.SLICEL_X0.BLUT.{init}\n"
        f"CLBLL_L_X2Y1.SLICEL_X1.ALUT.{init}\nCLBLM_R_X2Y1.SLICEM_X0.ALUT.{init}\n"
        f"CLBLM_R_X2Y1.SLICEM_X0.ALUT.INIT[31:0] = 32'b1\nCLBLM_R_X2Y1.SLICEM_X0.ALUT.SMALL\n"
        "CLBLM_R_X2Y1.SLICEM_X0.BFF.ZINI\nBRAM_L_X6Y0.RAMB36.INIT_00[255:0] = 256'b1\n"
    )
    assert nextpnr.luts(fasm) == 4
    with pytest.raises(ToolFailed, match="left no FASM"):
        nextpnr.luts(tmp_path / "absent")


@pytest.mark.parametrize("prefix", ["ERROR", "Warning"])
def test_missed_timing_fails_unless_allowed(tmp_path, prefix):
    log = tmp_path / "nextpnr.log"
    text = LOG.format(mhz="48.50", verdict="FAIL").splitlines()
    log.write_text("\n".join([*text[:-1], text[-1].replace("Info", prefix)]))
    with pytest.raises(
        TimingNotMet, match=r"clock 'clk' reaches 48\.5 of 50 MHz; lower --mhz.*--allow-timing-fail"
    ):
        nextpnr.read(log, clock_hz=50e6)
    assert not nextpnr.read(log, clock_hz=50e6, allow_timing_fail=True).met


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ERROR: Unable to place cell 'x', no Bels remaining of type 'RAM'.\n", "Unable to place cell"),
        ("Info: Packing LUTs..\n", "no clock"),
        ("Info: Max frequency for clock 'clk': 99.00 MHz (PASS at 12.00 MHz)\n", "no clock at 50 MHz"),
    ],
)
def test_a_log_that_proves_nothing_is_a_failure(tmp_path, text, message):
    (tmp_path / "nextpnr.log").write_text(text)
    with pytest.raises(ToolFailed, match=message):
        nextpnr.read(tmp_path / "nextpnr.log", clock_hz=50e6)
    with pytest.raises(ToolFailed, match="left no log"):
        nextpnr.read(tmp_path / "absent", clock_hz=50e6)


# --- synthesis ----------------------------------------------------------------------------------------


def test_the_table_of_primitives():
    assert not PACKED.keys() & FATAL.keys()
    assert unsupported({"LUT6": 3, "MUXF9": 2, "RAM32X1S": 0}) == {"MUXF9": 2}


def yosys(folder, script):
    return subprocess.run(
        [sys.executable, "-c", LAUNCH, "-q", *script], cwd=folder, capture_output=True, text=True
    )


def test_the_script_stops_at_a_primitive_that_cannot_be_packed(plan, tmp_path):
    """The line of synth.ys on its own, on netlists of one cell."""
    (line,) = re.findall(r"^select -assert-none.*$", plan.files["synth.ys"].decode(), re.M)
    for cell, code in (("LUT1 c(.I0(a), .O(y))", 0), ("MUXF9 c(.I0(a), .I1(a), .S(a), .O(y))", 1)):
        (tmp_path / "one.v").write_text(f"module top(input a, output y); {cell}; endmodule\n")
        script = f"read_verilog -lib +/xilinx/cells_sim.v; read_verilog one.v; hierarchy -top top; {line}"
        assert yosys(tmp_path, ["-p", script]).returncode == code


@pytest.mark.slow
@pytest.mark.parametrize("name", ["arty_a7_100", "vc707"])
def test_the_whole_top_synthesises_fits_and_can_be_packed(name, design, tmp_path):
    board = boards.find(name)
    folder = openxc7.plan(design, board).extract(tmp_path)
    done = yosys(folder, ["-l", "yosys.log", "-s", "synth.ys"])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = openxc7.synthesised(folder / "top.json")
    budget.check(board, found.resources)
    assert not unsupported(found.cells)
    assert found.dsp == 24 and found.bram36 >= 2, "multipliers and memories are where they should be"
    assert found.cells["PLLE2_ADV"] == found.cells["BUFG"] == 1
    assert found.cells["FDPE"] == 4, "the reset bridge"
    netlist = json.loads((folder / "top.json").read_text())["modules"]["top"]
    assert "clk" in netlist["netnames"], "the net that the clock constraint names"
    for cell in netlist["cells"].values():
        if cell["type"] == "DSP48E1":  # no wire leads to these pins: they must be constants
            pins = cell["connections"]
            constant = [*pins["INMODE"], *pins["ALUMODE"][2:], pins["OPMODE"][6]]
            assert set(constant) <= {"0", "1"}
        if cell["type"] == "PLLE2_ADV":
            assert isinstance(cell["connections"]["RST"][0], int), "a signal, not a constant"
