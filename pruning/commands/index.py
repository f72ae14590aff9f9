"""``spec2 index``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hw.commands.console import emit, progress, scalars
from hw.commands.options import Json, Seed
from hw.util.tables import table


def index(
    features: Annotated[Path, typer.Argument(help="What 'spec2 features' wrote.")],
    out: Annotated[Path, typer.Option(help="The index.")] = Path("build/index.npz"),
    bits: Annotated[int, typer.Option(help="Of a code: a multiple of 8. 0 with --method float.")] = 64,
    method: Annotated[
        Literal["iiq", "itq", "sign", "float"], typer.Option(help="How codes are learned.")
    ] = "itq",
    removed: Annotated[
        int | None,
        typer.Option(help="Directions that iiq removes. [default: one of 100 numbers of a vector]"),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Make an index of features, to search for similar images: a short binary code for each.

    *sign*: signs of principal components. *itq*: of principal components that were turned close to their
    signs. *iiq*: the same, without the directions in which vectors differ most. *float*: no codes, vectors
    as they are, compared by their cosine: what codes are measured against. No method looks at labels.

    **Examples**

        spec2 index build/features/lenet-fc1.npz --bits 64
        spec2 index train.npz --method iiq --bits 128 --out train-128.npz
    """
    from hw.contract.features import load
    from pruning.transfer.search.index import make
    from pruning.transfer.search.learning import ITERATIONS

    found = load(features)
    bits = 0 if method == "float" and bits == 64 else bits
    errors: list[float] = []
    with progress("learning codes") as show:

        def step(error: float) -> None:
            errors.append(error)
            show(len(errors), ITERATIONS, f"quantisation error {error:.3f}")

        made = make(found, method, bits, seed=seed, removed=removed, errors=step)
    made.save(out)
    data: dict[str, Any] = {
        "file": str(out),
        "images": made.about.count,
        "method": method,
        "bits": made.coder.bits,
        "bytes_per_image": made.bytes_per_image,
        "layer": made.about.layer,
        "quantisation_error": [round(errors[0], 4), round(errors[-1], 4)] if errors else None,
    }
    rows = {**data, "quantisation_error": " to ".join(map(str, data["quantisation_error"] or [])) or None}
    emit(as_json, data, table(["index", "value"], scalars({k: v for k, v in rows.items() if v is not None})))
