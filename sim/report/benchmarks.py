"""``python -m sim.report.benchmarks FOLDER``: what ``make bench`` has measured beside what is recorded.

Clocks and operations are exact, so a ratio other than 1 is a change of the design, not of the machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hw.cost.efficiency import HEADS
from hw.util import documents
from hw.util.errors import DataError, Spec2Error
from hw.util.tables import table

RECORDED = Path(__file__).resolve().parents[2] / "docs" / "results"

SLICES = "op_per_dsp_cycle"


def compared(measured: Path, recorded: Path = RECORDED) -> str:
    """A table of every design in folder ``measured``, with what ``recorded`` has of that name, and ratios.

    Files are those of ``spec2 simulate --layers --out``; others are left out. Raises ``DataError`` where
    there is none.
    """
    rows = [row for path in sorted(measured.glob("*.json")) for row in _rows(path, recorded / path.name)]
    if not rows:
        raise DataError(f"{measured} has no file of 'spec2 simulate --layers --out': run 'make bench-vgg16'")
    slices = HEADS[SLICES]
    heads = [
        "design",
        "clocks recorded",
        "clocks",
        "ratio",
        f"{slices} recorded",
        slices,
        "ratio",
        "wrong values",
    ]
    return table(heads, rows)


def _rows(path: Path, before: Path) -> Iterator[list[Any]]:
    now, then = _total(path), _total(before) if before.exists() else None
    if now:
        row: list[Any] = [path.stem]
        for key in ("cycles", SLICES):
            old = then[key] if then else None
            row += [old, now[key], f"{now[key] / old:.3f}" if old else None]
        yield [*row, now["mismatches"]]


def _total(path: Path) -> dict[str, Any] | None:
    """What a file of :func:`sim.rtl.layers.measure` says of the whole; None of another file."""
    found: Any = documents.decode(documents.needed(path), Any, str(path), error=DataError)
    total: dict[str, Any] | None = found.get("total") if isinstance(found, dict) else None
    return total if total and {"cycles", SLICES, "mismatches"} <= set(total) else None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sim.report.benchmarks", description=__doc__)
    parser.add_argument("measured", type=Path, help="folder of what 'make bench' wrote: build/bench")
    parser.add_argument("--recorded", type=Path, default=RECORDED, help="folder of what is compared with")
    options = parser.parse_args(arguments)
    try:
        print(compared(options.measured, options.recorded))
    except Spec2Error as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
