"""What the tables of a report show: rows of numbers, and the lengths of the bars beside them."""

from __future__ import annotations

from typing import Any

from sim.report.page import ACCURACIES

Row = dict[str, Any]

PARTS = {
    "array": "a step",
    "fetch": "waits for spectra",
    "output": "waits for drain or Y buffer",
    "weights": "waits for weights",
    "idle": "nothing to do",
}
"""What the array does in a clock, by the names of the colours."""

RESOURCES = {"dsp": "DSP", "bram36": "RAMB36", "uram": "UltraRAM", "lut": "LUT", "ff": "flip-flops"}


def parts(name: str, clocks: Row, of: int) -> list[Row]:
    """A stacked bar: of every part ``kind``, ``percent`` of ``of`` clocks, and a ``title``."""
    whole = max(1, sum(clocks.values()))
    return [
        {
            "kind": kind,
            "percent": round(100 * clocks[kind] / max(1, of), 3),
            "title": f"{name}: {text}, {clocks[kind]:,} clocks, {100 * clocks[kind] / whole:.1f} %",
        }
        for kind, text in PARTS.items()
        if clocks[kind]
    ]


def clocks(stages: Row) -> Row:
    """The bar of the whole run, and one of every layer, as long as the array had the layer."""
    layers = stages["layers"]
    split = [{"array": row["steps"], **row["waits"], "idle": row["idle"]} for row in layers]
    longest = max((sum(of.values()) for of in split), default=1)
    return {
        "run": parts("whole run", stages["run"], stages["clocks"]),
        "layers": [
            {
                "name": row["name"],
                "parts": parts(row["name"], of, longest),
                "clocks": row["clocks"],
                "steps": row["steps"],
                "bound": row["bound"],
            }
            for row, of in zip(layers, split, strict=True)
        ],
        "waits": {
            "counted": sum(stages["run"][kind] for kind in ("fetch", "output", "weights")),
            "predicted": sum(sum(row["waits"].values()) for row in layers),
        },
    }


def occupancy(stages: Row) -> list[Row]:
    """Of every layer: the share of the array's clocks that has a step, and of a step's slots that are
    used."""
    found = []
    for row in stages["layers"]:
        whole = row["steps"] + sum(row["waits"].values()) + row["idle"]
        shares = {
            "clocks with a step": row["steps"] / max(1, whole),
            "rows filled": row["multipliers"],
            "lanes filled": row["lanes"],
        }
        product = 1.0
        for share in shares.values():
            product *= share
        found.append({"name": row["name"], "shares": {**shares, "all": product}})
    return found


def boards(resources: Row, known: list[Row]) -> list[Row]:
    """Of every board its ``name``, ``title`` and, for each resource that the design needs, the percent in
    use: infinite where the board has none. known: ``name``, ``title`` and ``budget`` of boards."""
    need = {**resources["estimate"], **resources.get("synthesis", {}), "dsp": resources["dsp_total"]}
    rows = []
    for board in known:
        use = {
            name: 100 * need[name] / have if (have := board["budget"].get(name, 0)) else float("inf")
            for name in RESOURCES
            if need.get(name)
        }
        rows.append(
            {
                "name": board["name"],
                "title": board["title"],
                "use": [
                    {"percent": use[name], "need": need[name], "have": board["budget"].get(name, 0)}
                    for name in use
                ],
                "fits": all(percent <= 100 for percent in use.values()),
            }
        )
    return rows


def heads(resources: Row) -> list[str]:
    """Names of the resources that :func:`boards` has, in their order."""
    need = {**resources["estimate"], **resources.get("synthesis", {}), "dsp": resources["dsp_total"]}
    return [text for name, text in RESOURCES.items() if need.get(name)]


def accuracies(accuracy: Row) -> list[tuple[str, float]]:
    """What was measured, in the order of the work; nothing that is no percentage."""
    found = [(text, accuracy[key]) for key, text in ACCURACIES.items() if key in accuracy]
    return [(text, percent) for text, percent in found if 0 <= percent <= 100]


def key_figures(report: Row) -> list[tuple[str, str, str]]:
    """The figures at the head of a page: what, how much, and of what."""
    storage, found = report["storage"], []
    accuracy = report["accuracy"]
    if "integer" in accuracy:
        found.append(("accuracy", f"{accuracy['integer']:.2f} %", "integer model, test images"))
    kept = 100 * storage["kept_words"] / storage["words"]
    found.append(("words kept", f"{kept:.1f} %", f"of {storage['words']:,}"))
    if cycles := report.get("cycles"):
        found.append(("clocks", f"{cycles['per_image']:,}", "of one image, counted"))
    elif stages := report.get("stages"):
        found.append(("clocks", f"{stages['clocks']:,}", "of a full batch, predicted"))
    if "op_per_dsp_cycle" in report:
        found.append(("operations", f"{report['op_per_dsp_cycle']:.2f}", "per DSP slice and clock"))
    if resources := report.get("resources"):
        how = "synthesised" if "synthesis" in resources else "estimated"
        found.append(("DSP slices", f"{resources['dsp_total']:,}", how))
    if verified := report.get("verified"):
        found.append(("mismatches", f"{verified['mismatches']:,}", f"of {verified['images']:,} images"))
    return found
