"""A trained file, pruned and quantised without training: the model, and how far it is from the file."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.commands.console import progress
from hw.util import quote
from hw.util.tables import table
from pruning.commands.post_training import BATCH, COMPARED, PostTrained, post_train

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pruning.layers.models import NetworkModel

PRUNE = (
    "Nothing is pruned. `--sparsity adaptive-2:8` keeps a quarter of the words, without training still; "
    "`spec2 prune FILE --data SET` trains what stays."
)
"""What a user of the default should know."""


def post_train_and_measure(
    path: Path | str, calibrate: Path, folder: Path, *, command: str | None, **options: Any
) -> dict[str, Any]:
    """Write ``folder/model.npz`` of the ONNX file ``path``; returns what was measured.

    ``accuracy`` in percent of the images of ``calibrate``, where they have labels: ``dense`` of the file,
    ``pruned`` in floats, ``integer``. ``layers``: :func:`errors`. ``options``: those of
    :func:`pruning.commands.post_training.post_train`.
    """
    from hw.contract.results import ACCURACY_NAME, TRAINING_NAME
    from hw.util.files import write_json

    start = time.monotonic()
    found = post_train(path, calibrate, **options)
    seconds = round(time.monotonic() - start)
    layers = errors(found)
    accuracy = accuracies(found) if found.labels is not None else {}
    found.artifact.save(folder / "model.npz")
    about = {"digest": found.artifact.digest}
    write_json(folder / TRAINING_NAME, {**about, "seconds": seconds, "command": command})
    if accuracy:
        write_json(folder / ACCURACY_NAME, {**about, **accuracy})
    return {
        "model": str(folder / "model.npz"),
        "images": len(found.images),
        "compared": len(_compared(found)),
        "accuracy": accuracy,
        "layers": layers,
    }


def markdown(measured: dict[str, Any], sparsity: str | None) -> list[str]:
    """Paragraphs for what :func:`post_train_and_measure` gives. ``sparsity``: what was asked for."""
    rows = [
        (quote.markdown(name), f"{layer['kept']:.1f}", f"{layer['pruned']:.2f}", f"{layer['integer']:.2f}")
        for name, layer in measured["layers"].items()
    ]
    heads = ["layer", "words kept %", "error after pruning %", "error in integers %"]
    paragraphs = [
        f"By how much outputs differ from the file's, on {measured['compared']} of {measured['images']} "
        "images, as root mean square:",
        table(heads, rows),
    ]
    if accuracy := measured["accuracy"]:
        paragraphs.append(
            f"Accuracy on the {measured['images']} images: **{accuracy['dense']:.2f} %** as the file has it, "
            f"{accuracy['pruned']:.2f} % pruned, **{accuracy['integer']:.2f} %** in integers."
        )
    return paragraphs + ([PRUNE] if sparsity in (None, "dense") else [])


def accuracies(found: PostTrained) -> dict[str, float]:
    """In percent of all images, which have labels: of both float models, and of the integer model."""
    import numpy as np

    from sim import model

    def right(scores: NDArray[Any]) -> float:
        return round(100 * float((scores.argmax(axis=1) == found.labels).mean()), 4)

    floats = {
        name: right(np.concatenate([_last(maps) for maps in _float_maps(net, found.images)]))
        for name, net in (("dense", found.dense), ("pruned", found.pruned))
    }
    with progress("integer model, all images") as show:
        scores = model.run(found.artifact, found.images, progress=show)
    return {**floats, "integer": right(scores)}


def _last(maps: Iterator[NDArray[Any]]) -> NDArray[Any]:
    return deque(maps, maxlen=1)[0]


def errors(found: PostTrained) -> dict[str, dict[str, float]]:
    """By layer: the share of words ``kept``, and by how much its outputs differ from the dense float model's,
    as root mean square: ``pruned`` in floats, and ``integer``. All in percent."""
    import numpy as np

    from sim import model
    from sim.report.data import sparsity

    few = _compared(found)
    names = [layer.name for layer in found.network.layers]
    sums = np.zeros((3, len(names)))
    with progress("integer model, layer by layer") as show:
        models = zip(_float_maps(found.dense, few), _float_maps(found.pruned, few), strict=True)
        for number, (wanted, pruned) in enumerate(models):
            part = few[number * BATCH : (number + 1) * BATCH]
            triples = zip(wanted, pruned, model.maps(found.whole, part), strict=True)
            for i, (a, b, integers) in enumerate(triples):
                show(number * len(names) + i, -(-len(few) // BATCH) * len(names), names[i])
                c = _real(integers, found.scales[names[i]], a)
                sums[:, i] += [np.square(x, dtype=np.float64).sum() for x in (a, b - a, c - a)]
    kept = sparsity(found.artifact)
    shares = 100 * np.sqrt(sums[1:] / np.maximum(sums[0], 1e-30))
    return {
        name: {"kept": kept[name]["kept"], "pruned": float(shares[0, i]), "integer": float(shares[1, i])}
        for i, name in enumerate(names)
    }


def _compared(found: PostTrained) -> NDArray[np.uint8]:
    """Some of the images, from all over them."""
    images: NDArray[np.uint8] = found.images[:: -(-len(found.images) // COMPARED)]
    return images


def _real(integers: NDArray[Any], scale: NDArray[np.float32], like: NDArray[Any]) -> NDArray[Any]:
    """The numbers that a map of the integer model stands for, laid out ``like`` the float model's."""
    if like.ndim == 4:
        return integers * scale[:, None, None]
    return integers.reshape(len(integers), -1)[:, : like.shape[1]] * scale


def _float_maps(net: NetworkModel, images: NDArray[np.uint8]) -> Iterator[Iterator[NDArray[Any]]]:
    """The maps of one layer after the other, for some images at a time."""
    import torch

    from pruning.training.augment import to_float

    def maps(x: torch.Tensor) -> Iterator[NDArray[Any]]:
        running = net.maps(x)
        while True:
            with torch.no_grad():  # not around yield: what two generators enter and leave in turn stays on
                made = next(running, None)
            if made is None:
                return
            yield made.numpy()

    for first in range(0, len(images), BATCH):
        yield maps(to_float(torch.from_numpy(images[first : first + BATCH])))
