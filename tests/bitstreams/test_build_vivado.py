"""Builds with a stand-in for Vivado: products, figures, and what is said of a run that fails."""

import json
import stat
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bitstreams import build
from bitstreams.deploy.memories import bases
from bitstreams.plans.manifest import Manifest
from hw.util.errors import ArtifactError, TimingNotMet, ToolFailed, ToolNotFound
from tests.bitstreams import vivado_texts
from tests.bitstreams.plan_folder import save, save_streamed
from tests.bitstreams.vivado_design import streamed


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    return save(tmp_path_factory.mktemp("designs") / "design")


@pytest.fixture(scope="module")
def plan(design):
    return build.plan(design, "arty_a7_100")


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
