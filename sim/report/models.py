"""Models of one network, and the clocks of each on one array: what a comparison is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.contract.artifact import Artifact, load
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Network
from hw.util.errors import ConfigError
from sim.report.data import accuracy, scheme, sparsity, training
from sim.report.design_figures import counts, design_of, resources
from sim.report.prediction_cache import predict
from sim.rtl.verify import Verification

Progress = Callable[[float, float, str], None]
"""Called with (done, total, what is being done)."""


@dataclass(frozen=True)
class Model:
    """What a row needs of a model, without its weights: a table of VGG16s would fill a memory with them.

    network: before pruning. scheme: :func:`sim.report.data.scheme`. share_pruned: percent of
    the words of ``network``, in those layers that are pruned at all. accuracy: percent of the test set
    (:func:`sim.report.data.accuracy`). seconds, command: of training (:func:`sim.report.data.training`),
    where known. bits: of weights, of spectra.
    """

    folder: Path
    digest: str
    network: Network
    scheme: str
    share_pruned: float
    accuracy: dict[str, float]
    seconds: float | None
    command: str | None
    bits: tuple[int, int]

    @classmethod
    def load(cls, folder: Path) -> Model:
        """The model in ``folder``. Raises ``ArtifactError``."""
        artifact = load(folder / "model.npz")
        about = training(folder, artifact)
        return cls(
            folder,
            artifact.digest,
            artifact.pruned_from,
            scheme(artifact),
            _share_pruned(artifact),
            accuracy(folder, artifact),
            about.get("seconds"),
            about.get("command"),
            (artifact.weight_bits, artifact.spectrum_bits),
        )

    @property
    def design(self) -> Path:
        """Where its design is, if there is one."""
        return self.folder / "design"


@dataclass(frozen=True)
class Figures:
    """Clocks of a run of one image and of a full one on ``config``; needs: resources of the design, by the
    names of :data:`~sim.report.design_figures.COUNTED`; weight_bits: of its weight memory."""

    config: AcceleratorConfig
    cycles: int
    cycles_batch: int
    needs: Mapping[str, float]
    weight_bits: int


def read(folders: Sequence[Path], progress: Progress | None = None) -> list[Model]:
    """The models in ``folders``.

    Raises ``ArtifactError`` for a folder without one, ``ConfigError`` when networks differ or a model occurs
    twice.
    """
    models: list[Model] = []
    for done, folder in enumerate(folders):
        if progress:
            progress(done, len(folders), folder.name)
        models.append(Model.load(folder))
    _check(models)
    return models


def _check(models: Sequence[Model]) -> None:
    """Raise ``ConfigError`` unless all are different models of one network."""
    names = sorted({model.network.name for model in models})
    if len(names) > 1:
        raise ConfigError(f"a table compares one network, not {' and '.join(names)}: split the folders")
    seen: dict[str, Path] = {}
    for model in models:
        if model.network != models[0].network:
            raise ConfigError(
                f"the {model.network.name} in {model.folder} has other layers than that in "
                f"{models[0].folder}: leave one out"
            )
        if model.digest in seen:
            raise ConfigError(f"{seen[model.digest]} and {model.folder} hold the same model: leave one out")
        seen[model.digest] = model.folder


def _share_pruned(artifact: Artifact) -> float:
    pruned = [layer for layer in sparsity(artifact).values() if layer["kind"] != "dense"]
    words = sum(layer["words"] for layer in pruned)
    kept = sum(layer["words"] * layer["kept"] / 100 for layer in pruned)
    return round(100 * (1 - kept / words), 2) if words else 0.0


def counted(model: Model) -> Figures | None:
    """What the simulation of the folder's design counted; None without one."""
    if not (model.design / "design.json").exists():
        return None
    info, result = design_of(model.digest, model.design), Verification.load(model.design)
    if result is None:
        return None
    needs = counts(resources(model.design, info))
    return Figures(info.config, result.single.cycles, result.batch.cycles, needs, info.figure("weight_bits"))


def check_arrays(figures: Sequence[Figures]) -> None:
    """Raise ``ConfigError`` unless all are of one array."""
    sizes = sorted({(its.config.rows, its.config.lanes, its.config.batch) for its in figures})
    if len(sizes) > 1:
        (n, p, b), (n2, p2, b2), *_ = sizes
        raise ConfigError(
            f"a table compares models on one array, these were simulated on N={n} P={p} batch {b} and "
            f"N={n2} P={p2} batch {b2}: simulate one anew, or name a size, as --rows 64 --lanes 10"
        )


def predicted(
    models: Sequence[Model], array: AcceleratorConfig, progress: Progress | None, processes: int
) -> list[Figures]:
    """What scheduler and cost model say of every model on ``array``."""
    found = []
    for number, model in enumerate(models):
        names = [layer.name for layer in model.network.layers]

        def tell(layer: str, number: int = number, model: Model = model, names: list[str] = names) -> None:
            if progress:
                done = number + names.index(layer) / len(names)
                progress(done, len(models), f"{model.scheme}, {layer}")

        made = predict(model.folder, model.digest, array, tell, processes)
        found.append(Figures(array, made.cycles, made.cycles_batch, made.needs, made.weight_bits))
    return found
