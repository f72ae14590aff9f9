"""How much each layer minds being sparse: the loss when it alone is pruned, by one projection.

The scan of S. Han et al. (arXiv:1506.02626, section 4) in the spectral domain. Without retraining the
losses are far above those of a finished network; what counts is how they compare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from hw.artifact import Sparsity
from hw.network import Network
from pruning import sets
from pruning.augment import to_float
from pruning.train import Labelled, cast
from pruning.word_layers import to_word_layers_

Report = Callable[[int, int, str], None]
"""Called with (layers and densities done, in all, layer)."""


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
def mean_loss(model: nn.Module, data: Labelled, precision: str, batch: int) -> float:
    """Mean cross entropy of ``data``, as it is."""
    total = 0.0
    for x, y in zip(data.images.split(batch), data.labels.split(batch), strict=True):
        with cast(precision):
            scores = model(to_float(x))
        total += float(F.cross_entropy(scores.float(), y.long(), reduction="sum"))
    return total / len(data)
