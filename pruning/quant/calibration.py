"""What a model does with calibration images, and whether they, and it, are what the hardware will have.

An artifact holds the layers of a network and nothing else. What a model does beside them, weights that are
no numbers, and images on another scale than the hardware's would make integers that look right and mean
nothing: all of these are refused here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from hw.contract.formats import PIXEL_BITS, Format
from hw.contract.network import Network
from hw.util.errors import ConfigError, DataError, UnsupportedNetwork
from pruning.layers.models import activated, first_map, pooled
from pruning.layers.word_layers import WordLayer, submodule

PROBE = 4
"""Images on which a model is compared with its network."""

TOLERANCE = 1e-3
"""By which an input may differ there from what the layer before gave, as a share of the largest."""

SELDOM = 1 / 1000
"""Range of a channel that hardly fires, as a share of its layer's largest: or one stray activation would
saturate."""


def check_images(images: torch.Tensor, network: Network, input_scale: float) -> None:
    """Raise ``DataError`` for images that are not (n, C, H, W) and real, 0 to 255 times ``input_scale``.

    ``ConfigError`` for a scale that is none.
    """
    if not 1e-30 < input_scale < 1e30:
        raise ConfigError(f"input_scale must be a positive number, not {input_scale}")
    if not isinstance(images, torch.Tensor):
        raise DataError(f"calibration images must be a torch tensor, not {type(images).__name__}")
    if images.dim() != 4 or tuple(images.shape[1:]) != network.input or not len(images):
        wanted = ", ".join(str(n) for n in network.input)
        raise DataError(
            f"calibration images of shape {tuple(images.shape)} do not fit network {network.name!r}: it "
            f"takes (n, {wanted}), at least one"
        )
    largest = Format(PIXEL_BITS, signed=False).limits[1]
    top = largest * input_scale
    if not images.is_floating_point():
        raise DataError(
            f"calibration images are {images.dtype}, not the real numbers that the model takes: give "
            f"images.float() * {input_scale:.6g}"
        )
    low, high = (float(x) for x in images.aminmax())
    if not (low >= -input_scale / 2 and high <= top + input_scale / 2):
        raise DataError(
            f"calibration images reach from {low:.6g} to {high:.6g}, the hardware's pixels stand for 0 to "
            f"{top:.6g} ({largest} steps of {input_scale:.6g}): scale the images, or give the input_scale of "
            "their steps"
        )
    if high < 1.5 * input_scale:
        raise DataError(
            f"calibration images reach {high:.6g}, hardly a step of {input_scale:.6g}: they are black or "
            "scaled twice; take images like those that the hardware will get"
        )


def any_images(network: Network, input_scale: float) -> torch.Tensor:
    """A few images of noise, the same every time: for the checks, where nothing is to be measured."""
    generator = torch.Generator().manual_seed(0)
    top = Format(PIXEL_BITS, signed=False).limits[1]
    return torch.randint(0, top + 1, (PROBE, *network.input), generator=generator) * input_scale


def check_complete(model: nn.Module, network: Network) -> None:
    """Raise ``ConfigError`` for what an artifact of ``model`` would silently leave out or get wrong.

    That is batch norms and other weights outside the layers, pruning that has begun and is not finalised, and
    weights that are not finite.
    """
    for name, module in model.named_modules():
        if isinstance(module, _NormBase):
            raise ConfigError(
                f"the model still has a batch norm, {name!r}, and an artifact has none: call "
                "fold_batch_norms_ first (it folds those that pruning.convert, or NetworkModel, puts "
                "after a layer)"
            )
    inside = tuple(f"{layer.name}." for layer in network.layers)
    for name, value in (*model.named_parameters(), *model.named_buffers()):
        if value.is_floating_point() and not name.startswith(inside):
            raise ConfigError(
                f"the model has numbers outside the layers of network {network.name!r}, {name!r}, and an "
                "artifact has the layers alone: make it part of a layer, or leave it out"
            )
    for layer in network.layers:
        module = submodule(model, layer.name)
        if any(getattr(m, "awaits_finalise", False) for m in module.modules()):
            raise ConfigError(
                f"pruning of layer {layer.name!r} has begun and has no masks yet: call finalise() of what "
                "prune_ returned"
            )
        for name, value in module.named_parameters():
            if not bool(torch.isfinite(value).all()):
                raise ConfigError(
                    f"layer {layer.name!r}: its {name.rpartition('.')[2]} holds NaN or infinity, which no "
                    "integer stands for: has the training diverged?"
                )


def activation_ranges(
    model: nn.Module,
    network: Network,
    layers: Mapping[str, WordLayer],
    images: torch.Tensor,
    quantile: float,
    batch: int,
) -> dict[str, torch.Tensor]:
    """(out,) per layer, positive: largest over all batches of the ``quantile`` of |activation| (after ReLU).

    A channel that hardly fires gets what it reaches without its ReLU, at most :data:`SELDOM` of the layer's.
    Runs ``model`` in eval mode, on the layers' device. Raises ``UnsupportedNetwork`` when its layers do not
    follow one another as in their network, ``ConfigError`` for activations that are not finite.
    """
    ranges: dict[str, torch.Tensor] = {}
    reaches: dict[str, torch.Tensor] = {}
    first = next(iter(layers.values())).weight
    probe = _Probe(network, list(layers.values()), images[:PROBE].to(first))

    def watch(name: str) -> Callable[..., None]:
        def hook(layer: WordLayer, inputs: tuple[torch.Tensor, ...], y: torch.Tensor) -> None:
            if not bool(torch.isfinite(y.sum(dtype=torch.float64))):
                raise ConfigError(
                    f"layer {name!r}: on the calibration images its outputs are not finite: rescale its "
                    "weights and those in front of it"
                )
            probe.follow(layer, inputs[0], y)
            size = activated(layer.spec, y).abs()
            size = size.transpose(0, 1).flatten(1)  # (out, samples)
            rank = max(1, round(quantile * size.shape[1]))
            top = size.amax(1) if rank == size.shape[1] else size.kthvalue(rank, dim=1).values
            reach = y.transpose(0, 1).flatten(1).abs().amax(1) if layer.spec.relu else size.amax(1)
            for found, value in ((ranges, top), (reaches, reach)):
                found[name] = torch.maximum(found[name], value) if name in found else value

        return hook

    handles = [layer.register_forward_hook(watch(name)) for name, layer in layers.items()]
    try:
        with evaluating(model):
            for part in images.split(batch):
                model(part.to(first))
                probe.finish()
    finally:
        for handle in handles:
            handle.remove()
    return {name: _used(top, reaches[name]) for name, top in ranges.items()}


def _used(top: torch.Tensor, reach: torch.Tensor) -> torch.Tensor:
    """The range of every channel: ``top``, or more where it hardly fires."""
    seldom = float(top.max()) * SELDOM or 1e-12
    return torch.maximum(top, torch.where(reach > 0, reach.clamp(max=seldom), seldom))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode, and back to every module's own."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


class _Probe:
    """Follows the first batch through a model: every layer must get what its network says.

    So what a forward pass does between the layers (scaling, another activation, a batch norm written as a
    function) is noticed, whatever it is. ``images``: the first few.
    """

    def __init__(self, network: Network, layers: list[WordLayer], images: torch.Tensor) -> None:
        self.network, self.waiting = network, layers
        self.maps: dict[int, torch.Tensor] = {0: first_map(images, network)}

    def follow(self, layer: WordLayer, given: torch.Tensor, y: torch.Tensor) -> None:
        """``layer`` was given that and made ``y``."""
        if not self.maps:
            return
        number = len(self.network.layers) - len(self.waiting)
        sources = self.network.sources[number] if self.waiting else ()
        wanted = torch.cat([self.maps[source].flatten(2) for source in sources], 1) if sources else given
        shape = given.shape[2:]
        wanted, given = wanted.flatten(1), given[:PROBE].flatten(1)
        same = bool(self.waiting) and self.waiting[0] is layer and wanted.shape == given.shape
        if not same or not float((given - wanted).abs().max()) <= TOLERANCE * float(wanted.abs().max()):
            raise UnsupportedNetwork(
                f"what the model gives to layer {layer.spec.name!r} is not {self._what(sources)}, as its "
                "network says: an artifact has the network's layers, ReLUs and pooling and nothing else; "
                "take the model that pruning.convert makes"
            )
        self.waiting = self.waiting[1:]
        made = _after(layer, y[:PROBE], shape)
        self.maps[number + 1] = made if made.dim() > 2 else made[:, :, None, None]

    def _what(self, sources: Sequence[int]) -> str:
        """The maps ``sources`` in words."""
        names = [repr(self.network.layers[source - 1].name) for source in sources if source]
        if not names:
            return "the images"
        return f"the output of layer {' and '.join(names)} after its ReLU and pooling"

    def finish(self) -> None:
        """The batch is through."""
        if self.maps and self.waiting:
            raise UnsupportedNetwork(
                f"the model does not use its layer {self.waiting[0].spec.name!r}, which its network has"
            )
        self.maps = {}


def _after(layer: WordLayer, y: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """The map or vector that a layer hands on, of one of ``size`` (H, W)."""
    if layer.spec.overlaps or layer.spec.pool > 1:
        y = pooled(layer, layer.spec, y, size)
    return activated(layer.spec, y)
