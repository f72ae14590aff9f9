"""Fake-quant layers: the integer rules of ``docs/numbers.md`` in torch, with straight-through gradients.

A fake-quant layer wraps a word layer and computes with whole numbers held in floats: integer pixels, rounded
spectrum, integer weights and biases, the drain's rounding and saturation, rounded and clipped
outputs. In and out it speaks real activations (integer × scale), so it drops into the model where the word
layer was; a ReLU after it finds nothing left to do, or the slope of a leaky one. It differs from the hardware
only inside the two transforms, which are exact here and rounded at every stage there.

Gradients pass a rounding unchanged and a saturation only inside its limits (Y. Bengio et al.,
arXiv:1308.3432).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.functional import leaky_relu

from hw.contract.artifact import LayerWeights
from hw.contract.formats import (
    BIAS,
    POST_SHIFT,
    PRODUCT_SUM,
    SPECTRUM,
    SPECTRUM_FRACTION,
    Format,
    activation_format,
    exact_cast,
)
from hw.contract.narrow import no_shift
from hw.contract.network import Layer
from hw.contract.spectrum import TILE
from hw.host_interface.stream_format import WHITE
from pruning.layers.word_layers import WordLayer
from pruning.quant.scales import bias_steps, float_limits

TILE_BITS = TILE.bit_length() - 1


class _Requantise(torch.autograd.Function):
    """round_shift, then saturation: fused, because it runs over every word and pixel of a batch."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, factor: torch.Tensor | float, fmt: Format | None) -> torch.Tensor:
        y = (x * factor).add_(0.5).floor_()
        ctx.factor, ctx.inside = factor, None
        if fmt is not None:
            low, high = float_limits(fmt, y.dtype)
            smallest, largest = torch.aminmax(y)
            if smallest < low or largest > high:  # rare after the drain: save the mask's passes
                ctx.inside = (y >= low) & (y <= high)
                y.clamp_(low, high)
        return y

    @staticmethod
    def backward(ctx, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        if ctx.inside is not None:
            grad = grad * ctx.inside
        return grad * ctx.factor, None, None


def round_half_up(x: torch.Tensor, fmt: Format | None = None) -> torch.Tensor:
    """floor(x + 0.5), saturated to ``fmt``. The gradient passes unchanged, but not where it clips."""
    return _Requantise.apply(x, 1.0, fmt)


def requantise(x: torch.Tensor, shift: torch.Tensor | int, fmt: Format) -> torch.Tensor:
    """:func:`hw.contract.formats.round_shift` of whole numbers in floats, then saturation to ``fmt``.

    ``shift`` is a number or broadcasts to ``x``. With PRODUCT_SUM it is :func:`hw.contract.formats.drain`.
    """
    return _Requantise.apply(x, 0.5**shift, fmt)


class FakeQuant(nn.Module):
    """What all fake-quant layers share.

    Parameters: ``layer``, and the scales of :mod:`pruning.quant.quantise`: ``in_scale``, the real value
    of one step of every input channel (or feature), ``scale`` (out,), that of one weight step, and
    ``shift`` (out,), the drain's; ``weight_bits`` 2 to 16; ``spectrum_bits`` 8 to 16, and where they are less
    than 16 ``word_shift`` (32,), by how much each word of a convolution is cut.

    Members: ``out_scale`` (out,), the real value of one step of every output.
    """

    in_scale: torch.Tensor
    scale: torch.Tensor
    shift: torch.Tensor
    word_shift: torch.Tensor | None
    saturates = True
    """A clip behind it (``Conv.clip``) is left to its scales, as the hardware does."""
    bias_unit: float = 1
    """Accumulator steps per output step of one."""

    def __init__(
        self,
        layer: WordLayer,
        in_scale: torch.Tensor,
        scale: torch.Tensor,
        shift: torch.Tensor,
        weight_bits: int = 8,
        *,
        spectrum_bits: int = SPECTRUM.bits,
        word_shift: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.layer = layer
        # Packed products, which narrow spectra are for, take symmetric weights.
        self.format = Format(weight_bits, symmetric=spectrum_bits < SPECTRUM.bits)
        self.spectrum_format = Format(spectrum_bits)
        # A buffer only where there is one: checkpoints from before narrow spectra stay valid.
        self.register_buffer(
            "word_shift", None if word_shift is None else word_shift.detach().clone().float()
        )
        for name, value in {"in_scale": in_scale, "scale": scale, "shift": shift}.items():
            self.register_buffer(name, value.detach().clone().float())

    @property
    def spec(self) -> Layer:
        return self.layer.spec

    @property
    def out_scale(self) -> torch.Tensor:
        return self.scale * 2**self.shift

    def integer_bias(self) -> torch.Tensor:
        """(out,) in accumulator units, within the 32 bits of the hardware's field.

        Quantisation chose a scale with which it fits; training may move it to the limit, not beyond.
        """
        unit = self.unit_of(self.word_shift)
        return round_half_up(bias_steps(self.layer.bias, self.scale, unit) + self.left_over(), BIAS)

    def left_over(self) -> torch.Tensor | float:
        """(out,) what rounding takes from sums of inputs that are always the same, in accumulator units."""
        return 0.0

    @classmethod
    def unit_of(cls, word_shift: torch.Tensor | None) -> float:
        """Accumulator steps of word 0, as it is cut, per output step of one."""
        return cls.bias_unit if word_shift is None else cls.bias_unit / 2 ** int(word_shift[0])

    def integer_weight(self) -> torch.Tensor:
        """Whole numbers of ``format`` in the shape of the layer's parameter, pruned words zero."""
        raise NotImplementedError

    def integer_pixels(self, x: torch.Tensor) -> torch.Tensor:
        """Real activations back to the integers they stand for; ``x`` has channels in dimension 1."""
        return round_half_up(x / self.in_scale.view(-1, *[1] * (x.dim() - 2)))

    def pixels(self, y: torch.Tensor, shift: int) -> torch.Tensor:
        """Outputs ``y`` of the inverse transform as pixels, ``shift`` less fraction bits.

        Those of a leaky ReLU below zero are given in front of its slope: the model's own ReLU, which follows,
        makes pixels of them.
        """
        leak = self.layer.spec.leak
        fmt = activation_format(self.layer.spec.signed)
        if not leak:
            return requantise(y, shift, fmt)
        pixels = requantise(leaky_relu(y, 0.5**leak), shift, fmt)
        return leaky_relu(pixels, 2.0**leak)

    @torch.no_grad()
    def integers(self) -> LayerWeights:
        """The artifact's arrays of this layer. Raises ``ArtifactError`` for numbers that do not fit them."""
        words = self.layer.words(self.integer_weight())
        name = self.layer.spec.name
        return LayerWeights(
            exact_cast(words.cpu().numpy(), np.int16, f"{name}.weight"),
            exact_cast(self.integer_bias().cpu().numpy(), np.int32, f"{name}.bias"),
            exact_cast(self.shift.cpu().numpy(), np.uint8, f"{name}.shift"),
            no_shift()
            if self.word_shift is None
            else exact_cast(self.word_shift.cpu().numpy(), np.uint8, f"{name}.word_shift"),
        )


class FakeQuantConv2d(FakeQuant):
    """A :class:`SpectralConv2d` by the integer rules: (B, C, H, W) to (B, N, H', W')."""

    bias_unit = TILE**2 << SPECTRUM_FRACTION
    constant: tuple[int, ...] = ()
    """Input channels that are white wherever there is an image."""

    @torch.no_grad()
    def left_over(self) -> torch.Tensor | float:
        """Of a tile that is white in all of these: it has word 0 alone, and the bias takes up what the
        weights lose."""
        if not self.constant:
            return 0.0
        cut = 0 if self.word_shift is None else int(self.word_shift[0])
        white = min((WHITE * self.bias_unit + (1 << cut >> 1)) >> cut, self.spectrum_format.limits[1])
        channels = list(self.constant)
        exact = self.layer.weight * (self.in_scale.view(-1, 1, 1) / self.scale.view(-1, 1, 1, 1))
        exact = exact * self.layer.gate(self.layer.mask)
        return white * (exact - self.integer_weight())[:, channels, 0, 0].sum(1)

    def integer_weight(self) -> torch.Tensor:
        steps = self.layer.weight * (self.in_scale.view(-1, 1, 1) / self.scale.view(-1, 1, 1, 1))
        return round_half_up(steps, self.format) * self.layer.gate(self.layer.mask)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spectrum = self.layer.spectrum(self.integer_pixels(x))
        cut: torch.Tensor | int = -SPECTRUM_FRACTION
        shift = self.shift
        if self.word_shift is not None:
            cut, shift = self.word_shift.view(-1, 1, 1) + cut, shift - self.word_shift.view(-1, 1, 1, 1)
        spectrum = requantise(spectrum, cut, self.spectrum_format)
        acc = self.layer.products(spectrum, self.integer_weight())  # (32, 2, T, N)
        acc[0, 0] += self.integer_bias()
        words = requantise(acc, shift, PRODUCT_SUM)
        y = self.layer.tiles_to_map(words, x.shape[2:])  # 1/64 of the hardware's, which never divides
        return self.pixels(y, POST_SHIFT - 2 * TILE_BITS) * self.out_scale.view(-1, 1, 1)


class FakeQuantPointwise(FakeQuantConv2d):
    """A :class:`PointwiseConv2d` by the integer rules: nothing is rounded in front of the drain."""

    bias_unit = 1

    @property
    def out_scale(self) -> torch.Tensor:
        return self.scale * 2 ** (self.shift + POST_SHIFT)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        acc = self.layer.convolved(self.integer_pixels(x), self.integer_weight(), self.integer_bias())
        y = requantise(acc, self.shift.view(-1, 1, 1), PRODUCT_SUM)
        return self.pixels(y, POST_SHIFT) * self.out_scale.view(-1, 1, 1)


class FakeQuantLinear(FakeQuant):
    """A :class:`MaskedLinear` by the integer rules: (B, features) to (B, out).

    With ``scores`` set it is the last layer: the drained sums leave as 18-bit class scores.
    """

    def __init__(self, *args, scores: bool = False, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.scores = scores

    @property
    def out_scale(self) -> torch.Tensor:
        return self.scale * 2 ** (self.shift + (0 if self.scores else POST_SHIFT))

    def integer_weight(self) -> torch.Tensor:
        steps = self.layer.weight * (self.in_scale / self.scale[:, None])
        return self.layer.kept(round_half_up(steps, self.format))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        acc = F.linear(self.integer_pixels(x), self.integer_weight(), self.integer_bias())
        y = requantise(acc, self.shift, PRODUCT_SUM)
        if not self.scores:
            y = self.pixels(y, POST_SHIFT)
        return y * self.out_scale
