"""The program of a design that lies in a folder, compiled again from the models beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hw.compile.compiler import compile_program
from hw.compile.onto import onto
from hw.compile.program import Program
from hw.contract.artifact import Artifact, load
from hw.contract.design import ACCELERATOR, MODEL, DesignInfo
from hw.util.errors import DigestMismatch


def accelerator_program(
    folder: Path, *, processes: int = 1, progress: Callable[[str], None] | None = None
) -> Program:
    """The program that the Verilog of the design in ``folder`` was generated from.

    processes, progress: as in :func:`hw.compile.compiler.compile_program`. Raises ``ArtifactError`` for a
    folder without a design or model, ``DigestMismatch`` where the model is another one.
    """
    info = DesignInfo.load(folder)
    path = folder / (MODEL if info.accelerator == info.digest else ACCELERATOR)
    artifact = load(path)
    if artifact.digest != info.accelerator:
        raise DigestMismatch(f"{path} is not what the design was generated from: generate it again")
    return compile_program(artifact, info.config, processes=processes, progress=progress)


def design_program(folder: Path, artifact: Artifact, *, processes: int = 1) -> Program:
    """The program of the design in ``folder``, which has the weights of ``artifact``. Otherwise as
    :func:`accelerator_program`."""
    base = accelerator_program(folder, processes=processes)
    return base if base.digest == artifact.digest else onto(base, artifact, processes=processes)
