"""M_g: what a change g of an image does to its features, e(g(x)) ≈ M_g(e(x)), learned from images that went
through the network with and without it.

Every form adds something learned to a first guess P(e): the feature maps with their pixels moved as those of
the image are, or, where features are no maps or nothing moves, e as it is. With few images what is learned is
small, and the guess remains. A ridge penalty is chosen for each g by generalised cross-validation (G. Golub,
M. Heath and G. Wahba, Technometrics 21(2), 1979).

=========== ===================================================================================
form        M_g(e)
=========== ===================================================================================
move        P(e): nothing is learned, no image takes part
channels    P(e) + A p + b: at every pixel p the same matrix over channels, b for every feature
linear      P(e) + A P(e) + b: a matrix over all features
low-rank    the same, with A of rank :data:`RANK` (reduced-rank regression)
hidden      P(e) + a network with one hidden layer of :data:`HIDDEN` units
=========== ===================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from hw.contract.formats import activation_format
from hw.util.errors import ConfigError
from pruning.transfer.augmentations import Augmentation
from pruning.transfer.cut import Cut, Features

RANK = 32
HIDDEN = 256
PENALTIES = tuple(10.0**power for power in range(-4, 6))
"""Ridge penalties that are tried, as parts of the mean variance of an input."""

SMALLEST = 1e-10
"""Eigenvalues below this share of the largest are rounding."""

UNLEARNED = "move"
FORMS = (UNLEARNED, "channels", "linear", "low-rank", "hidden")

Matrix = torch.Tensor


@dataclass(frozen=True)
class FeatureMap:
    """M_g of ``augmentation`` for features of ``cut``; learned: what is added to the guess, of (n, features)
    to the same."""

    cut: Cut
    augmentation: Augmentation
    learned: Callable[[Matrix], Matrix]

    def __call__(self, features: Features) -> Features:
        """(n, features) of changed images, from those of images; within what pixels hold, not rounded."""
        with torch.no_grad():
            guess = guessed(self.cut, self.augmentation, torch.from_numpy(features))
            found: Features = (
                (guess + self.learned(guess)).clamp(*activation_format(self.cut.signed).limits).numpy()
            )
        return found


def guessed(cut: Cut, augmentation: Augmentation, features: Matrix) -> Matrix:
    """P(e), (n, features)."""
    if not augmentation.moves or cut.map_shape[1:] == (1, 1):
        return features
    return augmentation.moved(features.view(-1, *cut.map_shape)).flatten(1)


def fit(form: str, cut: Cut, augmentation: Augmentation, clean: Features, changed: Features) -> FeatureMap:
    """Learn M_g from features (n, features) of images and of the same images changed by ``augmentation``.

    Raises ``ConfigError`` for an unknown form, and for fewer than two images where something is learned.
    """
    if form not in FORMS:
        raise ConfigError(f"there is no form {form!r} of feature maps: choose from {', '.join(FORMS)}")
    if form == UNLEARNED:
        return FeatureMap(cut, augmentation, lambda guess: torch.zeros(()))
    if len(clean) < 2:
        raise ConfigError(f"{len(clean)} images say nothing of {augmentation.name}: give at least 2")
    x = guessed(cut, augmentation, torch.from_numpy(clean))
    return FeatureMap(cut, augmentation, LEARNERS[form](cut, x, torch.from_numpy(changed) - x))


def r_squared(predicted: Features, changed: Features) -> float:
    """Share of the variance of ``changed`` (n, features), around each feature's mean, that is predicted."""
    rest = np.square(changed - predicted, dtype=np.float64).sum()
    return float(1 - rest / np.square(changed - changed.mean(0), dtype=np.float64).sum())


# --- what is learned: of inputs x and what is missing y, both (n, features) -----------------------------


def _linear(cut: Cut, x: Matrix, y: Matrix) -> Callable[[Matrix], Matrix]:
    weight, bias = ridge(x, y)
    return lambda guess: guess @ weight + bias


def _low_rank(cut: Cut, x: Matrix, y: Matrix) -> Callable[[Matrix], Matrix]:
    """Ridge, then the largest directions of what it says of the images."""
    weight, _ = ridge(x, y)
    fitted = (x - x.mean(0)).double() @ weight.double()
    values, vectors = _eigh(fitted @ fitted.T)
    kept = values > values.max() * SMALLEST
    basis = (fitted.T @ vectors[:, kept][:, -RANK:] / values[kept][-RANK:].sqrt()).float()
    first, second = weight @ basis, basis.T
    mean = x.mean(0)
    return lambda guess: ((guess - mean) @ first) @ second + y.mean(0)


