"""Weights that stay, and biases, refitted: a layer's outputs are to be what they were before pruning.

A layer is linear in both, so this is least squares, for every output channel on its own. Conjugate gradients
(M. Hestenes and E. Stiefel, 1952) from the pruned weights on take two passes through the layer per round,
however many weights there are. Some of the images are not fitted: every channel takes the round that was best
on *these*, so that few images do not make weights that are right on them alone.

Outputs are compared in front of pooling and ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call

from hw.contract.spectrum import DUAL_REAL, TILE, WORDS
from pruning.layers.spectral import SpectralConv2d
from pruning.layers.word_layers import WordLayer

ROUNDS = 20
"""Most rounds; what is left to gain after them is little."""

PATIENCE = 4
"""Rounds without a gain for any channel, after which it ends."""

Parts = Sequence[Tensor]
"""A batch in parts, of so many images each."""


def refit_(layer: WordLayer, fitted: tuple[Parts, Parts], held: tuple[Parts, Parts]) -> None:
    """Change weights and bias of ``layer`` so that it makes of inputs what it should. Its mask stays.

    ``fitted``, ``held``: inputs (B, in, H, W) or (B, features), and the outputs (B, out, ...) that the layer
    is to make of them; those it is fitted to, and those that decide when it ends.
    """
    system = _System(layer, fitted[0])
    solution = layer.weight.detach() * layer.gate(layer.mask), layer.bias.detach().clone()
    residual = _minus(fitted[1], system.outputs(*solution))
    outside = _minus(held[1], _outputs(layer, held[0], *solution))
    best, least, since = solution, _squares(outside), 0
    gradient = system.adjoint(residual)
    direction = step = system.conditioned(*gradient)
    slope = _dot(gradient, step)
    for _ in range(ROUNDS):
        made = system.outputs(*direction)
        length = slope / _squares(made).clamp(min=1e-30)
        solution = _along(solution, length, direction)
        residual = _minus(residual, _times(length, made))
        outside = _minus(outside, _times(length, _outputs(layer, held[0], *direction)))
        error = _squares(outside)
        better = error < least
        least = torch.where(better, error, least)
        best = _where(better, solution, best)
        since = 0 if bool(better.any()) else since + 1
        if since == PATIENCE:
            break
        gradient = system.adjoint(residual)
        step = system.conditioned(*gradient)
        before, slope = slope, _dot(gradient, step)
        direction = _along(step, slope / before.clamp(min=1e-30), direction)
    with torch.no_grad():
        layer.weight.copy_(best[0])
        layer.bias.copy_(best[1])


Unknowns = tuple[Tensor, Tensor]
"""Weights (out, ...) and biases (out,)."""


class _System:
    """A layer on some inputs, as a linear function of its weights and biases."""

    def __init__(self, layer: WordLayer, inputs: Parts) -> None:
        self.layer, self.inputs = layer, inputs
        self.scale = 1 / _power(layer, inputs)

    def outputs(self, weight: Tensor, bias: Tensor) -> list[Tensor]:
        return _outputs(self.layer, self.inputs, weight, bias)

    def adjoint(self, outputs: Parts) -> Unknowns:
        """The transposed function."""
        unknowns = (self.layer.weight, self.layer.bias)
        sums = tuple(torch.zeros_like(x) for x in unknowns)
        for x, y in zip(self.inputs, outputs, strict=True):
            with torch.enable_grad():
                found = torch.autograd.grad((self.layer(x) * y).sum(), unknowns)
            for total, part in zip(sums, found, strict=True):
                total += part
        return sums[0], sums[1]

    def conditioned(self, weight: Tensor, bias: Tensor) -> Unknowns:
        """A gradient in units in which all weights count alike."""
        return weight * self.scale, bias


@torch.no_grad()
def _outputs(layer: WordLayer, inputs: Parts, weight: Tensor, bias: Tensor) -> list[Tensor]:
    return [functional_call(layer, {"weight": weight, "bias": bias}, (x,)) for x in inputs]


@torch.no_grad()
def _power(layer: WordLayer, inputs: Parts) -> Tensor:
    """In the shape of a channel's weights: mean square of an output pixel for a weight of one. Positive."""
    if not isinstance(layer, SpectralConv2d):
        means = [x.square().transpose(0, 1).flatten(1).mean(1) for x in inputs]
        found = torch.stack(means).mean(0).view(layer.weight.shape[1:])
    else:
        words = [layer.spectrum(x).view(WORDS, 2, -1, x.shape[1]).square().mean(2) for x in inputs]
        power = torch.stack(words).mean(0)  # (32, 2, in)
        whole = power.sum(1, keepdim=True).repeat(1, 2, 1)
        whole[list(DUAL_REAL)] = power[list(DUAL_REAL)]
        found = whole.permute(2, 0, 1) * layer.metric / TILE**2
    return found + (1e-3 * found.mean() or 1e-12)


def _rows(x: Tensor) -> Tensor:
    """(B, out, ...) to (out, all others)."""
    return x.transpose(0, 1).flatten(1)


def _squares(parts: Parts) -> Tensor:
    """(out,): sum of squares."""
    return torch.stack([_rows(x).square().sum(1) for x in parts]).sum(0)


def _dot(a: Unknowns, b: Unknowns) -> Tensor:
    """(out,): products over the unknowns of every output."""
    return (a[0] * b[0]).flatten(1).sum(1) + a[1] * b[1]


def _wide(factor: Tensor, like: Tensor) -> Tensor:
    return factor.view(-1, *[1] * (like.dim() - 1))


def _along(start: Unknowns, length: Tensor, direction: Unknowns) -> Unknowns:
    return start[0] + _wide(length, start[0]) * direction[0], start[1] + length * direction[1]


def _where(chosen: Tensor, a: Unknowns, b: Unknowns) -> Unknowns:
    return torch.where(_wide(chosen, a[0]), a[0], b[0]), torch.where(chosen, a[1], b[1])


def _times(factor: Tensor, parts: Parts) -> list[Tensor]:
    return [_wide(factor, x[0]) * x for x in parts]


def _minus(a: Parts, b: Parts) -> list[Tensor]:
    return [x - y for x, y in zip(a, b, strict=True)]
