"""``spec2.estimate`` and ``spec2.generate``: an accelerator, foretold and made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitstreams.commands.api.keywords import says_keywords
from bitstreams.commands.api.model import Model, model_of
from bitstreams.commands.generate import write_design
from hw.commands.configuration import configure
from hw.commands.models import DESIGN, located, usual_array
from hw.util.errors import ConfigError

if TYPE_CHECKING:
    from hw.contract.config import AcceleratorConfig
    from hw.contract.design import DesignInfo


@dataclass(frozen=True)
class Estimate:
    """Clocks and resources of an accelerator, in closed form.

    figures: as of ``spec2 estimate --json``: ``cycles`` of a full batch, ``cycles_per_image``, ``layers``,
    ``dsp_total``, ``bram36`` and the others.
    """

    figures: dict[str, Any]

    @property
    def cycles_per_image(self) -> int:
        """Clocks of a run of one image."""
        return int(self.figures["cycles_per_image"])

    def __repr__(self) -> str:
        dsps = self.figures["dsp_total"]
        return f"<spec2.Estimate {self.cycles_per_image:,} clocks an image, {dsps:,} DSP slices>"

    def _repr_html_(self) -> str:
        from bitstreams.commands.api import shown

        return shown.estimate(self.figures)


@dataclass(frozen=True)
class Design:
    """A generated accelerator: ``folder`` holds its Verilog, memory images, ``design.json`` and model.

    ``Design("build/lenet/design")`` is one that exists. Raises ``ArtifactError`` where there is none.
    """

    folder: Path

    def __init__(self, where: Path | str) -> None:
        object.__setattr__(self, "folder", located(where, DESIGN))
        _ = self.info

    @property
    def info(self) -> DesignInfo:
        """What ``design.json`` says, read anew."""
        from hw.contract.design import DesignInfo

        return DesignInfo.load(self.folder)

    @property
    def model(self) -> Model:
        """The model that it was generated from, as the design keeps it."""
        return Model(self.folder)

    @property
    def verilog(self) -> Path:
        """The Verilog file; its top module has the same name."""
        return self.folder / f"{self.info.top}.v"

    @property
    def figures(self) -> dict[str, Any]:
        """What the compiler said of it, as of an :class:`Estimate`."""
        return dict(self.info.estimates)

    def __repr__(self) -> str:
        info = self.info
        array = f"N = {info.config.rows}, P = {info.config.lanes}"
        return f"<spec2.Design {info.network.name}, {array}, in {self.folder}>"

    def _repr_html_(self) -> str:
        from bitstreams.commands.api import shown

        return shown.design(self)


def design_of(design: Design | Model | Path | str) -> Design:
    """``design``, or the one there; of a model the one beside it."""
    if isinstance(design, Model):
        design = design.folder / DESIGN
    return design if isinstance(design, Design) else Design(design)


def _model(model: Design | Model | Path | str) -> Model:
    """``model``, or the one there; of a design the one that it was generated from."""
    return model.model if isinstance(model, Design) else model_of(model)


def _entries() -> list[str]:
    """What an array has."""
    from dataclasses import fields

    from hw.contract.config import AcceleratorConfig

    return [field.name for field in fields(AcceleratorConfig)]


@says_keywords(_entries)
def estimate(model: Model | Design | Path | str, *, board: str | None = None, **array: Any) -> Estimate:
    """Predict clocks and resources, as ``spec2 estimate`` does.

    array: ``rows``, ``lanes``, ``batch``, ``stream_weights`` and the others of
    :class:`hw.contract.config.AcceleratorConfig`; by default what the model of the zoo is usually generated
    for, or the configuration's defaults. board: one of ``spec2 boards`` that it shall fit.

    Raises ``ConfigError`` for an array that there cannot be, ``DoesNotFit`` for too small a board.
    """
    from bitstreams.commands.estimate import foretell

    return Estimate(foretell(_model(model).artifact, _array(model, array), board))


@says_keywords(_entries)
def generate(
    model: Model | Design | Path | str,
    *,
    board: str | None = None,
    name: str | None = None,
    out: Path | str | None = None,
    **array: Any,
) -> Design:
    """Write the accelerator for a model, as ``spec2 generate`` does.

    array, board: as of :func:`estimate`. name: of the top module, where several accelerators are to fit into
    one design. out: folder; by default ``design`` beside the model.

    Raises as :func:`estimate`, with nothing written.
    """
    found = _model(model)
    folder = Path(out) if out is not None else _beside(found.folder)
    write_design(found.artifact, _array(model, array), folder, board, name=name)
    return Design(folder)


def _beside(folder: Path) -> Path:
    """Where a model's design lies; a model that a design keeps has that design's folder."""
    from hw.contract.design import FILE_NAME

    return folder if (folder / FILE_NAME).exists() else folder / DESIGN


def _array(model: Model | Design | Path | str, given: dict[str, Any]) -> AcceleratorConfig:
    if unknown := sorted(set(given) - set(_entries())):
        raise ConfigError(f"an array has no {unknown[0]!r}: give {', '.join(_entries())}")
    usual = None if isinstance(model, Model | Design) else usual_array(model)
    return configure(None, usual=usual, **given)
