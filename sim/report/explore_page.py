"""An exploration for people: the chosen design, what limits it, the front, layer by layer where clocks go.

Reads the plain data of :func:`hw.explore.report.report`, as ``explore.json`` holds it.
"""

from __future__ import annotations

from typing import Any

from hw.contract.config import STREAM_BITS
from hw.contract.packed_products import SLICES
from hw.cost.efficiency import CONVOLUTIONS_ONLY, HEADS
from hw.util import quote
from hw.util.tables import table

MOST_ROWS = 20
"""Designs of the front that a page shows; the file has all."""

SPEED = {"latency": "ms", "throughput": "images_per_second", "dsp": "images_per_second"}
"""How fast the designs of the front are, by objective."""

MEMORIES = {"block": "block RAM", "ultra": "UltraRAM"}

DIGITS = {"op_per_dsp_cycle": 2, "op_per_lut_cycle": 3, "op_per_bram36_cycle": 2}
"""After the point, of what a design does per clock and resource."""

Row = dict[str, Any]


def markdown(found: Row) -> list[str]:
    """The paragraphs of the page."""
    return [
        _head(found),
        table(["what", "chosen design"], _chosen(found)),
        _limits(found),
        _front(found),
        _layers(found["chosen"]["layers"]),
    ]


def summary(found: Row) -> str:
    """The chosen design in a line, and what limits it."""
    chosen, config = found["chosen"], found["chosen"]["config"]
    return (
        f"**{quote.markdown(found['board'])}**, N = {config['rows']}, P = {config['lanes']}, "
        f"{chosen['weight_bits']} bits: {chosen['ms']:.2f} ms at {found['clock_mhz']:g} MHz, "
        f"{_layer_ms(found):.2f} ms of them in layers.\n\n"
        f"{_limits(found)}"
    )


def _limits(found: Row) -> str:
    return "\n".join(f"* {quote.markdown(sentence)}" for sentence in found["limits"])


def _head(found: Row) -> str:
    counts, space = found["counts"], found["space"]
    only = f" ({CONVOLUTIONS_ONLY})" if found.get("convolutions_only") else ""
    return (
        f"# {quote.markdown(found['network'])}{only} on the {quote.markdown(found['board'])} "
        f"at {found['clock_mhz']:g} MHz\n\n"
        f"Steps: {quote.markdown(found['steps'])}. Of {counts['compiled']:,} designs with "
        f"N = {', '.join(map(str, space['rows']))} and P = {min(space['lanes'])} to {max(space['lanes'])}, "
        f"{counts['fit']:,} fit; best for {found['objective']}:"
    )


def _feature_memory(design: Row) -> str:
    return f"{design['memory_lines']:,} lines of {MEMORIES[design['config'].get('feature_memory', 'block')]}"


def _chosen(found: Row) -> list[tuple[str, Any]]:
    chosen, labels = found["chosen"], found["labels"]
    config = chosen["config"]
    rows: list[tuple[str, Any]] = [
        ("rows N × lanes P, batch", f"{config['rows']} × {config['lanes']}, {config['batch']}"),
        ("DSP slices of a complex product", SLICES[config["products"]]),
        ("line, feature memory", f"{config['line_pixels']} pixels, {_feature_memory(chosen)}"),
        ("buffers of spectra", MEMORIES[config.get("spectrum_memory", "block")]),
        ("streams of images and results", f"{config.get('stream_bits', STREAM_BITS[0])} bits"),
        ("weights", _weights(found)),
        ("a run", f"{chosen['ms']:.3g} ms, {chosen['cycles']:,} clocks"),
        ("of these, layers", f"{_layer_ms(found):.3g} ms"),
        ("images per second", f"{chosen['images_per_second']:,.1f}"),
        ("operations per DSP slice and clock", f"{chosen['op_per_dsp_cycle']:.2f}"),
        ("operations per LUT and clock", _cell(chosen, "op_per_lut_cycle")),
        ("operations per RAMB36 block and clock", _cell(chosen, "op_per_bram36_cycle")),
    ]
    for name, share in chosen["use_percent"].items():
        rows.append((labels[name], f"{chosen['needs'][name]:,g} of {found['budget'][name]:,}, {share:g} %"))
    if rate := chosen["dram_bytes_per_second"]:
        have, peak = (chosen[f"dram_{what}_bytes_per_second"] for what in ("sustained", "peak"))
        rows.append(
            (
                "external memory",
                f"{rate / 1e9:.3g} of {have / 1e9:.3g} GB/s, {100 * rate / have:.0f} %, "
                f"{config['memories']} side by side, peak {peak / 1e9:.3g} GB/s",
            )
        )
    return rows


def _weights(found: Row) -> str:
    chosen = found["chosen"]
    if not chosen["config"]["stream_weights"]:
        return f"{chosen['weight_bits']} bits, held in the design"
    bus, steps = chosen["config"]["bus_bits"], chosen["weight_steps"]
    return f"{chosen['weight_bits']} bits, a bus of {bus} bits, a weight buffer of {steps:,} steps"


def _layer_ms(found: Row) -> float:
    cycles: int = sum(layer["cycles"] for layer in found["chosen"]["layers"])
    return cycles / float(found["clock_mhz"]) / 1e3


def _front(found: Row) -> str:
    speed = SPEED[found["objective"]]
    rows = [
        (
            design["config"]["rows"],
            design["config"]["lanes"],
            design["config"]["batch"],
            design["weight_bits"],
            design["config"]["line_pixels"],
            design["memory_lines"],
            f"{design[speed]:.3f}",
            *(_cell(design, name) for name in HEADS),
            *(f"{design['needs'][name]:,g}" for name in ("dsp", "bram36", "lut")),
        )
        for design in found["front"][:MOST_ROWS]
    ]
    heads = ["N", "P", "batch", "bits", "line", "lines", speed.replace("_", " "), *HEADS.values()]
    title = "Designs that no other one beats in speed, DSP slices and width of weights"
    more = len(found["front"]) - len(rows)
    rest = f" ({more} slower ones are in explore.json)" if more > 0 else ""
    return f"{title}{rest}:\n\n{table([*heads, 'DSP', 'RAMB36', 'LUT'], rows)}"


def _cell(design: Row, name: str) -> str:
    """One of the measures of :mod:`hw.cost.efficiency`; files of before have only the first."""
    value = design.get(name)
    return "" if value is None else f"{value:.{DIGITS[name]}f}"


def _layers(layers: list[Row]) -> str:
    """Where the clocks go: layout, what stays while the other one changes, how busy each stage is."""
    stages = list(layers[0]["busy_percent"])
    rows = [
        (
            layer["name"],
            layer["cycles"],
            f"{layer['lane_rows']} × {layer['lane_columns']}",
            layer["stays"],
            layer["entries"],
            layer["bound_by"],
            *(layer["busy_percent"][stage] for stage in stages),
        )
        for layer in layers
    ]
    heads = ["layer", "clocks", "R × Q", "stay", "bands", "bound by", *(f"{stage} %" for stage in stages)]
    title = (
        "The chosen design layer by layer; R × Q and what stays are the compiler's choice. A layer's clocks "
        "are those of the output stage; where others did their part of it earlier, they have more than 100 %"
    )
    return f"{title}:\n\n{table(heads, rows)}"
