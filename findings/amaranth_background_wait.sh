#!/usr/bin/env bash
# A background testbench that waits in `tick().until()` or `tick().repeat()` when the simulation ends leaves an
# exception that nobody can catch.
#
# Amaranth 0.5.10, Python 3.11. Background testbenches are made to be left behind: Simulator.run() returns when
# the others have ended. A coroutine that is left in `await ctx.tick()`, or in `async for ... in ctx.tick()`, is
# dropped in silence. One left in `await ctx.tick().until(...)` or `.repeat(...)` says "RuntimeError: aclose():
# asynchronous generator is already running" to sys.unraisablehook when it is collected. Where warnings are
# errors, pytest blames whichever test runs then. The way round: a loop over `ctx.tick().sample(...)`.
#
# Seen:
#     until: ['RuntimeError: aclose(): asynchronous generator is already running']
#     repeat: ['RuntimeError: aclose(): asynchronous generator is already running']
#     loop: []
#     single: []
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'amaranth==0.5.10'
cat > "$folder/wait.py" <<'END'
import gc
import sys

from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator


async def until(ctx, never):
    await ctx.tick().until(never)


async def repeat(ctx, never):
    await ctx.tick().repeat(100)


async def loop(ctx, never):
    async for _ in ctx.tick().sample(never):
        pass


async def single(ctx, never):
    while True:
        await ctx.tick()


def said(wait):
    """What is said when a simulation of three clocks ends while ``wait`` is still at it."""
    found = []
    sys.unraisablehook = lambda raised: found.append(f"{type(raised.exc_value).__name__}: {raised.exc_value}")
    module, never, count = Module(), Signal(), Signal(8)
    module.d.sync += count.eq(count + 1)

    async def three_clocks(ctx):
        await ctx.tick().repeat(3)

    async def background(ctx):
        await wait(ctx, never)

    simulator = Simulator(module)
    simulator.add_clock(1e-6)
    simulator.add_testbench(three_clocks)
    simulator.add_testbench(background, background=True)
    simulator.run()
    del simulator
    gc.collect()
    return found


results = {wait.__name__: said(wait) for wait in (until, repeat, loop, single)}
for name, found in results.items():
    print(f"{name}: {found}")
odd = ["RuntimeError: aclose(): asynchronous generator is already running"]
sys.exit(results != {"until": odd, "repeat": odd, "loop": [], "single": []})
END
"$folder/venv/bin/python" "$folder/wait.py"
