"""``spec2 simulate``: images through the Verilog, every result compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hw.commands.console import emit, progress
from hw.commands.models import DESIGN, located
from hw.commands.options import DataDir, Design, Json, Seed
from hw.util import quote
from hw.util.errors import ConfigError
from pruning.commands.images import images_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.bench.job import Memory
    from sim.rtl.waves.recording import Recording


def simulate(
    design: Design,
    images: Annotated[int, typer.Option(min=1, help="How many images to compare.")] = 16,
    data: Annotated[
        str | None,
        typer.Option(
            help="Whose test images: mnist, cifar10, pneumonia, or a .npz with images and labels. "
            "[default: a set with images of this size; random pixels without one]"
        ),
    ] = None,
    data_dir: DataDir = None,
    stalls: Annotated[bool, typer.Option("--stalls", help="Stall every port at random.")] = False,
    random: Annotated[bool, typer.Option("--random", help="Random pixels instead of digits.")] = False,
    by_layer: Annotated[
        bool, typer.Option("--layers", help="One image, the map behind every layer compared on its own.")
    ] = False,
    latency: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Clocks that external memory takes to answer a burst."),
    ] = None,
    gap: Annotated[
        int, typer.Option(min=0, max=255, help="Idle clocks of external memory behind every beat.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="With --layers: also write the rows to this file.")] = None,
    waves: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.fst", help="Record every signal of the compared runs, and FILE.gtkw for GTKWave."
        ),
    ] = None,
    waves_from: Annotated[
        int, typer.Option(min=0, metavar="CLOCK", help="With --waves: the first clock that is recorded.")
    ] = 0,
    waves_to: Annotated[
        int | None,
        typer.Option(min=1, metavar="CLOCK", help="The first that is not any more. [default: the end]"),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Run images through the Verilog and compare every result with the integer model.

    Verilator compiles the design first (a minute; once per design). Every value must be equal: the first
    one that is not is reported, with exit code 1. Cycles come from the design's own counters.
    With --waves a simulator of its own is built, which is slower; clocks count from the start of the
    simulation, 10 ns each.

    **Examples**

        spec2 simulate build/lenet/design
        spec2 simulate build/lenet/design --images 64 --stalls --seed 7
        spec2 simulate build/lenet/design --layers
        spec2 simulate build/lenet/design --images 1 --waves lenet.fst --waves-to 3000
        spec2 simulate zoo:lenet-2:8
        spec2 simulate build/small/design --data images.npz
    """
    from hw.contract.design import DesignInfo
    from sim.report.page import verified

    design = located(design, DESIGN)
    network = DesignInfo.load(design).network
    if random and data is not None:
        raise ConfigError("--random takes no images of a set: leave --data or --random out")
    recording = recording_of(waves, waves_from, waves_to, by_layer)
    pixels, labels = images_for(network, 1 if by_layer else images, data_dir, random, seed, data)
    if by_layer:
        simulate_layers(design, pixels, latency=latency, gap=gap, out=out, as_json=as_json)
        return
    result = simulate_design(
        design, pixels, labels, seed=seed, stalls=stalls, latency=latency, gap=gap, waves=recording
    )
    clocks = (
        f"Clocks: {result['single']['cycles']:,} for one image, {result['batch']['cycles']:,} for a batch."
    )
    said = [verified(result), clocks]
    if recording is not None:
        result["waves"], sentence = _recorded(recording)
        said.append(sentence)
    emit(as_json, result, *said)
    if result["mismatches"]:
        raise typer.Exit(1)


def simulate_design(
    design: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8] | None,
    *,
    seed: int,
    stalls: bool = False,
    latency: int | None = None,
    gap: int = 0,
    waves: Recording | None = None,
) -> dict[str, Any]:
    """Whole runs, every result compared; returns :class:`sim.rtl.verify.Verification` as plain data."""
    from hw.contract.artifact import load
    from sim.rtl.verify import verify

    artifact = load(design / "model.npz")
    with progress("simulating") as show:
        memory = _memory(latency, gap)
        result = verify(
            design,
            artifact,
            images,
            labels,
            stalls=stalls,
            seed=seed,
            memory=memory,
            waves=waves,
            progress=show,
        )
    return result.to_json()


def simulate_layers(
    design: Path,
    images: NDArray[np.uint8],
    *,
    latency: int | None,
    gap: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Every layer on its own, and the clocks of a whole run."""
    from hw.contract.artifact import load
    from hw.util.files import write_json
    from hw.util.processes import processors
    from sim.rtl import layers

    with progress("simulating layer by layer") as show:
        found = layers.measure(
            design,
            load(design / "model.npz"),
            images,
            memory=_memory(latency, gap),
            processes=processors(),
            progress=show,
        )
    if out:
        write_json(out, found)
    emit(as_json, found, *layers.markdown(found))
    if found["total"]["mismatches"]:
        raise typer.Exit(1)


def _memory(latency: int | None, gap: int) -> Memory:
    """External memory of the bench; None is its usual latency."""
    from sim.bench.job import Memory

    return Memory(gap=gap) if latency is None else Memory(latency, gap)


def recording_of(file: Path | None, first: int, last: int | None, by_layer: bool = False) -> Recording | None:
    """What is to be recorded, if anything. Raises ``ConfigError`` for options that do not fit together."""
    from sim.rtl.waves.recording import Recording

    if file is None:
        if first or last is not None:
            raise ConfigError("--waves-from and --waves-to bound --waves: name its file, or leave them out")
        return None
    if by_layer:
        raise ConfigError("--waves records whole runs: leave --layers out")
    return Recording(file, first, last)


def _recorded(waves: Recording) -> tuple[dict[str, Any], str]:
    """What was recorded: as plain data, and for people."""
    from sim.rtl.waves.save_file import save_file

    size, beside = waves.file.stat().st_size, save_file(waves.file)
    data = {"file": str(waves.file), "save_file": str(beside), "bytes": size}
    names = [quote.code(str(path)) for path in (waves.file, beside)]
    return data, f"Waves: {names[0]}, {size / 1e6:,.1f} MB; sorted by stage: {names[1]}."
