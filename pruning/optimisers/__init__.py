"""Optimisers that reach a constraint set, with one interface (:class:`pruning.optimisers.base.Pruner`).

========== ====================== ==========================================================
name       configuration          how
========== ====================== ==========================================================
admm       ``AdmmConfig``         a copy in the set and a multiplier pull the weights
proximal   ``ProximalConfig``     a copy that nears the set, step by step, pulls the weights
reweighted ``ReweightedConfig``   small groups of words are pulled to zero, ever harder
magnitude  ``MagnitudeConfig``    one projection, then fine-tuning
========== ====================== ==========================================================

The type of a configuration chooses the optimiser; all of them have the targets, a constraint set per
layer.
"""

from __future__ import annotations

from torch import nn

from hw.contract.network import Network
from hw.util.errors import ConfigError
from pruning import sets
from pruning.layers.word_layers import to_word_layers_
from pruning.optimisers.admm import Admm, AdmmConfig
from pruning.optimisers.base import Pruner, Residuals, Targets
from pruning.optimisers.magnitude import Magnitude, MagnitudeConfig
from pruning.optimisers.proximal import Proximal, ProximalConfig
from pruning.optimisers.reweighted import Reweighted, ReweightedConfig

__all__ = [
    "CONFIGS",
    "Admm",
    "AdmmConfig",
    "Magnitude",
    "MagnitudeConfig",
    "Proximal",
    "ProximalConfig",
    "Pruner",
    "Residuals",
    "Reweighted",
    "ReweightedConfig",
    "Targets",
    "prune_",
]

CONFIGS: dict[str, type[Targets]] = {
    config.name: config for config in (AdmmConfig, ProximalConfig, ReweightedConfig, MagnitudeConfig)
}
"""Configurations by the name of their optimiser."""


def prune_(model: nn.Module, network: Network, config: Targets | None = None) -> Pruner:
    """Swap the layers of ``model`` that are to be pruned in place for word layers and start to prune them.

    Where a constraint set removes channels, all layers are swapped, since others read those channels.
    ``model`` has one ``nn.Conv2d`` or ``nn.Linear`` per layer of ``network``, under its name. ``config``
    chooses the optimiser: without one, ADMM with its defaults.
    Raises ``ConfigError`` for names that are not there, ``UnsupportedNetwork`` for layers that differ.
    """
    config = config or AdmmConfig()
    going = [layer.name for layer in network.layers if sets.of(config.sparsity(layer.name)).removes_channels]
    if going and not network.chain:
        raise ConfigError(
            f"layer {going[0]!r}: {config.sparsity(going[0]).kind} sparsity removes channels, and "
            f"in network {network.name!r}, which has branches, others may read them: use a pattern that "
            "keeps them, like adaptive"
        )
    names = [layer.name for layer in network.layers]
    if unknown := set(config.layers) - set(names):
        raise ConfigError(f"no layer is called {sorted(unknown)[0]!r}: the network has {', '.join(names)}")
    chosen = {layer.name: sets.of(config.sparsity(layer.name)) for layer in network.layers}
    for layer in network.layers:
        kind = chosen[layer.name].kind
        if chosen[layer.name].convolutions_only and layer.dot:
            raise ConfigError(
                f"layer {layer.name!r}: {kind} sparsity is for convolutions, use uniform or adaptive"
            )
        if chosen[layer.name].among_words and layer.pointwise:
            raise ConfigError(
                f"layer {layer.name!r}: {kind} sparsity chooses among the words of a kernel, and those of a "
                "pointwise convolution have one, use uniform or adaptive"
            )
    pruned = [name for name, kept in chosen.items() if kept.kind != "dense"]
    removing = any(kept.removes_channels for kept in chosen.values())
    return config.start(to_word_layers_(model, network, names if removing else pruned))