def _channels(cut: Cut, x: Matrix, y: Matrix) -> Callable[[Matrix], Matrix]:
    """One matrix over channels for all pixels of a map, and what is left of every feature's mean."""
    shape = cut.map_shape
    weight, _ = ridge(_pixels(x, shape), _pixels(y, shape))

    def mixed(guess: Matrix) -> Matrix:
        return (_pixels(guess, shape) @ weight).view(len(guess), -1, shape[0]).transpose(1, 2).flatten(1)

    bias = (y - mixed(x)).mean(0)
    return lambda guess: mixed(guess) + bias


def _pixels(features: Matrix, shape: tuple[int, int, int]) -> Matrix:
    """(n · pixels, channels)."""
    return features.view(-1, shape[0], shape[1] * shape[2]).transpose(1, 2).reshape(-1, shape[0])


def _hidden(cut: Cut, x: Matrix, y: Matrix) -> Callable[[Matrix], Matrix]:
    """Trained with Adam, always from the same weights and in the same order."""
    scale = x.std() + 1e-6
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(x.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, y.shape[1]))
        optimiser = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0.1)
        for _ in range(HIDDEN_PASSES):
            for part in torch.randperm(len(x)).split(64):
                optimiser.zero_grad(set_to_none=True)
                (net(x[part] / scale) - y[part] / scale).square().mean().backward()
                optimiser.step()
    return lambda guess: net(guess / scale) * scale


HIDDEN_PASSES = 40

LEARNERS: dict[str, Callable[[Cut, Matrix, Matrix], Callable[[Matrix], Matrix]]] = {
    "channels": _channels,
    "linear": _linear,
    "low-rank": _low_rank,
    "hidden": _hidden,
}


def ridge(x: Matrix, y: Matrix) -> tuple[Matrix, Matrix]:
    """(weight, bias) with y ≈ x @ weight + bias: x (n, a), y (n, b), penalty by cross-validation.

    In doubles, in whichever of n and a is smaller.
    """
    mean_x, mean_y = x.double().mean(0), y.double().mean(0)
    x64, y64 = x.double() - mean_x, y.double() - mean_y
    n, a = x64.shape
    values, vectors = _eigh(x64 @ x64.T if n <= a else x64.T @ x64)
    # Of y, what lies along each left singular vector of x: (rank, b).
    kept = values > values.max() * SMALLEST
    values, vectors = values[kept], vectors[:, kept]
    roots = values.sqrt()
    along = vectors.T @ y64 if n <= a else (vectors.T @ (x64.T @ y64)) / roots[:, None]
    unit = values.sum() / a if len(values) else torch.ones(())
    penalty = unit * _best_penalty(values / unit, along, float(y64.square().sum()), n)
    shrunk = (roots / (values + penalty))[:, None] * along
    right = x64.T @ (vectors / roots) if n <= a else vectors
    weight = right @ shrunk
    return weight.float(), (mean_y - mean_x @ weight).float()


def _eigh(matrix: Matrix) -> tuple[Matrix, Matrix]:
    """Eigenvalues, rising, and eigenvectors as columns.

    torch 2.13.0 with MKL once gave up on a matrix of low rank, of floats; these are doubles, and numpy takes
    over where it does so again.
    """
    try:
        values, vectors = torch.linalg.eigh(matrix)
    except torch.linalg.LinAlgError:
        values, vectors = map(torch.from_numpy, np.linalg.eigh(matrix.numpy()))
    return values.clamp(min=0), vectors


def _best_penalty(values: Matrix, along: Matrix, total: float, n: int) -> float:
    """Of :data:`PENALTIES` that with the smallest mean square error by generalised cross-validation.

    values: squared singular values; along: (rank, b) of the targets; total: their squared sum.
    """
    energy = along.square().sum(1)
    outside = max(total - float(energy.sum()), 0.0)

    def error(penalty: float) -> float:
        left = penalty / (values + penalty)
        freedom = 1 + float((1 - left).sum())
        if freedom >= n:
            return float("inf")
        return (outside + float((left.square() * energy).sum())) / (n - freedom) ** 2

    return min(PENALTIES, key=error)
