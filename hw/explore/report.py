"""An exploration as plain JSON: the design that was chosen, what limits it, the front, every point."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hw.contract.config import AcceleratorConfig, save_config
from hw.cost.stages import bound_by, layer_row, layer_work
from hw.explore.bottlenecks import dram_rate, limits, next_faster
from hw.explore.point import Point
from hw.explore.sweep import Exploration
from hw.util.files import write

SCHEMA = 1

LAYERED = 24
"""Designs of the front, best ones first, that are told of layer by layer: each is compiled once more for
it."""


def report(found: Exploration) -> dict[str, Any]:
    """What ``explore.json`` holds."""
    device, chosen, workload = found.device, found.chosen, found.workload
    program = workload.program(chosen.config, chosen.weight_bits)
    work = layer_work(program, chosen.config.batch)
    faster = next_faster(found)
    points = found.points
    return {
        "schema": SCHEMA,
        "network": workload.network.name,
        "convolutions_only": workload.network.classes is None,
        "steps": workload.source,
        "board": device.name,
        "clock_mhz": device.clock_hz / 1e6,
        "budget": dict(device.budget),
        "labels": dict(device.labels),
        "dram_bytes_per_second": device.dram_rate,
        "dram_interfaces": device.dram_interfaces,
        "objective": found.objective.value,
        "max_ms": None if found.most_seconds is None else 1e3 * found.most_seconds,
        "space": {name: list(values) for name, values in asdict(found.space).items()},
        "counts": {
            "compiled": len(points),
            "fit": sum(point.fits for point in points),
            "timed": sum(point.fits and bool(point.cycles) for point in points),
            "front": len(found.front),
        },
        "chosen": {
            **chosen.to_json(),
            "use_percent": {name: round(share, 1) for name, share in device.use(chosen.needs).items()},
            "dram_bytes_per_second": dram_rate(found),
            "dram_sustained_bytes_per_second": device.sustained(chosen.config.memories),
            "dram_peak_bytes_per_second": device.peak(chosen.config.memories),
            "layers": [layer_row(layer) for layer in work],
            "bound_by": bound_by(work),
        },
        "next": faster and faster.point.to_json(),
        "limits": limits(found, faster, work),
        "front": [
            {**point.to_json(), **(_layers(found, point) if number < LAYERED else {})}
            for number, point in enumerate(found.front)
        ],
        "points": [point.to_json() for point in points],
    }


def _layers(found: Exploration, point: Point) -> dict[str, Any]:
    program = found.workload.program(point.config, point.weight_bits)
    return {"layers": [layer_row(layer) for layer in layer_work(program, point.config.batch)]}


def save(data: dict[str, Any], folder: Path) -> Path:
    """Write ``explore.json`` and ``config.json``, the chosen configuration, into ``folder``; returns the path
    of the latter. Raises ``ArtifactError`` if the place cannot be written."""
    chosen = data["chosen"]
    about = {key: data[key] for key in ("network", "steps", "board", "clock_mhz")}
    write(folder / "explore.json", json.dumps(data) + "\n")
    config = AcceleratorConfig(**chosen["config"])
    return save_config(config, folder / "config.json", **about, weight_bits=chosen["weight_bits"])
