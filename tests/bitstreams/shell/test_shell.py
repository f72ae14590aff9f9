"""The shell: dividers against brute force, reset in simulation, constraints that both tools can read."""

import re
from fractions import Fraction

import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from bitstreams import boards
from bitstreams.boards.wiring import wiring
from bitstreams.flows import vivado_designs
from bitstreams.shell import constraints, top
from bitstreams.shell.clocks import MHZ, TOLERANCE, limits, solve
from bitstreams.shell.reset import STAGES, ResetBridge
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import tiny
from hw.generate import generate
from hw.util.errors import ConfigError

PINNED = [board for board in boards.BOARDS.values() if board.platform]
ALL = pytest.mark.parametrize("board", PINNED, ids=lambda board: board.name)
BOARDS = st.sampled_from(PINNED)


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shell") / "design"
    return generate(random_artifact(tiny(), seed=1), AcceleratorConfig(4, 1, 1), folder)


# --- clocks -------------------------------------------------------------------------------------------


@given(board=BOARDS, f_in=st.integers(19, 800), f_out=st.integers(1, 900_000))
def test_a_solution_keeps_every_limit(board, f_in, f_out):
    """f_in in MHz, f_out in kHz; either the dividers are legal and close, or the refusal is right."""
    able = limits(board)
    try:
        found = solve(f_in * MHZ, f_out * 1000, able)
    except ConfigError as error:
        nearest = float(re.search(r"([\d.e+]+) MHz$", str(error))[1])
        assert abs(nearest - f_out / 1000) >= 0.99 * float(TOLERANCE) * f_out / 1000
        return
    assert abs(found.f_out - f_out * 1000) < TOLERANCE * f_out * 1000
    for value, (low, high) in (
        (found.f_in / found.div_in, able.f_pfd),
        (found.f_vco, able.f_vco),
        (found.f_out, able.f_out),
    ):
        assert low * MHZ <= value <= high * MHZ
    for number, (low, high) in (
        (found.mult, able.mult),
        (found.div_in, able.div_in),
        (found.div_out, able.div_out),
    ):
        assert low <= number <= high


@pytest.mark.parametrize(("f_in", "f_out"), [(200, 156.25), (125, 61.44), (300, 250), (200, 7)])
def test_no_other_dividers_are_closer(f_in, f_out):
    able, wanted = limits(boards.find("vc707")), Fraction(f_out).limit_denominator(1000) * MHZ
    vcos = {
        Fraction(f_in * MHZ * mult, div)
        for mult in range(2, 65)
        for div in range(1, 57)
        if 19 <= f_in / div <= 500 and 800 <= f_in * mult / div <= 1866
    }
    best = min(abs(vco / out - wanted) for vco in vcos for out in range(1, 129))
    assert abs(solve(f_in * MHZ, int(wanted), able).f_out - wanted) == pytest.approx(float(best), abs=1)


@ALL
def test_default_clocks_are_exact(board):
    for clock in filter(None, (board.clock, board.open_clock)):
        found = solve(wiring(board).clock_hz, clock, limits(board))
        assert found.f_out == clock and found.div_in == 1


def test_out_of_reach_names_the_nearest_clock():
    able = limits(boards.find("vc707"))
    with pytest.raises(ConfigError, match=r"cannot make 1 MHz of 200 MHz: the nearest design clock is 6\.25"):
        solve(200 * MHZ, 1 * MHZ, able)
    with pytest.raises(ConfigError, match=r"nearest design clock is 9\d\d"):
        solve(200 * MHZ, 2000 * MHZ, able)
    with pytest.raises(ConfigError, match="an input of 19 to 933 MHz, not 10 MHz"):
        solve(10 * MHZ, 50 * MHZ, able)


# --- reset --------------------------------------------------------------------------------------------


