"""How spectra lie in memory: words first, channels last.

Every word is a matrix product of its own, over channels. With the words first, each of these matrices of
weights is there as it is, and the batched product need not gather it; gradients and the state of the
optimiser lie the same way. Everything else sees the layout (out, in, 32, ...) of ``hw.contract.artifact``, as
a view.
"""

from __future__ import annotations

import torch


def words_first(x: torch.Tensor) -> torch.Tensor:
    """``x`` (out, in, 32, ...) as (32, ..., out, in); a view."""
    return x.permute(*range(2, x.dim()), 0, 1)


def channels_first(x: torch.Tensor) -> torch.Tensor:
    """``x`` (..., out, in) as (out, in, ...), the inverse of :func:`words_first`; a view."""
    return x.permute(-2, -1, *range(x.dim() - 2))


def stored_words_first(x: torch.Tensor) -> torch.Tensor:
    """``x`` (out, in, 32, ...) as it is, but in memory as (32, ..., out, in)."""
    return channels_first(words_first(x).contiguous())
