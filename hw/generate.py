"""The generator: artifact and configuration to a ``design/`` folder.

``spec2.v`` (one file, top module ``spec2``), memory images beside it (``$readmemb``, relative to the
working directory), ``design.json`` (:mod:`hw.contract.design`), and ``model.npz``, the artifact, which
simulations compare with. The same artifact, configuration and name give the same bytes. All modules and all
files of memories begin with the name of the top, so that accelerators of several names fit into one design.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hw.compile.compiler import compile_program
from hw.compile.design_program import accelerator_program
from hw.compile.onto import onto
from hw.compile.program import Program
from hw.compile.stream_image import parts, stream_image, streamed_weights
from hw.contract.artifact import Artifact, load
from hw.contract.config import AcceleratorConfig
from hw.contract.design import ACCELERATOR, MODEL, DesignInfo
from hw.contract.design_files import describe
from hw.contract.streamed_weights import stream_files
from hw.cost.choices import choices, log_choices
from hw.cost.cycles import estimates
from hw.util.errors import ConfigError, Spec2Error
from hw.util.files import together
from hw.util.names import check_module

TOP = "spec2"
"""Name of a top module that was given none."""


def generate(
    artifact: Artifact,
    config: AcceleratorConfig,
    out_dir: Path | str,
    *,
    name: str = TOP,
    check: Callable[[Program], None] | None = None,
    processes: int = 1,
    progress: Callable[[str], None] | None = None,
) -> DesignInfo:
    """Write the design of ``artifact`` for ``config`` into ``out_dir`` and return its description.

    ``name``: of the top module, and what the names of all others and of files begin with. ``check`` may
    refuse the compiled program (a board's budget) before anything is written; ``processes``: as in
    :func:`hw.compile.compiler.compile_program`; ``progress`` hears the name of every stage. Raises
    ``ArtifactError`` when the folder cannot be written, which leaves the design that was there,
    ``ConfigError`` for a name that no module can have, and what
    :func:`hw.compile.compiler.compile_program` raises.
    """
    check_module("the name", name, "choose another one", ConfigError)
    from hw.emit import emit
    from hw.gateware.accelerator import Accelerator
    from hw.gateware.ports.axi import flat_ports

    tell = progress or (lambda stage: None)
    program = compile_program(
        artifact, config, processes=processes, progress=lambda layer: tell(f"scheduling {layer}")
    )
    if check:
        check(program)
    tell("emit")
    top = Accelerator(program)
    verilog = emit(top, name)
    ports = {"clk": 1, "rst": 1} | {name: len(value) for name, (value, _) in flat_ports(top).items()}
    tell("write")
    with together(out_dir, stale=_stale(out_dir)) as out:
        (out / f"{name}.v").write_text(verilog.text)
        for file, content in verilog.images.items():
            (out / file).write_text(content)
        return _describe(out, program, artifact, name, (f"{name}.v", *verilog.images), ports)


def generate_onto(
    artifact: Artifact,
    design: Path | str,
    out_dir: Path | str,
    *,
    check: Callable[[Program], None] | None = None,
    processes: int = 1,
    progress: Callable[[str], None] | None = None,
) -> DesignInfo:
    """Write the design of ``artifact`` on the accelerator of the one in folder ``design``: the same Verilog,
    so that its bitstream runs both, and other weights.

    Raises ``ArtifactError`` for a folder without a design, or one that is not as it was generated, what
    :func:`hw.compile.onto.onto` raises, and otherwise as :func:`generate`.
    """
    tell, folder = progress or (lambda stage: None), Path(design)
    known = DesignInfo.load(folder)
    folder = folder if folder.is_dir() else folder.parent
    held = known.read(folder)

    def scheduling(layer: str) -> None:
        tell(f"scheduling {layer}")

    base = accelerator_program(folder, processes=processes, progress=scheduling)
    program = onto(base, artifact, processes=processes, progress=scheduling)
    if check:
        check(program)
    made_from = load(folder / (ACCELERATOR if known.accelerator != known.digest else MODEL))
    verilog = [name for name in held if name not in known.weight_files]
    tell("write")
    with together(out_dir, stale=_stale(out_dir)) as out:
        for name in verilog:
            (out / name).write_bytes(held[name])
        if known.accelerator != artifact.digest:
            made_from.save(out / ACCELERATOR)
        return _describe(out, program, artifact, known.top, verilog, known.ports, known.accelerator)


def _stale(folder: Path | str) -> list[str]:
    """Patterns of what the design that lies in ``folder`` consists of, whatever its name."""
    files = [f"{TOP}*"]
    with suppress(Spec2Error):
        files += DesignInfo.load(folder).files
    return files


def _describe(
    out: Path,
    program: Program,
    artifact: Artifact,
    top: str,
    verilog: Sequence[str],
    ports: Mapping[str, int],
    accelerator: str = "",
) -> DesignInfo:
    """What lies beside the files of ``verilog``: weights in external memory, description, model."""
    config, stream, rows = program.config, None, choices(program)
    log_choices(program, rows)
    streamed: tuple[str, ...] = ()
    if config.stream_weights:
        streamed, image = stream_files(top, config.memories), stream_image(program)
        for name, part in zip(streamed, parts(image, program.stream, config.memories), strict=True):
            (out / name).write_bytes(part)
        stream = streamed_weights(image, program.stream)
    info = DesignInfo(
        top=top,
        network=program.network,
        config=config,
        digest=program.digest,
        accelerator=accelerator,
        ports=ports,
        files=describe(out, (*verilog, *streamed)),
        numbers=program.numbers,
        stream=stream,
        estimates=estimates(program) | {"layers": rows},
    )
    info.save(out)
    artifact.save(out / MODEL)
    return info
