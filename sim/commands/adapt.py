"""``spec2 adapt``: in ``sim``, because the integer model runs the base and measures the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hw.commands.console import emit, progress, requires, scalars
from hw.commands.models import MODEL, located
from hw.commands.options import Json, Model, Seed
from hw.util.errors import ConfigError, DataError
from hw.util.tables import table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hw.contract.artifact import Artifact

    Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]

HELD_BACK = 5
"""One image in five of every class, where no test images are given."""


def adapt(
    model: Model,
    images: Annotated[
        Path,
        typer.Argument(
            help="A .npz with 'image' (n, c, h, w), 0 to 255, and 'label' (n,), classes from 0 on."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the new model.npz.")] = Path("build/adapted"),
    test: Annotated[
        Path | None,
        typer.Option(help="Such a file to measure on. [default: a fifth of every class, held back]"),
    ] = None,
    augmentation: Annotated[
        str,
        typer.Option(
            help="Of the few images: maps (of their features, learned), images (each run through the network "
            "again), noise, mixup, none."
        ),
    ] = "maps",
    changes: Annotated[
        str | None,
        typer.Option(help="With maps and images: which, as in flip,shift. [default: all that there are]"),
    ] = None,
    form: Annotated[
        str, typer.Option(help="Of maps: channels, linear, low-rank, hidden, or move, which learns nothing.")
    ] = "channels",
    share: Annotated[
        float, typer.Option(help="Of the images: run under every change, to learn maps from.")
    ] = 0.4,
    calibrate: Annotated[
        Path | None,
        typer.Option(help="A .npz of other images, without labels, to learn maps from instead."),
    ] = None,
    seed: Seed = 0,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads of torch; for one layer several mostly wait for each other.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Teach a trained model new classes from few images: another last layer, everything else as it is.

    Writes OUT/model.npz, which all commands take like any other; its digest is another one, and it remembers
    its base's. Outputs of the last layer beyond the classes give the smallest score there is.
    The base runs in the integer model. Images are changed in the space of features: maps from those of an
    image to those of a changed one are learned from a share of them (arXiv:2002.04776).

    **Examples**

        spec2 adapt zoo:cifar-small-2:8 few.npz --out build/mine
        spec2 adapt build/base/model.npz few.npz --test more.npz --changes flip,shift,contrast
    """
    from hw.contract.artifact import load
    from hw.contract.results import ACCURACY_NAME
    from hw.util.files import write_json
    from sim import model as integer_model
    from sim.commands.embedding import embedded
    from sim.report import two_classes

    with requires("torch"):
        import torch

        from pruning.transfer import adaptation

    torch.set_num_threads(threads)
    names = tuple(changes.split(",")) if changes else ()
    settings = adaptation.Settings(augmentation, form, names, share, seed)
    if calibrate is not None and augmentation != "maps":
        raise ConfigError(f"--calibrate is for learned maps, not for {augmentation}: leave it out")
    artifact = load(located(model, MODEL))
    few = _labelled(images, artifact)
    adaptation.checked_classes(few[1])
    few, held = (few, _labelled(test, artifact)) if test else _held_back(*few)
    others = None if calibrate is None else _images(calibrate, artifact)
    with progress("running the base") as show:
        made = adaptation.adapt(
            artifact, lambda part: embedded(artifact, part, show), *few, settings, others=others
        )
    digest = made.artifact.save(out / MODEL)
    scores = integer_model.run(made.artifact, held[0])
    correct = 100 * float((scores.argmax(axis=1) == held[1]).mean())
    classes = int(few[1].max()) + 1
    both = {name: round(found, 4) for name, found in two_classes.shares(scores[:, :classes], held[1]).items()}
    write_json(out / ACCURACY_NAME, {"digest": digest, "integer": round(correct, 4), **both})
    result: dict[str, Any] = {
        "model": str(out / MODEL),
        "digest": digest,
        "base": artifact.digest,
        "classes": classes,
        "images": len(few[1]),
        "runs": made.runs,
        "seconds": {"runs": round(made.run_seconds, 2), "head": round(made.head_seconds, 2)},
        "test_images": len(held[1]),
        "accuracy": round(correct, 2),
        **both,
    }
    emit(as_json, result, table(["figure", "value"], scalars(result)))


def _images(path: Path, artifact: Artifact) -> NDArray[np.uint8]:
    from pruning.data.calibration_file import read

    images: NDArray[np.uint8] = read(path).images_for(artifact.network.input)
    return images


def _labelled(path: Path, artifact: Artifact) -> Labelled:
    """Images and labels of a file. Raises ``DataError``, ``ConfigError`` for a model without class scores."""
    from pruning.data.calibration_file import read
    from pruning.transfer.cut import cut_of

    cut_of(artifact)
    found = read(path)
    labels = found.labels_for(artifact.network)
    if labels is None:
        raise DataError(f"{path} has no labels: give an array 'label', a class for every image")
    return found.images_for(artifact.network.input), labels


def _held_back(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> tuple[Labelled, Labelled]:
    """Those to learn from, and of every class one in :data:`HELD_BACK` to measure on. Raises ``DataError``
    where a class has less than that."""
    import numpy as np

    held = np.zeros(len(labels), bool)
    for number in np.unique(labels):
        members = np.flatnonzero(labels == number)
        if len(members) < HELD_BACK:
            raise DataError(
                f"class {number} has {len(members)} images, and one in {HELD_BACK} is held back to test: "
                "give more, or others with --test"
            )
        held[members[HELD_BACK - 1 :: HELD_BACK]] = True
    return (images[~held], labels[~held]), (images[held], labels[held])
