"""``spec2 demo``: from nothing to a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitstreams.commands.generate import write_design
from bitstreams.commands.report import known_boards
from hw.commands.configuration import configure
from hw.commands.options import DataDir, Json, Seed
from pruning.commands.images import images_for
from sim.commands.printed_report import print_report
from sim.commands.prune import prune_and_measure
from sim.commands.simulate import simulate_design


def demo(
    data_dir: DataDir = None,
    images: Annotated[int, typer.Option(min=1, help="How many digits to simulate.")] = 16,
    out: Annotated[Path, typer.Option(help="Folder for everything.")] = Path("build/lenet"),
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Prune LeNet to a quarter, generate N=8 P=4, simulate real digits on the Verilog, report.

    Takes a few minutes, most of them training. Needs no data: 5,000 MNIST digits are in a package.

    **Examples**

        spec2 demo
        spec2 demo --data-dir ~/mnist --images 64
    """
    from hw.contract.artifact import load

    prune_and_measure("lenet", out, data_dir=data_dir, seed=seed)
    artifact = load(out / "model.npz")
    write_design(artifact, configure(rows=8, lanes=4, batch=4), out / "design", None)
    digits, labels = images_for(artifact.network, images, data_dir, False, seed)
    result = simulate_design(out / "design", digits, labels, seed=seed)
    print_report(out, None, as_json, boards=known_boards())
    if result["mismatches"]:
        raise typer.Exit(1)
