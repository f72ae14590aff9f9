"""``spec2 search``: in ``bitstreams``, because a board may make the features of what is searched for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitstreams.commands.feature_source import Origin, parts_of
from bitstreams.commands.features import DesignOption, First, Link, Verilog
from hw.commands.console import emit, progress
from hw.commands.options import Baud, DataDir, Json
from hw.util.errors import ConfigError, DigestMismatch
from hw.util.tables import table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hw.contract.features import Features
    from hw.host.extraction import Part
    from pruning.transfer.search.index import Index

SHOWN = 20
"""Queries in the table on a terminal."""


def search(
    index: Annotated[Path, typer.Argument(help="What 'spec2 index' wrote.")],
    queries: Annotated[
        list[Path], typer.Argument(help="A file of features, or images as 'spec2 features' takes them.")
    ],
    nearest: Annotated[int, typer.Option(min=1, help="How many images to find for each.")] = 10,
    model: Annotated[
        Path | None, typer.Option(help="Makes the features of images: the model of the index.")
    ] = None,
    link: Link = None,
    verilog: Verilog = False,
    design: DesignOption = None,
    baud: Baud = None,
    count: First = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Also write a picture (PNG) of queries and what was found.")
    ] = None,
    database: Annotated[
        list[Path] | None,
        typer.Option(help="For --sheet: the images that the index is of, as they were given for it."),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Find the images of an index that are nearest to others: positions, distances, labels.

    Positions count from 0 in the order in which the images were given. Distances are bits in which codes
    differ, or 1 less the cosine with an index of the method float. Of equal ones the earlier comes first.
    Queries of another model, layer or form than the index's are refused.

    **Examples**

        spec2 search train.npz test-features.npz --nearest 5 --first 20 --json
        spec2 search index.npz seven.png --model zoo:lenet-2:8
        spec2 search i.npz mnist:test --first 8 --model zoo:lenet-2:8 --sheet s.png --database mnist:train
    """
    from pruning.transfer.search.index import load

    known = load(index)
    origin = None if model is None else Origin(model, design, link, verilog, baud)
    if sheet is not None and not (database and origin):
        raise ConfigError(
            "a sheet shows queries and images of the index: give images, name those of the index with "
            "--database and the model with --model"
        )
    asked, images = _asked(queries, origin, known, data_dir, count)
    found, distances = known.nearest(asked, nearest)
    if sheet is not None and origin:
        parts, _ = parts_of(database or [], origin.artifact(), data_dir, None)
        _draw(sheet, images, asked, known, found, parts)
    data = _told(asked, known, found, distances)
    rows = [(row["query"], _pairs(row), row.get("label")) for row in data["queries"][:SHOWN]]
    more = []
    if left := len(data["queries"]) - len(rows):
        more.append(f"{left} more queries are in the answer with --json.")
    if "same_label" in data:
        more.append(f"{data['same_label']} % of the images found have the query's label.")
    emit(as_json, data, table(["query", "image (distance)", "label"], rows), *more)


def _told(asked: Features, known: Index, found: NDArray[np.int64], distances: NDArray[Any]) -> dict[str, Any]:
    """What was found, as plain data."""
    rows: list[dict[str, Any]] = []
    for number, (positions, away) in enumerate(zip(found, distances, strict=True)):
        row: dict[str, Any] = {"query": number, "images": positions.tolist(), "distances": away.tolist()}
        if asked.labels is not None:
            row["label"] = int(asked.labels[number])
        if known.labels is not None:
            row["labels"] = known.labels[positions].tolist()
        rows.append(row)
    data: dict[str, Any] = {"queries": rows}
    if asked.labels is not None and known.labels is not None:
        same = known.labels[found] == asked.labels[:, None]
        data["same_label"] = round(100 * float(same.mean()), 2)
    return data


def _pairs(row: dict[str, Any]) -> str:
    pairs = zip(row["images"], row["distances"], strict=True)
    return ", ".join(f"{image} ({away:.4g})" for image, away in pairs)


def _asked(
    queries: Sequence[Path], origin: Origin | None, known: Index, data_dir: Path | None, count: int | None
) -> tuple[Features, list[NDArray[np.uint8]]]:
    """The features of the queries, and their images where they are images."""
    from hw.contract.features import features_of, file
    from hw.contract.features.content import check_model
    from hw.host.extraction import at_once

    if len(queries) == 1 and file.is_features(queries[0]):
        found = file.load(queries[0])
        return (found if count is None else found.first(count)), []
    if origin is None:
        raise ConfigError("features of images are made by the model of the index: name it with --model")
    artifact, about = origin.artifact(), known.about
    check_model(about, artifact.digest)
    kind = features_of(artifact, about.layer, about.form)
    parts, total = parts_of(queries, artifact, data_dir, count)
    images: list[NDArray[np.uint8]] = []

    def kept() -> Iterator[Part]:
        for part in parts:
            images.extend(part[0])
            yield part

    with origin.source(artifact, about.layer) as source, progress("features") as show:
        found = at_once(
            source,
            kept(),
            kind,
            model=artifact.digest,
            name=origin.name,
            block=origin.block,
            progress=lambda done: show(done, total, f"{done:,} images"),
        )
    return found, images


def _draw(
    sheet: Path,
    images: list[NDArray[np.uint8]],
    asked: Features,
    known: Index,
    found: NDArray[np.int64],
    parts: Iterator[Part],
) -> None:
    """The contact sheet. Raises ``DigestMismatch`` where ``parts`` are not the images of the index."""
    from pruning.transfer.search.contact_sheet import check, chosen, save

    if not images:
        raise ConfigError("a sheet shows the queries: give images in place of their features")
    check(len(images), found.shape[1], len(images[0]))
    pixels = hashlib.sha256()
    with progress("reading the images of the index") as show:

        def read() -> Iterator[Part]:
            done = 0
            for part in parts:
                pixels.update(part[0].tobytes())
                done += len(part[0])
                show(done, known.about.count)
                yield part

        shown = chosen(read(), found.ravel().tolist())
    if pixels.hexdigest() != known.about.images:
        raise DigestMismatch(
            "the images of --database are not those of the index: give them as they were given for it"
        )
    rows = []
    for number, positions in enumerate(found.tolist()):
        agree: list[bool | None] = [None] * len(positions)
        if asked.labels is not None and known.labels is not None:
            agree = [bool(known.labels[p] == asked.labels[number]) for p in positions]
        rows.append((images[number], [(shown[p], a) for p, a in zip(positions, agree, strict=True)]))
    save(sheet, rows)
