"""``spec2 generate``: in ``bitstreams``, because it may ask a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitstreams.commands.boards import fed, fit
from hw.commands import options
from hw.commands.configuration import configure
from hw.commands.console import emit, progress, requires, scalars
from hw.commands.models import DESIGN, MODEL, located, usual_array
from hw.util import names, quote
from hw.util.errors import ConfigError
from hw.util.tables import table
from pruning.commands.options import (
    LayerBits,
    Mean,
    OneShot,
    SpectrumBits,
    Std,
    WeightBits,
    parse_numbers,
    parse_widths,
)
from sim.commands.post_training import markdown, post_train_and_measure

if TYPE_CHECKING:
    from hw.compile.program import Program
    from hw.contract.artifact import Artifact
    from hw.contract.config import AcceleratorConfig


def generate(
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
    name: Annotated[
        str | None,
        typer.Option(
            help="Of the top module; all modules and files of memories begin with it, so that several "
            "accelerators fit into one design. [default: spec2]"
        ),
    ] = None,
    onto: Annotated[
        Path | None,
        typer.Option(
            metavar="DESIGN",
            help="Weights alone, for the accelerator of this design (or zoo:NAME), which streams its own: "
            "its bitstream then runs MODEL, a network of the same layers.",
        ),
    ] = None,
    calibrate: options.Calibrate = None,
    mean: Mean = None,
    std: Std = None,
    sparsity: OneShot = None,
    weight_bits: WeightBits = None,
    layer_bits: LayerBits = None,
    spectrum_bits: SpectrumBits = None,
    out: Annotated[Path | None, typer.Option(help="Design folder. [default: 'design' beside MODEL]")] = None,
    as_json: options.Json = False,
    *,
    context: typer.Context,
) -> None:
    """Write the accelerator for a model: spec2.v, its memory images, design.json.

    With --board a design that needs more than the board has is refused before any of it is written; of one
    that reads its weights from memory it is said whether the board's keeps pace.
    A model of the zoo has an array that it is usually generated for (spec2 zoo); options override.
    With --onto nothing but weights is made: MODEL runs on the bitstream of another design.
    With --name the top module is called otherwise, for a design of your own (spec2 package).
    With --calibrate MODEL is a trained network in an ONNX file. It is quantised on some images, without
    training, and written to build/NAME/model.npz (with --out into that folder); what each layer and the
    accuracy lose is measured. --sparsity and the bits are for this alone; by default nothing is pruned.

    **Examples**

        spec2 generate build/lenet/model.npz
        spec2 generate zoo:lenet-2:8
        spec2 generate build/lenet/model.npz --rows 16 --lanes 8 --board vc709 --out build/lenet/big
        spec2 generate build/vgg16/model.npz --rows 64 --lanes 10 --batch 1 --stream-weights
        spec2 generate build/lenet/model.npz --config build/lenet/explore_vc709/config.json
        spec2 generate build/lenet/model.npz --name digits --out build/lenet/digits
        spec2 generate build/day/model.npz --stream-weights --spare-steps 10
        spec2 generate build/night/model.npz --onto build/day/design
        spec2 generate net.onnx --calibrate images.npz --sparsity adaptive-2:8
    """
    from hw.contract.artifact import load
    from hw.contract.design import DesignInfo

    if name is not None:
        names.check_module("--name", name, "choose another one", ConfigError)
    parameters = {
        "rows": rows,
        "lanes": lanes,
        "batch": batch,
        "stream_weights": stream,
        "memory_lines": memory_lines,
        "feature_memory": feature_memory,
        "spectrum_memory": spectrum_memory,
        "bus_bits": bus_bits,
        "memories": memories,
        "spare_steps": spare_steps,
        "products": products,
        "stream_bits": stream_bits,
    }
    if onto is None:
        array = configure(config, usual=usual_array(model), **parameters)
    else:
        if config or any(value is not None for value in parameters.values()):
            raise ConfigError("--onto takes the array of its design as it is: leave the array's options out")
        if name is not None:
            raise ConfigError("--onto takes the Verilog of its design, names included: leave --name out")
        onto = located(onto, DESIGN)
        array = DesignInfo.load(onto).config
    choices: dict[str, Any] = {
        "sparsity": sparsity,
        "weight_bits": weight_bits,
        "spectrum_bits": spectrum_bits,
    }
    choices |= {"mean": parse_numbers("--mean", mean), "std": parse_numbers("--std", std)}
    choices["layer_bits"] = parse_widths(layer_bits) if layer_bits else None
    choices = {name: value for name, value in choices.items() if value is not None}
    measured: dict[str, Any] = {}
    if calibrate is not None:
        home = out or Path("build") / model.stem
        measured = post_train_and_measure(
            model, calibrate, home, block=array.rows, command=context.obj, **choices
        )
        path, folder = home / MODEL, out or home / DESIGN
    else:
        _check_trained(model, choices)
        path = located(model, MODEL)
        folder = out or path.parent / DESIGN
    info = write_design(load(path), array, folder, board, onto, name)
    text = table(["estimate", "value"], scalars(info["estimates"]))
    memory = info.get("memory")
    emit(
        as_json,
        {"design": str(folder), **info, **({"calibration": measured} if measured else {})},
        *(markdown(measured, sparsity) if measured else []),
        f"Wrote the design to {quote.markdown(str(folder))}.",
        text,
        *([memory["says"]] if memory else []),
    )


def _check_trained(model: Path, choices: dict[str, Any]) -> None:
    """Raise ``ConfigError`` for what needs --calibrate."""
    if model.suffix.lower() == ".onnx":
        raise ConfigError(
            f"{model} has no integers yet: give --calibrate images.npz, or train it with spec2 prune {model} "
            "--data SET"
        )
    if choices:
        option = next(iter(choices)).replace("_", "-")
        raise ConfigError(f"--{option} is for --calibrate: a model.npz has its masks and widths")


def write_design(
    artifact: Artifact,
    config: AcceleratorConfig,
    out: Path,
    board: str | None,
    onto: Path | None = None,
    name: str | None = None,
) -> dict[str, Any]:
    """Write a design, and the model it is of, into the folder ``out``; returns its description. onto: the
    design whose accelerator it shall run on, of ``config``. name: of its top module, without ``onto``.

    Raises ``DoesNotFit`` or ``ConfigError``, with nothing written, where ``board`` is named and too small, or
    has too few memories.
    """
    from hw.cost.cycles import estimates
    from hw.generate import TOP, generate, generate_onto
    from hw.util.processes import processors

    memory: dict[str, Any] = {}

    def check(program: Program) -> None:
        if board:
            fit(board, estimates(program))
            memory.update(fed(board, program))

    with requires("amaranth"), progress("generating") as show:
        how: dict[str, Any] = {
            "check": check,
            "processes": processors(),
            "progress": lambda what: show(None, None, what),
        }
        if onto is None:
            info = generate(artifact, config, out, name=TOP if name is None else name, **how)
        else:
            info = generate_onto(artifact, onto, out, **how)
    return info.to_json() | ({"memory": memory} if memory else {})
