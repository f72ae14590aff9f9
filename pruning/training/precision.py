"""The precision of matrix products and convolutions in training, and whether the processor has it.

bf16 pays only where the processor multiplies such numbers itself. torch 2.13.0 takes them anywhere, without a
word; what that costs ``python -m pruning.training.benchmark`` measures (``docs/training.md``).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import torch

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}
"""Of matrix products and convolutions; weights, sums and losses have 32 bits in any case."""

ARITHMETIC = ("avx512_bf16", "amx_bf16", "avx10_2")
"""Any of these multiplies bf16 numbers, by the names of ``torch.cpu.get_capabilities``."""


NO_BF16 = "This processor does not multiply bf16 numbers itself: float32 is many times faster, and is taken."
"""What is said where :func:`effective` changes a precision."""


@cache
def has_bf16() -> bool:
    """Whether the processor multiplies bf16 numbers itself. Of others than x86 it is taken to be so."""
    found = torch.cpu.get_capabilities()
    return found.get("architecture") != "x86_64" or any(found.get(name) for name in ARITHMETIC)


def effective(precision: str, device: torch.device) -> str:
    """What ``precision``, a name of :data:`PRECISIONS`, comes to on ``device``."""
    return "float32" if device.type == "cpu" and not has_bf16() else precision


def cast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """In it, matrix products and convolutions on ``device`` are computed at :func:`effective` precision."""
    return autocast(effective(precision, device), device)


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """In it, they are computed at that precision, however long it takes."""
    return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "float32")
