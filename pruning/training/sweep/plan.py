"""A sweep as it is written, and the jobs that it is. ::

recipe = "lenet"                          # of spec2 prune: a name, or a file, looked for beside this one
seeds = [0, 1, 2]

[grid]                                    # fields of the recipe; every combination is trained
sparsity = ["adaptive-2:8", "block"]
weight_bits = [8, 6]
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hw.util import documents
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning.training import recipe as recipes
from pruning.training.job_state import digest_of
from pruning.training.recipe_file import Entries

MOST_JOBS = 10_000

ENTRIES = Entries.__struct_fields__
"""What a recipe says, but for its network."""


class Grid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Values of fields of the recipe (:mod:`pruning.training.recipe_file`)."""

    sparsity: tuple[str, ...] = ()
    optimiser: tuple[str, ...] = ()
    weight_bits: tuple[int, ...] = ()
    spectrum_bits: tuple[int, ...] = ()
    block: tuple[int, ...] = ()
    batch: tuple[int, ...] = ()


class SweepFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sweep as it is written."""

    recipe: str
    seeds: tuple[int, ...] = (0, 1, 2)
    grid: Grid = Grid()


@dataclass(frozen=True)
class Job:
    """A training. recipe: name or path. changes: fields with the values of this job, the seed apart. folder:
    where it writes. key: what it is bound to: a result with another key is not this job's."""

    recipe: str
    changes: dict[str, Any]
    seed: int
    folder: Path
    key: str

    @property
    def case(self) -> str:
        """The combination that it is of, as text; empty for the recipe as it is."""
        return ", ".join(f"{name} {value}" for name, value in self.changes.items())

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.case}, seed {self.seed}" if self.case else f"seed {self.seed}"


def read(path: Path, out: Path, data_dir: Path | None) -> list[Job]:
    """The jobs of the sweep in a file, seed by seed, with folders below ``out``.

    Raises ``ConfigError`` for whatever the file holds that makes no sense, and for a combination that the
    recipe refuses: before anything is trained.
    """
    content = documents.needed(path, "the sweep", error=ConfigError)
    what = f"the sweep {path} is damaged or has an unknown entry"
    sweep: SweepFile = documents.decode(content, SweepFile, what, form="toml", error=ConfigError)
    if not sweep.seeds or len(set(sweep.seeds)) < len(sweep.seeds):
        raise ConfigError(f"the sweep {path}: give at least one seed, and none twice")
    grid = msgspec.structs.asdict(sweep.grid)
    fields = {name: values for name, values in grid.items() if values}
    if doubled := [name for name, values in fields.items() if len(set(values)) < len(values)]:
        raise ConfigError(f"the sweep {path}: [grid] has a value of {doubled[0]} twice")
    count = len(sweep.seeds)
    for values in fields.values():
        count *= len(values)
    if count > MOST_JOBS:
        raise ConfigError(f"the sweep {path} has {count:,} trainings, more than {MOST_JOBS:,}: split it")
    recipe = sweep.recipe
    if recipes.is_file(recipe) and not Path(recipe).is_absolute():
        recipe = str(path.parent / recipe)
    cases = [dict(zip(fields, case, strict=True)) for case in itertools.product(*fields.values())]
    try:
        for case in cases:
            recipes.find(recipe, **case)
        for seed in sweep.seeds:
            recipes.find(recipe, seed=seed)
    except (ConfigError, UnsupportedNetwork) as error:
        raise type(error)(f"the sweep {path}: {documents.printable(str(error))}") from None
    source = _source(recipes.find(recipe), data_dir)
    return [_job(recipe, case, seed, out, source) for seed in sweep.seeds for case in cases]


def _job(recipe: str, case: dict[str, Any], seed: int, out: Path, source: str) -> Job:
    text = msgspec.json.encode([source, case, seed])
    key = hashlib.sha256(text).hexdigest()
    parts = [str(value).replace(":", "of").replace("/", "of") for value in case.values()]
    name = "-".join([*parts, f"seed{seed}"])
    return Job(recipe, case, seed, out / name, key)


def _source(recipe: recipes.Recipe, data_dir: Path | None) -> str:
    """What a training depends on beside its case: the recipe, the network and the weights that it begins
    with, and whether images are those of the package."""
    entries = {name: value for name, value in msgspec.structs.asdict(recipe).items() if name in ENTRIES}
    start = digest_of(recipe.start) if recipe.start else ""
    images = "packaged" if data_dir is None else "whole"
    text = msgspec.json.encode([entries, recipe.network.to_json(), start, images])
    return hashlib.sha256(text).hexdigest()
