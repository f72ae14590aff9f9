"""``spec2 classify``: on a board, or on a virtual one that it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitstreams.commands.board_link import board_link, loading, members
from hw.commands.console import emit, progress, scalars
from hw.commands.models import DESIGN, located
from hw.commands.options import Baud, DataDir, Json, LinkNames
from hw.util import quote
from hw.util.tables import table
from pruning.commands.images import images_for
from sim.commands.integer_model import first_difference


def classify(
    images: Annotated[
        list[Path],
        typer.Argument(
            default_factory=list,
            show_default="MNIST test digits",
            help="Pictures, .npz or .npy files, or folders of them.",
        ),
    ],
    design: Annotated[Path, typer.Option(help="The design that the board runs, also for zoo:NAME.")] = Path(
        "build/lenet/design"
    ),
    link: LinkNames = ["virtual"],  # noqa: B006 (typer reads it, nobody changes it)
    baud: Baud = None,
    count: Annotated[
        int | None, typer.Option("--first", min=1, help="Only the first so many images.")
    ] = None,
    batch: Annotated[int, typer.Option(min=0, help="Images per run, 0 for as many as the design takes.")] = 0,
    scores: Annotated[bool, typer.Option("--logits", help="Print all scores of every image.")] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Compare every score with the integer model; exit code 1 if one differs."
        ),
    ] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Classify images on a board, real or virtual: labels, latency, throughput.

    Pictures must have the size of the network's input. A .npz file holds them as 'image', with 'label'
    the answers are checked. *virtual* takes a running 'spec2 board' of the design, else it starts one, and
    loads the weights that the design reads from memory; on a real board 'spec2 deploy' has done that. Several
    boards (--link more than once; each *virtual* is one) share a queue: a board that fails is opened again,
    what it was at is run by another one, and every image is answered once.

    **Examples**

        spec2 classify --first 100 --verify
        spec2 classify photo.png --logits --link uart:/dev/ttyUSB0
        spec2 classify photos/ --link xdma:/dev/xdma0 --link xdma:/dev/xdma1
    """
    from bitstreams.classify import images as reader
    from bitstreams.classify.classification import classify as run
    from bitstreams.classify.classification import classify_on
    from bitstreams.links.pool.pool import Pool
    from bitstreams.links.running import run as drive
    from hw.contract.design import DesignInfo

    design = located(design, DESIGN)
    info = DesignInfo.load(design)
    if images:
        found = reader.read(images, info.network.input)
    else:
        digits, labels = images_for(info.network, count or 16, data_dir, False, 0)
        found = reader.batch("digit", digits, labels, info.network.input)
    found = found.first(count)
    if len(link) > 1:
        with (
            members(link, baud, design, info) as boards,
            progress("classifying") as show,
            Pool(info, boards) as pool,
        ):
            result = classify_on(pool, info, found, size=batch, progress=show)
    else:
        with board_link(link[0], baud, design) as opened, progress("classifying") as show:
            prepare = loading(link[0], design, info, opened)
            result = drive(run(opened, info, found, size=batch, prepare=prepare, progress=show))
    data = result.to_json(scores=scores)
    rows = [(item["image"], item["label"], *map(str, item.get("scores", []))) for item in data["images"]]
    heads = ["image", "label", *(map(str, range(info.network.classes or 0)) if scores else [])]
    checked = first_difference(design, result.batch.images, result.scores) if verify else None
    if verify:
        data["mismatch"] = checked
    figures = {k: v for k, v in data.items() if k not in ("images", "boards") and v is not None}
    did = [(name, its.images, its.failures, its.why) for name, its in result.boards.items()]
    shares = [table(["board", "images", "failures", "why"], did)] if did else []
    equal = f"All scores of {len(rows)} images equal the integer model's."
    verdict = [quote.markdown(checked or equal)] if verify else []
    emit(as_json, data, table(heads, rows), table(["figure", "value"], scalars(figures)), *shares, *verdict)
    if checked:
        raise typer.Exit(1)
