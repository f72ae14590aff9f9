"""The figures of ``docs/decisions/0006-scheduling-irregular-masks.md``: ``python -m
hw.compile.schedule.benchmark``.

Masks as after ``kernel`` pruning to 8 of 32 words, of layers with as many outputs as inputs, on 64 rows.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from hw.compile.schedule.blocks import form_blocks
from hw.compile.schedule.report import layer_schedule
from hw.contract.spectrum import MULTIPLICITY, TILE, WORDS, pack

ROWS, KEEP, SEED = 64, 8, 3
CHANNELS = (64, 128, 256, 512)


def random_masks(out: int, channels: int, seed: int) -> NDArray[np.bool_]:
    """(out, channels, 32): every kernel keeps 8 words drawn at random."""
    mask: NDArray[np.bool_] = np.random.default_rng(seed).random((out, channels, WORDS)).argsort() < KEEP
    return mask


def low_pass_masks(out: int, channels: int, seed: int) -> NDArray[np.bool_]:
    """(out, channels, 32): the 8 words of most energy of 3×3 kernels cut from smoothed noise."""
    noise = np.random.default_rng(seed).standard_normal((out, channels, 5, 5))
    kernels = np.zeros((out, channels, TILE, TILE))
    for y, x in np.ndindex(3, 3):
        kernels[:, :, :3, :3] += (1, 2, 1)[y] * (1, 2, 1)[x] * noise[:, :, y : y + 3, x : x + 3]
    energy = (pack(np.fft.fft2(kernels)) ** 2).sum(axis=-1) * MULTIPLICITY
    mask: NDArray[np.bool_] = (-energy).argsort(axis=-1, kind="stable").argsort(axis=-1) < KEEP
    return mask


def main() -> None:
    """Print a Markdown table; channel counts may be named as arguments."""
    print("| masks | channels | bound | per bank | per bank, blocks formed | run ahead | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name, masks in (("random", random_masks), ("low-pass", low_pass_masks)):
        for channels in map(int, sys.argv[1:] or CHANNELS):
            mask = masks(channels, channels, SEED)
            found = layer_schedule(name, mask, ROWS)
            formed = layer_schedule(name, mask[form_blocks(mask.sum(axis=1), ROWS)], ROWS)
            figures = (
                found.bound,
                found.utilisation_per_bank,
                formed.utilisation_per_bank,
                found.utilisation_run_ahead,
            )
            columns = " | ".join(f"{figure:.3f}" for figure in figures)
            print(f"| {name} | {channels} | {columns} | {found.seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
