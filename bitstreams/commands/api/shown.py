"""Results as a notebook shows them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitstreams.commands.api.design import Design
    from bitstreams.commands.api.simulation import Simulation

MOST_IMAGES = 32
"""Simulated images that a cell shows, wrong ones first."""


def model(folder: Path) -> str:
    """Accuracy at each step, and what every layer keeps."""
    from hw.contract.artifact import load
    from sim.report.data import accuracy, sparsity, storage
    from sim.report.html import views
    from sim.report.html.cell import cell

    artifact = load(folder / "model.npz")
    measured = accuracy(folder, artifact)
    report = {"storage": storage(artifact), "accuracy": measured}
    rows = [
        [name, of["kind"], of["words"], f"{of['kept']:.1f}", of["bits"]]
        for name, of in sparsity(artifact).items()
    ]
    steps = [f"{text}: {percent:.2f} %" for text, percent in views.accuracies(measured)]
    return cell(
        f"{artifact.network.name}, in {folder}",
        views.key_figures(report),
        ["layer", "pattern", "words", "kept, %", "bits"],
        rows,
        notes=["; ".join(steps)] if steps else [],
    )


def estimate(figures: dict[str, Any]) -> str:
    """Clocks and resources, and the layers'."""
    from sim.report.html.cell import cell

    notes = [figures["memory"]["says"]] if "memory" in figures else []
    if use := figures.get("use_percent"):
        notes.insert(0, "of the board: " + ", ".join(f"{name} {of:.0f} %" for name, of in use.items()))
    return cell("estimate", _needs(figures), *_layers(figures), notes=notes)


def design(made: Design) -> str:
    """The array, its estimates, and the files."""
    from sim.report.html.cell import cell

    info = made.info
    config = info.config
    where = "from external memory" if config.stream_weights else "in the design"
    size = sum(path.stat().st_size for path in made.folder.iterdir() if path.is_file())
    notes = [
        f"{made.verilog}; {len(info.files)} files of Verilog and memory, {size / 2**20:.1f} MiB in all",
        f"batch {config.batch}, weights {where}",
    ]
    title = f"{info.network.name}: N = {config.rows} rows, P = {config.lanes} lanes"
    return cell(title, _needs(made.figures), *_layers(made.figures), notes=notes)


def simulation(done: Simulation) -> str:
    """Whether all was equal, clocks by layer, and the images with the class that the Verilog chose."""
    from sim.report.classification import simulated
    from sim.report.html.cell import cell
    from sim.report.html.pictures import images
    from sim.rtl import answers

    figures, found = done.figures, answers.load(done.design.folder)
    single, batch = figures["single"], figures["batch"]
    shown = [
        ("mismatches", f"{figures['mismatches']:,}", f"of {figures['images']:,} images"),
        ("clocks", f"{single['cycles']:,}", "of one image, counted"),
        ("clocks", f"{batch['cycles']:,}", f"of a batch of {done.design.info.config.batch}"),
    ]
    if figures["correct"] is not None:
        shown.insert(1, ("right", f"{figures['correct']:,}", f"of {figures['images']:,} images"))
    rows = [[layer["name"], layer["cycles"], layer["steps"]] for layer in single["layers"]]
    return cell(
        "Verilog against integer model" + (", ports stalled at random" if figures["stalls"] else ""),
        shown,
        ["layer", "clocks", "steps"],
        rows,
        alarm="" if done.equal else f"WRONG: {figures['first_mismatch']}",
        images=images(simulated(found)[:MOST_IMAGES], found.images) if found else [],
    )


def page(path: Path) -> str:
    """A report, whole."""
    from sim.report.html.cell import framed

    return framed(path.read_text(encoding="utf-8"))


def _needs(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        ("clocks", f"{figures['cycles_per_image']:,}", "of one image, predicted"),
        ("DSP slices", f"{figures['dsp_total']:,}", "estimated"),
        ("RAMB36", f"{figures['bram36']:,}", "estimated"),
        ("LUTs", f"{figures['lut']:,}", "estimated"),
    ]


def _layers(figures: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """``steps`` of a design are those that it stores, ``executed`` those of a run."""
    rows = [
        [layer["name"], layer["cycles"], layer.get("executed", layer["steps"])] for layer in figures["layers"]
    ]
    return ["layer", "clocks of a batch", "steps"], rows
