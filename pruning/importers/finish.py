"""The layers that were made, as a network and its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import torch

from hw.contract.network import IMAGES, Layer, Network, Shape
from pruning.importers.constant_channel import reads_constant, with_constant
from pruning.importers.grouping import group
from pruning.importers.placing import placed_side_by_side
from pruning.importers.ranges import given
from pruning.importers.values import Made, Value
from pruning.layers.models import NORM, NetworkModel
from pruning.quant.given import Given


class _Pair(NamedTuple):
    network: Network
    model: NetworkModel


class Converted(_Pair):
    """A network and the model that computes it, with the weights of what it was converted from.

    Members: ``network``, ``model``; ``host``: what of the original is left to the host, in order, as words;
    ``given``: what a quantised file says of layers, by name, for :func:`pruning.quantise_`; ``taken``:
    sentences on that.
    """

    host: tuple[str, ...]
    given: Mapping[str, Given]
    taken: tuple[str, ...]

    def __new__(
        cls,
        network: Network,
        model: NetworkModel,
        host: Sequence[str] = (),
        given: Mapping[str, Given] = MappingProxyType({}),
        taken: Sequence[str] = (),
    ) -> Converted:
        made = super().__new__(cls, network, model)
        made.host, made.given, made.taken = tuple(host), given, tuple(taken)
        return made

    @property
    def note(self) -> str:
        """What is left to the host, and what a quantised file gave, as sentences; mostly nothing."""
        host = [f"left to the host: {', '.join(self.host)}"] if self.host else []
        return "; ".join([*host, *self.taken])


def assembled(
    name: str,
    shape: Shape,
    value: Value | None,
    order: Sequence[Made],
    *,
    constant: bool = False,
    spread: int = 1,
) -> tuple[Network, NetworkModel, Mapping[str, Given]]:
    """The network that ends in ``value``, of the layers of ``order`` that it takes; what is known of them.

    constant: some layer reads the constant channel as well as images of ``shape``. spread: rows and columns
    that the host spreads these, for one layer, which reads them and the constant channel so.
    """
    wanted = _needed(value)
    layers = _shortcuts_first([made for made in order if made in wanted])
    for made in layers[:-1]:
        if made.copies and not made.spec.dot and not _signed(made):
            clip = made.spec.clip if made.range is None else made.range[1]
            made.spec = replace(made.spec, relu=True, clip=clip)  # it has nothing to do: there is no sign
    if spread == 1:
        constant = constant and any(reads_constant(made, shape) for made in layers)
        layers = with_constant(layers, shape) if constant else layers
    layers = placed_side_by_side(layers, (shape[0] + constant, *shape[1:]))
    for made in layers:
        group(made)
    network = Network(name, shape, tuple(_specs(layers)), spread, constant)
    with torch.device("meta"):  # neither memory nor random numbers for weights that are replaced
        model = NetworkModel(network)
    for made in layers:
        model.set_submodule(made.spec.name, made.module)
        if made.norm is not None:
            model.add_module(made.spec.name + NORM, made.norm)
    return network, model, given(layers)


def _shortcuts_first(order: Sequence[Made]) -> list[Made]:
    """``order`` with every layer that another one adds as early as what it reads allows: it is fetched first,
    so it should be complete long before (:mod:`hw.compile.head_start`)."""
    layers = list(order)
    for made in order:
        if not made.added or (shortcut := made.sources[-1]) is None:
            continue
        reads = [layers.index(source) + 1 for source in shortcut.sources if source is not None]
        layers.remove(shortcut)
        layers.insert(max(reads, default=0), shortcut)
    return layers


def _needed(value: Value | None) -> set[Made]:
    found: set[Made] = set()
    left = list(value.parts) if value is not None else []
    while left:
        made = left.pop()
        if made is not None and made not in found:
            found.add(made)
            left += made.sources
    return found


def _signed(made: Made) -> bool:
    return any(source is not None and source.spec.signed for source in made.sources)


def _specs(layers: Sequence[Made]) -> list[Layer]:
    """With the names of what they read; none where it is what the layer before makes."""
    found: list[Layer] = []
    before: Made | None = None
    for made in layers:
        names = tuple(IMAGES if source is None else source.spec.name for source in made.sources)
        spec = made.spec
        if made.added:
            spec = replace(spec, added=True, in_channels=spec.in_channels + spec.out_channels, sources=names)
        elif made.sources != (before,):
            spec = replace(spec, sources=names)
        found.append(spec)
        before = made
    return found
