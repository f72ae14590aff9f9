#!/usr/bin/env bash
# A state machine that LiteX writes never leaves a first state that it would leave at once, in Icarus Verilog.
#
# LiteX 2024.12, migen 0.10.0, Icarus Verilog 11.0 (apt-get install iverilog). Combinational logic is written
# as "always @(*)", and registers get their values in their declarations. Where nothing that a block reads ever
# changes, the block is never run: in a state whose next state depends on no input, next_state keeps its own initial
# value, so the state stays, so nothing changes. Reset does not help: it writes the value that is there. The same
# holds of WishboneDMAReader's IDLE: it is enabled and reads nothing. migen had a signal without use in every block
# for that. "always_comb" of SystemVerilog is run at time 0, and LiteX's own simulations use Verilator.
#
# Seen:
#     as written: done x
#     always_comb: done 1
set -euo pipefail
command -v iverilog > /dev/null || { echo "Icarus Verilog is not installed: apt-get install iverilog" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'litex==2024.12' 'migen==0.10.0'
cat > "$folder/machine.py" <<'END'
import subprocess
import sys
from pathlib import Path

from litex.gen.fhdl.verilog import convert
from migen import FSM, ClockDomain, Module, NextState, Signal

BENCH = """module bench;
  reg clk = 0, rst = 1;
  wire done;
  always #5 clk = ~clk;
  initial begin #32 rst = 0; #200 $display("done %b", done); $finish; end
  machine dut (.sys_clk(clk), .sys_rst(rst), .done(done));
endmodule
"""


class Machine(Module):
    """A state that is left at once, and one that is not, with ``done`` up."""

    def __init__(self):
        self.done = Signal(name="done")
        self.clock_domains.cd_sys = ClockDomain()
        self.submodules.fsm = fsm = FSM(reset_state="FIRST")
        fsm.act("FIRST", NextState("LAST"))
        fsm.act("LAST", self.done.eq(1))


def simulated(verilog):
    Path("machine.v").write_text(verilog)
    Path("bench.v").write_text(BENCH)
    subprocess.run(["iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", "machine.v"], check=True)
    return subprocess.run(["vvp", "-n", "bench.vvp"], capture_output=True, text=True, timeout=60).stdout.strip()


machine = Machine()
written = convert(machine, {machine.done, machine.cd_sys.clk, machine.cd_sys.rst}, name="machine").main_source
found = simulated(written), simulated(written.replace("always @(*)", "always_comb"))
for name, said in zip(("as written", "always_comb"), found, strict=True):
    print(f"{name}: {said}")
sys.exit(found != ("done x", "done 1"))
END
cd "$folder"
venv/bin/python machine.py
