"""A SoC of LiteX with the packaged accelerator: a program on its bus gets the integer model's scores."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hw.host.result_frame import pack
from hw.host_interface.stream_format import first_map, pack_image
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


def simulate(made, artifact, images, out: Path, trouble: bool) -> list[int]:
    """Clocks of every run, from the first register that is written to the interrupt's clear."""
    info, top = made.info, made.package.top
    files = [out / "soc.v", *(made.folder / f"{top}{suffix}" for suffix in ("_ip.v", ".v"))]
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


@pytest.mark.verilator
def test_a_program_on_the_bus_gets_the_scores(ips, tmp_path):
    """After an image that is too short, and after an abort, too: nothing of either is left."""
    made = ips["day"]
    soc_of(made.folder, tmp_path / "soc")
    images = np.random.default_rng(1).integers(0, 256, (2, *made.info.network.input), np.uint8)
    clocks = simulate(made, made.artifact, images, tmp_path / "soc", trouble=True)
    assert len(clocks) == 2
