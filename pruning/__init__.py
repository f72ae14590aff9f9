"""The offline half: learn a pruned spectral network and turn it into the integers the hardware sees.

Everything here imports torch, except :mod:`pruning.data` (numpy, Pillow), :mod:`pruning.transfer.search`
(the same) and this file itself, whose names are loaded on first use::

    model = NetworkModel(network)                     # layers/models.py: any hw.contract Network
    network, model = convert(module, (3, 32, 32))     # importers/: any torch module that can be one
    network, model = from_onnx("model.onnx")          # importers/: or a file
    sort_channels_(model, network)                    # quant/channel_order.py: like with like
    pruner = prune_(model, network, AdmmConfig(...))  # optimisers/: your own training loop follows
    loss = cross_entropy(model(x), y) + pruner.penalty()     # every batch, and now and then pruner.step()
    pruner.finalise()                                 # masks are held exactly from here on
    fold_batch_norms_(model, network)                 # quant/batch_norm_folding.py: none are left
    quantise_(model, network, images)                 # quant/quantise.py: fake-quant
    artifact = to_artifact(model, network, ...)       # quant/export.py: model.npz

    compress_(model, network, images, targets)        # post_training/: prune without training; then quantise_

:func:`pruning.training.run.run` does all of it as a recipe says (:mod:`pruning.training.recipe_file`).
Models that the hardware cannot run are pruned with :func:`pruning.optimisers.modules.prune_modules_`
(:mod:`pruning.layers.resnet` has some), recurrent layers with
:func:`pruning.optimisers.recurrent.prune_recurrent_`.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "AdmmConfig": "optimisers",
    "Admm": "optimisers",
    "NetworkModel": "layers.models",
    "MagnitudeConfig": "optimisers",
    "MaskedLinear": "layers.linear",
    "PointwiseConv2d": "layers.pointwise",
    "ProximalConfig": "optimisers",
    "ReweightedConfig": "optimisers",
    "compress_": "post_training.compress",
    "SpectralConv2d": "layers.spectral",
    "convert": "importers.traced",
    "fold_batch_norms_": "quant.batch_norm_folding",
    "from_onnx": "importers.onnx_file",
    "prune_": "optimisers",
    "prune_modules_": "optimisers.modules",
    "prune_recurrent_": "optimisers.recurrent",
    "quantise_": "quant.quantise",
    "resnet18": "layers.resnet",
    "resnet20": "layers.resnet",
    "sort_channels_": "quant.channel_order",
    "summary": "training.summary",
    "to_artifact": "quant.export",
    "from_artifact": "quant.from_artifact",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"pruning.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pruning' has no attribute {name!r}")
