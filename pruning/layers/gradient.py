"""The optimisers of training, with steps of equal size in space for spectral and ordinary weights."""

from __future__ import annotations

import torch
from torch import nn

from hw.contract.spectrum import TILE
from pruning.layers.layout import words_first
from pruning.layers.spectral import SpectralConv2d

OPTIMISERS = ("adam", "sgd")

MOMENTUM = 0.9


def optimiser_for(model: nn.Module, name: str, lr: float, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    """``adam``, or ``sgd`` with Nesterov's momentum, over all parameters of ``model``.

    An 8×8 spectrum is 8 times as large as the unitary transform's. Adam's step does not follow a
    parameter's scale, so spectra get 8 times the learning rate; the gradient of a spectrum is 1/32 of the
    kernel's that it stands for (a word counts twice, over 64 pixels), so sgd's get 32 times. The factor is
    a group's ``scale``. Weights are pulled to zero by ``weight_decay``, equally in space; biases and norms,
    parameters of one dimension, are not.

    Clear gradients with ``model.zero_grad()``: fused optimisers copy what does not lie in memory in order,
    so they get spectra as views that do, and the views' gradients before every step.
    """
    spectra = [m.weight for m in model.modules() if isinstance(m, SpectralConv2d)]
    known = {id(p) for p in spectra}
    aliases = [words_first(p.detach()) for p in spectra]
    others = [p for p in model.parameters() if id(p) not in known]
    factor = TILE if name == "adam" else TILE**2 // 2
    groups = [
        {"params": [p for p in others if p.dim() > 1], "scale": 1, "weight_decay": weight_decay},
        {"params": [p for p in others if p.dim() <= 1], "scale": 1, "weight_decay": 0.0},
        {"params": aliases, "scale": factor, "weight_decay": weight_decay / factor},
    ]
    groups = [group for group in groups if group["params"]]
    if name == "adam":
        optimiser: torch.optim.Optimizer = torch.optim.AdamW(groups, lr=lr, fused=True)
    else:
        optimiser = torch.optim.SGD(groups, lr=lr, momentum=MOMENTUM, nesterov=True, fused=True)

    def pass_gradients(*_: object) -> None:
        for parameter, alias in zip(spectra, aliases, strict=True):
            alias.grad = None if parameter.grad is None else words_first(parameter.grad)

    optimiser.register_step_pre_hook(pass_gradients)
    return optimiser
