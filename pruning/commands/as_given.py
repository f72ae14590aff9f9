"""What ``spec2 prune --as-given`` does: a quantised ONNX file as it is, without training and images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import typer

from hw.commands.console import progress, requires
from hw.util.errors import ConfigError


def quantise_as_given(
    what: str,
    out: Path,
    *,
    weight_bits: int = 8,
    layer_bits: Mapping[str, int] | None = None,
    **others: object,
) -> None:
    """Write ``out/model.npz``: dense, its maps in the ranges of the file.

    Raises ``ConfigError`` for options that need training, and for a file that says nothing of some map.
    """
    if others:
        name = next(iter(others)).replace("_", "-")
        raise ConfigError(f"--as-given takes a quantised file as it is: leave --{name} out")
    if Path(what).suffix.lower() != ".onnx":
        raise ConfigError(f"--as-given is for a quantised network in an ONNX file, not for {what!r}")
    with requires("torch", "onnx"):
        from pruning.importers.onnx_file import from_onnx
        from pruning.quant.batch_norm_folding import fold_batch_norms_
        from pruning.quant.export import to_artifact
        from pruning.quant.quantise import quantise_

    found = from_onnx(what)
    if found.note:
        typer.echo(found.note, err=True)
    with progress("quantising"):
        fold_batch_norms_(found.model, found.network)
        bits = {"weight_bits": weight_bits, "layer_bits": layer_bits or {}}
        quantise_(found.model, found.network, None, given=found.given, **bits)
        provenance = {"recipe": f"{found.network.name}, quantised as given"}
        to_artifact(found.model, found.network, provenance=provenance).save(out / "model.npz")
