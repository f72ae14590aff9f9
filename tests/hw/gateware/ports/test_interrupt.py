"""The interrupt: what sets an event, what clears it, and that none is lost; against a few lines of Python."""

import random

import pytest
from amaranth.sim import Simulator

from hw.gateware.ports.interrupt import Interrupt
from hw.host_interface.registers import INTERRUPT

DONE, FRAMING, MEMORY = (INTERRUPT.pack(**{field.name: 1}) for field in INTERRUPT.fields)
QUIET = {"busy": 0, "framing_error": 0, "memory_error": 0, "abort": 0, "enable": 0, "clear": 0}


def run(clocks: list[dict[str, int]]) -> list[tuple[int, int]]:
    """``pending`` and ``line`` in each of these clocks and the one after them, of these inputs."""
    dut, seen = Interrupt(), []

    async def testbench(ctx) -> None:
        for inputs in [*clocks, {}]:
            for name, value in {**QUIET, **inputs}.items():
                port = getattr(dut, name)
                ctx.set(port if name not in ("enable", "clear") else port.as_value(), value)
            seen.append((ctx.get(dut.pending.as_value()), ctx.get(dut.line)))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return seen


def test_nothing_is_pending_after_reset_and_a_start_is_no_event() -> None:
    assert run([{}, {}, {"busy": 1, "enable": 7}, {"busy": 1, "enable": 7}]) == [(0, 0)] * 5


@pytest.mark.parametrize(
    ("before", "after", "event"),
    [({"busy": 1}, {}, DONE), ({}, {"framing_error": 1}, FRAMING), ({}, {"memory_error": 1}, MEMORY)],
)
def test_an_event_is_pending_a_clock_later_and_on_the_line_after_that(before, after, event) -> None:
    own = {"enable": event}
    seen = run([{**before, **own}, {**after, **own}, {**after, **own}, {**after, **own}])
    assert seen == [(0, 0), (0, 0), (event, 0), (event, 1), (event, 1)]
    others = {"enable": 7 - event}
    assert run([{**before, **others}, {**after, **others}, {**after, **others}])[-1] == (event, 0)


def test_an_event_in_the_clock_of_a_clear_stays() -> None:
    """Of the same bit, pending before or not; a level that stays up is no event again."""
    clocks = [{"busy": 1}, {"clear": DONE}, {"busy": 1}, {"clear": DONE}, {"clear": DONE}, {}]
    assert [pending for pending, _ in run(clocks)] == [0, 0, DONE, DONE, DONE, 0, 0]
    both = [{"framing_error": 1}, {"framing_error": 1, "memory_error": 1, "clear": 7}]
    assert run(both)[-1][0] == MEMORY


def test_an_abort_clears_all_and_the_fall_that_it_causes_is_no_event() -> None:
    """``abort`` is up in the clock of the write and the next; the run ends in the clock behind them."""
    running = {"busy": 1, "framing_error": 1, "enable": 7}
    aborting = {**running, "abort": 1}
    seen = run([running, running, aborting, aborting, {"enable": 7}, {"enable": 7}, {"enable": 7}])
    assert seen == [(0, 0), (FRAMING, 0), (FRAMING, 1), (0, 1), (0, 0), (0, 0), (0, 0), (0, 0)]
    ends = [{"busy": 1}, {"abort": 1}, {"abort": 1}, {}]  # the run ends by itself in the clock of the abort
    assert [pending for pending, _ in run(ends)] == [0] * 5
    again = [*ends, {"busy": 1}, {}, {}]
    assert run(again)[-1][0] == DONE


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_is_that_of_the_model(seed: int) -> None:
    dice = random.Random(seed)
    clocks = []
    for _ in range(600):
        levels = {name: int(dice.random() < 0.5) for name in ("busy", "framing_error", "memory_error")}
        rest = {"abort": int(dice.random() < 0.1), "enable": dice.randrange(8)}
        clocks.append({**levels, **rest, "clear": dice.randrange(8) if dice.random() < 0.5 else 0})
    wanted, pending, line, before = [], 0, 0, (1, 0, 0)
    for now in clocks:
        wanted.append((pending, line))
        levels = (int(not now["busy"] or now["abort"]), now["framing_error"], now["memory_error"])
        rises = sum((new and not old) << i for i, (new, old) in enumerate(zip(levels, before, strict=True)))
        line = int(bool(pending & now["enable"]))
        pending = 0 if now["abort"] else pending & ~now["clear"] | rises
        before = levels
    assert run(clocks)[:-1] == wanted
