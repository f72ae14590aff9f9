"""The scales of a layer: as fine as its weights allow, as coarse as the fields of the hardware need.

A channel's weight step s_n is the finest with which its largest weight fits. It has to be coarser where

* the bias, unit · bias / s_n, needs more than 32 bits (:func:`bias_steps`; fake-quant rounds it);
* the largest activation does not come down to 8 bits with a shift of 31;
* a float32, in which all of this is computed, has no such numbers.

Weights then lose steps that the output could hardly have shown: ``docs/numbers.md``, "Scales".
"""

from __future__ import annotations

from functools import cache

import torch

from hw.contract.formats import BIAS, MAX_DRAIN_SHIFT, POST_SHIFT, PRODUCT_SUM, Format, activation_format
from hw.util.errors import ConfigError
from pruning.layers.word_layers import WordLayer

SCORE_HEADROOM = 4
"""Class scores reach 1/4 of their 18 bits on the calibration images."""

FINEST = 2.0**-120
"""Smallest weight step."""

INTEGRAL = 1e-3
"""By how much a weight may differ from a whole number of steps, as a share of one."""

FINEST_PART = 2.0**-100
"""Smallest part of an input's step that a weight step is: their quotients stay finite in float32."""


@cache
def float_limits(fmt: Format, dtype: torch.dtype) -> tuple[float, float]:
    """The outermost values of ``fmt`` that ``dtype`` has: as a float32, 2**31 - 1 would be 2**31."""
    low, high = fmt.limits
    rounded = torch.tensor(high, dtype=dtype)
    if int(rounded) > high:
        rounded = rounded.nextafter(torch.zeros_like(rounded))
    return float(low), float(rounded)


LARGEST_BIAS = float_limits(BIAS, torch.float32)[1]


def bias_steps(bias: torch.Tensor, scale: torch.Tensor, unit: float) -> torch.Tensor:
    """(out,) a bias in accumulator steps, ``unit`` of them per weight step; not yet rounded or bounded."""
    return unit * bias / scale


def choose(
    layer: WordLayer,
    in_scale: torch.Tensor,
    top: torch.Tensor,
    bits: int,
    unit: float,
    *,
    last: bool = False,
    exact: bool = False,
    step: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(scale, shift) of every output channel, both (out,), float32.

    in_scale: real value of one step of every input channel (or feature). top: the largest activation of every
    output, positive. unit: accumulator steps per output step of one. last: all outputs get the same, or they
    could not be compared. exact: ``top`` is to be the largest output that there is. step: real value that all
    weights of a ``last`` layer are multiples of, if anyone knows one.

    scale is the real value of a weight step; shift is the smallest with which ``top`` fits, 0 to 31.
    Raises ``ConfigError`` where no float32 has the scale.
    """
    if last:
        top = top.max().expand_as(top)
    limit = output_limit(layer, last)
    least = torch.maximum(
        bias_steps(layer.bias.abs(), torch.full_like(top, LARGEST_BIAS), unit),
        top / (limit * 2.0**MAX_DRAIN_SHIFT),
    ).clamp(min=max(FINEST, FINEST_PART * float(in_scale.max())))
    scale = torch.maximum(wanted(layer, in_scale, top, bits, last), least)
    if last:
        scale = scale.max().expand_as(scale)
        scale = _multiples(layer, in_scale, step, bits, scale)
    shift = (top / scale / limit).log2().ceil().clamp(0, MAX_DRAIN_SHIFT)
    if exact:
        scale, shift = _exactly(scale, top, limit)
    elif layer.spec.clip is not None:
        scale, shift = _clipped(scale, shift, top, layer.spec.clip, limit)
    largest = scale * 2**shift * limit
    if not bool(torch.isfinite(largest).all()):
        raise ConfigError(
            f"layer {layer.spec.name!r}: its outputs reach {float(top.max()):.3g}, or its weights are so "
            "large, that no 32-bit float is their scale: rescale the weights of the layers"
        )
    return scale, shift


def _clipped(
    scale: torch.Tensor, shift: torch.Tensor, top: torch.Tensor, clip: float, limit: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scales of channels that reach ``clip`` made coarser, so that it is their largest output."""
    lower = (shift - 1).clamp(min=0)
    coarser = clip / (limit * 2**lower)
    reaches = (top >= clip * (1 - 1e-6)) & (coarser >= scale)
    return torch.where(reaches, coarser, scale), torch.where(reaches, lower, shift)


def _exactly(scale: torch.Tensor, top: torch.Tensor, limit: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Scales made coarser, by less than twice, with which ``top`` is the largest output; those with which it
    could only be less stay."""
    shift = (top / scale / limit).log2().add(1e-5).floor().clamp(0, MAX_DRAIN_SHIFT)
    wanted = top / (limit * 2**shift)
    return torch.where(wanted >= scale * (1 - 1e-5), wanted, scale), shift


def _multiples(
    layer: WordLayer, in_scale: torch.Tensor, step: float | None, bits: int, scale: torch.Tensor
) -> torch.Tensor:
    """``scale``, or one that makes integer weights multiples of ``step``, if they are, and fit as such."""
    if step is None or not layer.spec.dot or not bool((in_scale == in_scale[0]).all()):
        return scale
    whole = layer.weight * layer.gate(layer.mask) / step
    near = bool(((whole - whole.round()).abs() <= INTEGRAL).all())
    same = (in_scale[0] * step).expand_as(scale)
    fits = bool((whole.round().abs() <= Format(bits).limits[1]).all()) and bool(
        (same >= scale * (1 - 1e-5)).all()
    )
    return same if near and fits else scale


def output_limit(layer: WordLayer, last: bool) -> float:
    """The largest output, in weight steps shifted by ``shift``."""
    if last and layer.spec.dot:
        return PRODUCT_SUM.limits[1] / SCORE_HEADROOM
    return activation_format(layer.spec.signed).limits[1] * (1 if layer.spec.transformed else 2**POST_SHIFT)


def wanted(
    layer: WordLayer, in_scale: torch.Tensor, top: torch.Tensor, bits: int, last: bool
) -> torch.Tensor:
    """(out,) the step with which the largest folded weight is the largest integer.

    A channel with no weights at all needs a step for its bias alone, that which makes it the largest
    integer; but none larger than the layer's outputs, or the next layer's weights would pay for it, and none
    where all outputs share one (``last``), or the others' would.
    """
    spread = in_scale if layer.spec.dot else in_scale.view(-1, 1, 1)
    kept = layer.weight * layer.gate(layer.mask) * spread
    largest = kept.abs().flatten(1).amax(1)
    if not (last and bool((largest > 0).any())):
        most = float(top.max())
        largest = torch.where(largest > 0, largest, layer.bias.abs().clamp(min(1e-6, most / 1000), most))
    return largest / Format(bits).limits[1]
