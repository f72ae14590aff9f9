"""How fast the Verilog is simulated: this tree and another one, in turns, on the same design.

``python -m sim.rtl.benchmark DESIGN --before TREE`` runs the same images through both simulators, each built
by its own tree, and prints clocks per second of processor time and their ratio. On a busy machine seconds
mean little; ratios of runs that take turns hold.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hw.util.tables import table

RUN = """
import json, resource, sys
from pathlib import Path
import numpy as np
from sim import rtl
design, folder, count, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
shape = rtl.load_design(Path(design)).network.input
images = np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)
rtl.build(design, build_dir=folder)
before = resource.getrusage(resource.RUSAGE_CHILDREN)
found = rtl.simulate(design, images, build_dir=folder)
after = resource.getrusage(resource.RUSAGE_CHILDREN)
used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"clocks": found.clocks, "seconds": used, "sum": int(found.scores.sum())}))
"""
"""What a tree runs, in a process of its own: images through a simulator that is built before."""


def measure(
    design: Path, trees: Sequence[Path], builds: Path, *, images: int, pairs: int
) -> list[list[float]]:
    """Clocks per second of processor time, of every tree in every one of ``pairs`` turns.

    builds: a folder for the simulators. Raises ``ValueError`` when the trees do not agree on the results.
    """
    speeds: list[list[float]] = [[] for _ in trees]
    for pair in range(pairs):
        results = set()
        for number, tree in enumerate(trees):
            target = (builds / str(number)).resolve()
            target.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-c", RUN, str(design.resolve()), str(target), str(images), str(pair)]
            said = subprocess.run(
                command, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree.resolve())},
                check=True, capture_output=True, text=True,
            ).stdout  # fmt: skip
            figures = json.loads(said.splitlines()[-1])
            results.add(figures["sum"])
            speeds[number].append(figures["clocks"] / figures["seconds"])
        if len(results) > 1:
            raise ValueError(f"the trees do not agree on the results of pair {pair}: {sorted(results)}")
    return speeds


def markdown(speeds: Sequence[Sequence[float]]) -> str:
    """Medians of both trees, and the median of the ratios of every turn."""
    before, after = speeds
    ratio = statistics.median(new / old for old, new in zip(before, after, strict=True))
    rows = [
        ("before", f"{statistics.median(before):,.0f}", "1.00"),
        ("this tree", f"{statistics.median(after):,.0f}", f"{ratio:.2f}"),
    ]
    return table(["simulator", "clocks per processor second", "ratio"], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m sim.rtl.benchmark", description=__doc__)
    parser.add_argument("design", type=Path, help="a folder that 'spec2 generate' wrote")
    parser.add_argument("--before", type=Path, required=True, help="another tree of spec2: a git worktree")
    parser.add_argument("--images", type=int, default=20, help="images in every run")
    parser.add_argument("--pairs", type=int, default=3, help="turns")
    given = parser.parse_args(arguments)
    here = Path(__file__).parents[2]
    builds = given.design / "benchmark"
    try:
        speeds = measure(given.design, (given.before, here), builds, images=given.images, pairs=given.pairs)
    except subprocess.CalledProcessError as error:
        print(f"benchmark: a tree failed: {error.stderr.strip()[-500:]}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    print(markdown(speeds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
