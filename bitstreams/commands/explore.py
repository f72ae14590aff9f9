"""``spec2 explore``: in ``bitstreams``, because it asks a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitstreams.commands.boards import device_of
from hw.commands.console import emit, progress, requires
from hw.commands.exploration import MODEL_SUFFIX, Target, chosen_space, chosen_workload
from hw.commands.models import MODEL, located
from hw.commands.options import Json
from hw.util import quote
from hw.util.errors import ConfigError


def explore(
    what: Annotated[
        str, typer.Argument(help="A network's name, or a model or zoo:NAME: its masks are used exactly.")
    ],
    board: Annotated[str, typer.Option(help="The board: see 'spec2 boards'.")],
    target: Annotated[Target, typer.Option("--objective", help="What to look for.")] = Target.latency,
    clock_mhz: Annotated[float | None, typer.Option(help="Clock. [default: the board's goal]")] = None,
    max_ms: Annotated[float | None, typer.Option(help="Only designs whose run takes at most this.")] = None,
    keep: Annotated[
        float | None, typer.Option(help="Without a model: so many of --group words stay. [default: 2]")
    ] = None,
    group: Annotated[int | None, typer.Option(min=1, help="See --keep. [default: 8]")] = None,
    rows: Annotated[
        list[int] | None, typer.Option(help="N to try; repeat it. [default: 8, 16, 32, 64, 128]")
    ] = None,
    lanes: Annotated[list[int] | None, typer.Option(help="P to try; repeat it. [default: 1 to 64]")] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(help="Images per run to try; repeat it. [default: 1, for throughput and dsp up to 8]"),
    ] = None,
    weight_bits: Annotated[
        list[int] | None,
        typer.Option(help="Widths of weights to try without a model; repeat it. [default: 8, 12, 16]"),
    ] = None,
    spectrum_bits: Annotated[
        int | None,
        typer.Option(help="Without a model: width of a transformed tile's words, 8 to 16. [default: 16]"),
    ] = None,
    products: Annotated[
        list[str] | None,
        typer.Option(
            help="DSP slices of a complex product to try: three, packed; repeat it. "
            "[default: both, where the board's slices are wide enough]"
        ),
    ] = None,
    memories: Annotated[
        int | None,
        typer.Option(
            min=1, help="Memory interfaces that weights come from. [default: all that a build connects]"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the results. [default: explore_BOARD in build/NETWORK, or beside MODEL]"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Search the best design of a network for a board, with the cost model: no Verilog.

    Seconds for LeNet, a minute for VGG16.
    *latency*: least time of a run of one image. *throughput*: most images per second. *dsp*: most operations
    per DSP slice and clock. Writes OUT/explore.json with every design, explore.svg, explore.html with the
    layers and the command of each of the best, and config.json, which 'spec2 generate --config' takes. A
    wider weight is never faster: whether a narrow one is accurate enough only training can say.

    **Examples**

        spec2 explore vgg16 --board vc709
        spec2 explore vgg16 --board vcu118 --objective throughput --weight-bits 8
        spec2 explore build/lenet/model.npz --board arty_a7_100 --max-ms 1 --objective dsp
    """
    from hw.explore import report as describe
    from hw.explore.objective import Objective
    from hw.explore.sweep import explore as sweep
    from sim.report import explore_page

    device = device_of(board, clock_mhz, memories)
    what = str(located(what, MODEL))
    workload, widths = chosen_workload(what, keep, group, weight_bits, spectrum_bits)
    space = chosen_space(target, rows, lanes, batch, widths, products)
    if max_ms is not None and max_ms <= 0:
        raise ConfigError(f"--max-ms must be positive, not {max_ms:g}")
    with progress("exploring") as show:
        found = sweep(
            workload,
            device,
            space,
            Objective(target.value),
            most_seconds=None if max_ms is None else max_ms / 1e3,
            progress=show,
        )
        data = describe.report(found)
    beside = Path(what).parent if Path(what).suffix == MODEL_SUFFIX else Path("build") / data["network"]
    folder = out or beside / f"explore_{device.name}"
    path = describe.save(data, folder)
    with requires("matplotlib", "jinja2"):
        from sim.report.explore_plot import plot
        from sim.report.html import explore as page
    plot(data, folder / "explore.svg")
    model = what if Path(what).suffix == MODEL_SUFFIX else str(Path("build") / data["network"] / MODEL)
    page.write(data, folder, model)
    shown = {key: value for key, value in data.items() if key != "points"}
    use = quote.code(quote.shell("spec2", "generate", "--config", str(path)))
    names = f"explore.json, explore.html, explore.svg and {path.name}"
    wrote = f"Wrote {quote.markdown(str(folder))}/{names} for {use}."
    emit(as_json, {**shown, "config_file": str(path)}, *explore_page.markdown(data), wrote)
