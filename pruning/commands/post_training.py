"""What commands do with a trained network in a file and some images: no training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hw.commands.console import progress, requires
from hw.util.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hw.contract.artifact import Artifact
    from hw.contract.network import Network
    from pruning.data.labelled_images import LabelledImages
    from pruning.importers.finish import Converted
    from pruning.layers.models import NetworkModel
    from pruning.training.recipe import Recipe

Show = Callable[..., None]

SUFFIX = ".onnx"

COMPARED = 64
"""Images whose maps are compared, layer by layer."""

BATCH = 50


@dataclass(frozen=True)
class PostTrained:
    """What became of a file.

    artifact: to be saved. whole: the same with all channels, where some went. dense, pruned: the float models
    before and after. scales: real values of a step of every output of ``whole``, by layer. images, labels:
    those that were given, uint8 (n, C, H, W), and (n,) or None.
    """

    network: Network
    artifact: Artifact
    whole: Artifact
    dense: NetworkModel
    pruned: NetworkModel
    scales: dict[str, NDArray[np.float32]]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None


def post_train(
    path: Path | str,
    calibrate: Path,
    *,
    sparsity: str = "dense",
    threads: int | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    **options: Any,
) -> PostTrained:
    """Import the ONNX file ``path``, prune it by ``sparsity``, quantise it with the images of ``calibrate``.

    Of a quantised file these give the ranges of those maps alone of which it says nothing.
    ``mean``, ``std``: as the importer takes them, if it does. ``options``: of
    :class:`pruning.training.recipe.Recipe`: block, weight_bits, layer_bits, spectrum_bits.
    Raises ``ConfigError`` and ``DataError`` for what cannot be, and says what else a caller should know.
    """
    if Path(path).suffix.lower() != SUFFIX:
        raise ConfigError(f"--calibrate is for a trained network in an ONNX file, not for {str(path)!r}")
    with requires("torch"):
        import torch

        from pruning.data import calibration_file
    if threads is not None:
        torch.set_num_threads(threads)
    given = calibration_file.read(calibrate)
    with requires("onnx"), progress("importing"):
        numbers = {name: value for name, value in {"mean": mean, "std": std}.items() if value is not None}
        found = _imported(Path(path), given, numbers)
    if found.note:
        typer.echo(found.note, err=True)
    images, labels = given.images_for(found.network.input), given.labels_for(found.network)
    for sentence in _warnings(found.network, given, labels):
        typer.echo(sentence, err=True)
    recipe = _recipe(found, sparsity, options)
    with progress("calibrating") as show:
        return _quantised(recipe, found, calibrate.name, images, labels, show)


def _imported(path: Path, given: LabelledImages, numbers: dict[str, Any]) -> Converted:
    """The network, of the images' size where the file leaves it open; ``numbers`` are for the importer."""
    from pruning.importers.onnx_file import from_onnx

    try:
        return from_onnx(path, **numbers)
    except ConfigError:
        shape = given.images.shape[1:]
        return from_onnx(path, shape if len(shape) == 3 else (1, *shape), **numbers)


def _warnings(network: Network, given: LabelledImages, labels: NDArray[np.int64] | None) -> list[str]:
    """Of images that are unlike those to come, as far as one can see."""
    if labels is None:
        return ["labels are not used: the network gives no class scores"] if given.labels is not None else []
    classes = network.classes
    if len(set(labels.tolist())) == 1:
        return [f"all images are of one of {classes} classes: what is right for them may be wrong for others"]
    return []


def _recipe(found: Converted, sparsity: str, options: dict[str, Any]) -> Recipe:
    from pruning.data import LOADERS
    from pruning.training.recipe import Recipe

    network = found.network
    nobody_looks_at = next(iter(LOADERS))
    return Recipe(
        network.name, network, start=found.model, data=nobody_looks_at, sparsity=sparsity, **options
    )


def _quantised(
    recipe: Recipe,
    found: Converted,
    source: str,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
    show: Show,
) -> PostTrained:
    import copy

    import torch

    from pruning.post_training.compress import compress_
    from pruning.quant.export import to_artifact
    from pruning.quant.quantise import quantise_
    from pruning.training.augment import to_float

    network, model, targets = found.network, found.model, recipe.targets()
    dense = copy.deepcopy(model).eval()
    real = to_float(torch.from_numpy(images))
    compress_(model, network, real, targets, lambda done, what: show(done, 1.0, what))
    pruned = copy.deepcopy(model)
    show(None, None, "measuring activations")
    layers = quantise_(
        model,
        network,
        real,
        given=found.given,
        weight_bits=recipe.weight_bits,
        layer_bits=recipe.layer_bits,
        spectrum_bits=recipe.spectrum_bits,
        batch=BATCH,
    )
    artifact = to_artifact(
        model,
        network,
        sparsity={layer.name: targets.sparsity(layer.name) for layer in network.layers},
        provenance={
            "recipe": f"{network.name} {recipe.sparsity}, no training",
            "calibration": {"file": source, "images": len(images)},
        },
    )
    scales = {name: layer.out_scale.cpu().numpy() for name, layer in layers.items()}
    return PostTrained(network, artifact, to_artifact(model, network), dense, pruned, scales, images, labels)
