"""What a layer's outputs lose with each of its words, on given images, if the other words make up for it.

The optimal brain surgeon (B. Hassibi and D. Stork, NeurIPS 1992), for each layer on its own: with H the
second moments of a layer's inputs, leaving weight w out costs w² / [H⁻¹] of its place. In the spectral domain
H falls apart into a matrix over input channels for every word; in dot mode it is one over features. Means are
left out of H, since a bias makes up for them.

Little is known of channels that are dark on all images, and they should not look free: a share of the mean of
H's diagonal is added to it, as is usual (E. Frantar and D. Alistarh, arXiv:2301.00774).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from hw.contract.spectrum import DUAL_REAL, WORDS
from pruning.layers.pointwise import PointwiseConv2d
from pruning.layers.spectral import SpectralConv2d
from pruning.layers.word_layers import WordLayer
from pruning.quant.calibration import evaluating

DAMPING = 0.01
"""Of the mean of a matrix's diagonal, added to it."""

MOST = 1024
"""Rows of a matrix that is inverted: longer inputs are split, as if the parts had nothing in common."""


@torch.no_grad()
def saliencies(
    model: nn.Module,
    layers: Mapping[str, WordLayer],
    images: Tensor,
    batch: int,
    report: Callable[[int, int], None] | None = None,
) -> dict[str, Tensor]:
    """(out, in, 32) per layer, -1 where there is no word: what every word is worth on ``images``.

    Runs ``model`` in eval mode, ``batch`` images at a time; ``report(images done, in all)``.
    """
    moments = {name: Moments(layer) for name, layer in layers.items()}
    handles = [
        layer.register_forward_pre_hook(lambda _, inputs, name=name: moments[name].add(inputs[0]))
        for name, layer in layers.items()
    ]
    try:
        with evaluating(model):
            for first in range(0, len(images), batch):
                model(images[first : first + batch])
                if report:
                    report(min(first + batch, len(images)), len(images))
    finally:
        for handle in handles:
            handle.remove()
    return {name: layer.energy(layer.weight * moments[name].costs().sqrt()) for name, layer in layers.items()}


class Moments:
    """Second moments of the inputs of ``layer``, about their mean, over all that is added."""

    def __init__(self, layer: WordLayer) -> None:
        self.layer = layer
        self.count = 0
        self.sums: list[Tensor] = []
        self.products: list[Tensor] = []

    def add(self, x: Tensor) -> None:
        """``x``: what the layer gets."""
        parts = self._bins(x).split(MOST, dim=2)
        sums = [part.sum(1) for part in parts]
        products = [part.mH @ part for part in parts]
        if self.count:
            sums = [a + b for a, b in zip(self.sums, sums, strict=True)]
            products = [a + b for a, b in zip(self.products, products, strict=True)]
        self.sums, self.products = sums, products
        self.count += parts[0].shape[1]

    def _bins(self, x: Tensor) -> Tensor:
        """(bins, samples, inputs): numbers that are summed up over inputs with a weight each.

        Of a convolution complex: the words, and behind them the second parts of dual-real ones.
        """
        if isinstance(self.layer, PointwiseConv2d):
            step = self.layer.spec.stride
            return x[:, :, ::step, ::step].transpose(0, 1).flatten(1).T[None]
        if not isinstance(self.layer, SpectralConv2d):
            return x[None]
        words = self.layer.spectrum(x).view(WORDS, 2, -1, x.shape[1])
        dual = list(DUAL_REAL)
        second = words[dual, 1]
        real, imaginary = words[:, 0], words[:, 1].clone()
        imaginary[dual] = 0
        return torch.complex(torch.cat([real, second]), torch.cat([imaginary, torch.zeros_like(second)]))

    def costs(self) -> Tensor:
        """1 / [H⁻¹] of every weight, in the shape of an output's: (in, 32, 2), (in, 1, 1) or (features,)."""
        found = torch.cat([self._inverse(*pair) for pair in zip(self.sums, self.products, strict=True)], 1)
        if not isinstance(self.layer, SpectralConv2d):
            return found[0].view(self.layer.weight.shape[1:])
        costs = found[:WORDS, :, None].repeat(1, 1, 2)
        costs[list(DUAL_REAL), :, 1] = found[WORDS:]
        return costs.transpose(0, 1)

    def _inverse(self, sums: Tensor, products: Tensor) -> Tensor:
        """(bins, inputs): 1 / [H⁻¹], of sums (bins, inputs) and products (bins, inputs, inputs)."""
        wide = torch.complex128 if products.is_complex() else torch.float64
        mean = (sums / self.count).to(wide)
        moments = products.to(wide) / self.count - mean.conj()[:, :, None] * mean[:, None]
        diagonal = moments.diagonal(dim1=1, dim2=2).real
        damped = (DAMPING * diagonal.mean(1)).clamp(min=1e-12)
        moments.diagonal(dim1=1, dim2=2).add_(damped[:, None])
        inverse = torch.linalg.inv(moments).diagonal(dim1=1, dim2=2).real
        return (1 / inverse).to(self.layer.weight)
