"""``spec2 zoo``."""

from __future__ import annotations

from hw.commands.console import emit
from hw.commands.models import ZOO
from hw.commands.options import Json
from hw.util.tables import table


def zoo(as_json: Json = False) -> None:
    """List the trained models that come with spec2: zoo:NAME stands for one wherever a model is taken.

    *dense* and *integer*: percent of test images right, before pruning in floats, and as the hardware
    computes. *clocks*: of one image on the array that the model is usually generated for, N rows and P lanes,
    by the cost model. A model is unpacked into build/zoo, and its design and reports go there.

    **Examples**

        spec2 zoo
        spec2 zoo --json
    """
    from hw.contract.zoo import cards

    found = cards()
    heads = ["model", "data", "dense", "integer", "N", "P", "clocks", "KiB", "made by"]
    rows = [
        (
            ZOO + card.name,
            card.data,
            card.accuracy.get("dense"),
            card.accuracy.get("integer"),
            card.array.rows,
            card.array.lanes,
            f"{card.clocks:,}",
            round(card.file.stat().st_size / 1024),
            card.command,
        )
        for card in found
    ]
    data = [{**card.to_json(), "bytes": card.file.stat().st_size} for card in found]
    emit(as_json, data, table(heads, rows))
