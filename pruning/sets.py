"""Constraint sets: which words of a layer may stay, as pure functions.

Every function takes ``energy`` (out, in, 32), the energy of each word (negative where a word does
not exist, as behind a small map in a fully connected layer), and returns the mask (out, in, 32) of
the words to keep. Zeroing the others is the Euclidean projection on the set: the mask keeps as much
energy as any feasible mask can.

* ``kernel``: SPEC2 (arXiv:1910.11103, section 3): s largest words of every kernel.
* ``uniform``: n:m sparsity over input channels.
* ``adaptive``: n:m with n chosen per block of output channels, word and group of input channels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from hw.artifact import Sparsity
from hw.errors import ConfigError
from hw.words import WORDS


def mask(energy: torch.Tensor, sparsity: Sparsity) -> torch.Tensor:
    """Project on the set ``sparsity`` describes. Raises ``ConfigError`` for one that makes no sense."""
    check(sparsity)
    used = (energy >= 0).any(1).any(0)  # behind a 4×4 map 8 of 32 words: spare the others the sorting
    kept = torch.zeros_like(energy, dtype=torch.bool)
    kept[..., used] = _mask(energy[..., used], sparsity)
    return kept


def _mask(energy: torch.Tensor, sparsity: Sparsity) -> torch.Tensor:
    if sparsity.kind == "kernel":
        return kernel(energy, int(sparsity.keep))
    if sparsity.kind == "uniform":
        return uniform(energy, int(sparsity.keep), sparsity.group)
    if sparsity.kind == "adaptive":
        return adaptive(energy, sparsity.keep, sparsity.group, sparsity.block)
    return energy >= 0


def check(sparsity: Sparsity) -> None:
    """Raise ``ConfigError`` unless ``sparsity`` is one of the four kinds with numbers in range."""
    kind, keep, group, block = sparsity.kind, sparsity.keep, sparsity.group, sparsity.block
    if kind not in ("dense", "kernel", "uniform", "adaptive"):
        raise ConfigError(f"unknown sparsity {kind!r}: choose dense, kernel, uniform or adaptive")
    if kind == "dense":
        return
    limit = WORDS if kind == "kernel" else group
    if kind != "kernel" and group < 1:
        raise ConfigError(f"{kind} sparsity needs a group of at least 1 input channel, not {group}")
    if not 0 < keep <= limit:
        raise ConfigError(f"{kind} sparsity keeps more than 0 and at most {limit}, not {keep}")
    if kind != "adaptive" and keep != int(keep):
        raise ConfigError(f"{kind} sparsity keeps a whole number, not {keep}: only adaptive takes a mean")
    if kind == "adaptive" and block < 1:
        raise ConfigError(f"adaptive sparsity needs a block of at least 1 output channel, not {block}")


def kernel(energy: torch.Tensor, s: int) -> torch.Tensor:
    """Every kernel (out, in) keeps its ``s`` largest words."""
    return (_rank(energy, dim=-1) < s) & (energy >= 0)


def uniform(energy: torch.Tensor, n: int, m: int = 8) -> torch.Tensor:
    """Per output channel and word, of every ``m`` consecutive input channels the ``n`` largest.

    A group of g < m channels keeps ceil(n·g/m).
    """
    grouped = _group(energy, m)  # (out, G, m, 32)
    sizes = (grouped[0] >= 0).sum(1)  # (G, 32)
    limit = (n * sizes + m - 1) // m
    return _ungroup((_rank(grouped, dim=2) < limit[:, None]) & (grouped >= 0), energy)


def adaptive(energy: torch.Tensor, mean: float, m: int = 8, block: int = 8) -> torch.Tensor:
    """n:m with n = 0..m chosen per (block of outputs, word, group of inputs), ``mean`` on average.

    Within its entry every output channel keeps its n largest. One more step for an entry gains the
    energy of one more word in each of the block's rows; those gains never grow, so taking the
    largest ones until the budget of floor(mean/m · blocks · words) steps is spent is optimal. A last
    block of fewer rows has a budget of its own: the kept share is at most mean/m in steps *and* in
    words.
    """
    full = energy.shape[0] - energy.shape[0] % block
    parts = [p for p in (energy[:full], energy[full:]) if len(p)]
    return torch.cat([_adaptive(p, mean, m, min(block, len(p))) for p in parts])


def _adaptive(energy: torch.Tensor, mean: float, m: int, rows: int) -> torch.Tensor:
    grouped = _group(energy, m)  # (out, G, m, 32)
    blocks = grouped.unflatten(0, (-1, rows))  # (K, rows, G, m, 32)
    gains = blocks.sort(dim=3, descending=True).values.sum(1)  # (K, G, m, 32): the s-th step's gain
    exists = gains >= 0  # absent channels sort last and weigh -1 per row
    budget = math.floor(mean * int(exists.sum()) / m)
    order = gains.flatten().sort(descending=True, stable=True).indices
    taken = torch.zeros_like(exists).flatten()
    taken[order[:budget]] = True
    steps = taken.view_as(exists).sum(2)  # (K, G, 32): n of every entry
    kept = _rank(blocks, dim=3) < steps[:, None, :, None]
    return _ungroup(kept.flatten(0, 1), energy)


def _rank(x: torch.Tensor, dim: int) -> torch.Tensor:
    """Rank of every element along ``dim``: 0 for the largest, ties in order of position."""
    order = x.argsort(dim=dim, descending=True, stable=True)
    places = torch.arange(x.shape[dim], device=x.device).view(-1, *[1] * (x.dim() - 1 - dim % x.dim()))
    return torch.empty_like(order).scatter_(dim, order, places.expand_as(order))


def _group(energy: torch.Tensor, m: int) -> torch.Tensor:
    """(out, in, 32) to (out, ceil(in/m), m, 32), filled up with absent channels."""
    return F.pad(energy, (0, 0, 0, -energy.shape[1] % m), value=-1.0).unflatten(1, (-1, m))


def _ungroup(grouped: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return grouped.flatten(1, 2)[:, : like.shape[1]]
