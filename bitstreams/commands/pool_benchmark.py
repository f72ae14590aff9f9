"""Images per second of several virtual boards behind one queue: ``make bench-pool``.

Every board runs the same design, its clock no faster than so many Hz, so that the processors which simulate
them have time left and only the queue can hold boards up. Numbers of boards take turns, and the middle one of
their rounds counts. Ratios hold within a run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bitstreams.commands.board_link import virtual_boards
from bitstreams.links.pool.member import Member
from bitstreams.links.pool.pool import Pool
from hw.contract.artifact import load
from hw.contract.design import DesignInfo
from hw.contract.zoo import random_images
from hw.util import files
from hw.util.tables import table
from sim import model

ROUNDS = 3
RUNS = 6
"""Of every board in a round, after one that does not count."""


def rate(design: Path, info: DesignInfo, boards: int, hz: int) -> tuple[float, float]:
    """Images per second, and the share of one processor that the host took. Raises ``AssertionError`` for
    scores that are not the integer model's."""
    artifact = load(design / "model.npz")
    images = random_images(info.network.input, info.config.batch)
    expected = model.run(artifact, images)
    with ExitStack() as stack:
        opened = stack.enter_context(virtual_boards(design, boards, hz))
        members = [Member(f"board {number}", link) for number, link in enumerate(opened)]
        pool = stack.enter_context(Pool(info, members))
        for wanted in (boards, RUNS * boards):
            start, busy = time.monotonic(), time.process_time()
            answers = [pool.submit(images) for _ in range(wanted)]
            for answer in answers:
                if not np.array_equal(answer.result().scores, expected):
                    raise AssertionError("a board's scores are not those of the integer model")
        seconds, host = time.monotonic() - start, time.process_time() - busy
    return wanted * len(images) / seconds, host / seconds


def measure(
    design: Path, counts: Sequence[int], hz: int, tell: Callable[[str], None] = print
) -> dict[str, object]:
    """What the page holds, plain JSON: for every number of boards images per second and the host's share."""
    info = DesignInfo.load(design)
    found: dict[int, list[tuple[float, float]]] = {count: [] for count in counts}
    for number in range(ROUNDS):
        for count in counts:
            found[count].append(rate(design, info, count, hz))
            tell(f"round {number + 1} of {ROUNDS}, boards {count}: {found[count][-1][0]:.2f} images/s")
    rows = [
        {
            "boards": count,
            "images_per_second": round(statistics.median(images for images, _ in rounds), 3),
            "host": round(statistics.median(host for _, host in rounds), 3),
        }
        for count, rounds in found.items()
    ]
    return {"network": info.network.name, "clock_hz": hz, "processors": os.cpu_count(), "rows": rows}


def markdown(found: dict[str, object]) -> str:
    """The table of ``docs/deploying.md``."""
    rows: list[dict[str, float]] = found["rows"]  # type: ignore[assignment]
    alone = rows[0]["images_per_second"] / rows[0]["boards"]
    return table(
        ["boards", "images/s", "of so many times one", "processor time of the host"],
        [
            (
                row["boards"],
                f"{row['images_per_second']:.2f}",
                f"{row['images_per_second'] / alone / row['boards']:.3f}",
                f"{100 * row['host']:.0f} %",
            )
            for row in rows
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("design", type=Path, help="a design that holds its weights")
    parser.add_argument("--boards", type=int, nargs="+", default=[1, 2, 4], help="how many")
    parser.add_argument("--hz", type=int, default=20_000, help="rate of every board's clock")
    parser.add_argument("--out", type=Path, default=Path("docs/results/pool.json"))
    given = parser.parse_args()
    found = measure(given.design, given.boards, given.hz)
    files.write_json(given.out, found)
    print(markdown(found))


if __name__ == "__main__":
    main()
