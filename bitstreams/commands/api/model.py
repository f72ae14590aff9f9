"""``spec2.Model``: a trained model in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hw.commands.console import progress
from hw.commands.models import MODEL, located

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from hw.contract.artifact import Artifact
    from hw.contract.network import Network


@dataclass(frozen=True)
class Model:
    """A model that was pruned and quantised: ``folder`` holds ``model.npz`` and what is known of it.

    ``Model("build/lenet")``, ``Model("build/lenet/model.npz")`` and ``Model("zoo:lenet-2:8")`` are such that
    exist. Raises ``ArtifactError`` where there is none.
    """

    folder: Path

    def __init__(self, where: Path | str) -> None:
        path = located(where)
        object.__setattr__(self, "folder", path.parent if path.name == MODEL else path)
        _ = self.artifact

    @property
    def path(self) -> Path:
        """``model.npz``, which every command takes."""
        return self.folder / MODEL

    @property
    def artifact(self) -> Artifact:
        """The integers that the hardware sees, read anew."""
        from hw.contract.artifact import load

        return load(self.path)

    @property
    def network(self) -> Network:
        """What the hardware computes."""
        return self.artifact.network

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the integers."""
        return self.artifact.digest

    @property
    def accuracy(self) -> dict[str, float]:
        """Percent of the test images: ``dense`` and ``pruned`` in floating point, ``mirror`` as trained with
        rounding, ``integer`` as the hardware computes; what was not measured is missing."""
        from sim.report.data import accuracy

        return accuracy(self.folder, self.artifact)

    def scores(self, images: ArrayLike) -> NDArray[np.int32]:
        """Class scores (n, classes) of images (n, c, h, w), uint8, as the hardware computes them: bit by bit,
        by the integer model."""
        import numpy as np

        from sim import model

        with progress("integer model") as show:
            return model.run(self.artifact, np.asarray(images), progress=show)

    def __repr__(self) -> str:
        measured = self.accuracy.get("integer")
        right = "" if measured is None else f", {measured:.2f} %"
        return f"<spec2.Model {self.network.name}{right} in {self.folder}>"

    def _repr_html_(self) -> str:
        from bitstreams.commands.api import shown

        return shown.model(self.folder)


def model_of(model: Model | Path | str) -> Model:
    """``model``, or the one there."""
    return model if isinstance(model, Model) else Model(model)
