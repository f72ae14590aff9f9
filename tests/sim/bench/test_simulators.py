"""The emitted Verilog means the same to Icarus in two editions of the language, yosys, slang and Verilator.

Where Verilator has two states, Icarus has four: what is never written shows as x. Without Icarus its tests
are skipped; continuous integration installs it.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyslang
import pytest

from hw.contract.artifact import load
from hw.generate import generate
from hw.host_interface.registers import MAGIC, STATUS
from hw.host_interface.stream_format import map_beats, pack_image, pack_scores
from sim import model
from sim.rtl.verilator import find_verilator
from tests.hw.gateware.conftest import RUN_YOSYS
from tests.sim.bench.accelerators import images, save_accelerator
from tests.sim.bench.streamed_designs import random_streamed

BENCH = Path(__file__).with_name("plain_bench.v")

PATIENCE = 20_000
"""Clocks; the run takes a tenth of them."""


@pytest.fixture(scope="module")
def design(tmp_path_factory) -> Path:
    """The folder of a small design, with ``images.hex`` and ``results.hex`` for the plain bench."""
    folder, artifact = save_accelerator(tmp_path_factory.mktemp("plain"), "tiny", "adaptive", 4, 1, 1)
    picture = images("tiny", 3)[1:2]
    (folder / "images.hex").write_text(_hex(b"".join(map(pack_image, picture))))
    (folder / "results.hex").write_text(_hex(pack_scores(model.run(artifact, picture))))
    return folder


def _hex(frame: bytes) -> str:
    return "".join(f"{beat:08x}\n" for beat in np.frombuffer(frame, "<u4"))


def _icarus(folder: Path, verilog: str, edition: str) -> dict[str, str]:
    """Run the plain bench on ``verilog``; what it says in its last line."""
    compiler, runtime = shutil.which("iverilog"), shutil.which("vvp")
    if not compiler or not runtime:
        pytest.skip("Icarus Verilog is not installed: apt-get install iverilog")
    network = load(folder / "model.npz").network
    sizes = {
        "IMAGES": 1,
        "BEATS": map_beats(network.input),
        "RESULTS": network.classes,
        "PATIENCE": PATIENCE,
    }
    options = [f"-Pplain_bench.{name}={value}" for name, value in sizes.items()]
    program = f"{Path(verilog).stem}-{edition}.vvp"
    _run([compiler, f"-g{edition}", "-s", "plain_bench", *options, "-o", program, verilog, BENCH], folder)
    return dict(re.findall(r"(\w+) (\w+)", _run([runtime, "-n", program], folder).splitlines()[-1]))


def _run(command, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    # Icarus 11 says this of any memory without a range for $readmemb, and means the rule that we mean.
    said = [line for line in done.stderr.splitlines() if "following 1364-2005" not in line]
    assert not any("warning" in line.lower() or "error" in line.lower() for line in said), done.stderr
    return done.stdout


def _right(said: dict[str, str], network) -> bool:
    """Whether the plain bench found every beat equal, and saw the run end."""
    ended = STATUS.pack(done=1)
    return (
        said["id"] == f"{MAGIC:08x}"
        and said["status"] == f"{ended:08x}"
        and said["results"] == str(network.classes)
        and said["wrong"] == "0"
        and 0 < int(said["cycles"]) < PATIENCE
    )


@pytest.mark.parametrize("edition", ["2005", "2012"])
def test_icarus_computes_the_model_from_unknown_signals(design, edition):
    assert _right(_icarus(design, "spec2.v", edition), load(design / "model.npz").network)


def test_the_plain_bench_finds_a_fault(design, tmp_path):
    folder = tmp_path / "faulty"
    shutil.copytree(design, folder)
    results = (folder / "results.hex").read_text().splitlines()
    results[2] = f"{int(results[2], 16) ^ 1:08x}"
    (folder / "results.hex").write_text("\n".join(results))
    assert _icarus(folder, "spec2.v", "2012")["wrong"] == "1"


def test_yosys_reads_what_icarus_does(design):
    """Yosys reads the Verilog, finds no fault in its logic, and writes it anew; that runs, too."""
    script = (
        "read_verilog -sv spec2.v; hierarchy -check -top spec2; proc; check -assert; opt_clean; "
        "memory_collect; write_verilog -noattr again.v"
    )
    _run([sys.executable, "-c", RUN_YOSYS, "-q", "-p", script], design)
    assert _right(_icarus(design, "again.v", "2005"), load(design / "model.npz").network)


def test_slang_accepts_it(design):
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    assert driver.parseCommandLine(f"slang {design / 'spec2.v'} --top spec2")
    assert driver.processOptions() and driver.parseAllSources()
    compilation = driver.createCompilation()
    faults = [found for found in compilation.getAllDiagnostics() if found.isError()]
    assert compilation.getRoot().topInstances[0].name == "spec2" and not faults


STYLE = (
    # Widths are extended and cut by the rules of the language; Amaranth leaves none to chance.
    "WIDTHEXPAND", "WIDTHTRUNC", "CMPCONST", "UNSIGNED",
    # Case statements have their default in front; registers their value at time 0 where they are declared.
    "CASEINCOMPLETE", "PROCASSINIT", "INITIALDLY",
    # Names, one file for all modules, and parts of a bus that nobody reads.
    "VARHIDDEN", "DECLFILENAME", "UNUSEDSIGNAL", "SYMRSVDWORD",
)  # fmt: skip
"""What Verilator's lint says of style and the design means to be so."""


@pytest.mark.verilator
@pytest.mark.parametrize(
    "seed", [None, 22, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (9, 12))]
)
def test_verilators_lint_finds_nothing_else(design, tmp_path, seed):
    """Of a design that holds its weights, and of some that read them: from one memory or four, of a width or
    of several, of rows that run ahead or do not."""
    if seed is not None:
        streamed = random_streamed(seed)
        generate(streamed.artifact, streamed.config, tmp_path / "streamed")
        design = tmp_path / "streamed"
    tool = find_verilator()
    allowed = [f"-Wno-{name}" for name in STYLE]
    command = [tool.executable, "--lint-only", "-Wall", *allowed, "--top-module", "spec2", "spec2.v"]
    done = subprocess.run(
        command, cwd=design, env=tool.environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr
