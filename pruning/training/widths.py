"""Bits of the weights of every layer: so many on average, and most where fewer lose most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import msgspec
import torch

from hw.contract.artifact import MIN_WEIGHT_BITS
from hw.util.errors import ConfigError
from pruning.quant.quantise import Calibrated
from pruning.training.allocate import Option, allocate, refill
from pruning.training.log import write_search_log
from pruning.training.sensitivity import Report, scan_bits
from pruning.training.settings import Bits

FILE_NAME = "bits.json"


def check_bits(bits: Bits, weight_bits: int) -> None:
    """Raise ``ConfigError`` for a mean that no widths between the least and ``weight_bits`` have."""
    if not MIN_WEIGHT_BITS <= bits.least <= weight_bits:
        raise ConfigError(
            f"least in [bits] must be {MIN_WEIGHT_BITS} to {weight_bits} (weight_bits), not {bits.least}"
        )
    if not bits.least <= bits.mean <= weight_bits:
        raise ConfigError(
            f"mean bits must be {bits.least} (least in [bits]) to {weight_bits} (weight_bits), "
            f"not {bits.mean:g}"
        )
    if bits.images < 1:
        raise ConfigError(f"images in [bits] must be at least 1, not {bits.images}")


def find_widths(
    calibrated: Calibrated,
    images: torch.Tensor,
    bits: Bits,
    weight_bits: int,
    out: Path | None = None,
    report: Report | None = None,
) -> Mapping[str, int]:
    """The width of every layer, ``bits.least`` to ``weight_bits``.

    On average over all words that the masks keep they have ``bits.mean`` at most. ``images`` (n, C, H, W,
    uint8): of the training set.

    Writes what was measured to ``out/bits.json``: per layer the words kept, for every width the bits of one
    part of them (cost) and how far scores move (loss), and which was chosen.
    """
    widths = range(weight_bits, bits.least - 1, -1)
    words = {name: int(layer.mask.sum()) for name, layer in calibrated.layers.items()}
    losses = scan_bits(calibrated, images[: bits.images], weight_bits, widths, report=report)
    table = {
        name: [
            Option(str(width), width * words[name], loss) for width, loss in zip(widths, found, strict=True)
        ]
        for name, found in losses.items()
    }
    target = bits.mean * sum(words.values())
    options = refill(table, allocate(table, target), target)
    chosen = {name: int(option.scheme) for name, option in options.items()}
    if out is not None:
        measured = {
            "bits": msgspec.to_builtins(bits),
            "weight_bits": weight_bits,
            "words": words,
            "mean": sum(chosen[name] * words[name] for name in words) / max(1, sum(words.values())),
            "layers": {name: [asdict(option) for option in found] for name, found in table.items()},
            "chosen": chosen,
        }
        write_search_log(out / FILE_NAME, measured)
    return chosen
