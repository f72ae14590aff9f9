"""``python -m sim.commands.transfer_experiment TASK --data-dir DIR``: heads learned from few images.

Tasks: ``cifar10``: a base that knows six classes of CIFAR-10 learns the other four. ``pneumonia``: a LeNet
that knows digits learns chest X-rays. Every row is several draws of the images, measured on all test images
of these classes by the integer model. Rows are kept in ``OUT/TASK.json`` one by one: a run that was killed
goes on where it was. Prints the tables of ``docs/transfer.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from hw.commands.console import progress
from hw.commands.models import MODEL, located
from hw.commands.options import DataDir
from hw.util.errors import ConfigError
from hw.util.files import write_json
from sim.commands.transfer_results import Fit, Results, Row, read, tables

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hw.contract.artifact import Artifact

COUNTS = (20, 50, 200)
"""Images of every class."""

SEEDS = range(5)

KNOWN, NEW = range(6), range(6, 10)
"""Classes of CIFAR-10: those of the base, and those to learn."""

OTHERS = 1000
"""Images of the base's own training set, to learn maps from."""

R2_IMAGES = 500
"""Images that maps were not learned from, to measure them on."""

METHODS: dict[str, dict[str, Any]] = {
    "no augmentation": {"method": "none"},
    "noise": {"method": "noise"},
    "mixup": {"method": "mixup"},
    "maps, move alone": {"method": "maps", "form": "move"},
    "maps, channels": {"method": "maps", "form": "channels"},
    "maps, linear": {"method": "maps", "form": "linear"},
    "maps, channels, of the base": {"method": "maps", "form": "channels"},
    "images": {"method": "images"},
    "maps, hidden": {"method": "maps", "form": "hidden"},
}
"""By the name of a row: :class:`pruning.transfer.adaptation.Settings`."""

OF_THE_BASE = "of the base"
SCRATCH = "from scratch"
"""The row of a whole network, trained on the images of the draw alone; its accuracy is that of floats."""

SCRATCH_EPOCHS = 200


@dataclass(frozen=True)
class Task:
    """base; images and labels to draw from and to test on; others: of the base's own training; scratch: the
    recipe of a network to train from nothing, where that is compared."""

    base: Artifact
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]
    others: NDArray[np.uint8]
    scratch: str | None = None


class Memory:
    """Runs of the base whose results are kept, image by image: draws share images."""

    def __init__(self, base: Artifact) -> None:
        self.base, self.known = base, dict[bytes, Any]()

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        import numpy as np

        from sim.commands.embedding import embedded

        keys = [image.tobytes() for image in images]
        new = {key: image for key, image in zip(keys, images, strict=True) if key not in self.known}
        if new:
            found = embedded(self.base, np.stack(list(new.values())))
            self.known |= dict(zip(new, found, strict=True))
        return np.stack([self.known[key] for key in keys])


def experiment(
    task: Annotated[str, typer.Argument(help="cifar10 or pneumonia.")],
    data_dir: DataDir = None,
    out: Annotated[Path, typer.Option(help="Folder for the base and the rows.")] = Path("build/transfer"),
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
) -> None:
    """Measure every method on every draw, and print the tables."""
    import torch

    torch.set_num_threads(threads)
    if task not in TASKS:
        raise ConfigError(f"there is no task {task!r}: choose from {', '.join(TASKS)}")
    found = TASKS[task](data_dir, out)
    memory = Memory(found.base)
    results = _begun(out / f"{task}.json", found, memory)
    with progress(task) as show:
        _measure_fits(found, memory, results, out / f"{task}.json", show)
        _measure_rows(found, memory, results, out / f"{task}.json", show)
    print(tables(results))


# --- tasks ----------------------------------------------------------------------------------------------


def _cifar10(data_dir: Path | None, out: Path) -> Task:
    import numpy as np

    from pruning import data
    from pruning.training import recipe
    from pruning.training.memory import keep_freed_memory
    from pruning.training.recipe_file import Schedule
    from pruning.transfer.tasks import of_classes, train_base

    keep_freed_memory()
    images = data.load("cifar10", data_dir)
    known, new = of_classes(images, KNOWN), of_classes(images, NEW)
    base = train_base(recipe.find("cifar-small", epochs=Schedule(14, 3, 5, 0)), known, out / "base")
    others = np.random.default_rng(0).permutation(len(known.train_images))[:OTHERS]
    return Task(
        base, new.train_images, new.train_labels, new.test_images, new.test_labels, known.train_images[others]
    )


