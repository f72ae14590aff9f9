"""``spec2 estimate``: in ``bitstreams``, because it may ask a board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bitstreams.commands.boards import fed, fit
from hw.commands import options
from hw.commands.configuration import configure
from hw.commands.console import emit, progress, scalars
from hw.commands.models import MODEL, located, usual_array
from hw.util.tables import table

if TYPE_CHECKING:
    from hw.contract.artifact import Artifact
    from hw.contract.config import AcceleratorConfig


def estimate(
    model: options.Model,
    rows: options.Rows = None,
    lanes: options.Lanes = None,
    batch: options.Batch = None,
    stream: options.Stream = None,
    memory_lines: options.MemoryLines = None,
    feature_memory: options.FeatureMemory = None,
    spectrum_memory: options.SpectrumMemory = None,
    bus_bits: options.BusBits = None,
    memories: options.Memories = None,
    spare_steps: options.SpareSteps = None,
    products: options.Products = None,
    stream_bits: options.StreamBits = None,
    config: options.ConfigFile = None,
    board: options.BoardName = None,
    as_json: options.Json = False,
) -> None:
    """Predict cycles and resources of an accelerator, in closed form, without making it.

    A second, but for large layers of irregular masks: those have to be scheduled, up to a minute each.

    **Examples**

        spec2 estimate build/lenet/model.npz
        spec2 estimate zoo:lenet-2:8
        spec2 estimate build/lenet/model.npz --rows 16 --lanes 8 --board vc709 --json
    """
    from hw.contract.artifact import load

    array = configure(
        config,
        usual=usual_array(model),
        rows=rows,
        lanes=lanes,
        batch=batch,
        stream_weights=stream,
        memory_lines=memory_lines,
        feature_memory=feature_memory,
        spectrum_memory=spectrum_memory,
        bus_bits=bus_bits,
        memories=memories,
        spare_steps=spare_steps,
        products=products,
        stream_bits=stream_bits,
    )
    figures = foretell(load(located(model, MODEL)), array, board)
    layers = [(layer["name"], layer["cycles"], layer["steps"]) for layer in figures["layers"]]
    text = [table(["layer", "clocks", "steps"], layers), table(["figure", "value"], scalars(figures))]
    if "memory" in figures:
        text.append(figures["memory"]["says"])
    emit(as_json, figures, *text)


def foretell(artifact: Artifact, array: AcceleratorConfig, board: str | None) -> dict[str, Any]:
    """Clocks and resources as plain data. Raises ``DoesNotFit`` where ``board`` is named and too small."""
    from hw.compile.compiler import compile_program
    from hw.cost.choices import log_choices
    from hw.cost.cycles import estimates
    from hw.util.processes import processors

    with progress("scheduling") as show:
        program = compile_program(
            artifact, array, processes=processors(), progress=lambda layer: show(None, None, layer)
        )
    log_choices(program)
    figures = estimates(program)
    if board:
        figures["use_percent"] = fit(board, figures)
        if memory := fed(board, program):
            figures["memory"] = memory
    return figures
