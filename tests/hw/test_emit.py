"""What the Verilog says about registers that must not be merged, and whether synthesis heeds it."""

import re
import subprocess
import sys

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.emit import emit
from hw.gateware.primitives.delay import delay, replicate
from hw.util.errors import ToolFailed
from tests.hw.gateware.conftest import RUN_YOSYS


class Copies(wiring.Component):
    """Three copies of four bits, and two more registers of the same value."""

    def __init__(self):
        ports = {f"o_{i}": Out(4) for i in range(5)}
        super().__init__({"a": In(4), **ports})

    def elaborate(self, platform):
        m = Module()
        values = [replicate(m, self.a, name=f"copy_{i}") for i in range(3)]
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


class Constant(wiring.Component):
    """What depends on nothing that ever changes, through a block that a simulator has to run once."""

    q: Out(8)
    a: In(8)

    def elaborate(self, platform):
        m = Module()
        kept = Memory(shape=8, depth=4, init=[7, 6, 5, 4])
        m.submodules.kept = kept
        read = kept.read_port(domain="comb")
        chosen = Signal(8)
        with m.If(read.data == 7):
            m.d.comb += chosen.eq(42)
        m.d.comb += self.q.eq(chosen)
        m.d.sync += Signal(8, name="taken").eq(self.a)
        return m


def test_nothing_waits_for_an_event_that_systemverilog_has_not():
    """A value in a declaration is no event there: no block may wait for one (Icarus -g2009, -g2012)."""
    text = emit(Constant(), "top").text
    triggers = set(re.findall(r"always @\*(?: begin)?\s+if \((\\\S+ )\) begin end", text))
    assert triggers, "yosys starts blocks in another way: what of simulators in SystemVerilog?"
    for trigger in triggers:
        assert f"reg {trigger};" in text and f"initial {trigger}<= 0;" in text


def test_memories_are_filled_from_the_left():
    """Verilog-1995 fills from the left, later editions from the lowest address: no difference."""
    assert re.search(r"reg \[7:0\] \S+ \[0:3\];", emit(Constant(), "top").text)


@pytest.mark.parametrize(
    ("output", "why"), [("ERROR: no such cell", "no such cell"), ("", "ended with code 3")]
)
def test_a_yosys_that_fails_gives_a_sentence(monkeypatch, output, why):
    def run(command, folder, hear, **options):
        if output:
            hear(f"{output}\n")
        return 3

    monkeypatch.setattr("hw.emit.processes.run", run)
    with pytest.raises(ToolFailed, match=f"^Yosys could not write the Verilog: .*{why}$"):
        emit(Copies(), "top")
