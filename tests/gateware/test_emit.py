"""What the Verilog says about registers that must not be merged, and whether synthesis heeds it."""

import re
import subprocess
import sys

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.delay import copy, delay
from hw.gateware.emit import emit
from tests.gateware.conftest import RUN_YOSYS


class Copies(wiring.Component):
    """Three copies of four bits, and two more registers of the same value."""

    def __init__(self):
        ports = {f"o_{i}": Out(4) for i in range(5)}
        super().__init__({"a": In(4), **ports})

    def elaborate(self, platform):
        m = Module()
        values = [copy(m, self.a, name=f"copy_{i}") for i in range(3)]
        values += [delay(m, self.a, 1, name=f"plain_{i}") for i in range(2)]
        m.d.comb += [getattr(self, f"o_{i}").eq(value) for i, value in enumerate(values)]
        return m


def test_copies_outlive_synthesis(tmp_path):
    text = emit(Copies(), "top").text
    assert set(re.findall(r"\(\*.*?\*\)", text)) == {'(* keep = "true" *)'}
    (tmp_path / "top.v").write_text(text)
    script = "read_verilog top.v; synth_xilinx -family xc7 -noiopad -top top; select -assert-count 12 t:FDRE"
    command = [sys.executable, "-c", RUN_YOSYS, "-q", "-p", script]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
