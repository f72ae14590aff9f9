"""What a model's masks cost in steps, layer by layer: the figures of ``spec2 schedule``."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.artifact import Artifact
from hw.config import drain_rows
from hw.errors import ConfigError
from hw.network import Conv
from hw.schedule.rows import run_ahead
from hw.schedule.steps import shared_steps
from hw.schedule.words import pack_words

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class LayerSchedule:
    """One layer. Steps and clocks are those of one tile group; clocks hold the waits for the drain.

    words: of all blocks. shared, per_bank: steps with one address for all banks, with one per bank.
    run_ahead: steps if rows may run ahead (a proposal) where that helps. utilisation_...: products /
    (steps × rows); a short last block counts the rows it has. bound: utilisation if nothing but the
    busiest row of every word cost steps, which no schedule without run-ahead exceeds. seconds: to schedule.
    """

    layer: str
    words: int
    products: int
    shared: int
    per_bank: int
    per_bank_clocks: int
    run_ahead: int
    run_ahead_clocks: int
    bound: float
    utilisation_shared: float
    utilisation_per_bank: float
    utilisation_run_ahead: float
    seconds: float


def schedule_report(artifact: Artifact, rows: int) -> list[dict[str, Any]]:
    """A :class:`LayerSchedule` per layer of ``artifact``, as plain data, for N = ``rows``.

    Raises ``ConfigError`` when ``rows`` is not a multiple of 4.
    """
    if rows < 4 or rows % drain_rows(rows):
        raise ConfigError(f"rows must be a multiple of {drain_rows(rows)} and at least 4, not {rows}")
    return [
        asdict(
            layer_schedule(
                layer.name, artifact.layers[layer.name].mask, rows, dot=not isinstance(layer, Conv)
            )
        )
        for layer in artifact.network.layers
    ]


def layer_schedule(name: str, mask: NDArray[np.bool_], rows: int, *, dot: bool = False) -> LayerSchedule:
    """Schedule ``mask`` (out, channels, words) for blocks of ``rows``.

    A word without products costs no step, but for word 0 of a convolution, which brings the bias. In dot
    mode a row has one sum over all words, and there is nothing to run ahead to.
    """
    begun = time.perf_counter()
    out, channels, words = mask.shape
    blocks, short = -(-out // rows), out % rows
    masks = np.zeros((blocks * rows, channels, words), dtype=bool)
    masks[:out] = mask
    masks = masks.reshape(blocks, rows, channels, words)
    by_word = masks.transpose(0, 3, 1, 2)  # (blocks, words, N, channels)
    least = np.zeros(words, np.int64)
    least[0] = not dot
    busiest = np.maximum(by_word.sum(axis=-1).max(axis=-1), least)
    regular = np.maximum(shared_steps(by_word), least)
    lengths = [len(steps) for steps in pack_words(by_word.reshape(-1, rows, channels))]
    packed = np.maximum(np.reshape(lengths, (blocks, words)), least)
    valid = np.full(blocks, rows)
    if short:
        valid[-1] = short
    drain = 0 if dot else -(-valid // drain_rows(rows))[:, None]
    per_bank, clocks = packed.sum(axis=1), np.where(packed > 0, np.maximum(packed, drain), 0).sum(axis=1)
    ahead, ahead_clocks = per_bank.copy(), clocks.copy()
    if not dot:
        found = run_ahead(masks[: out // rows]) if out >= rows else []
        if short:
            found += run_ahead(masks[-1:, : -(-short // drain_rows(rows)) * drain_rows(rows)])
        for b, steps in enumerate(found):
            total = len(steps) + _waits(steps.end_of_word, -(-int(valid[b]) // drain_rows(rows)))
            if total < clocks[b]:
                ahead[b], ahead_clocks[b] = len(steps), total
    products = int(mask.sum())

    def utilisation(steps: Ints) -> float:
        """Of ``steps`` (blocks,)."""
        return round(products / max(1, int(steps @ valid)), 4)

    return LayerSchedule(
        layer=name,
        words=blocks * words,
        products=products,
        shared=int(regular.sum()),
        per_bank=int(per_bank.sum()),
        per_bank_clocks=int(clocks.sum()),
        run_ahead=int(ahead.sum()),
        run_ahead_clocks=int(ahead_clocks.sum()),
        bound=utilisation(busiest.sum(axis=1)),
        utilisation_shared=utilisation(regular.sum(axis=1)),
        utilisation_per_bank=utilisation(per_bank),
        utilisation_run_ahead=utilisation(ahead),
        seconds=round(time.perf_counter() - begun, 2),
    )


def _waits(end_of_word: NDArray[np.bool_], drain: int) -> int:
    """Clocks lost where words end faster than they drain, in ``drain`` clocks each."""
    gaps = np.diff(np.flatnonzero(end_of_word), prepend=-1)
    return int(np.maximum(drain - gaps, 0).sum())
