"""How full the array's steps are, layer by layer: the figures of ``spec2 schedule``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.compile.schedule.layer import (
    fastest_blocks,
    layer_blocks,
    packed_blocks,
    pays,
    shared_blocks,
    useful_processes,
)
from hw.compile.schedule.steps import Steps
from hw.contract.artifact import Artifact
from hw.contract.config import check_rows
from hw.util.processes import in_order


@dataclass(frozen=True)
class LayerSchedule:
    """One layer. Steps and clocks are those of one tile group; clocks hold the waits for the drain.

    words: of all blocks, those without products left out. shared, per_bank: steps with one address for all
    banks, with one per bank and all rows on the same word. run_ahead: steps where rows may also run ahead,
    block by block what takes fewest clocks. executes: what the array does, "shared" or "run ahead"; steps,
    clocks, utilisation: of that. utilisation_...: products / (steps × rows); a short last block counts the
    rows it has. bound: utilisation if nothing but the busiest row of every word cost steps, which no schedule
    without run-ahead exceeds. seconds: to schedule.
    """

    layer: str
    words: int
    products: int
    shared: int
    per_bank: int
    per_bank_clocks: int
    run_ahead: int
    run_ahead_clocks: int
    executes: str
    steps: int
    clocks: int
    bound: float
    utilisation_shared: float
    utilisation_per_bank: float
    utilisation_run_ahead: float
    utilisation: float
    seconds: float


def schedule_report(
    artifact: Artifact,
    rows: int,
    *,
    processes: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[dict[str, Any]]:
    """A :class:`LayerSchedule` per layer of ``artifact``, as plain data, for N = ``rows``.

    processes: as in :func:`hw.compile.compiler.compile_program`. progress: called with (layers done, layers
    in all, name) after each.
    Raises ``ConfigError`` for ``rows`` that no array has.
    """
    check_rows(rows)
    layers = artifact.network.layers
    masks = [artifact.layers[layer.name].mask for layer in layers]
    calls = [
        partial(
            layer_schedule,
            layer.name,
            mask,
            rows,
            dot=layer.dot,
            regular=artifact.regular(layer.name),
        )
        for layer, mask in zip(layers, masks, strict=True)
    ]
    found = []
    for schedule in in_order(calls, useful_processes(masks, processes)):
        found.append(asdict(schedule))
        if progress:
            progress(len(found), len(layers), schedule.layer)
    return found


def layer_schedule(
    name: str, mask: NDArray[np.bool_], rows: int, *, dot: bool = False, regular: bool = False
) -> LayerSchedule:
    """Schedule ``mask`` (out, channels, words) for blocks of ``rows``.

    A word without products costs no step, but for word 0 of a convolution, which brings the bias. In dot
    mode a row has one sum over all words, and there is nothing to run ahead to. ``regular``: the masks are
    n:m, and the array takes one address for all banks in any case.
    """
    begun = time.perf_counter()
    layer = layer_blocks(mask, rows, dot=dot)
    shared = shared_blocks(layer)
    packed = packed_blocks(layer)
    fastest = fastest_blocks(layer, packed)
    ahead = not regular and pays(layer, fastest, shared)
    chosen = fastest if ahead else shared
    valid = np.array(layer.valid)
    products = int(mask.sum())
    words = [layer.valid_words(block) for block in range(len(valid))]
    busiest = [
        int(np.maximum(masks[:, :, own].sum(axis=1).max(axis=0), 1).sum())
        for masks, own in zip(layer.masks, words, strict=True)
    ]

    def steps(blocks: Sequence[Steps]) -> int:
        return sum(map(len, blocks))

    def utilisation(lengths: Sequence[int]) -> float:
        return round(products / max(1, int(np.array(lengths) @ valid)), 4)

    return LayerSchedule(
        layer=name,
        words=sum(map(len, words)),
        products=products,
        shared=steps(shared),
        per_bank=steps(packed),
        per_bank_clocks=layer.clocks(packed),
        run_ahead=steps(fastest),
        run_ahead_clocks=layer.clocks(fastest),
        executes="run ahead" if ahead else "shared",
        steps=steps(chosen),
        clocks=layer.clocks(chosen),
        bound=utilisation(busiest),
        utilisation_shared=utilisation([len(block) for block in shared]),
        utilisation_per_bank=utilisation([len(block) for block in packed]),
        utilisation_run_ahead=utilisation([len(block) for block in fastest]),
        utilisation=utilisation([len(block) for block in chosen]),
        seconds=round(time.perf_counter() - begun, 2),
    )
