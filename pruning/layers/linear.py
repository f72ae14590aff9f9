"""``MaskedLinear``: a fully connected layer pruned word by word, as the array's dot mode runs it.

The hardware holds the input vector as channels of 8×8 pixels, two pixels to a word
(:class:`hw.contract.network.Dense`), and prunes whole words. The parameter stays the usual (out, in) matrix;
the word mask is looked up feature by feature, so absent words cost nothing in training.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from hw.contract.network import Dense, Shape
from hw.contract.spectrum import WORDS


class MaskedLinear(nn.Module):
    """A linear layer with a mask over words of its dot-mode layout.

    Parameters: ``spec`` and the ``shape`` (channels, height, width) of the map that feeds the layer.

    Raises ``UnsupportedNetwork`` when the map has another number of pixels or more than 8×8.

    Members: ``weight`` (out, features), ``bias`` (out,), ``mask`` (out, channels, 32) bool.
    ``forward`` takes (B, features), flattened as (channel, row, column), and returns (B, out).
    """

    weight: nn.Parameter
    bias: nn.Parameter
    mask: torch.Tensor
    metric: torch.Tensor
    awaits_finalise = False
    """Whether pruning has begun and the mask is not that of its end yet."""

    def __init__(self, spec: Dense, shape: Shape) -> None:
        super().__init__()
        spec.output(shape)  # refuses a shape that does not fit
        self.spec, self.shape = spec, shape
        self.channels = spec.weight_shape(shape)[1]
        channel, word, part = (torch.tensor(i) for i in spec.word_index(shape))
        bound = 1 / math.sqrt(spec.in_features)
        self.weight = nn.Parameter(torch.empty(spec.out_features, spec.in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(spec.out_features).uniform_(-bound, bound))
        present = torch.zeros(self.channels, WORDS, dtype=torch.bool)
        present[channel, word] = True
        self.register_buffer("mask", present.repeat(spec.out_features, 1, 1))
        for name, value in {"channel": channel, "word": word, "part": part, "present": present}.items():
            self.register_buffer(name, value, persistent=False)
        self.register_buffer("metric", torch.ones(()), persistent=False)

    @classmethod
    def from_linear(
        cls,
        linear: nn.Linear,
        shape: Shape,
        *,
        name: str = "fc",
        relu: bool = True,
        leak: int = 0,
        features: int = 0,
        clip: float | None = None,
    ) -> MaskedLinear:
        """The same layer after a map of ``shape``, or, if it has fewer inputs than ``features``, after the
        mean of every channel of it."""
        weight = linear.weight
        if linear.in_features < features:
            pixels = shape[1] * shape[2]
            weight = weight.repeat_interleave(pixels, 1) / pixels
        spec = Dense(name, weight.shape[1], linear.out_features, relu, clip, leak=leak)
        layer = cls(spec, shape).to(linear.weight)
        with torch.no_grad():
            layer.weight.copy_(weight)
            layer.bias.copy_(linear.bias if linear.bias is not None else torch.zeros_like(layer.bias))
        return layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, features) -> (B, out)
        return F.linear(x, self.kept(self.weight), self.bias)

    def kept(self, weight: torch.Tensor) -> torch.Tensor:
        """``weight`` with its pruned words at zero."""
        return weight * self.gate(self.mask)

    def gate(self, mask: torch.Tensor) -> torch.Tensor:
        """A word mask (out, channels, 32) feature by feature: (out, features)."""
        return mask[:, self.channel, self.word]

    def energy(self, weight: torch.Tensor) -> torch.Tensor:
        """(out, channels, 32): squared norm of every word, -1 where a word holds no input feature."""
        words = self.words(weight).square().sum(-1)
        return words.masked_fill(~self.present, -1.0)

    def words(self, weight: torch.Tensor) -> torch.Tensor:
        """``weight`` in the word layout (out, channels, 32, 2), zero where there is no feature."""
        out = weight.new_zeros(weight.shape[0], self.channels, WORDS, 2)
        out[:, self.channel, self.word, self.part] = weight
        return out

    def extra_repr(self) -> str:
        return f"{self.spec.in_features}, {self.spec.out_features}, after {self.shape}"
