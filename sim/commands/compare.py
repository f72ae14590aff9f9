"""``spec2 compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hw.commands.configuration import Option, configure
from hw.commands.console import emit, progress, requires
from hw.commands.models import located
from hw.commands.options import (
    BusBits,
    ConfigFile,
    FeatureMemory,
    Json,
    Memories,
    MemoryLines,
    Products,
    SpectrumMemory,
    Stream,
    StreamBits,
)


def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Folders with model.npz, or zoo:NAME: one network, a sparsity pattern each."),
    ],
    rows: Annotated[int | None, typer.Option(help="N to predict clocks for. [default: 64]")] = None,
    lanes: Annotated[int | None, typer.Option(help="P to predict clocks for. [default: 10]")] = None,
    batch: Annotated[int | None, typer.Option(help="Most images per run. [default: 1]")] = None,
    stream: Stream = None,
    memory_lines: MemoryLines = None,
    feature_memory: FeatureMemory = None,
    spectrum_memory: SpectrumMemory = None,
    bus_bits: BusBits = None,
    memories: Memories = None,
    products: Products = None,
    stream_bits: StreamBits = None,
    config: ConfigFile = None,
    seeds: Annotated[
        bool,
        typer.Option(
            "--over-seeds",
            help="One row for all trainings of a sparsity pattern: mean and standard deviation.",
        ),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the rows to this JSON file.")] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--plot", help="Also draw accuracy against clocks into this .svg or .png file."),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(help="Also write a page with accuracy, clocks and storage into this .html file."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Set models of one network side by side: accuracy, clocks, storage, time of training.

    Where every folder has a simulated design, clocks are those that the Verilog counted. Where one has none,
    or a size is given, scheduler and cost model predict those of one array for all, by default N=64 P=10 with
    weights in the design; a line above the table says which. Scheduling takes up to a minute for a large
    irregular layer; the result is kept beside the model, in predicted.json.

    *pruned* counts the words of the network before pruning, also those of channels that have disappeared, in
    the layers that are pruned at all. *bits* is the weight memory, with selects and addresses. The plot has a
    curve for every pattern, through its models of different density, and the dense network as a dotted line.
    *lost*, with --over-seeds, is what integers lose against the dense network of the same seed.

    **Examples**

        spec2 compare build/results/adaptive build/results/uniform build/results/kernel
        spec2 compare build/sparsity/* --rows 64 --lanes 10 --out rows.json --page rows.html
        spec2 compare build/sweep/*/ --over-seeds --rows 8 --lanes 4
    """
    from hw.util.files import write_json
    from hw.util.processes import processors
    from sim.report import comparison
    from sim.report.comparison_seeds import over_seeds
    from sim.report.models import read

    with progress("reading") as show:
        models = read([located(folder) for folder in folders], show)
    options: dict[str, Option] = {
        "rows": rows,
        "lanes": lanes,
        "batch": batch,
        "stream_weights": stream,
        "memory_lines": memory_lines,
        "feature_memory": feature_memory,
        "spectrum_memory": spectrum_memory,
        "bus_bits": bus_bits,
        "memories": memories,
        "products": products,
        "stream_bits": stream_bits,
    }
    sized = config is not None or any(option is not None for option in options.values())
    array = configure(config, usual=comparison.ARRAY, **options) if sized else None
    if picture:
        with requires("matplotlib"):
            from sim.report import comparison_plot
        # Before minutes of scheduling, not after.
        comparison_plot.check(picture, [model.accuracy.get("integer") for model in models])
    with progress("comparing") as show:
        found = comparison.rows(models, array, processes=processors(), progress=show)
    if seeds:
        found = over_seeds(found)
    if page:
        with requires("matplotlib", "jinja2"):
            from sim.report.html import compare as compared
        compared.write(found, page)
    if out:
        write_json(out, found)
    if picture:
        comparison_plot.plot(found, picture)
    emit(as_json, found, comparison.clocks_of(found), comparison.markdown(found))
