"""The configuration that a subcommand's options describe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hw.contract.config import AcceleratorConfig

Option = int | bool | str | None
"""What an option gives; None where it was not used."""


def configure(
    path: Path | None = None, *, usual: AcceleratorConfig | None = None, **options: Option
) -> AcceleratorConfig:
    """What the file says, or without a file what is ``usual``, but for the ``options`` that were given.

    These have the names of the configuration's fields. A batch that nobody chose is no larger than the lanes.
    """
    from dataclasses import asdict

    from hw.contract.config import AcceleratorConfig, load_config

    given = {name: value for name, value in options.items() if value is not None}
    base = load_config(path) if path else asdict(usual or AcceleratorConfig())
    if path is None and "batch" not in given and isinstance(lanes := given.get("lanes"), int):
        given["batch"] = max(1, min(base["batch"], lanes))
    return AcceleratorConfig(**{**base, **given})
