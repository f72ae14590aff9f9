"""One image through a design layer by layer: every map compared, and what each layer costs in a whole run.

A layer that is simulated on its own takes the integer model's map as its input, so that the first wrong
layer is found and not what it does to the others. Layers that are made in bands run together, and the map
of the last of them is compared: the others never lie in memory whole. Clocks come from one run of the whole
network, in which layers follow each other as they do on a board.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.compile.design_program import design_program
from hw.compile.program import Program
from hw.contract.artifact import Artifact
from hw.contract.design import DesignInfo
from hw.contract.instructions import together
from hw.cost import efficiency
from hw.cost.resources import resources
from hw.cost.stages import layer_work
from hw.host.counters import Counters
from hw.host_interface.stream_format import first_map
from hw.util.errors import DataError, DigestMismatch
from hw.util.tables import table
from sim import model, rtl
from sim.bench.job import Memory
from sim.rtl.mismatch import MAP, SCORES, first_mismatch


def measure(
    design: Path | str,
    artifact: Artifact,
    image: NDArray[np.uint8],
    *,
    memory: Memory | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Run ``image`` (1, c, h, w) layer by layer and then at once; returns plain data.

    ``memory``: how external memory behaves, for a design that reads its weights from there. ``processes``: as
    in :func:`hw.compile.compiler.compile_program`.

    ``layers``: per layer ``name``, ``cycles_rtl``, ``cycles_model`` (of the whole run), ``occupancy`` (steps
    over steps and clocks that the array waited for spectra, drain or output of its own layer; not for
    memory, nor before its first step), ``bound_by`` (the busiest stage, of ``hw.cost.stages``),
    ``dram_bytes``, ``mismatches`` (values of its map); layers in bands have ``occupancy`` and
    ``dram_bytes`` of all of them, ``mismatches`` None but the last, and ``bands``, their number of
    instructions. ``total``: ``cycles``, ``dsp_total``, ``lut`` and ``bram36`` (estimates),
    what :func:`hw.cost.efficiency.per_cycle` makes of them, ``dram_bytes``, ``mismatches``.
    ``convolutions_only``: the network has no classifier.
    Raises ``DataError`` unless it is one image, ``DigestMismatch`` when the design has other weights.
    """
    info = DesignInfo.load(design)
    if artifact.digest != info.digest:
        raise DigestMismatch(f"{design} was not generated from this model: generate it again")
    if len(image) != 1:
        raise DataError(f"layers are compared with one image, not with {len(image)}")
    program = design_program(Path(design), artifact, processes=processes)
    count = len(program.network.layers)
    network = artifact.network
    rows, taken = [], first_map(np.asarray(image), network.spread, network.constant)
    maps = [taken, *model.maps(artifact, image)]
    for first, last in together(program.numbers):
        given = (
            model.joined(program.network, first, dict(enumerate(maps)), axis=1)
            if first
            else np.asarray(image)
        )
        pixels = given.astype(np.uint8)  # signed ones as their two's complement
        result = rtl.simulate(design, pixels, batch=1, layers=(first, last), memory=memory)
        expected = maps[last + 1]
        shared = _measured(program, (first, last), result, expected)
        inner = shared | {"mismatches": None}  # a map that is never there whole
        rows += [_row(program, i, result) | (shared if i == last else inner) for i in range(first, last + 1)]
        if progress:
            progress(last + 1, count + 1)
    whole = rtl.simulate(design, image, batch=1, memory=memory)
    if progress:
        progress(count + 1, count + 1)
    run = whole.counters[0]
    for row, counted, predicted in zip(rows, run.layers, layer_work(program, 1), strict=True):
        row |= {"cycles_rtl": counted.cycles, "cycles_model": predicted.cycles}
        row |= {"bound_by": predicted.stages.busiest}
    return {
        "network": info.network.name,
        "convolutions_only": info.network.classes is None,
        "layers": rows,
        "total": _total(program, rows, run, whole, expected),
    }


def _row(program: Program, index: int, result: rtl.RtlResult) -> dict[str, Any]:
    row_bands = program.numbers.count(index)
    row = {"name": result.counters[0].layers[index].name, "cycles_rtl": 0, "cycles_model": 0}
    return row if row_bands == 1 else row | {"bands": row_bands}


def _measured(
    program: Program, layers: tuple[int, int], result: rtl.RtlResult, expected: NDArray[Any]
) -> dict[str, Any]:
    """Of ``layers`` from the first to the last, run on their own."""
    (run,) = result.counters
    found = first_mismatch(expected.astype(np.int32), result.scores, SCORES if expected.ndim == 2 else MAP)
    plans = [plan for plan in program.layers if layers[0] <= plan.number <= layers[1]]
    # The spectra of an instruction's first tile group have to come before anything can be multiplied.
    fill = sum(plan.channels * plan.lines_per_channel for plan in plans)
    waits = max(0, run.mac_wait_x - fill) + run.mac_wait_drain + run.mac_wait_y
    return {
        "occupancy": round(run.mac_steps / (run.mac_steps + waits), 4),
        "dram_bytes": _dram_bytes(program, run),
        "mismatches": found.count if found else 0,
    }


def _dram_bytes(program: Program, run: Counters) -> int:
    """Bytes that the run read from external memory."""
    return run.weight_beats * program.stream.bus_bits // 8 if program.config.stream_weights else 0


def _total(
    program: Program, rows: list[dict[str, Any]], run: Counters, whole: rtl.RtlResult, expected: NDArray[Any]
) -> dict[str, Any]:
    cycles, needs = sum(row["cycles_rtl"] for row in rows), asdict(resources(program))
    wrong = int((whole.scores != expected).sum()) + sum(row["mismatches"] or 0 for row in rows)
    return {
        "cycles": cycles,
        "cycles_with_transfer": run.cycles,
        "dsp_total": needs["dsp"],
        "lut": needs["lut"],
        "bram36": needs["bram36"],
        **efficiency.rounded(efficiency.per_cycle(program.operations, cycles, needs)),
        "operations": program.operations,
        "dram_bytes": _dram_bytes(program, run),
        "mismatches": wrong,
    }


def markdown(found: dict[str, Any]) -> tuple[str, ...]:
    """The table of :func:`measure`, and a sentence on the whole."""
    heads = {
        "name": "layer",
        "cycles_rtl": "clocks, Verilog",
        "cycles_model": "clocks, model",
        "occupancy": "multipliers busy",
        "bound_by": "bound by",
        "dram_bytes": "bytes of weights",
        "mismatches": "wrong values",
    }
    total = found["total"]
    if "bound_by" not in found["layers"][0]:  # rows of before it was counted
        del heads["bound_by"]
    rows = [[row[key] for key in heads] for row in found["layers"]]
    sums = [sum(row[key] for row in found["layers"]) for key in ("cycles_rtl", "cycles_model")]
    only = f", {efficiency.CONVOLUTIONS_ONLY}," if found.get("convolutions_only") else ""
    takes = [f"{total['dsp_total']:,} DSP slices"]
    if "lut" in total:
        takes += [f"{total['lut']:,} LUTs", f"{total['bram36']:,g} RAMB36 blocks (estimates)"]
    empty = [None] * (len(heads) - 5)
    rows.append(["all", *sums, *empty, total["dram_bytes"], total["mismatches"]])
    return (
        table(heads.values(), rows),
        f"{total['operations']:,} dense-equivalent operations{only} in {total['cycles']:,} clocks on "
        f"{', '.join(takes)}: **{efficiency.sentence(total)}**.",
    )
