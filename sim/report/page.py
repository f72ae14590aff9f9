"""The report as one page of Markdown."""

from __future__ import annotations

from typing import Any

from hw.cost.efficiency import CONVOLUTIONS_ONLY, sentence
from hw.util import quote
from hw.util.tables import table

COMMANDS = {
    "integer": "spec2 prune",
    "config": "spec2 generate",
    "verified": "spec2 simulate",
    "synthesis": "spec2 synth",
}
"""Which command fills which part."""

ACCURACIES = {
    "dense": "dense, floating point",
    "pruned": "pruned, floating point",
    "mirror": "pruned and quantised, in training",
    "integer": "pruned, integer model",
    "sensitivity": "of class 1 alone (sensitivity), integer model",
    "specificity": "of class 0 alone (specificity), integer model",
}


def markdown(report: dict[str, Any]) -> str:
    """The page for a report of :func:`sim.report.data.assemble`."""
    parts = [_head(report), _accuracy(report), _storage(report)]
    if "config" in report:
        parts.append(_resources(report))
    if "verified" in report:
        parts += [verified(report["verified"]), _cycles(report)]
    missing = [command for key, command in COMMANDS.items() if not _has(report, key)]
    if missing:
        parts.append("Not run yet: " + ", ".join(f"`{command}`" for command in missing) + ".")
    return "\n\n".join(parts) + "\n"


def _has(report: dict[str, Any], key: str) -> bool:
    holders = (report, report["accuracy"], report.get("resources", {}))
    return any(key in holder for holder in holders)


def _head(report: dict[str, Any]) -> str:
    config = report.get("config")
    on = f" on N = {config['rows']}, P = {config['lanes']}" if config else ""
    work = f"{report['operations']:,} operations per image, unpruned and in space"
    return f"# {quote.markdown(report['network'])}{on}\n\nArtifact `{report['digest'][:16]}…`; {work}."


def _accuracy(report: dict[str, Any]) -> str:
    measured = report["accuracy"]
    if not measured:
        return "Accuracy: the artifact carries none."
    rows = [(text, f"{measured[key]:.2f}") for key, text in ACCURACIES.items() if key in measured]
    return table(["accuracy", "%"], rows)


def _storage(report: dict[str, Any]) -> str:
    storage = report["storage"]
    steps = storage.get("step_bytes")
    kept = 100 * storage["kept_words"] / storage["words"]
    differ = len({s["bits"] for s in report["sparsity"].values()}) > 1
    layers = ", ".join(
        f"{quote.markdown(name)} {s['kept']:g} % ({quote.markdown(s['kind'])}"
        + (f", {s['bits']} bits)" if differ else ")")
        for name, s in report["sparsity"].items()
    )
    memory = f" The weight memory, with selects and addresses, has {steps:,} bytes." if steps else ""
    return (
        f"{storage['kept_words']:,} of {storage['words']:,} spectral words kept ({kept:.1f} %): {layers}. "
        f"Their weights take {storage['weight_bytes']:,} bytes; the unpruned network's, in space, "
        f"{storage['spatial_bytes']:,}.{memory}"
    )


def _resources(report: dict[str, Any]) -> str:
    resources = report["resources"]
    estimate, synthesis = resources["estimate"], resources.get("synthesis", {})
    names = {"dsp": "DSP slices", "bram36": "RAMB36", "uram": "UltraRAM", "lut": "LUTs", "ff": "flip-flops"}
    rows = [
        (text, estimate.get(key), synthesis.get(key))
        for key, text in names.items()
        if key in estimate or key in synthesis
    ]
    return (
        table(["resource", "estimate", "synthesis"], rows)
        + f"\n\n{resources['dsp_mac']} of {resources['dsp_total']} DSP slices are in the array."
    )


def verified(result: dict[str, Any]) -> str:
    """What a simulation proved, in a sentence or three."""
    how = ", with random stalls on every port" if result["stalls"] else ""
    text = (
        f"Verilog against integer model{how}: {result['images']} images, "
        f"**{result['mismatches']} mismatches**."
    )
    if result["first_mismatch"]:
        text += f" The first: {quote.markdown(result['first_mismatch'])}."
    if result["correct"] is not None:
        text += f" The Verilog classified {result['correct']} of them as labelled."
    return text


def _cycles(report: dict[str, Any]) -> str:
    cycles, occupancy = report["cycles"], report["occupancy"]
    batch = cycles["images_per_batch"]
    rows = [
        (name, layer["per_image"], layer["batch"], layer["steps"]) for name, layer in cycles["layers"].items()
    ]
    only = f" ({CONVOLUTIONS_ONLY})" if report["convolutions_only"] else ""
    rows.append(("whole run", cycles["per_image"], cycles["batch"], None))
    return (
        table(["clocks, counted by the hardware", "one image", f"batch of {batch}", "steps"], rows)
        + f"\n\n**{sentence(report, 'dense-equivalent operations')}{only}.** "
        f"The array executes a step in {100 * occupancy['steps']:.1f} % of the clocks; in these steps "
        f"{100 * occupancy['multipliers']:.1f} % of the row slots hold a non-zero weight and "
        f"{100 * occupancy['lanes']:.1f} % of the lanes a tile (batch of {batch})."
    )
