"""What ``spec2 robustness`` prints: accuracy on spoilt images, beside clocks and storage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

from hw.util.tables import table

Row = dict[str, Any]


def rows(found: Mapping[str, Any], compared: Mapping[str, Row], bits: Mapping[str, int]) -> list[Row]:
    """A row per model of :func:`pruning.robustness.study.study`.

    compared: its row of :func:`sim.report.comparison.rows`; bits: the width of its weights.
    """
    return [
        {
            "model": name,
            "scheme": compared[name]["scheme"],
            "weight_bits": bits[name],
            **{key: value for key, value in figures.items()},
            "cycles": compared[name]["cycles"],
            "storage_bits": compared[name]["storage_bits"],
        }
        for name, figures in found["models"].items()
    ]


def tables(found: Mapping[str, Any]) -> Iterator[str]:
    """The sections of the result, each a sentence and a table."""
    yield _corruptions(found)
    yield _patches(found)
    if "across" in found:
        yield _across(found)


def _corruptions(found: Mapping[str, Any]) -> str:
    kinds = found["corruptions"]
    amounts = "; ".join(f"{kind['name']}: {_listed(kind['amounts'])} {kind['unit']}" for kind in kinds)
    heads = ["model", "sparsity", "W bits", "clean %", *(f"{kind['name']} %" for kind in kinds)]
    lines = [
        [
            row["model"],
            row["scheme"],
            row["weight_bits"],
            _percent(row["clean"]),
            *(_percent(mean(row["corruptions"][kind["name"]])) for kind in kinds),
            row["cycles"],
            row["storage_bits"],
        ]
        for row in found["models"]
    ]
    text = f"Each the mean of {_number(len(kinds[0]['amounts']))} severities ({amounts})." if kinds else ""
    return f"{text}\n\n{table([*heads, 'clocks', 'bits'], lines)}".lstrip()


def _patches(found: Mapping[str, Any]) -> str:
    several = "across" in found
    kinds = ["grey", "own", *(["shared"] if several else [])]
    heads = ["model", *(f"{kind} {area:.0%}" for area in found["areas"] for kind in kinds)]
    lines = [
        [row["model"], *(_percent(row[kind][i]) for i in range(len(found["areas"])) for kind in kinds)]
        for row in found["models"]
    ]
    text = "A square patch, by the share of the image that it covers: grey, or learned on the model itself"
    if several:
        text += ", or on all of them (min-max)"
    return f"{text}; accuracy in percent.\n\n{table(heads, lines)}"


def _across(found: Mapping[str, Any]) -> str:
    names = [row["model"] for row in found["models"]]
    lines = [[name, *(_percent(value) for value in found["across"][name])] for name in names]
    return (
        f"A patch of {found['across_area']:.0%} that was learned on the model of the row, on that of the "
        f"column; accuracy in percent.\n\n{table(['learned on', *names], lines)}"
    )


def _percent(value: float) -> str:
    return f"{value:.1f}"


def _listed(amounts: Sequence[float]) -> str:
    return ", ".join(f"{amount:g}" for amount in amounts)


def _number(count: int) -> str:
    return {1: "one", 2: "two", 3: "three"}.get(count, str(count))
