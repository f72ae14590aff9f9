"""What a recipe says: everything but the images that decides how a network is trained, pruned and quantised.

A recipe is a TOML file. Those of the results in the documentation lie in ``pruning/recipes``; write your
own by copying one. ::

    network = "vgg16-cifar"         # of hw.contract.network, or an .onnx file: its weights are the start
    input = [3, 32, 32]             # channels, rows, columns, where such a file leaves them open
    mean = [0.49, 0.48, 0.45]       # of images of 0 to 1, what such a file takes is (images - mean) / std:
    std = [0.25, 0.24, 0.26]        # a number per channel, or one for all
    data = "cifar10"                # a name of pruning.data, or an .npz file (pruning.data.own_images)
    sparsity = "adaptive-1:8"       # pruning.patterns.parse
    optimiser = "admm"              # pruning.optimisers
    block = 64                      # output channels that share a choice, where any do
    prune_first = ["filter"]        # patterns that prune the first layer as well
    batch = 64
    weight_bits = 8
    spectrum_bits = 16              # less (8 to 15) for narrow spectra
    seed = 0

    [layers]                        # other patterns for single layers
    conv1_2 = "adaptive-4:8"

    [epochs]                        # dense, pruning, finetune, mirror (fake-quant); [epochs.few]: small sets

    [pruning]                       # of the optimiser: rho, growth, rho_max of ADMM, ...
    rho = 0.03

    [training]                      # the fields of pruning.training.settings.Training

    [target]                        # densities by layer for so many clocks: pruning.training.target
    cycles = 300_000

    [layer_bits]                    # weights of single layers that take less than weight_bits
    conv3_1 = 5

    [bits]                          # or widths by layer for so many bits on average: pruning.training.widths
    mean = 6.0

    [config]                        # the array, for spec2 generate --config: training does not look at it
    rows = 8

``data`` must be there, and ``network`` unless a program gives one. A file is looked for beside the recipe.
"""

from __future__ import annotations

import msgspec

from hw.contract.formats import SPECTRUM
from pruning.training.settings import Bits, Epochs, Target, Training

FEW = 10_000
"""Below this many training images a pass is short, and a recipe may have more of them."""


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[epochs]`` of a recipe: :class:`Epochs`, and those for sets of less than ``FEW`` images."""

    dense: int = 8
    pruning: int = 4
    finetune: int = 4
    mirror: int = 2
    few: Epochs | None = None

    def epochs(self, images: int) -> Epochs:
        """Passes over a training set of that size."""
        if self.few and images < FEW:
            return self.few
        return Epochs(self.dense, self.pruning, self.finetune, self.mirror)


class Entries(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a recipe says, but for its network; see the module."""

    data: str
    sparsity: str = "adaptive"
    optimiser: str = "admm"
    block: int = 8
    prune_first: tuple[str, ...] = ()
    batch: int = 64
    weight_bits: int = 8
    spectrum_bits: int = SPECTRUM.bits
    seed: int = 0
    layers: dict[str, str] = {}
    pruning: dict[str, float] = {}
    epochs: Schedule = Schedule()
    training: Training = Training()
    target: Target | None = None
    layer_bits: dict[str, int] = {}
    bits: Bits | None = None


class RecipeFile(Entries, frozen=True, forbid_unknown_fields=True):
    """A recipe as it is written: the network has a name. input: of a file that leaves its sizes open; mean,
    std: of the images that a file takes. config: of the array (:mod:`hw.contract.config`)."""

    network: str = ""
    input: tuple[int, int, int] | None = None
    mean: float | tuple[float, ...] | None = None
    std: float | tuple[float, ...] | None = None
    config: dict[str, int | bool | str] = {}
