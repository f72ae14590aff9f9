"""``python -m sim.commands.zoo_card FOLDER NAME``: put a model into the zoo of this tree.

Copies what 'spec2 prune' trained, ``FOLDER/model.npz``, beside :mod:`hw.contract.zoo`, and writes what is
known of it: where it comes from, what it came to, and what ``tests/hw/contract/test_zoo.py`` checks.
"""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from hw.commands.configuration import configure
from hw.commands.console import progress, requires
from hw.commands.models import MODEL
from hw.commands.options import Batch, DataDir, Lanes, Rows, Stream
from hw.util import files
from hw.util.errors import ArtifactError

if TYPE_CHECKING:
    from hw.contract.artifact import Artifact
    from hw.contract.config import AcceleratorConfig
    from hw.contract.zoo import Check
    from pruning.data import ImageSet

RANDOM_IMAGES = 2
"""To be run by the integer model wherever tests run."""


def land(
    folder: Annotated[Path, typer.Argument(help="The folder that 'spec2 prune' wrote.")],
    name: Annotated[str, typer.Argument(help="What the model is called after zoo:.")],
    data_dir: DataDir = None,
    rows: Rows = None,
    lanes: Lanes = None,
    batch: Batch = None,
    stream: Stream = None,
    images: Annotated[int, typer.Option(min=1, help="Test images that are checked.")] = 100,
) -> None:
    """Put a trained model into the zoo of this tree, or in the place of the one of that name."""
    from hw.contract import zoo
    from hw.contract.artifact import load
    from sim.report.data import accuracy, scheme, training

    array = configure(rows=rows, lanes=lanes, batch=batch, stream_weights=stream)
    artifact = load(folder / MODEL)
    about, measured = training(folder, artifact), accuracy(folder, artifact)
    if "command" not in about or "integer" not in measured:
        raise ArtifactError(
            f"{folder} was not trained to its end: run its 'spec2 prune' again, which goes on"
        )
    recipe, data = trained_by(artifact, data_dir)
    card = zoo.ModelCard(
        name=name,
        digest=artifact.digest,
        network=artifact.pruned_from.name,
        sparsity=scheme(artifact),
        data=data.name,
        accuracy=measured,
        seconds=about.get("seconds"),
        command=everywhere(about["command"]),
        recipe=recipe,
        config={key: value for key, value in asdict(array).items() if value != asdict(type(array)())[key]},
        clocks=clocks_of(artifact, array),
        checks=checks_of(artifact, data, images),
    )
    files.write(card.file, (folder / MODEL).read_bytes())
    described = msgspec.json.format(msgspec.json.encode(card), indent=1)
    files.write(card.file.with_suffix(".json"), described + b"\n")


def trained_by(artifact: Artifact, data_dir: Path | None) -> tuple[dict[str, Any], ImageSet]:
    """The recipe of an artifact as plain data, and the images it is measured on."""
    with requires("torch", "mlxtend"):
        from pruning import data
        from pruning.training import recipe
        from pruning.training.recipe_file import Entries

    name, sparsity, *_ = str(artifact.provenance["recipe"]).split()
    found = recipe.find(name, sparsity=sparsity)
    entries = {field: getattr(found, field) for field in Entries.__struct_fields__}
    return {"name": found.name, **msgspec.to_builtins(entries)}, data.load_for(
        found.network, found.data, data_dir
    )


def everywhere(command: str) -> str:
    """A command without the folder that one machine had for its results."""
    words = shlex.split(command)
    if "--out" in words:
        where = words.index("--out")
        del words[where : where + 2]
    return shlex.join(words)


def clocks_of(artifact: Artifact, array: AcceleratorConfig) -> int:
    """Of a run of one image, by the cost model."""
    from hw.compile.compiler import compile_program
    from hw.cost.cycles import estimates

    return int(estimates(compile_program(artifact, array))["cycles_per_image"])


def checks_of(artifact: Artifact, data: ImageSet, count: int) -> tuple[Check, ...]:
    """What the integer model makes of the first so many test images, and of a few of random pixels."""
    from hw.contract import zoo
    from sim import model

    pixels, labels = data.test_images[:count], data.test_labels[:count]
    random = zoo.random_images(artifact.network.input, RANDOM_IMAGES)
    with progress("integer model") as show:
        scores = model.run(artifact, pixels, progress=show)
        others = model.run(artifact, random)
    correct = int((scores.argmax(axis=1) == labels).sum())
    return (
        zoo.Check(zoo.RANDOM, len(random), zoo.sha_of(random), zoo.sha_of(others)),
        zoo.Check(data.name, len(pixels), zoo.sha_of(pixels), zoo.sha_of(scores), correct),
    )


if __name__ == "__main__":
    typer.run(land)
