"""Run sequencer: the pulses of a run, in order."""

from hw.gateware.control.run_sequencer import RunSequencer

RUNS = [(5, 9, -1), (0, 1, 0), (9, 3, 1), (1, 20, 7), (3, 2, 1)]


def expected(load, work, send):
    """Per clock after the start, until the run is done: load, go, send map, busy.

    ``load``: clocks the image port works; ``work``: of the stages, from ``go`` to the end; ``send``: clocks
    from there until all is sent, less than nothing if it was before.
    """
    clocks = [(1, 0, 0, 0), *load * [(0, 0, 0, 1)], (0, 1, 0, 1), *(work - 1) * [(0, 0, 0, 1)], (0, 0, 1, 1)]
    return clocks + max(1, send + 1) * [(0, 0, 0, 1)]


def test_runs_one_after_the_other(simulate):
    dut = RunSequencer()

    async def bench(ctx):
        for number, (load, work, send) in enumerate(RUNS):
            assert ctx.get(dut.done) == (number > 0)
            ends = 1 + load + work
            for clock, wanted in enumerate(expected(load, work, send)):
                ctx.set(dut.start, int(clock == 0))
                ctx.set(dut.loading, int(1 <= clock <= load))
                ctx.set(dut.finished, int(clock == ends))
                ctx.set(dut.sent, int(clock == ends + send))
                found = (dut.load, dut.go, dut.send_map, dut.busy)
                assert tuple(ctx.get(port) for port in found) == wanted, f"run {number}, clock {clock}"
                assert clock == 0 or ctx.get(dut.done) == 0
                await ctx.tick()
            ctx.set(dut.sent, 0)
            for _ in range(3):
                assert (ctx.get(dut.busy), ctx.get(dut.done), ctx.get(dut.load)) == (0, 1, 0)
                await ctx.tick()

    simulate(dut, bench)
