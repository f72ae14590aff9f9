"""What a head is trained on, epoch after epoch: stored features, changed in one way or another.

============ ==================================================================================
method       what an epoch sees of an image
============ ==================================================================================
none         its features
images       those of the image under an augmentation drawn from all, for which it was run
maps         its features, or M_g of them with g drawn from all (arXiv:2002.04776)
noise        its features and Gaussian noise, a share of every feature's deviation
mixup        a mixture with another image's, label and all (arXiv:1710.09412)
============ ==================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from hw.util.errors import ConfigError
from pruning.transfer.cut import Features

METHODS = ("none", "images", "maps", "noise", "mixup")

NOISE = 0.5
"""Of a feature's deviation over the images."""

MIXING = 0.2
"""Both parameters of mixup's beta distribution."""

Epoch = tuple[torch.Tensor, torch.Tensor]
"""Features (n, features) and the probability of every class (n, classes)."""


@dataclass(frozen=True)
class Examples:
    """classes: how many there are. labels: (n,). draw: an epoch, from a generator; rows are images, in
    order."""

    classes: int
    labels: torch.Tensor
    draw: Callable[[torch.Generator], Epoch]
    features: torch.Tensor
    """(n, features) of the images as they are."""


def examples(
    method: str, features: Features, labels: Sequence[int], classes: int, changed: Sequence[Features] = ()
) -> Examples:
    """Those of ``method``. features: (n, features) of the images. labels: (n,), 0 to ``classes`` - 1.
    changed: for ``images`` and ``maps``, under each augmentation (n, features).

    Raises ``ConfigError`` for a method that is none.
    """
    plain, numbers = torch.from_numpy(features), torch.as_tensor(labels).long()
    targets = F.one_hot(numbers, classes).float()
    draw = DRAWING.get(method)
    if draw is None:
        raise ConfigError(
            f"there is no augmentation of features {method!r}: choose from {', '.join(METHODS)}"
        )
    versions = torch.stack([plain, *map(torch.from_numpy, changed)]) if changed else plain[None]
    return Examples(classes, numbers, lambda generator: draw(versions, targets, generator), plain)


def _plain(versions: torch.Tensor, targets: torch.Tensor, generator: torch.Generator) -> Epoch:
    return versions[0], targets


def _changed(versions: torch.Tensor, targets: torch.Tensor, generator: torch.Generator) -> Epoch:
    """Of every image one version, the image itself among them."""
    which = torch.randint(len(versions), (len(targets),), generator=generator)
    return versions[which, torch.arange(len(targets))], targets


def _noise(versions: torch.Tensor, targets: torch.Tensor, generator: torch.Generator) -> Epoch:
    plain = versions[0]
    drawn = torch.randn(plain.shape, generator=generator)
    return plain + NOISE * plain.std(0) * drawn, targets


def _mixup(versions: torch.Tensor, targets: torch.Tensor, generator: torch.Generator) -> Epoch:
    plain = versions[0]
    order = torch.randperm(len(plain), generator=generator)
    # A beta distribution of equal parameters from two gamma ones, which take a generator.
    gammas = torch._standard_gamma(torch.full((2, len(plain), 1), MIXING), generator=generator) + 1e-12
    share = gammas[0] / gammas.sum(0)
    return share * plain + (1 - share) * plain[order], share * targets + (1 - share) * targets[order]


DRAWING: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Generator], Epoch]] = {
    "none": _plain,
    "images": _changed,
    "maps": _changed,
    "noise": _noise,
    "mixup": _mixup,
}
