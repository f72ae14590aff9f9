"""What watches the ports in every simulation: it sees each broken promise, and none where there is none."""

from pathlib import Path

import numpy as np
import pytest

import sim.bench
from hw.util.errors import LinkError
from sim import rtl
from sim.rtl.cosim import run_module
from sim.rtl.verilate import verilate
from tests.sim.bench.conftest import Flickering, expected_scores, save_design
from tests.sim.bench.port_checks_bench import CASE, ILLEGAL
from tests.sim.bench.test_rtl import images

pytestmark = pytest.mark.verilator

PORTS = {
    "clk": 1, "rst": 1, "valid": 1, "ready": 1, "payload": 4, "last": 1, "arvalid": 1, "addr": 16, "len": 8,
    "size": 3, "burst": 2,
}  # fmt: skip
OUTPUTS = ("broken_reset", "broken_ever", "broken_burst", "unfinished")


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    """All checks on one set of signals."""
    folder = tmp_path_factory.mktemp("checks")
    inputs = ", ".join(f"input [{width - 1}:0] {name}" for name, width in PORTS.items())
    channel = ".clk(clk), .rst(rst), .valid(valid), .ready(ready)"
    address = ".addr(addr), .len(len), .size(size), .burst(burst)"
    text = f"""
module top({inputs}, output {", output ".join(OUTPUTS)});
  handshake_check #(.WIDTH(4)) a({channel}, .payload(payload), .broken(broken_reset));
  handshake_check #(.WIDTH(4), .RESET(0)) b({channel}, .payload(payload), .broken(broken_ever));
  burst_check #(.DATA(32), .ADDRESS(16)) c(.clk(clk), .valid(arvalid), {address}, .broken(broken_burst));
  frame_check d({channel}, .last(last), .unfinished(unfinished));
endmodule
"""
    checks = (Path(sim.bench.__file__).parent / "port_checks.v").read_text()
    (folder / "top.v").write_text(checks + text)
    return verilate((folder / "top.v").read_text(), "top", (*PORTS, *OUTPUTS), folder)


@pytest.mark.parametrize("case", ["kept", "fell", "changed", *(f"burst {i}" for i in range(len(ILLEGAL)))])
def test_a_promise_kept_and_broken(simulator, tmp_path, case):
    run_module(
        simulator, "tests.sim.bench.port_checks_bench", tmp_path, environment={CASE: case}, wall_seconds=300
    )


def test_a_design_that_breaks_one_is_not_called_right(tmp_path):
    """Its scores are right all the same."""
    folder = save_design(tmp_path / "design", Flickering)
    assert np.array_equal(rtl.simulate(folder, images(3)).scores, expected_scores(images(3)))
    with pytest.raises(LinkError, match="m_axis took back or changed"):
        rtl.simulate(folder, images(3), stalls=True, seed=4)
