"""What all optimisers have in common: targets, projections, fixed masks in the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, Protocol

import torch

from hw.contract.artifact import Sparsity
from hw.util.errors import ConfigError
from pruning import sets


class Prunable(Protocol):
    """What is pruned: a word layer (:data:`pruning.layers.word_layers.WordLayer`), a matrix
    (:class:`pruning.layers.recurrent.RecurrentMatrix`)."""

    awaits_finalise: bool

    @property
    def weight(self) -> torch.Tensor:
        """The parameter."""

    @property
    def mask(self) -> torch.Tensor:
        """(out, in, words): which words stay."""

    @property
    def metric(self) -> torch.Tensor:
        """What squares of the weight count in space, in a shape that broadcasts to it."""

    def gate(self, mask: torch.Tensor) -> torch.Tensor:
        """A mask in a shape that broadcasts to the weight."""

    def energy(self, weight: torch.Tensor) -> torch.Tensor:
        """(out, in, words): of every word, -1 where there is none."""


@dataclass(frozen=True)
class Targets:
    """What to prune; the configuration of every optimiser begins with it.

    default: the constraint set of every layer not in ``layers``.
    layers: constraint sets by layer name; None leaves the layer dense.
    """

    name: ClassVar[str]
    """Of the optimiser, and of the phase of training it works in."""

    default: Sparsity | None = field(default_factory=lambda: Sparsity("adaptive", 2, 8, 8))
    layers: Mapping[str, Sparsity | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for sparsity in (self.default, *self.layers.values()):
            if sparsity is not None:
                sets.check(sparsity)

    def sparsity(self, name: str) -> Sparsity:
        """The constraint set of layer ``name`` (``Sparsity()`` when it stays dense)."""
        return self.layers.get(name, self.default) or Sparsity()

    def start(self, layers: Mapping[str, Prunable]) -> Pruner:
        """Begin to prune ``layers``, in the order of the network."""
        raise NotImplementedError


@dataclass(frozen=True)
class RhoSchedule(Targets):
    """Targets, and how hard to pull towards them.

    rho: penalty weight at the start; every step multiplies it by ``growth`` up to ``rho_max``.
    """

    rho: float = 0.01
    growth: float = 1.35
    rho_max: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.rho <= self.rho_max or self.growth < 1:
            raise ConfigError(
                f"rho must be positive and at most rho_max, growth at least 1, not rho={self.rho}, "
                f"rho_max={self.rho_max}, growth={self.growth}"
            )

    def following(self, rho: float) -> float:
        """The penalty weight after one more step."""
        return min(rho * self.growth, self.rho_max)


@dataclass(frozen=True)
class Residuals:
    """How far a layer is from convergence.

    primal: ‖W - Z‖ / ‖W‖, the share that finalising would cut off.
    dual: how much the last step changed the pull on W (in the unit of the loss's gradient).
    """

    primal: float
    dual: float


class Pruner(ABC):
    """The state of a pruning run: made by :func:`pruning.prune_`, driven by your training loop.

    ::

        loss + penalty()   every batch, or pull() after the optimiser's step
        step()             now and then, a dozen times in all
        finalise()         once; masks are held exactly from here on

    ``layers`` are word layers in the order of the network, ``pruned`` those with a constraint.
    """

    def __init__(self, layers: Mapping[str, Prunable], config: Targets) -> None:
        self.layers, self.config = layers, config
        self.steps = 0
        self.finalised = False
        self.pruned = {n: m for n, m in layers.items() if config.sparsity(n).kind != "dense"}
        self._mark()

    @abstractmethod
    def penalty(self) -> torch.Tensor:
        """What to add to the loss: a scalar, zero once finalised."""

    pulls: ClassVar[bool] = False
    """Whether there is a :meth:`pull`."""

    def pull(self, rate: float) -> None:
        """Instead of :meth:`penalty`: a step of length ``rate`` (in space) that makes it smaller."""
        raise NotImplementedError

    @torch.no_grad()
    def step(self) -> None:
        """Move the target of the penalty. Call it once per epoch (or every few hundred batches); once
        finalised there is no target, and nothing happens."""
        if not self.finalised:
            self.steps += 1
            self.advance()

    @abstractmethod
    def advance(self) -> None:
        """What a step does; ``steps`` counts it already."""

    @torch.no_grad()
    def finalise(self) -> None:
        """Fix every mask to the projection of :meth:`estimate` and zero the words outside.

        From here on masked weights take no part and get no gradient, whatever the optimiser does.
        Words that read a removed channel go too, in layers without a constraint as well. What only pulling
        needs is dropped, from memory and from checkpoints. A second call changes nothing.
        """
        if self.finalised:
            return
        for name, mask in self.masks(self.estimate()).items():
            layer = self.layers[name]
            layer.mask.copy_(mask)
            layer.weight.mul_(layer.gate(layer.mask))
        self.finalised = True
        self._mark()
        self.forget()

    def _mark(self) -> None:
        """Tell the layers whether they wait for :meth:`finalise`: they are not to be exported before."""
        for layer in self.pruned.values():
            layer.awaits_finalise = not self.finalised

    @abstractmethod
    def forget(self) -> None:
        """Drop the state that only pulling needs."""

    @torch.no_grad()
    def residuals(self) -> dict[str, Residuals]:
        """Primal and dual residual of every pruned layer."""
        if self.finalised:
            targets = {n: m.weight * m.gate(m.mask) for n, m in self.pruned.items()}
        else:
            targets = self.targets()
        result = {}
        for name, layer in self.pruned.items():
            primal = norm(layer, layer.weight - targets[name]) / max(norm(layer, layer.weight), 1e-12)
            result[name] = Residuals(primal, 0.0 if self.finalised else self.dual(name))
        return result

    @abstractmethod
    def targets(self) -> dict[str, torch.Tensor]:
        """Z of every pruned layer: what W is compared with."""

    def dual(self, name: str) -> float:
        """How much the last step changed the pull on a layer's weights."""
        return 0.0

    def estimate(self) -> dict[str, torch.Tensor]:
        """What to project, for every pruned layer: the weights, unless an optimiser knows better."""
        return {name: layer.weight.detach() for name, layer in self.pruned.items()}

    def energy(self, name: str, weight: torch.Tensor) -> torch.Tensor:
        """(out, in, 32): what the set of that layer weighs words of ``weight`` by; -1 where there is none."""
        return self.pruned[name].energy(weight)

    def masks(self, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The word masks of ``weights`` of the pruned layers, and of those that read a removed channel.

        A word that reads a removed channel has no energy and never stays.
        """
        result: dict[str, torch.Tensor] = {}
        removed = {
            name: torch.zeros(layer.mask.shape[1], dtype=torch.bool) for name, layer in self.layers.items()
        }
        following = dict(pairwise(self.layers))
        for name, layer in self.layers.items():
            gone = removed[name].to(layer.mask.device)[:, None]
            if name in self.pruned:
                energy = self.energy(name, weights[name])
                energy = energy.masked_fill(gone & (energy > 0), 0.0)
                mask = sets.mask(energy, self.config.sparsity(name))
            elif gone.any():
                mask = layer.mask
            else:
                continue
            result[name] = mask & ~gone
            if sets.of(self.config.sparsity(name)).removes_channels and name in following:
                gone = ~result[name].any((1, 2))
                if len(gone) == len(removed[following[name]]):  # else the reader sees a large map as rows
                    removed[following[name]] = gone
        return result

    def project(self, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """``weights`` of the pruned layers with the words outside :meth:`masks` at zero."""
        masks = self.masks(weights)
        return {n: weights[n] * layer.gate(masks[n]) for n, layer in self.pruned.items()}

    def state_dict(self) -> dict[str, Any]:
        """Everything but the weights and masks, which the model's own state holds."""
        return {"steps": self.steps, "finalised": self.finalised}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue exactly where :meth:`state_dict` was taken."""
        self.steps, self.finalised = state["steps"], state["finalised"]
        self._mark()


def norm(layer: Prunable, x: torch.Tensor) -> float:
    """Norm of ``x``, shaped as the layer's weight, in space."""
    return float((layer.metric * x.square()).sum().sqrt())
