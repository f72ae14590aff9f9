"""Prune the recurrent layers of any model, for training only."""

from __future__ import annotations

from torch import nn

from hw.util.errors import ConfigError
from pruning import sets
from pruning.layers.recurrent import RecurrentMatrix, matrices
from pruning.layers.word_layers import widen_
from pruning.optimisers import AdmmConfig, Pruner, Targets


def prune_recurrent_(model: nn.Module, config: Targets | None = None) -> Pruner:
    """Begin to prune every matrix of the LSTMs, GRUs and RNNs in ``model``.

    They are called ``PATH.weight_ih_l0``, ``PATH.weight_hh_l0`` and so on, as in the model's ``state_dict``;
    ``config`` chooses sets and optimiser by these names, as in :func:`pruning.prune_`. All sets are taken but
    those that choose among the words of a kernel or remove channels. ``block`` is that of BLK-REW
    (arXiv:2001.08357): so many consecutive rows, units of one gate, lose the same columns. After ``finalise``
    :func:`pruning.layers.recurrent.make_permanent_` makes ordinary parameters of them.

    Raises ``ConfigError`` for names that are not there, for sets that are not taken, and for a model without
    a recurrent layer.
    """
    config = config or AdmmConfig()
    widen_(model)
    names = {
        f"{path}.{name}".lstrip("."): (layer, name)
        for path, layer in model.named_modules()
        if isinstance(layer, nn.RNNBase)
        for name in matrices(layer)
    }
    if not names:
        raise ConfigError("the model has no LSTM, GRU or RNN: prune_ and prune_modules_ take convolutions")
    if unknown := sorted(set(config.layers) - set(names)):
        raise ConfigError(f"no matrix is called {unknown[0]!r}: there are {', '.join(names)}")
    for name in names:
        chosen = sets.of(config.sparsity(name))
        if chosen.removes_channels:
            raise ConfigError(
                f"{name!r}: {chosen.kind} sparsity removes outputs, which the state of a recurrent layer "
                "needs: use a pattern that keeps them, like block"
            )
        if chosen.among_words or chosen.convolutions_only:
            raise ConfigError(
                f"{name!r}: {chosen.kind} sparsity chooses among the words of a kernel, and a matrix has "
                "none: use block, uniform, adaptive or unstructured"
            )
    pruned = [name for name in names if sets.of(config.sparsity(name)).kind != "dense"]
    return config.start({name: RecurrentMatrix.of(*names[name]) for name in pruned})
