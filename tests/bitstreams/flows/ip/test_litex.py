"""A SoC of LiteX with the packaged accelerator: a program on its bus gets the integer model's scores."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyslang
import pytest

from bitstreams.flows import ip
from bitstreams.flows.ip.c_header import c_header
from hw.contract import zoo
from hw.generate import generate
from hw.host.result_frame import pack
from hw.host_interface.stream_format import first_map, pack_image
from pruning.data import mnist
from sim import model
from sim.rtl.cosim import run_module
from sim.rtl.verilate import verilate
from tests.bitstreams.flows.ip.litex_layout import FOLDER

HERE = Path(__file__).parent
ROOT = HERE.parents[3]


def soc_of(folder: Path, out: Path, **settings) -> None:
    """The SoC around the IP in ``folder``, as Verilog in ``out``."""
    out.mkdir(exist_ok=True)
    command = [sys.executable, "-W", "ignore", str(HERE / "litex_soc.py"), str(folder), str(out)]
    env = {**os.environ, "LITEX_SOC": json.dumps(settings), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def simulate(info, folder: Path, artifact, images, out: Path, trouble: bool) -> list[int]:
    """Clocks of every run, from the first register that is written to the interrupt's clear."""
    files = [out / "soc.v", *(folder / f"{info.top}{suffix}" for suffix in ("_ip.v", ".v"))]
    soc, *core = (file.read_text() for file in files)
    # LiteX writes combinational processes with "<=", which its own simulations allow, too.
    text = "\n".join([f"/* verilator lint_off COMBDLY */\n{soc}/* verilator lint_on COMBDLY */", *core])
    ports = re.findall(r"^    (?:in|out)put .*?(\w+),?$", soc, re.M)
    simulator = verilate(text, "soc", ports, out / "build")
    network, beat, batch = info.network, info.config.stream_pixels, info.config.batch
    runs = [images[i : i + batch] for i in range(0, len(images), batch)]
    frames = [
        [pack_image(each, beat) for each in first_map(run, network.spread, network.constant)] for run in runs
    ]
    wanted = [pack(info, model.run(artifact, run)) for run in runs]
    arrays = {"frames": [[list(f) for f in run] for run in frames], "wanted": [list(f) for f in wanted]}
    np.savez(
        out / "job.npz", beat=beat, trouble=trouble, **{k: np.array(v, np.uint8) for k, v in arrays.items()}
    )
    env = {FOLDER: str(out)}
    run_module(simulator, "tests.bitstreams.flows.ip.litex_bench", out, environment=env, wall_seconds=600)
    return json.loads((out / "clocks.json").read_text())


@pytest.fixture(scope="module")
def socs(ips, tmp_path_factory) -> dict[str, Path]:
    """Of both IPs: folders with a SoC."""
    found = {name: tmp_path_factory.mktemp("soc") for name in ips}
    for name, out in found.items():
        soc_of(ips[name].folder, out)
    return found


@pytest.mark.parametrize("name", ["day", "night"])
def test_the_module_connects_every_port_of_the_ip(ips, socs, name):
    """Slang finds each by its name, and as wide as what it is connected to."""
    made = ips[name]
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    files = " ".join(
        map(str, (socs[name] / "soc.v", made.folder / f"{name}_ip.v", made.folder / f"{name}.v"))
    )
    warnings = "-Wport-width-expand -Wport-width-trunc -Wunconnected-port -Wimplicit-port-type-mismatch"
    assert driver.parseCommandLine(f"slang {files} --top soc {warnings}")
    assert driver.processOptions() and driver.parseAllSources()
    compilation = driver.createCompilation()
    engine = pyslang.DiagnosticEngine(compilation.sourceManager)
    found = [engine.formatMessage(each) for each in compilation.getAllDiagnostics()]
    assert not [text for text in found if "port" in text or "connect" in text]
    instance = next(each for each in compilation.getRoot().topInstances[0].body if each.name == f"{name}_ip")
    ports = {each.port.name for each in instance.portConnections if each.expression is not None}
    assert ports == {port.name for port in instance.body.portList}


STUBS = {
    "generated/soc.h": "#define NPU_INTERRUPT 2\n",
    "system.h": """#define CSR_ACCESSORS_DEFINED
void csr_write_simple(unsigned long, unsigned long);
unsigned long csr_read_simple(unsigned long);
""",
    "irq.h": """void irq_attach(unsigned, void (*)(void));
unsigned irq_getmask(void);
void irq_setmask(unsigned);
""",
}
"""What a processor would add to LiteX's headers."""


def test_the_program_of_the_page_compiles(ips, socs, tmp_path):
    """With the headers that LiteX writes for the SoC, and that of an IP."""
    blocks = re.findall(r"^```c\n(.*?)^```", (ROOT / "docs" / "litex.md").read_text(), re.M | re.S)
    header = c_header(replace(ips["day"].info, top="digits"))
    texts = {"host.c": "".join(blocks), "digits.h": header, **STUBS}
    (tmp_path / "generated").mkdir()
    for name in ("csr.h", "mem.h"):
        texts[f"generated/{name}"] = (socs["day"] / name).read_text()
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    strict = ["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-I.", "-c", "host.c"]
    subprocess.run(["gcc", *strict], cwd=tmp_path, check=True, timeout=100)


@pytest.mark.verilator
def test_a_program_on_the_bus_gets_the_scores(ips, socs):
    """After an image that is too short, and after an abort, too: nothing of either is left."""
    made = ips["day"]
    images = np.random.default_rng(1).integers(0, 256, (2, *made.info.network.input), np.uint8)
    clocks = simulate(made.info, made.folder, made.artifact, images, socs["day"], trouble=True)
    assert len(clocks) == 2


@pytest.mark.slow
@pytest.mark.verilator
@pytest.mark.parametrize(
    ("bits", "settings"),
    [(32, {}), (128, {}), (32, {"bus_data_width": 64}), (64, {"bus_standard": "axi-lite"})],
    ids=["beats as wide as the bus", "wider beats", "wider bus", "AXI-Lite"],
)
def test_lenet_on_a_soc_gets_the_scores_of_real_digits(tmp_path, bits, settings):
    """16 digits, in runs of a batch; ``make verify-litex`` prints the clocks."""
    card = zoo.find("lenet-1:8")
    artifact = zoo.artifact(card)
    info = generate(artifact, replace(card.array, stream_bits=bits), tmp_path / "design", name="lenet")
    images = mnist.load().test_images[:16]
    ip.package(tmp_path / "design", tmp_path / "ip", images[0], model.run(artifact, images[:1])[0])
    soc_of(tmp_path / "ip", tmp_path / "soc", **settings)
    clocks = simulate(info, tmp_path / "ip", artifact, images, tmp_path / "soc", trouble=False)
    batch, alone = info.config.batch, int(info.figure("cycles"))
    assert len(clocks) == 16 // batch and min(clocks) > alone
    print(
        f"{bits} bits, {settings}: runs of {batch} digits took {clocks} clocks; {alone} of the accelerator's"
    )
