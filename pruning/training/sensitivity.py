"""How much each layer minds being sparse, or having few bits: what is lost when it alone is.

The scan of S. Han et al. (arXiv:1506.02626, section 4) in the spectral domain, by one projection; that of
Y. Cai et al. (arXiv:2001.00281) for bits, by one quantisation. Without retraining the losses are far above
those of a finished network; what counts is how they compare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from hw.contract.artifact import Sparsity
from hw.contract.network import Network
from pruning import sets
from pruning.layers.word_layers import to_word_layers_
from pruning.quant.quantise import Calibrated
from pruning.training.augment import to_float
from pruning.training.precision import cast
from pruning.training.train import Labelled

Report = Callable[[int, int, str], None]
"""Called with (options of layers done, in all, layer)."""


@dataclass(frozen=True)
class Scanning:
    """Progress of a scan, or of the job that it is a part of: ``done`` 0..1. ``of``: what ``layer`` minds."""

    done: float
    layer: str
    of: str
    accuracy: None = None

    def describe(self) -> str:
        """For a progress bar."""
        return f"how much {self.layer} minds {self.of}"


@torch.no_grad()
def scan(
    model: nn.Module,
    network: Network,
    data: Labelled,
    options: Mapping[str, Sequence[Sparsity]],
    *,
    precision: str = "float32",
    batch: int = 256,
    report: Report | None = None,
) -> dict[str, list[float]]:
    """Mean cross entropy over ``data`` minus that of the whole network, per layer and option.

    Swaps the layers named in ``options`` for word layers; leaves weights and masks as they were.
    """
    layers = to_word_layers_(model, network, options)
    model.eval()
    whole = mean_loss(model, data, precision, batch)
    count, done = sum(map(len, options.values())), 0
    found: dict[str, list[float]] = {}
    for name, layer in layers.items():
        energy, mask = layer.energy(layer.weight), layer.mask.clone()
        found[name] = []
        for option in options[name]:
            if report:
                report(done, count, name)
            if sets.of(option).kind != "dense":
                layer.mask.copy_(sets.mask(energy, option))
            found[name].append(mean_loss(model, data, precision, batch) - whole)
            layer.mask.copy_(mask)
            done += 1
    return found


@torch.no_grad()
def scan_bits(
    calibrated: Calibrated,
    images: torch.Tensor,
    weight_bits: int,
    widths: Sequence[int],
    *,
    batch: int = 256,
    report: Report | None = None,
) -> dict[str, list[float]]:
    """How far class probabilities move, per layer and width: one layer has it, all others ``weight_bits``.

    The mean over ``images`` (n, C, H, W, uint8) of the Kullback-Leibler divergence from the probabilities
    with ``weight_bits`` everywhere, at least 0; the model computes as the hardware does. Labels would add
    noise: the cross entropy of a trained network falls about as often as it rises by a little rounding.

    Leaves fake-quant layers in the model, whose widths mean nothing.
    """

    def logarithms(layer_bits: Mapping[str, int]) -> torch.Tensor:
        calibrated.fake_quantise_(weight_bits, layer_bits)
        model = calibrated.model.eval()
        return torch.cat([model(to_float(x)).log_softmax(1) for x in images.split(batch)])

    whole = logarithms({})
    found: dict[str, list[float]] = {}
    done, count = 0, len(widths) * len(calibrated.layers)
    for name in calibrated.layers:
        found[name] = []
        for bits in widths:
            if report:
                report(done, count, name)
            moved = whole if bits == weight_bits else logarithms({name: bits})
            found[name].append(
                max(0.0, float(F.kl_div(moved, whole, log_target=True, reduction="batchmean")))
            )
            done += 1
    return found


@torch.no_grad()
def mean_loss(model: nn.Module, data: Labelled, precision: str, batch: int) -> float:
    """Mean cross entropy of ``data``, as it is."""
    total = 0.0
    for x, y in zip(data.images.split(batch), data.labels.split(batch), strict=True):
        with cast(precision, x.device):
            scores = model(to_float(x))
        total += float(F.cross_entropy(scores.float(), y.long(), reduction="sum"))
    return total / len(data)
