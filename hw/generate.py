"""The generator: artifact and configuration to a ``design/`` folder.

``spec2.v`` (one file, top module ``spec2``), memory images beside it (``$readmemb``, relative to the
working directory), ``design.json`` (:mod:`hw.contract.design`), and ``model.npz``, the artifact, which
simulations compare with. The same artifact and configuration give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hw.compile.compiler import compile_program
from hw.compile.program import Program
from hw.compile.weight_stream import parts, stream_files, stream_image, streamed_layers
from hw.contract.artifact import Artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.design_files import describe
from hw.contract.streamed_weights import StreamedLayer
from hw.cost.choices import choices
from hw.cost.cycles import estimates
from hw.util.files import together

TOP = "spec2"


def generate(
    artifact: Artifact,
    config: AcceleratorConfig,
    out_dir: Path | str,
    *,
    check: Callable[[Program], None] | None = None,
    processes: int = 1,
    progress: Callable[[str], None] | None = None,
) -> DesignInfo:
    """Write the design of ``artifact`` for ``config`` into ``out_dir`` and return its description.

    ``check`` may refuse the compiled program (a board's budget) before anything is written; ``processes``: as
    in :func:`hw.compile.compiler.compile_program`; ``progress`` hears the name of every stage. Raises
    ``ArtifactError`` when the folder cannot be written, which leaves the design that was there, and what
    :func:`hw.compile.compiler.compile_program` raises.
    """
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
    verilog = emit(top, TOP)
    ports = flat_ports(top)
    streamed = stream_files(config.memories) if program.config.stream_weights else ()
    tell("write")
    with together(out_dir, stale=f"{TOP}*") as out:
        (out / f"{TOP}.v").write_text(verilog.text)
        for name, content in verilog.images.items():
            (out / name).write_text(content)
        layers: tuple[StreamedLayer, ...] = ()
        if streamed:
            image = stream_image(program.step_format, program.step_tables, program.stream)
            held = parts(image, program.stream, config.memories)
            for name, part in zip(streamed, held, strict=True):
                (out / name).write_bytes(part)
            layers = streamed_layers(image, program.stream)
        info = DesignInfo(
            top=TOP,
            network=program.network,
            config=program.config,
            digest=program.digest,
            ports={"clk": 1, "rst": 1} | {name: len(value) for name, (value, _) in ports.items()},
            files=describe(out, (f"{TOP}.v", *verilog.images, *streamed)),
            numbers=program.numbers,
            stream=layers,
            estimates=estimates(program) | {"layers": choices(program)},
        )
        info.save(out)
        artifact.save(out / "model.npz")
    return info
