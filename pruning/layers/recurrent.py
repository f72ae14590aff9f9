"""``RecurrentMatrix``: a weight matrix of an ``nn.LSTM``, ``nn.GRU`` or ``nn.RNN``, pruned entry by entry
or in groups of them.

The layer stays PyTorch's own: the matrix is one of its parametrisations (``torch.nn.utils.parametrize``),
which puts pruned weights at zero whenever the layer reads it. It has no spectral form, and the accelerator
no recurrent layers: this is for training alone.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn.utils import parametrize

from hw.util.errors import ConfigError, UnsupportedNetwork

MATRICES = ("weight_ih", "weight_hh", "weight_hr")
"""How the names of a recurrent layer's matrices begin: of inputs, of the state, of a projection."""


class RecurrentMatrix(nn.Module):
    """The matrix ``name`` of ``layer``: of an LSTM (4·hidden, in), of a GRU (3·hidden, in), gates one below
    the other.

    Members: ``weight``, the parameter that trains; ``mask`` (out, in, 1) bool, a word of one weight each.
    :meth:`of` makes it a part of its layer.
    """

    mask: torch.Tensor
    metric: torch.Tensor
    awaits_finalise = False
    """Whether pruning has begun and the mask is not that of its end yet."""

    def __init__(self, layer: nn.RNNBase, name: str) -> None:
        super().__init__()
        weight = getattr(layer, name)
        self.name = name
        object.__setattr__(self, "_layer", layer)  # not a part of this module: it is the other way round
        self.register_buffer("mask", torch.ones(*weight.shape, 1, dtype=torch.bool, device=weight.device))
        self.register_buffer("metric", torch.ones((), device=weight.device), persistent=False)

    @classmethod
    def of(cls, layer: nn.Module, name: str) -> RecurrentMatrix:
        """The matrix ``name`` of ``layer``; the one that it has already, if there is one.

        Raises ``UnsupportedNetwork`` for a layer that is not recurrent, ``ConfigError`` for a name that is
        none.
        """
        if not isinstance(layer, nn.RNNBase):
            raise UnsupportedNetwork(f"a {type(layer).__name__} is no LSTM, GRU or RNN")
        if name not in matrices(layer):
            raise ConfigError(f"{layer} has no matrix {name!r}: there are {', '.join(matrices(layer))}")
        if parametrize.is_parametrized(layer, name):
            held = layer.parametrizations[name]
            if len(held) == 1 and isinstance(held[0], cls):
                return cast("RecurrentMatrix", held[0])
            raise UnsupportedNetwork(f"{name!r} of {layer} has another parametrisation: remove it first")
        matrix = cls(layer, name)
        parametrize.register_parametrization(layer, name, matrix)
        return matrix

    @property
    def weight(self) -> torch.Tensor:
        """The parameter, pruned weights as they were left."""
        original: torch.Tensor = self._layer.parametrizations[self.name].original
        return original

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight * self.gate(self.mask)

    def gate(self, mask: torch.Tensor) -> torch.Tensor:
        """A mask (out, in, 1) in the shape of the weight."""
        return mask[..., 0]

    def energy(self, weight: torch.Tensor) -> torch.Tensor:
        """(out, in, 1): squares."""
        return weight.square()[..., None]


def matrices(layer: nn.RNNBase) -> list[str]:
    """The names of its weight matrices, of all layers and directions."""
    names = [name for names in layer._all_weights for name in names]
    return [name for name in names if name.startswith(MATRICES)]


def make_permanent_(model: nn.Module) -> None:
    """Leave every pruned matrix of ``model`` as an ordinary parameter with its zeros in it."""
    for layer in [module for module in model.modules() if isinstance(module, nn.RNNBase)]:
        for name in matrices(layer):
            if parametrize.is_parametrized(layer, name):
                held = layer.parametrizations[name]
                if any(isinstance(part, RecurrentMatrix) for part in held):
                    parametrize.remove_parametrizations(layer, name)
