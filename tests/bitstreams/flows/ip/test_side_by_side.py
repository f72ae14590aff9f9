"""Two IPs in one design, in Icarus and in Verilator: every result is equal, or their testbenches say not."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sim.rtl.verilate import build_simulator

PAGE = Path(__file__).parents[4] / "docs" / "integration.md"

Run = Callable[[], str]


@pytest.fixture(scope="module")
def both(ips, tmp_path_factory) -> Path:
    """A folder with all files of both."""
    folder = tmp_path_factory.mktemp("pair")
    for made in ips.values():
        for name in made.package.files:
            shutil.copy(made.folder / name, folder)
    (folder / "pair.v").write_text(re.findall(r"^```verilog\n(.*?)^```", PAGE.read_text(), re.M | re.S)[-1])
    return folder


def verilog(name: str) -> list[str]:
    return [f"{name}_tb.v", f"{name}_ip.v", f"{name}.v"]


def said(command: list[str | Path], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    return f"{done.stdout}{done.stderr}exit {done.returncode}"


def icarus(folder: Path, top: str, files: list[str], edition: str = "2012") -> Run:
    if not shutil.which("iverilog") or not shutil.which("vvp"):
        pytest.skip("Icarus Verilog is not installed: apt-get install iverilog")
    command = ["iverilog", f"-g{edition}", "-Wall", "-s", top, "-o", f"{top}.vvp", *files]
    made = said(command, folder)
    assert made.endswith("exit 0"), made
    own = [line for line in made.splitlines() if line.startswith(("pair", *(f for f in files if "_" in f)))]
    assert not [line for line in own if "timescale" not in line], made  # a delay's unit does not matter here
    return lambda: said(["vvp", "-n", f"{top}.vvp"], folder)


def verilator(folder: Path, top: str, files: list[str]) -> Run:
    texts = {name: (folder / name).read_text() for name in files}
    options = ("--main", "--timing", "-CFLAGS", "-std=c++20")
    simulator = build_simulator(folder / f"sim_{top}", top, texts, options=options)
    return lambda: said([simulator], folder)


SIMULATORS = [
    icarus,
    pytest.param(verilator, marks=[pytest.mark.verilator, pytest.mark.slow]),
]


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_two_ips_in_one_design_compute_their_models(both, simulator):
    run = simulator(both, "pair", ["pair.v", *verilog("day"), *verilog("night")])
    assert "done 11 failed 00" in run()
    # And they would say so: of a score that is another one, and of a weight.
    flip(both / "day_tb_result.hex", 7)
    answer = run()
    assert "done 11 failed 01" in answer and "day: result 0 is 0x" in answer
    flip(both / "day_tb_result.hex", 7)
    flip(both / "night_weights_1.bin", 0)
    flip(both / "night_tb_result.hex", 15)
    answer = run()
    assert "done 11 failed 10" in answer and "night: result 0 is 0x" in answer
    assert "night: register 0x06c reads" in answer  # CHECKSUM
    flip(both / "night_weights_1.bin", 0)
    flip(both / "night_tb_result.hex", 15)


def flip(file: Path, position: int) -> None:
    """Change the lowest bit of a byte, of a hexadecimal digit if the file is text; twice is not at all."""
    content = bytearray(file.read_bytes())
    if file.suffix == ".bin":
        content[position] ^= 1
    else:
        content[position] = ord(f"{int(chr(content[position]), 16) ^ 1:x}")
    file.write_bytes(content)


@pytest.mark.parametrize("edition", ["2005", "2012"])
def test_the_testbench_of_an_ip_runs_by_itself(both, edition):
    """As its README says; a failure is one for what runs it, too."""
    run = icarus(both, "day_tb", verilog("day"), edition)
    answer = run()
    assert "PASS day" in answer and answer.endswith("exit 0")
    text = (both / "day_tb_image.hex").read_text()
    (both / "day_tb_image.hex").write_text("ff" + text[2:] if text[:2] != "ff" else "00" + text[2:])
    answer = run()
    (both / "day_tb_image.hex").write_text(text)
    assert "FAIL day" in answer and not answer.endswith("exit 0")


def test_the_testbench_misses_an_interrupt_that_does_not_come(both):
    text = (both / "day_ip.v").read_text()
    (both / "day_ip.v").write_text(text.replace(".interrupt(interrupt)", ".interrupt()"))
    answer = icarus(both, "day_tb", verilog("day"))()
    (both / "day_ip.v").write_text(text)
    assert "day: interrupt came 0" in answer and "FAIL day" in answer
