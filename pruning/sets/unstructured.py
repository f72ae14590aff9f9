"""The largest words of a layer, wherever they are: the bound for all other sets."""

from __future__ import annotations

from typing import ClassVar

import torch

from pruning.sets.base import ShareSet, budget, take


class Unstructured(ShareSet):
    """The layer keeps the ``share`` of its words with the most energy. Exact."""

    kind: ClassVar[str] = "unstructured"

    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        flat = energy.flatten()
        return take(flat, (flat >= 0).long(), budget(self.share, energy)).view_as(energy)

    def describe(self) -> str:
        return f"{self.share} of the words of the layer"
