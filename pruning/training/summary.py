"""What pruning did to a model, as a table of plain data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from hw.contract.config import BANKS
from hw.contract.network import Network
from hw.contract.spectrum import WORDS
from pruning.layers.linear import MaskedLinear
from pruning.layers.word_layers import WordLayer, submodule
from pruning.quant.fake_quant import FakeQuant


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    words: complex words a dense layer has, of a pointwise one its real weights; kept: those not pruned.
    steps, dense_steps: clocks of the array for one pass over all blocks of output channels and the 32 words
    of a tile, when each group of 8 input channels is taken one after the other and a step does at most one
    product per row. The compiler can do better for irregular (``kernel``) masks only.
    """

    name: str
    words: int
    kept: int
    steps: int
    dense_steps: int

    @property
    def kept_share(self) -> float:
        return self.kept / self.words

    @property
    def speedup(self) -> float:
        """Dense steps over steps."""
        return self.dense_steps / max(self.steps, 1)


def summary(model: nn.Module, network: Network, rows: int = 8) -> list[LayerSummary]:
    """One entry per layer of ``network``, before or after pruning; ``rows`` of the array, N."""
    table = []
    for layer, shape in zip(network.layers, network.inputs, strict=True):
        module = submodule(model, layer.name)
        module = module.layer if isinstance(module, FakeQuant) else module
        dense = torch.ones(layer.weight_shape(shape)[:3], dtype=torch.bool)
        if layer.dot:
            dense = MaskedLinear(layer, shape).mask
        mask = module.mask if isinstance(module, WordLayer) else dense
        times = WORDS if layer.pointwise else 1
        clocks = [times * steps(each, rows) for each in (mask, dense)]
        table.append(LayerSummary(layer.name, int(dense.sum()), int(mask.sum()), *clocks))
    return table


def kept_share(model: nn.Module, network: Network) -> float:
    """Of all words of ``network``, 0..1."""
    layers = summary(model, network)
    return sum(layer.kept for layer in layers) / sum(layer.words for layer in layers)


def steps(mask: torch.Tensor, rows: int) -> int:
    """Steps of a mask (out, in, words): per block, word and group of 8 channels the busiest row's count."""
    padding = (0, 0, 0, -mask.shape[1] % BANKS, 0, -mask.shape[0] % rows)
    padded = nn.functional.pad(mask.int(), padding)
    blocks = padded.view(padded.shape[0] // rows, rows, -1, BANKS, mask.shape[2])
    return int(blocks.sum(3).amax(1).sum())
