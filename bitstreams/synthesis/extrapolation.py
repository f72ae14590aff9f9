"""Resource extrapolation: what a wide design needs, from narrow ones of few lanes.

``python -m bitstreams.synthesis.extrapolation P1 P2 --lanes 10`` prints it.

Lanes are alike, so a design of P lanes is that of one lane and P - 1 times what a second lane adds. The two
folders hold designs that differ in their lanes alone, after ``spec2 synth --paths``. What drives all lanes
shows in neither of them: ``--wide`` names a design of as many lanes as are asked for, and of few rows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bitstreams import boards
from bitstreams.boards.board import RESOURCES
from bitstreams.synthesis.paths import MOST_LEVELS
from hw.contract import results
from hw.contract.design import DesignInfo
from hw.util.errors import ArtifactError, ConfigError, Spec2Error
from hw.util.files import write_json
from hw.util.quote import code, line


def extrapolate(folders: Sequence[Path], lanes: int, wide: Path | None = None) -> dict[str, Any]:
    """Counts of two synthesised designs, and extrapolated for ``lanes`` lanes, as plain data.

    ``wide``: a design of that many lanes, for its paths and fan-outs. Raises ``ArtifactError`` where a design
    was not synthesised, ``ConfigError`` unless the first two differ in their lanes alone and
    ``wide`` has ``lanes``.
    """
    found = [_counts(folder) for folder in folders]
    (few, small), (many, large) = found
    configs = [DesignInfo.load(folder).config for folder in folders]
    if few == many or len({replace(config, lanes=max(few, many)) for config in configs}) > 1:
        raise ConfigError(f"{folders[0]} and {folders[1]} must differ in lanes, and in nothing else")
    per_lane = {name: (large[name] - small[name]) / (many - few) for name in RESOURCES}
    whole = {name: small[name] + (lanes - few) * per_lane[name] for name in RESOURCES}
    return {
        "rows": configs[0].rows,
        "lanes": lanes,
        "slices": [
            {"lanes": count, **{name: counted[name] for name in RESOURCES}} for count, counted in found
        ],
        "per_lane": per_lane,
        "whole": whole,
        "levels": _paths(large)["levels"],
        "worst": _paths(large)["worst"][0],
        "fanout": _paths(large)["fanout"],
        **({"wide": _wide(wide, lanes)} if wide else {}),
    }


def _counts(folder: Path) -> tuple[int, Mapping[str, Any]]:
    counted = results.load(folder, results.SYNTHESIS, results.Counted)
    if not counted or not counted.get("paths"):
        raise ArtifactError(f"{folder} has no counts with paths: run 'spec2 synth --paths' on it first")
    return DesignInfo.load(folder).config.lanes, counted


def _wide(folder: Path, lanes: int) -> dict[str, Any]:
    """Paths and fan-outs of a design of ``lanes`` lanes."""
    count, counted = _counts(folder)
    if count != lanes:
        raise ConfigError(f"{folder} has {count} lanes, not {lanes}: generate it with --lanes {lanes}")
    return {"rows": DesignInfo.load(folder).config.rows, "lanes": count, **_paths(counted)}


def _paths(counted: Mapping[str, Any]) -> Mapping[str, Any]:
    paths: Mapping[str, Any] = counted["paths"]
    return paths


def markdown(found: Mapping[str, Any], budget: Mapping[str, int], device: str) -> str:
    """The table of :func:`extrapolate` beside the ``budget`` of ``device``, and sentences on its paths."""
    names = [name for name in RESOURCES if found["whole"][name]]
    rows = [(f"P = {counted['lanes']}, counted", counted) for counted in found["slices"]]
    rows += [("a lane", found["per_lane"]), (f"P = {found['lanes']}, extrapolated", found["whole"])]
    lines = ["| N = " + str(found["rows"]) + " | " + " | ".join(RESOURCES[name] for name in names) + " |"]
    lines.append("| --- |" + " ---: |" * len(names))
    lines += [f"| {title} | " + " | ".join(f"{row[name]:,g}" for name in names) + " |" for title, row in rows]
    share = (f"{100 * found['whole'][name] / budget[name]:.0f} %" for name in names)
    lines.append(f"| of {device} | " + " | ".join(share) + " |")
    total, over = sum(found["levels"].values()), _over(found["levels"], MOST_LEVELS)
    longest, net = found["worst"], found["fanout"][0]
    text = (
        f"Of {total:,} register inputs {over or 'none'} have more than four LUTs in front of them; the "
        f"longest path has {longest['levels']}, to {code(longest['end'])}. No net but clocks drives more "
        f"than {net[1]:,} loads."
    )
    if wide := found.get("wide"):
        text += (
            f" With all {wide['lanes']} lanes, of {wide['rows']} rows each, these figures are "
            f"{wide['worst'][0]['levels']} and {wide['fanout'][0][1]:,}."
        )
    return "\n".join([*lines, "", text])


def _over(levels: Mapping[str, int], most: int) -> int:
    return sum(count for level, count in levels.items() if int(level) > most)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(prog="python -m bitstreams.synthesis.extrapolation", description=__doc__)
    parser.add_argument("designs", nargs=2, type=Path, help="design folders, synthesised with --paths")
    parser.add_argument("--lanes", type=int, required=True, help="lanes of the design in question")
    parser.add_argument("--wide", type=Path, help="folder of a design of that many lanes, of few rows")
    parser.add_argument("--board", default="vc709", help="whose device it is compared with")
    parser.add_argument("--out", type=Path, help="also write the figures to this file")
    given = parser.parse_args(arguments)
    try:
        board = boards.find(given.board)
        found = extrapolate(given.designs, given.lanes, given.wide)
    except Spec2Error as error:
        print(f"extrapolation: {line(str(error))}", file=sys.stderr)
        return 2
    data = found | {"device": board.part, "budget": {name: board.budget[name] for name in RESOURCES}}
    print(markdown(data, data["budget"], board.part))
    if given.out:
        write_json(given.out, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
