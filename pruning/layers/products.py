"""The products of a spectral layer: per word one matrix of weights times one of tiles."""

from __future__ import annotations

from typing import Any

import torch

from hw.contract.spectrum import DUAL_REAL, WORDS
from pruning.layers.layout import channels_first, words_first


def kept_words(weight: torch.Tensor, gate: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor:
    """(32, 2, N, C) of type ``dtype``: ``weight`` (N, C, 32, 2), 0 where ``gate`` (32, N, C) is."""
    words = words_first(weight).to(dtype)
    return words if gate is None else words * gate[:, None]


class _Products(torch.autograd.Function):
    """X times both parts of W, apart; casts and masks the weights, and their gradient, on the way."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, gate: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        kept = kept_words(weight, gate, x.dtype)
        ctx.save_for_backward(x, kept, gate)
        ctx.dtype = weight.dtype
        return torch.bmm(x, kept[:, 0].transpose(1, 2)), torch.bmm(x, kept[:, 1].transpose(1, 2))

    @staticmethod
    def backward(
        ctx: Any, real: torch.Tensor, imaginary: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        x, kept, gate = ctx.saved_tensors
        dx = dw = None
        if ctx.needs_input_grad[0]:
            dx = torch.baddbmm(torch.bmm(real, kept[:, 0]), imaginary, kept[:, 1])
        if ctx.needs_input_grad[1]:
            dw = kept.new_empty(kept.shape, dtype=ctx.dtype)
            for part, grad in enumerate((real, imaginary)):
                sums = torch.bmm(grad.transpose(1, 2), x)
                dw[:, part] = sums if gate is None else sums.mul_(gate)
            dw = channels_first(dw)
        return dx, dw, None


def by_parts(
    x: torch.Tensor, weight: torch.Tensor, gate: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums over input channels of X times the real, and of X times the imaginary, parts of ``weight``.

    Parameters: ``x`` (32, 2·T, C), per word the real parts of all tiles, then the imaginary ones;
    ``weight`` (N, C, 32, 2) of any float type; ``gate`` (32, N, C) of the type of ``x``, 1 for words that
    take part and else 0 (None: all do).
    Returns two (32, 2·T, N) of the type of ``x``.
    """
    return _Products.apply(x, weight, gate)


def complex_sum(real: torch.Tensor, imaginary: torch.Tensor) -> torch.Tensor:
    """The words Y that :func:`by_parts` holds the pieces of: (32, 2, T, N), part in dimension 1.

    Re Y = Re X · Re W - Im X · Im W, Im Y = Im X · Re W + Re X · Im W; of dual-real words the parts do
    not mix.
    """
    real, imaginary = (z.view(WORDS, 2, -1, z.shape[-1]) for z in (real, imaginary))
    mixed = torch.stack([real[:, 0] - imaginary[:, 1], real[:, 1] + imaginary[:, 0]], dim=1)
    apart = torch.stack([real[:, 0], imaginary[:, 1]], dim=1)
    dual = torch.zeros(WORDS, 1, 1, 1, dtype=torch.bool, device=real.device)
    dual[list(DUAL_REAL)] = True
    return torch.where(dual, apart, mixed)
