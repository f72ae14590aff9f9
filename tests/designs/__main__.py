"""``python -m tests.designs``: random whole designs, every value and every clock compared.

Each is generated and simulated: undisturbed; with stalls, after an interrupted run; and with stalls around
runs that are broken off by aborts, resets and errors of memory. Values are compared with the integer model,
clocks of the undisturbed runs with the cost model. A design that fails stays in its folder.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hw.cost.cycles import run_cycles, total_cycles
from hw.cost.weight_arrival import MEMORY_LATENCY
from hw.generate import generate
from hw.host.counters import Counters
from hw.util.errors import Spec2Error
from sim import model
from tests.designs.generator import Design, design, is_graph

if TYPE_CHECKING:
    from sim.bench.job import Memory

TOLERANCE, FEW = 0.02, 16
"""Of the clocks of a run, and clocks that are never too many: the host's part of very short runs."""

FOLDER = Path("build/fuzz-designs")


@dataclass(frozen=True)
class Outcome:
    """wrong: values that differ, over all simulations. estimated, counted: clocks of all undisturbed runs.
    trouble: what else was wrong, in words."""

    design: Design
    wrong: int
    values: int
    estimated: int
    counted: int
    trouble: tuple[str, ...]

    @property
    def failed(self) -> bool:
        return bool(self.wrong or self.trouble)


Runs = list[tuple[np.ndarray, tuple[Counters, ...]]]


def on_verilator(one: Design, folder: Path) -> Runs:
    """Undisturbed, and with stalls after an interrupted run. Runs that are broken off are compared there."""
    from sim import rtl
    from sim.bench.job import Memory

    made = folder / "design"
    generate(one.artifact, one.config, made)
    memory = Memory(one.latency, one.gap)
    free = rtl.simulate(made, one.images)  # with the memory of the cost model
    stalled = rtl.simulate(made, one.images, stalls=True, seed=one.seed, reset_midway=True, memory=memory)
    _break_off(one, made, memory, folder / "broken")
    return [(free.scores, free.counters), (stalled.scores, ())]


def _break_off(one: Design, made: Path, memory: Memory, folder: Path) -> None:
    """Raises ``ToolFailed``, which names the log, unless every run after a broken-off one is right."""
    from sim import rtl
    from sim.bench.job import VARIABLE, Job
    from sim.rtl.cosim import run_module

    folder = folder.resolve()
    folder.mkdir()
    np.save(folder / "scores.npy", model.run(one.artifact, one.images))
    built = rtl.build(made)
    timeout = rtl.patience(built.info, rtl.weight_beats(built), memory, stalls=True)
    job = Job(built.info, one.images, one.config.batch, True, one.seed, False, timeout, None, memory)
    job.save(folder)
    run_module(
        built.simulator,
        "tests.designs.broken_bench",
        folder,
        work_dir=made,
        environment={VARIABLE: str(folder)},
        wall_seconds=1800,
    )


def on_amaranth(one: Design, folder: Path) -> Runs:
    """The gateware itself, without Verilog; for small designs quicker than a build."""
    from tests.hw.gateware.whole import Bench

    def run(pace: float, latency: int, images: np.ndarray) -> tuple[np.ndarray, tuple[Counters, ...]]:
        counters: list[Counters] = []

        async def test(link, driver):
            return await driver.run(images, on_run=lambda done, run: counters.append(run))

        bench = Bench(one.program, seed=one.seed, pace=pace, latency=latency)
        return bench.run(test), tuple(counters)

    few = one.images[: one.config.batch]
    return [run(1.0, MEMORY_LATENCY, one.images), (run(0.6, one.latency, few)[0], ())]


def check(one: Design, simulate: Callable[[Design, Path], Runs], folder: Path) -> Outcome:
    """Simulate a design and compare everything."""
    batch, trouble = one.config.batch, []
    expected = model.run(one.artifact, one.images)
    wrong = values = estimated = counted = 0
    try:
        runs = simulate(one, folder)
    except (Spec2Error, AssertionError) as error:
        return Outcome(one, 0, 0, 0, 0, (f"{type(error).__name__}: {error}",))
    for found, counters in runs:
        wrong += int((found != expected[: len(found)]).sum())
        values += found.size
        for number, counter in enumerate(counters):
            images = min(batch, len(one.images) - number * batch)
            total = total_cycles(one.program, images)
            estimated, counted = estimated + total, counted + counter.cycles
            if abs(total - counter.cycles) > max(FEW, TOLERANCE * counter.cycles):
                trouble.append(f"{images} images: {total} clocks estimated, {counter.cycles} counted")
            if one.config.stream_weights:
                continue
            for layer, guess in zip(counter.layers, run_cycles(one.program, images), strict=True):
                if (layer.cycles, layer.steps) != (guess.cycles, guess.steps):
                    trouble.append(f"{layer.name}: {guess.cycles} clocks estimated, {layer.cycles} counted")
    return Outcome(one, wrong, values, estimated, counted, tuple(trouble))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.designs", description=__doc__)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1, help="of the first design; the next ones follow")
    parser.add_argument("--simulator", choices=("verilator", "amaranth"), default="verilator")
    parser.add_argument("--most-clocks", type=int, default=0, help="pass over designs whose runs take longer")
    parser.add_argument("--graphs", action="store_true", help="pass over designs whose networks are chains")
    options = parser.parse_args()
    simulate = {"verilator": on_verilator, "amaranth": on_amaranth}[options.simulator]
    failed, done, start, worst = [], 0, time.monotonic(), 0.0
    seed = options.seed - 1
    while done < options.count:
        seed += 1
        if options.graphs and not is_graph(seed):
            continue
        one = design(seed)
        if options.most_clocks and total_cycles(one.program, one.config.batch) > options.most_clocks:
            continue
        done += 1
        folder = FOLDER / str(seed)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        outcome = check(one, simulate, folder)
        deviation = outcome.estimated / outcome.counted - 1 if outcome.counted else 0.0
        worst = max(worst, abs(deviation))
        print(
            f"{'FAILED' if outcome.failed else 'right '} seed {seed}: "
            f"{outcome.wrong} of {outcome.values} values differ, {outcome.estimated} clocks estimated, "
            f"{outcome.counted} counted ({100 * deviation:+.2f} %) | {one.parameters}",
            flush=True,
        )
        for line in outcome.trouble:
            print(f"       {line}", flush=True)
        if outcome.failed:
            failed.append(seed)
            print(
                f"       again: make fuzz-designs COUNT=1 SEED={seed} (the design is in {folder})", flush=True
            )
        else:
            shutil.rmtree(folder)
    print(
        f"{done} designs, {len(failed)} failed{': seeds ' if failed else ''}{', '.join(map(str, failed))}; "
        f"largest deviation of a design's clocks {100 * worst:.2f} %; {time.monotonic() - start:.0f} s"
    )
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
