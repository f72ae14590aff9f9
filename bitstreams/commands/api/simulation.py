"""``spec2.simulate``: the Verilog of a design, compared with the integer model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitstreams.commands.api.design import Design, design_of
from bitstreams.commands.api.given_images import IMAGES
from bitstreams.commands.api.keywords import says_keywords
from bitstreams.commands.api.model import Model
from hw.util.errors import ConfigError
from pruning.commands.images import images_for
from sim.commands.simulate import recording_of, simulate_design

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from sim.rtl.answers import Answers


@dataclass(frozen=True)
class Simulation:
    """What a simulation showed; ``figures`` are :class:`sim.rtl.verify.Verification` as plain data."""

    design: Design
    figures: dict[str, Any]

    @property
    def equal(self) -> bool:
        """Whether every value was that of the integer model."""
        return not self.figures["mismatches"]

    @property
    def images(self) -> int:
        """How many images were compared."""
        return int(self.figures["images"])

    @property
    def cycles(self) -> int:
        """Clocks of a run of one image, counted by the hardware, without stalls."""
        return int(self.figures["single"]["cycles"])

    @property
    def scores(self) -> NDArray[np.int32]:
        """Class scores (n, classes) that the Verilog gave."""
        return self._answers().scores

    @property
    def chosen(self) -> NDArray[np.int64]:
        """(n,): the class of the highest score; of equal ones the first."""
        return self._answers().chosen

    def _answers(self) -> Answers:
        from sim.rtl import answers

        found = answers.load(self.design.folder)
        if found is None:
            raise ConfigError(f"{self.design.folder} holds another simulation by now: simulate again")
        return found

    def __repr__(self) -> str:
        how = "all equal" if self.equal else f"{self.figures['mismatches']} WRONG"
        return f"<spec2.Simulation of {self.images} images, {how}, {self.cycles:,} clocks for one>"

    def _repr_html_(self) -> str:
        from bitstreams.commands.api import shown

        return shown.simulation(self)


@says_keywords()
def simulate(
    design: Design | Model | Path | str,
    images: ArrayLike | Path | str | int = 16,
    labels: ArrayLike | None = None,
    *,
    stalls: bool = False,
    seed: int = 0,
    data_dir: Path | str | None = None,
    latency: int | None = None,
    gap: int = 0,
    waves: Path | str | None = None,
    waves_from: int = 0,
    waves_to: int | None = None,
) -> Simulation:
    """Run images through the Verilog and compare every value, as ``spec2 simulate`` does.

    images: how many test images, of those that the model was trained on, or of a set of that size; random
    pixels where there is none. Or a set's name or a ``.npz``, of which 16 are taken, or an array (n, c, h, w)
    of uint8, perhaps with ``labels`` (n,).
    stalls: of all ports, at random, by ``seed``. latency, gap: clocks that external memory takes for a burst,
    and idle ones behind every beat. waves: an FST file of every signal, with a save file beside it, from
    clock ``waves_from`` to the one before ``waves_to``.

    Values that differ are no error here: ``equal`` is false then. Raises ``ToolFailed`` where the Verilog
    does not compile or run.
    """
    found = design_of(design)
    pixels, classes = _pixels(found, images, labels, data_dir, seed)
    recording = recording_of(Path(waves) if waves is not None else None, waves_from, waves_to)
    figures = simulate_design(
        found.folder,
        pixels,
        classes,
        seed=seed,
        stalls=stalls,
        latency=latency,
        gap=gap,
        waves=recording,
    )
    return Simulation(found, figures)


def _pixels(
    design: Design,
    images: ArrayLike | Path | str | int,
    labels: ArrayLike | None,
    data_dir: Path | str | None,
    seed: int,
) -> tuple[Any, Any]:
    import numpy as np

    network = design.info.network
    directory = Path(data_dir) if data_dir is not None else None
    if isinstance(images, int | str | Path):
        if labels is not None:
            raise ConfigError("labels go with an array of images: leave them out")
        if isinstance(images, int):
            trained_on = design.folder.parent / IMAGES
            count, source = images, str(trained_on) if trained_on.exists() else None
        else:
            count, source = None, str(images)
        if count is not None and count < 1:
            raise ConfigError(f"{count} images are none: give at least 1")
        found: tuple[Any, Any] = images_for(network, count, directory, False, seed, source)
        return found
    from pruning.data.labelled_images import LabelledImages

    given = LabelledImages("images", np.asarray(images), None if labels is None else np.asarray(labels))
    return given.images_for(network.input, 1), given.labels_for(network)
