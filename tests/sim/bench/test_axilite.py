"""The control port as Verilog, in Verilator, against an independent AXI4-Lite master."""

import pytest

from hw.emit import emit
from hw.gateware.ports.axi import flat_ports
from hw.gateware.ports.axilite import AxiLiteRegisters
from sim.rtl.cosim import run_module
from sim.rtl.verilate import verilate
from tests.sim.bench.control_port import CONFIG, DIGEST, LAYERS

pytestmark = pytest.mark.verilator


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    dut = AxiLiteRegisters(CONFIG, LAYERS, DIGEST)
    ports = flat_ports(dut)
    folder = tmp_path_factory.mktemp("axilite")
    (folder / "control.v").write_text(emit(dut, "control").text)
    return verilate((folder / "control.v").read_text(), "control", {"clk", "rst", *ports}, folder / "build")


@pytest.mark.parametrize("seed", [11, 12])
def test_independent_master_with_random_pauses(simulator, tmp_path, seed: int) -> None:
    run_module(simulator, "tests.sim.bench.axilite_bench", tmp_path, seed=seed, wall_seconds=300)
