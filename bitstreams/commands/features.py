"""``spec2 features``: of the integer model, the Verilog, or a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from bitstreams.commands.feature_source import Origin, first_difference, parts_of
from hw.commands.console import emit, progress, scalars
from hw.commands.options import Baud, DataDir, Json, Model
from hw.util import quote
from hw.util.tables import table

Layer = Annotated[str, typer.Option(help="The layer that features are taken from; any of the network.")]
FormOption = Annotated[
    Literal["average", "flat", "maps"],
    typer.Option(help="average: the sum over a channel's pixels; flat: all pixels; maps: the map as it is."),
]
Link = Annotated[
    str | None,
    typer.Option("--link", help="Take a board: uart:/dev/ttyUSB0, xdma:/dev/xdma0, or virtual."),
]
Verilog = Annotated[bool, typer.Option("--verilog", help="Take the simulated Verilog of the design.")]
DesignOption = Annotated[
    Path | None, typer.Option(help="The design of --link or --verilog. [default: 'design' beside MODEL]")
]
First = Annotated[int | None, typer.Option("--first", min=1, help="Only the first so many images.")]


def features(
    model: Model,
    images: Annotated[
        list[Path],
        typer.Argument(help="Pictures, .npz or .npy files, folders of them; mnist:test, cifar10:train, ..."),
    ],
    layer: Layer,
    form: FormOption = "average",
    link: Link = None,
    verilog: Verilog = False,
    design: DesignOption = None,
    baud: Baud = None,
    count: First = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Compare every integer with the integer model; exit code 1 if one differs."
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="The file. [default: build/features/NETWORK-LAYER.npz]")
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    *,
    context: typer.Context,
) -> None:
    """Write what a layer makes of images: feature vectors, in integers, the same wherever it runs.

    The integer model makes them, or with --verilog or --link the hardware that it equals. An *average* is
    kept as the sum of a channel's pixels, with the number of pixels beside it: nothing is rounded. OUT
    holds 'features', 'labels' where images have some, and a header: layer, form, digests of model and
    images. A run that was interrupted goes on where it was: start it again with the same model, images and
    OUT; whatever else is found in OUT.partial is dropped.

    **Examples**

        spec2 features zoo:lenet-2:8 mnist:test --layer conv2
        spec2 features build/lenet/model.npz digits.npz --layer fc1 --link virtual --verify
        spec2 features zoo:vgg16-cifar-half-2:8 cifar10:train --data-dir ~/cifar --layer conv5_3
    """
    from hw.contract.features import features_of, load
    from hw.host.extraction import extract

    origin = Origin(model, design, link, verilog, baud)
    artifact = origin.artifact()
    kind = features_of(artifact, layer, form)
    out = out or Path("build") / "features" / f"{kind.network}-{layer}.npz"
    parts, total = parts_of(images, artifact, data_dir, count)
    with origin.source(artifact, layer) as source, progress("features") as show:
        about = extract(
            source,
            parts,
            kind,
            out,
            model=artifact.digest,
            name=origin.name,
            command=context.obj,
            block=origin.block,
            progress=lambda done: show(done, total, f"{done:,} images"),
        )
    checked = None
    if verify:
        again, _ = parts_of(images, artifact, data_dir, count)
        with progress("integer model") as show:
            checked = first_difference(
                artifact, again, load(out), lambda done: show(done, about.count, f"{done:,} images")
            )
    data: dict[str, Any] = {
        "file": str(out),
        "images": about.count,
        "layer": layer,
        "form": form,
        "vector": "×".join(map(str, about.vector)),
        "pixels": about.pixels,
        "integers": str(about.dtype),
        "source": about.source,
        "model": about.model,
        **({"mismatch": checked} if verify else {}),
    }
    equal = f"All features of {about.count:,} images equal the integer model's."
    verdict = [quote.markdown(checked or equal)] if verify else []
    rows = scalars({name: value for name, value in data.items() if name != "mismatch"})
    emit(as_json, data, table(["features", "value"], rows), *verdict)
    if checked:
        raise typer.Exit(1)