def test_reset_rises_at_once_and_falls_in_step():
    m = Module()
    m.domains.sync = ClockDomain("sync")
    m.submodules.bridge = bridge = ResetBridge()
    seen = []

    async def bench(ctx):
        assert ctx.get(bridge.reset), "high after configuration"
        ctx.set(bridge.request, 1)
        await ctx.tick().repeat(3)
        ctx.set(bridge.request, 0)
        for _ in range(STAGES + 2):
            seen.append(ctx.get(bridge.reset))
            await ctx.tick()
        await ctx.delay(3e-9)  # between edges
        ctx.set(bridge.request, 1)
        assert ctx.get(bridge.reset), "without a clock edge"
        await ctx.tick()
        assert ctx.get(bridge.reset)

    sim = Simulator(m)
    sim.add_clock(10e-9)
    sim.add_testbench(bench)
    sim.run()
    assert seen == [1] * STAGES + [0, 0]


# --- top and constraints ------------------------------------------------------------------------------


@ALL
def test_the_top_has_a_port_and_a_buffer_for_every_pin(board, info):
    shell = top.emit_shell(board, info, board.clock, board.baud)
    again = top.emit_shell(board, info, board.clock, board.baud)
    assert shell == again, "the same bytes every time"
    module = shell.verilog[shell.verilog.index("module top(") :]
    ports = set(re.search(r"module top\(([^)]*)\)", module)[1].split(", "))
    assert ports == set(top.pads(wiring(board)))
    assert shell.verilog.count("IBUF ") == 2 + (len(wiring(board).clock) == 1)
    assert shell.verilog.count("OBUF ") == 3 and shell.verilog.count("BUFG ") == 1
    assert ("MMCME4_BASE" if board.family == "xcup" else "PLLE2_ADV") in shell.verilog
    assert "spec2_serial serial (" in shell.verilog and "\nmodule spec2_serial(" in shell.verilog


def test_a_yosys_on_the_path_changes_nothing(info, tmp_path, monkeypatch):
    """A newer one writes other bytes, and one that fails ended in a traceback: neither is asked."""
    board = boards.find("arty_a7_100")
    shell, modules = top.emit_shell(board, info, board.clock, board.baud), vivado_designs.shell_modules(info)
    assert '(* ASYNC_REG = "TRUE" *)' in shell.verilog
    yosys = tmp_path / "yosys"
    yosys.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\necho 'Yosys 9.99 (git sha1 0)'\nexit 1\n")
    yosys.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("AMARANTH_USE_YOSYS", "system")
    assert (
        top.emit_shell(board, info, board.clock, board.baud) == shell
        and vivado_designs.shell_modules(info) == modules
    )
    assert not (tmp_path / "asked").exists()


def test_a_bit_rate_beyond_the_bridge_is_refused(info):
    with pytest.raises(ConfigError, match=r"vc707 does at most 1000000 bit/s, not 2000000"):
        top.emit_shell(boards.find("vc707"), info, 50 * MHZ, 2_000_000)


@ALL
def test_every_port_is_constrained_for_both_tools(board):
    ports = top.pads(wiring(board))
    for text in (constraints.vivado(board), constraints.openxc7(board, board.clock)):
        for name, pin in ports.items():
            assert f"set_property PACKAGE_PIN {pin.site} [get_ports {name}]\n" in text
            assert f"set_property IOSTANDARD {pin.iostandard} [get_ports {name}]\n" in text
        assert text.count("create_clock -name oscillator") == 1
    false_paths = re.findall(r"set_false_path.*\{(.*)\}", constraints.vivado(board))
    assert set(" ".join(false_paths).split()) == {name for name in ports if not name.startswith("clock")}
    assert ("CFGBVS" in constraints.vivado(board)) == (board.family == "xc7")


@ALL
def test_the_open_constraints_stay_within_what_nextpnr_parses(board):
    """``xilinx/xdc.cc``: four words to set_property, one port; a clock with a period and a target."""
    for line in constraints.openxc7(board, 50e6).splitlines():
        assert re.fullmatch(
            r"set_property (PACKAGE_PIN|IOSTANDARD) \w+ \[get_ports \w+\]"
            r"|create_clock -name \w+ -period [\d.]+ \[get_(ports|nets) \w+\]",
            line,
        )
