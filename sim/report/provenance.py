"""The commands that make a report's model, design and figures again, and the digests that prove they did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hw.contract.artifact import Artifact
from hw.contract.design import FILE_NAME, DesignInfo
from hw.util import quote
from sim.rtl.verify import Verification

TOP = "spec2"
"""The top module of a design that was given no name."""


def commands(
    folder: Path, training: dict[str, Any], design: Path, info: DesignInfo | None, result: Verification | None
) -> list[str]:
    """Command lines, in the order in which they were run; what is not known of one is left out."""
    found = [str(training["command"])] if training.get("command") else []
    if info:
        model, file = str(folder / "model.npz"), str(design / FILE_NAME)
        if info.accelerator == info.digest:
            named = [] if info.top == TOP else ["--name", info.top]
            words = ["generate", model, "--config", file, *named, "--out", str(design)]
            found.append(quote.shell("spec2", *words))
        if result:
            stalls = ["--stalls"] if result.stalls else []
            count, seed = str(result.images), str(result.seed)
            words = ["simulate", str(design), "--images", count, "--seed", seed, *stalls]
            found.append(quote.shell("spec2", *words))
    own = [] if design == folder / "design" else ["--design", str(design)]
    return [*found, quote.shell("spec2", "report", str(folder), *own)]


def digests(artifact: Artifact, info: DesignInfo | None) -> dict[str, str]:
    """SHA-256 (hex) of the model, of the one that the accelerator was generated from, of the design and of
    every file in it, by what they are of."""
    found = {"model": artifact.digest}
    if info:
        found |= {"accelerator": info.accelerator, "design": info.fingerprint}
        found |= {name: content.sha256 for name, content in info.files.items()}
    return found
