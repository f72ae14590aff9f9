"""The shell in a block design: LEDs, and a wrapper that connects every port of the serial top."""

import re
import subprocess
import sys
from itertools import pairwise

import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from bitstreams import boards
from bitstreams.shell.block import LED_MODULE, TOP, emit_block_shell
from bitstreams.shell.leds import HOLD_MS, LEDS, Leds
from bitstreams.synthesis.yosys import LAUNCH
from hw.gateware.ports.interfaces import interfaces
from hw.gateware.serial import wrapper
from tests.bitstreams.vivado_design import streamed


def core(info):
    """Verilog of a module with the accelerator's ports, which drives its outputs low."""
    ports = {port.name: port for each in interfaces(info) for port in each.ports if not port.added}
    lines = ["input clk", "input rst"]
    lines += [
        f"{'output' if port.output else 'input'} [{port.width - 1}:0] {name}" for name, port in ports.items()
    ]
    outputs = [f"assign {name} = 0;" for name, port in ports.items() if port.output]
    return f"module spec2({', '.join(lines)});\n" + "\n".join(outputs) + "\nendmodule\n"


@pytest.mark.parametrize("memories", [1, 2])
def test_the_wrapper_connects_every_port_of_the_serial_top(tmp_path, memories):
    info, board = streamed(memories), boards.find("vc709")
    shell = emit_block_shell(board, info, board.clock, board.baud)
    assert emit_block_shell(board, info, board.clock, board.baud) == shell, "the same bytes every time"
    (tmp_path / "shell.v").write_text(shell.verilog)
    (tmp_path / "core.v").write_text(core(info))
    script = f"read_verilog core.v shell.v; hierarchy -check -top {TOP}; proc; flatten; check -assert"
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, "-q", "-p", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr
    inside = re.search(r"^module spec2_serial\((.*?)\);", shell.verilog, re.M | re.S)[1]
    joined = re.search(r"^  spec2_serial serial \((.*?)^  \);", shell.verilog, re.M | re.S)[1]
    assert set(re.findall(r"\w+", inside)) == set(re.findall(r"\.(\w+)\(", joined))
    buses = [*([f"m_axi_{i}" for i in range(memories)] if memories > 1 else ["m_axi"]), "m_load"]
    assert f"ASSOCIATED_BUSIF {':'.join(buses)}, ASSOCIATED_RESET aresetn" in shell.verilog
    # What a crossbar makes room for: the bridge's one burst, of as many words as a request holds.
    (load,) = re.findall(r"XIL_INTERFACENAME m_load, (.*?)\"", shell.verilog)
    assert "DATA_WIDTH 32, ADDR_WIDTH 40, ID_WIDTH 4, READ_WRITE_MODE READ_WRITE" in load
    assert "MAX_BURST_LENGTH 256, NUM_READ_OUTSTANDING 1, NUM_WRITE_OUTSTANDING 1" in load


def test_a_led_that_a_zero_lights_is_inverted():
    text = wrapper.wrapper(streamed(), "serial", LED_MODULE, {"heartbeat": True, "traffic": False})
    assert "assign heartbeat = lit_heartbeat;" in text and "assign traffic = ~lit_traffic;" in text


def test_leds_show_that_the_clock_runs_and_that_an_answer_is_sent():
    hertz = 2000
    m = Module()
    m.domains.sync = ClockDomain("sync")
    m.submodules.leds = leds = Leds(hertz)
    seen = {name: [] for name in LEDS}

    async def bench(ctx):
        for clock in range(6000):
            ctx.set(leds.tx, clock != 500)
            await ctx.tick()
            for name, lit in leds.lit.items():
                seen[name].append(ctx.get(lit))

    sim = Simulator(m)
    sim.add_clock(1 / hertz)
    sim.add_testbench(bench)
    sim.run()
    changes = [i for i, (a, b) in enumerate(pairwise(seen["heartbeat"])) if a != b]
    assert changes and all(hertz / 2 <= b - a <= hertz for a, b in pairwise(changes))
    assert seen["traffic"].index(1) == 500 and sum(seen["traffic"]) == hertz * HOLD_MS // 1000
