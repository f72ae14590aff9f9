"""Prune a trained model at once and without labels, so that its layers go on giving what they gave.

Masks first, on the dense model: every layer's constraint set, on the saliency of its words. Then layer by
layer, from the images on, what stays is refitted: a layer gets what the pruned layers before it make, and is
to give what the dense one gave (Y. He et al., arXiv:1707.06168, section 3.3, have it so for channels).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from hw.contract.network import Network
from pruning.layers.models import NetworkModel, first_map
from pruning.layers.word_layers import WordLayer, to_word_layers_
from pruning.optimisers import Pruner, Targets, prune_
from pruning.optimisers.magnitude import Magnitude
from pruning.post_training.refit import refit_
from pruning.post_training.saliency import saliencies
from pruning.quant.batch_norm_folding import fold_batch_norms_

MAP_BYTES = 1 << 26
"""Of the largest map of the images that go through a layer at a time; its spectra take ten times as much."""

MOST_BYTES = 1 << 28
"""Of the largest map of all images together: a few of that size are kept at a time."""

FEWEST = 8
"""Images that are taken all the same."""

HELD = 4
"""Of so many images one is not fitted."""

Report = Callable[[float, str], None]
"""Called with (share done, what is being done)."""


@dataclass(frozen=True)
class SaliencyConfig(Targets):
    """What to prune, by given saliencies (out, in, 32) of every layer that is."""

    name: ClassVar[str] = "saliency"

    saliencies: Mapping[str, Tensor] = field(default_factory=dict)

    def start(self, layers: Mapping[str, WordLayer]) -> Pruner:
        return _BySaliency(layers, self)


class _BySaliency(Magnitude):
    """One projection, of saliencies in place of energies."""

    config: SaliencyConfig

    def energy(self, name: str, weight: Tensor) -> Tensor:
        return self.config.saliencies[name]


@torch.no_grad()
def compress_(
    model: NetworkModel, network: Network, images: Tensor, targets: Targets, report: Report | None = None
) -> None:
    """Fold batch norms and bring ``model`` into the constraint sets of ``targets``, in place.

    ``images`` (n, C, H, W), real, as the model takes them; some of them are left out where maps are large.
    Layers in groups keep their weights. Raises as :func:`pruning.prune_` does.
    """
    model.eval()
    fold_batch_norms_(model, network)
    layers = to_word_layers_(model, network)
    pruned = {name: layer for name, layer in layers.items() if targets.sparsity(name).kind != "dense"}
    if not pruned:
        return
    say = report or (lambda done, what: None)
    largest = 4 * max(math.prod(shape) for shape in (*network.maps, *network.inputs))
    few = images[:: -(-len(images) // max(FEWEST, MOST_BYTES // largest))]
    batch = max(1, MAP_BYTES // largest)
    found = saliencies(
        model, pruned, few, batch, lambda done, count: say(0.2 * done / count, "weighing words")
    )
    dense = copy.deepcopy(model)
    prune_(model, network, SaliencyConfig(targets.default, targets.layers, found)).finalise()
    for number, layer in enumerate(_refitted(model, dense, network, few, batch)):
        say(0.2 + 0.8 * number / len(layers), f"refitting {layer}")


def _refitted(
    model: NetworkModel, dense: NetworkModel, network: Network, images: Tensor, batch: int
) -> Iterator[str]:
    """Refit the layers of ``model`` to ``dense``, from the first pruned one on; gives the name of every layer
    before its turn."""
    device = next(model.parameters()).device
    held = torch.arange(len(images)) % HELD == 0
    parts = [part.to(device) for some in (images[held], images[~held]) for part in some.split(batch)]
    split = -(-int(held.sum()) // batch)
    before = [{0: first_map(part, network)} for part in parts]
    after = [dict(maps) for maps in before]
    changed = False
    for i, layer in enumerate(network.layers):
        yield layer.name
        module, original = model.get_submodule(layer.name), dense.get_submodule(layer.name)
        changed = changed or not torch.equal(module.mask, original.mask)
        inputs, wanted = [], []
        for old, new in zip(before, after, strict=True):
            given, added = dense.given(i, old)
            got, brought = model.given(i, new)
            made = original(_seen(module, given))
            inputs.append(_seen(module, got))
            wanted.append(made if added is None or brought is None else made + added - brought)
            old[i + 1] = dense.finished(i, made, added, given.shape[2:])
        if changed and not layer.sparse:
            module.mask &= module.words(module.weight).abs().sum(-1) > 0  # a zero stays one: of a copy, say
            refit_(module, (inputs[split:], wanted[split:]), (inputs[:split], wanted[:split]))
        for new, x in zip(after, inputs, strict=True):
            got, brought = model.given(i, new)
            new[i + 1] = model.finished(i, module(x), brought, got.shape[2:])
        for maps in (*before, *after):
            for number in [n for n in maps if max(network.readers(n), default=i + 1) <= i]:
                del maps[number]


def _seen(layer: WordLayer, maps: Tensor) -> Tensor:
    """What the module of a layer takes of its input maps."""
    return maps.flatten(1) if layer.spec.dot else maps
