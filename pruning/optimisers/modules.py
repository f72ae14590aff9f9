"""Prune the convolutions of any model: in the spectral domain, for training only."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning import sets
from pruning.layers.spectral import SpectralConv2d
from pruning.layers.word_layers import submodule, widen_
from pruning.optimisers import AdmmConfig, Pruner, Targets


def prune_modules_(
    model: nn.Module, config: Targets | None = None, names: Sequence[str] | None = None
) -> Pruner:
    """Swap convolutions of any ``model`` in place for spectral ones and start to prune them.

    ``names`` are the paths of the convolutions in ``model``; without them it is all that have a spectral form
    (:meth:`SpectralConv2d.from_conv`) but those of 1×1, which it gives nothing. ``config`` chooses sets and
    optimiser, as in :func:`pruning.prune_`; its ``layers`` are paths, too.

    Use this to study what pruning costs a network that the hardware does not run (:func:`pruning.convert`
    says what is in its way), or one that you would rather not convert. Raises ``ConfigError`` for paths that
    are not there and for patterns that remove channels, because who reads a channel is not known here;
    ``UnsupportedNetwork`` for a named layer that has no spectral form.
    """
    config = config or AdmmConfig()
    widen_(model)
    layers: dict[str, SpectralConv2d] = {}
    for path in names if names is not None else _candidates(model):
        module = submodule(model, path)
        if isinstance(module, nn.Conv2d):
            try:
                module = SpectralConv2d.from_conv(module, name=path, relu=False)
            except UnsupportedNetwork:
                if names is not None:
                    raise
                continue
        if not isinstance(module, SpectralConv2d):
            raise UnsupportedNetwork(f"layer {path!r} is a {type(module).__name__}, not a convolution")
        model.set_submodule(path, module)
        layers[path] = module
    if unknown := sorted(set(config.layers) - set(layers)):
        raise ConfigError(f"no spectral convolution is called {unknown[0]!r}: there are {', '.join(layers)}")
    for path in layers:
        if (chosen := sets.of(config.sparsity(path))).removes_channels:
            raise ConfigError(
                f"layer {path!r}: {chosen.kind} sparsity removes channels, and in a model of any shape "
                "others may read them: use a pattern that keeps them, like adaptive"
            )
    return config.start(layers)


def _candidates(model: nn.Module) -> list[str]:
    """Convolutions worth a transform, and those in spectral form already."""
    return [
        path
        for path, module in model.named_modules()
        if isinstance(module, SpectralConv2d)
        or (isinstance(module, nn.Conv2d) and module.kernel_size != (1, 1))
    ]