def _pneumonia(data_dir: Path | None, out: Path) -> Task:
    import numpy as np

    from hw.contract.artifact import load
    from pruning import data

    images, digits = data.load("pneumonia", data_dir), data.load("mnist", data_dir)
    others = np.random.default_rng(0).permutation(len(digits.train_images))[:OTHERS]
    return Task(
        load(located("zoo:lenet-2:8", MODEL)),
        images.train_images,
        images.train_labels,
        images.test_images,
        images.test_labels,
        digits.train_images[others],
        "pneumonia",
    )


TASKS = {"cifar10": _cifar10, "pneumonia": _pneumonia}


# --- measuring ------------------------------------------------------------------------------------------


def _begun(path: Path, task: Task, memory: Memory) -> Results:
    """What an earlier run has measured with this base; the test images are run either way."""
    import time

    begin = time.monotonic()
    memory(task.test_images)
    seconds = (time.monotonic() - begin) / len(task.test_images)
    if path.exists():
        found = read(path)
        if found.base == task.base.digest:
            return found
    return Results(task.base.digest, seconds)


def _measure_rows(task: Task, memory: Memory, results: Results, path: Path, show: Any) -> None:
    """Whatever row there is not yet."""
    from pruning.transfer.adaptation import Settings, adapt
    from pruning.transfer.cut import cut_of
    from pruning.transfer.tasks import drawn
    from sim.commands.embedding import scored

    tests = memory(task.test_images)
    done = {(row.method, row.count, row.seed) for row in results.rows}
    methods = [*METHODS, *([SCRATCH] if task.scratch else [])]
    asked = [(count, seed, method) for method in methods for count in COUNTS for seed in SEEDS]
    for number, (count, seed, method) in enumerate(asked):
        show(number, len(asked), f"{method}, {count} images a class, draw {seed}")
        if (method, count, seed) in done:
            continue
        chosen = drawn(task.labels, count, seed)
        if method == SCRATCH:
            results.rows.append(_from_scratch(task, chosen, count, seed))
            write_json(path, msgspec.to_builtins(results))
            continue
        others = task.others if method.endswith(OF_THE_BASE) else None
        settings = Settings(**METHODS[method], seed=seed)
        made = adapt(task.base, memory, task.images[chosen], task.labels[chosen], settings, others=others)
        right = scored(made.artifact, tests).argmax(1) == task.test_labels
        floating = made.head.accuracy(cut_of(task.base).vectors(tests), task.test_labels)
        more = 0 if others is None else made.runs - count * (int(task.labels.max()) + 1)
        results.rows.append(
            Row(
                method,
                count,
                seed,
                100 * float(right.mean()),
                floating,
                made.runs - more,
                more,
                made.head_seconds,
            )
        )
        write_json(path, msgspec.to_builtins(results))


def _from_scratch(task: Task, chosen: NDArray[np.intp], count: int, seed: int) -> Row:
    """A network that nothing was learned for before, dense, with the recipe's augmentation."""
    import time
    from tempfile import TemporaryDirectory

    from pruning.data import ImageSet
    from pruning.training import recipe
    from pruning.training.job import Job
    from pruning.training.recipe_file import Schedule

    begin = time.monotonic()
    images = ImageSet(
        task.images[chosen], task.labels[chosen], task.test_images, task.test_labels, "few images"
    )
    found = recipe.find(task.scratch or "", seed=seed, epochs=Schedule(SCRATCH_EPOCHS, 0, 0, 0))
    with TemporaryDirectory() as folder:
        job = Job(found.settings(len(chosen)), images, Path(folder))
        job.train(False, Path(folder), phases=1)
    accuracy = job.journal.accuracy["dense"]
    return Row(SCRATCH, count, seed, accuracy, accuracy, 0, 0, time.monotonic() - begin)


def _measure_fits(task: Task, memory: Memory, results: Results, path: Path, show: Any) -> None:
    """R² of every form, learned from few images of the task and from those of the base."""
    from pruning.transfer.augmentations import ALL
    from pruning.transfer.cut import cut_of
    from pruning.transfer.feature_maps import FORMS, fit, r_squared
    from pruning.transfer.tasks import drawn

    if results.fits:
        return
    cut, few = cut_of(task.base), drawn(task.labels, 20, 0)
    tests = task.test_images[:R2_IMAGES]
    for images in (task.images[few], task.others):
        for number, change in enumerate(ALL):
            show(number, len(ALL), f"R² of {change.name}")
            clean, changed = (cut.vectors(memory(part)) for part in (images, change.images(images)))
            given, wanted = (cut.vectors(memory(part)) for part in (tests, change.images(tests)))
            results.fits.append(Fit("none", len(images), change.name, r_squared(given, wanted)))
            for form in FORMS:
                found = fit(form, cut, change, clean, changed)(given)
                results.fits.append(Fit(form, len(images), change.name, r_squared(found, wanted)))
    write_json(path, msgspec.to_builtins(results))


if __name__ == "__main__":
    typer.run(experiment)
