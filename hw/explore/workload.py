"""What is run: a network and how sparse it is, which is all that clocks and resources depend on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hw.compile.compiler import Channels, assemble, longest_sums
from hw.compile.limits import lowest_weights
from hw.compile.program import Program
from hw.compile.step_table import StepTable, irregular_tables
from hw.contract.artifact import Artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.formats import SPECTRUM
from hw.contract.narrow import check_spectrum_bits, most_shift, no_shift
from hw.contract.network import Layer, Network
from hw.contract.packed_products import LongestSums, port_bits
from hw.contract.spectrum import WORDS
from hw.explore.lengths import (
    Density,
    exact_lengths,
    group_counts,
    lengths_of,
    lengths_table,
    longest_word,
    uniform_lengths,
)
from hw.util.errors import ConfigError


class Steps(NamedTuple):
    """Tables of every layer for one N; longest: most products that a row sums up."""

    tables: tuple[StepTable, ...]
    longest: LongestSums

    @property
    def total(self) -> int:
        """Steps of the whole network."""
        return sum(map(len, self.tables))


class Workload(ABC):
    """A network whose steps are known for every N.

    source: where they come from, in words. operations: of one image, before pruning. spectrum_bits,
    word_shifts: of its spectra, and by how much each layer's words are cut.
    """

    spectrum_bits: int = SPECTRUM.bits
    word_shifts: Sequence[NDArray[np.uint8]] | None = None

    def __init__(self, network: Network, source: str, operations: int) -> None:
        self.network, self.source, self.operations = network, source, operations
        self.steps = cache(self._steps)
        zeros = [np.zeros(layer.outputs, np.int64) for layer in network.layers]
        self._channels: list[Channels] = [(zero, zero) for zero in zeros]

    @abstractmethod
    def _steps(self, rows: int) -> Steps:
        """The steps of every layer on an array of ``rows``."""

    def layer_bits(self, layer: Layer, weight_bits: int) -> int:
        """Width of the weights of ``layer`` on an array that takes ``weight_bits``."""
        return weight_bits

    def packs(self, weight_bits: int, wide_port: int) -> bool:
        """Whether two DSP slices with a multiplier port of ``wide_port`` bits make a complex product."""
        widest = max(self.layer_bits(layer, weight_bits) for layer in self.network.layers)
        return port_bits(widest, self.spectrum_bits) <= wide_port

    def program(self, config: AcceleratorConfig, weight_bits: int) -> Program:
        """The program without weights. Raises ``ConfigError`` where ``config`` is too small."""
        steps = self.steps(config.rows)
        return assemble(
            self.network,
            config,
            steps.tables,
            self._channels,
            digest="",
            weight_bits=[self.layer_bits(layer, weight_bits) for layer in self.network.layers],
            longest=steps.longest,
            operations=self.operations,
            spectrum_bits=self.spectrum_bits,
            word_shifts=self.word_shifts,
        )


class DensityWorkload(Workload):
    """All words of a layer equally long: ``shares`` of them stay, all where a layer is not named."""

    def __init__(self, network: Network, shares: Mapping[str, float], source: str) -> None:
        self.shares = shares
        super().__init__(network, source, network.operations)

    def _steps(self, rows: int) -> Steps:
        tables = [
            lengths_table(uniform_lengths(layer, shape, rows, self.shares.get(layer.name, 1.0)))
            for layer, shape in zip(self.network.layers, self.network.inputs, strict=True)
        ]
        lengths = {dot: 0 for dot in (False, True)}
        for layer, steps in zip(self.network.layers, tables, strict=True):
            lengths[layer.dot] = max(lengths[layer.dot], longest_word(steps))
        return Steps(tuple(tables), LongestSums(lengths[False], lengths[True]))


class UniformWorkload(DensityWorkload):
    """``density`` in every layer but the first, which is dense.

    Narrow spectra of ``spectrum_bits`` are cut by shifts of every size. Raises ``ConfigError`` for a width
    that the network cannot have.
    """

    def __init__(self, network: Network, density: Density, spectrum_bits: int = SPECTRUM.bits) -> None:
        check_spectrum_bits(spectrum_bits, network, ConfigError)
        self.density, self.spectrum_bits = density, spectrum_bits
        kept = f"{density.keep:g} of {density.group} words"
        source = f"uniform: {kept} stay, all words equally long, the first layer dense"
        super().__init__(network, {layer.name: density.share for layer in network.layers[1:]}, source)
        most = most_shift(spectrum_bits)
        every = (np.arange(WORDS) % (most + 1)).astype(np.uint8)
        self.word_shifts = [every if layer.transformed else no_shift() for layer in network.layers]
        shifts = [np.full(layer.outputs, most) for layer in network.layers]  # none goes to the left
        self._channels = [(bias, shift) for (bias, _), shift in zip(self._channels, shifts, strict=True)]


class ModelWorkload(Workload):
    """The masks of a model, as the compiler schedules them, ``processes`` irregular layers at a time."""

    def __init__(self, artifact: Artifact, processes: int = 1) -> None:
        self.artifact, self.processes = artifact, processes
        self._longest = longest_sums(artifact)
        self._counts = cache(lambda name: group_counts(artifact.layers[name]))
        source = f"exact: the masks of model {artifact.digest[:16]}"
        super().__init__(artifact.network, source, artifact.pruned_from.operations)
        layers = [artifact.layers[layer.name] for layer in artifact.network.layers]
        self.spectrum_bits, self.word_shifts = (
            artifact.spectrum_bits,
            [weights.word_shift for weights in layers],
        )
        self._channels = [(weights.bias, weights.shift) for weights in layers]

    def _steps(self, rows: int) -> Steps:
        layers = [(layer.name, layer.dot) for layer in self.network.layers]
        irregular = [(self.artifact.layers[n], dot) for n, dot in layers if not self.artifact.regular(n)]
        scheduled = irregular_tables(irregular, rows, self.processes)
        tables = [
            lengths_table(exact_lengths(self._counts(name), rows, dot=dot))
            if self.artifact.regular(name)
            else lengths_of(next(scheduled))
            for name, dot in layers
        ]
        return Steps(tuple(tables), self._longest)

    def packs(self, weight_bits: int, wide_port: int) -> bool:
        return super().packs(weight_bits, wide_port) and not lowest_weights(self.artifact)

    def layer_bits(self, layer: Layer, weight_bits: int) -> int:
        return min(weight_bits, self.artifact.bits_of(layer.name))
