"""Where features come from, as options say it (integer model, Verilog, board), and of what images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitstreams.commands.board_link import board_link, loading
from hw.commands.models import DESIGN, MODEL, located
from hw.util.errors import ConfigError, DataError, DigestMismatch
from pruning.commands.named_images import is_named, named_images

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hw.contract.artifact import Artifact
    from hw.contract.design import DesignInfo
    from hw.contract.features import Features
    from hw.host.counters import Counters
    from hw.host.extraction import Images, Part, Progress, Source

INTEGER_MODEL, VERILOG = "integer model", "Verilog"
"""Names of sources in files; others are those of links."""

SIMULATOR_BLOCK, LINK_BLOCK = 64, 16
"""Images of a block, which an interruption costs: every block starts the simulator anew, a link goes on."""


@dataclass(frozen=True)
class Origin:
    """What options say of a source. design: its folder, by default that of the model. link: None for the
    integer model, or for the Verilog with ``verilog``."""

    model: Path
    design: Path | None
    link: str | None
    verilog: bool
    baud: int | None

    def __post_init__(self) -> None:
        if self.link is not None and self.verilog:
            raise ConfigError("features come from one source: leave out --verilog or --link")

    @property
    def name(self) -> str:
        """For those who read the features."""
        if self.link is None:
            return VERILOG if self.verilog else INTEGER_MODEL
        from bitstreams.links.opening import Address

        return Address.parse(self.link).kind

    @property
    def block(self) -> int:
        """Images of a block."""
        from hw.host.extraction import BLOCK

        return {INTEGER_MODEL: BLOCK, VERILOG: SIMULATOR_BLOCK}.get(self.name, LINK_BLOCK)

    def artifact(self) -> Artifact:
        """The model."""
        from hw.contract.artifact import load

        return load(located(self.model, MODEL))

    @contextmanager
    def source(self, artifact: Artifact, layer: str) -> Iterator[Source]:
        """What makes the maps of ``layer``. A virtual board that it starts ends with the block.

        Raises ``DigestMismatch`` where the design has other weights than the model.
        """
        from hw.contract.features import layer_number
        from hw.contract.instructions import instructions_of

        number = layer_number(artifact.network, layer)
        if self.name == INTEGER_MODEL:
            from sim import model

            def modelled(images: Images, progress: Progress) -> NDArray[Any]:
                def show(done: int, total: int) -> None:  # in images times layers
                    progress(done * len(images) // total)

                return model.run(artifact, images, layer=layer, progress=show)

            yield modelled
            return
        design, info = self._design(artifact)
        try:
            instructions_of(info.network, info.numbers, (0, number))
        except DataError as error:
            raise DataError(
                f"the design never holds what layer {layer!r} makes as a whole ({error}): take the integer "
                "model, or another layer"
            ) from None
        if self.link is None:
            from sim import rtl

            def simulated(images: Images, progress: Progress) -> NDArray[Any]:
                def show(done: int, total: int) -> None:
                    progress(done)

                return rtl.simulate(design, images, layers=(0, number), progress=show).scores

            yield simulated
            return
        from bitstreams.links.running import run as drive
        from hw.host.driver import Driver

        with board_link(self.link, self.baud, design) as opened:
            driver = Driver(opened, info)
            prepare = loading(self.link, design, info, opened)

            async def begin() -> None:
                await driver.connect()
                if prepare:
                    await prepare(driver)

            drive(begin())

            def run(images: Images, progress: Progress) -> NDArray[Any]:
                def show(done: int, counters: Counters) -> None:
                    progress(done)

                return drive(driver.run(images, layers=(0, number), on_run=show))

            yield run

    def _design(self, artifact: Artifact) -> tuple[Path, DesignInfo]:
        from hw.contract.design import DesignInfo

        beside = located(self.model, MODEL).parent / DESIGN
        folder = located(self.design, DESIGN) if self.design else beside
        info = DesignInfo.load(folder)
        if info.digest != artifact.digest:
            raise DigestMismatch(
                f"{folder} was generated from artifact {info.digest[:8]}…, not from {artifact.digest[:8]}…: "
                "name another with --design"
            )
        return folder, info


def parts_of(
    words: Sequence[Path], artifact: Artifact, data_dir: Path | None, first: int | None
) -> tuple[Iterator[Part], int | None]:
    """Images and labels, file by file, and how many there are, where that is known before they are read.

    words: files, folders, names of data sets, which are read at once. first: only so many; ``DataError``
    is raised where there are fewer.
    """
    from bitstreams.classify import images as reader

    shape = artifact.network.input
    named = {word: named_images(word, data_dir, shape) for word in words if is_named(word)}

    def parts() -> Iterator[Part]:
        for word in words:
            if word in named:
                yield named[word]
            else:
                yield from ((part.images, part.labels) for part in reader.batches([word], shape))

    if first is not None:
        return _first(parts(), first), first
    known = len(named) == len(set(words))
    return parts(), sum(len(named[word][0]) for word in words) if known else None


def first_difference(
    artifact: Artifact, parts: Iterator[Part], found: Features, progress: Progress
) -> str | None:
    """The first integer of ``found`` that differs from the integer model's, in words; None where all agree.

    parts: the images that the features are of.
    """
    from hw.host.extraction import blocks
    from sim import model
    from sim.rtl.mismatch import first_mismatch

    layer, form, done = found.about.layer, found.about.form, 0
    for images, _ in blocks(parts):
        expected = model.features(artifact, images, layer, form)
        actual = found.vectors[done : done + len(images)]
        axes = ("image", "channel", "row", "column") if form == "maps" else ("image", "number")
        if first := first_mismatch(expected, actual, axes, layer=f"layer {layer}, images from {done}"):
            return str(first)
        done += len(images)
        progress(done)
    return None


def _first(parts: Iterator[Part], count: int) -> Iterator[Part]:
    left = count
    for images, labels in parts:
        yield images[:left], None if labels is None else labels[:left]
        left -= min(left, len(images))
        if not left:
            return
    raise DataError(f"there are {count - left} images, not {count}: lower the number")
